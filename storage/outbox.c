#include "storage/outbox.h"

#include "storage/db_internal.h"

enum err outbox_list(struct db *db, struct arena *arena, int64_t after, uint32_t max, struct outbox_row **rows, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, after);
    args_i32(&args, (int32_t)max);
    enum err err = db_run(db,
                          "select o.outbox_id, o.created_at, o.next_try, b.size, o.account_id, coalesce(d.login, ''), o.sender,"
                          " o.recipients, o.attempts, o.last_reply, o.claimed_until > now() from outbox o"
                          " left join blob b using (blob_id) left join directory d using (account_id)"
                          " where o.outbox_id > $1 order by o.outbox_id limit $2",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *rows = arena_new(arena, struct outbox_row, *count + 1);
    for (int i = 0; i < (int)*count; i++) {
        struct outbox_row *row = &(*rows)[i];
        row->id = res_i64(r, i, 0);
        row->created_us = res_time(r, i, 1);
        row->next_try_us = res_time(r, i, 2);
        row->size = res_i64(r, i, 3);
        row->account.n = res_i64(r, i, 4);
        row->login = res_text(arena, r, i, 5);
        row->sender = res_text(arena, r, i, 6);
        row->recipients = res_text_array(arena, r, i, 7, &row->recipient_count);
        row->attempts = (int32_t)res_i64(r, i, 8);
        row->last_reply = res_text(arena, r, i, 9);
        row->claimed = res_bool(r, i, 10);
    }
    PQclear(r);
    return err;
}

enum err outbox_drop(struct db *db, int64_t outbox_id, struct account_id *account)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, outbox_id);
    enum err err = db_run(db,
                          "with gone as (delete from outbox where outbox_id = $1"
                          " and (claimed_until is null or claimed_until <= now()) returning account_id)"
                          " select account_id, true from gone union all select account_id, false from outbox"
                          " where outbox_id = $1 and not exists (select 1 from gone)",
                          &args, &r);
    if (!err && PQntuples(r) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such entry");
    else if (!err && !res_bool(r, 0, 1))
        err = fail(&db->trace, ERR_STATE, "a relay is at it");
    if (!err)
        account->n = res_i64(r, 0, 0);
    PQclear(r);
    return err;
}
