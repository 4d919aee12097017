#include "storage/outbox.h"

#include "storage/db_internal.h"

enum err outbox_add(struct db *db, const struct outbox_entry *entry, int64_t *outbox_id)
{
    struct blob_id blob;
    enum err err = blob_write(db, &entry->octets, &blob);
    if (err)
        return err;
    struct db_args args = { 0 };
    *outbox_id = id_new();
    args_i64(&args, *outbox_id);
    args_i64(&args, entry->account.n);
    args_slice(&args, entry->sender);
    args_text_array(&args, entry->recipients, entry->recipient_count);
    args_i64(&args, blob.n);
    return db_run_only(db,
                       "insert into outbox (outbox_id, account_id, sender, recipients, blob_id) values ($1, $2, $3, $4, $5)",
                       &args, NULL);
}
