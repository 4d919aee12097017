#include "storage/trouble.h"

#include "storage/db_internal.h"

static enum err drop_oldest(struct db *db, struct account_id account)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, TROUBLE_MAX);
    return db_run_only(db,
                       "delete from trouble t using (select mailbox_id, item from trouble where account_id = $1"
                       " order by last_at desc, mailbox_id, item offset $2) o"
                       " where t.account_id = $1 and t.mailbox_id = o.mailbox_id and t.item = o.item",
                       &args, NULL);
}

enum err trouble_note(struct db *db, const struct trouble *trouble, bool *fresh)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, trouble->account.n);
    args_i64(&args, trouble->mailbox.n);
    args_i64(&args, trouble->item);
    args_i16(&args, trouble->protocol);
    args_text(&args, trouble->device);
    args_text(&args, trouble->why);
    enum err err =
        db_run(db,
               "insert into trouble as t (account_id, mailbox_id, item, protocol, device, why)"
               " values ($1, $2, $3, $4, $5, $6) on conflict (account_id, mailbox_id, item) do update set"
               " times = t.times + 1, last_at = now(), protocol = excluded.protocol, device = excluded.device,"
               " why = excluded.why returning times",
               &args, &r);
    if (err)
        return err;
    *fresh = res_i64(r, 0, 0) == 1;
    PQclear(r);
    return *fresh ? drop_oldest(db, trouble->account) : ERR_OK;
}

enum err trouble_list(struct db *db, struct arena *arena, struct account_id account, size_t max, struct trouble **list,
                      size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, (int64_t)max);
    enum err err =
        db_run(db,
               "select t.account_id, t.mailbox_id, t.item, t.protocol, t.device, t.why, d.login, b.name,"
               " t.first_at, t.last_at, t.times from trouble t"
               " join directory d on d.account_id = t.account_id"
               " join mailbox b on b.account_id = t.account_id and b.mailbox_id = t.mailbox_id and b.deleted_at is null"
               " where ($1 = 0 or t.account_id = $1) and exists (select 1 from placement p"
               "  where p.account_id = t.account_id and p.mailbox_id = t.mailbox_id and p.item = t.item"
               "  and p.removed_at is null) order by t.last_at desc, t.mailbox_id, t.item limit $2",
               &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *list = arena_new(arena, struct trouble, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        int n = (int)i;
        (*list)[i] = (struct trouble){
            .account.n = res_i64(r, n, 0),
            .mailbox.n = res_i64(r, n, 1),
            .item = (uint32_t)res_i64(r, n, 2),
            .protocol = (uint8_t)res_i64(r, n, 3),
            .device = res_text(arena, r, n, 4),
            .why = res_text(arena, r, n, 5),
            .login = res_text(arena, r, n, 6),
            .mailbox_name = res_text(arena, r, n, 7),
            .first_us = res_time(r, n, 8),
            .last_us = res_time(r, n, 9),
            .times = res_i64(r, n, 10),
        };
    }
    PQclear(r);
    return err;
}
