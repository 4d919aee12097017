#include "storage/metadata.h"

#include "storage/db_internal.h"

enum err metadata_list(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                       struct metadata_row **rows, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    enum err err = db_run(db, "select entry, value from metadata where account_id = $1 and mailbox_id = $2 order by entry",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *rows = arena_new(arena, struct metadata_row, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*rows)[i] = (struct metadata_row){ arena_copy(arena, res_slice(r, (int)i, 0)),
                                            arena_copy(arena, res_slice(r, (int)i, 1)) };
    PQclear(r);
    return err;
}

enum err metadata_set(struct db *db, struct account_id account, struct mailbox_id mailbox,
                      const struct metadata_row *rows, size_t count, struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct slice *entries = arena_new(arena, struct slice, count), *values = arena_new(arena, struct slice, count);
    int64_t *kept = arena_new(arena, int64_t, count);
    struct db_args args = { 0 };
    PGresult *r = NULL;
    for (size_t i = 0; i < count; i++) {
        entries[i] = rows[i].entry;
        values[i] = rows[i].value.at ? rows[i].value : SLICE_LIT("");
        kept[i] = rows[i].value.at != NULL;
    }
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_text_array(&args, entries, count);
    args_bytes_array(&args, values, count);
    args_i64_array(&args, kept, count);
    args_i32(&args, METADATA_ENTRIES_MAX);
    enum err err = db_run(db, "select metadata_set_1($1, $2, $3, $4, $5, $6)", &args, &r);
    if (!err && mailbox.n)
        change_set_add(changes, (struct change){ account, mailbox, res_i64(r, 0, 0), CHANGE_FLAGS });
    PQclear(r);
    arena_close(&arena);
    return err;
}
