#include "storage/vacation.h"

#include <inttypes.h>

#include "storage/db_internal.h"

enum err vacation_get(struct db *db, struct arena *arena, struct account_id account, struct vacation *vacation)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    *vacation = (struct vacation){ .state = VACATION_OFF };
    for (size_t i = 0; i < VACATION_AUDIENCES; i++)
        vacation->messages[i].body = SLICE_LIT("");
    args_i64(&args, account.n);
    enum err err = db_run(db,
                          "select v.state, v.starts_at, v.ends_at, m.audience, m.enabled, m.html, m.body from vacation v"
                          " join vacation_message m using (account_id) where v.account_id = $1",
                          &args, &r);
    for (int i = 0; !err && i < PQntuples(r); i++) {
        struct vacation_message *message = &vacation->messages[res_i64(r, i, 3)];
        vacation->state = (enum vacation_state)res_i64(r, i, 0);
        vacation->starts_us = res_time(r, i, 1);
        vacation->ends_us = res_time(r, i, 2);
        message->enabled = res_bool(r, i, 4);
        message->html = res_bool(r, i, 5);
        message->body = arena_copy(arena, res_slice(r, i, 6));
    }
    PQclear(r);
    return err;
}

static bool answers(const struct vacation *vacation)
{
    for (size_t i = 0; i < VACATION_AUDIENCES; i++)
        if (vacation->messages[i].enabled && vacation->messages[i].body.len)
            return vacation->state != VACATION_OFF;
    return false;
}

static enum err check(struct db *db, const struct vacation *vacation)
{
    for (size_t i = 0; i < VACATION_AUDIENCES; i++)
        if (vacation->messages[i].body.len > VACATION_BODY_MAX)
            return fail(&db->trace, ERR_LIMIT, "a message of %zu octets", vacation->messages[i].body.len);
    if (vacation->state == VACATION_BETWEEN && (!vacation->starts_us || vacation->ends_us <= vacation->starts_us))
        return fail(&db->trace, ERR_SYNTAX, "an absence needs a begin and, after it, an end");
    return ERR_OK;
}

/* Locks the account: deliveries see the mark before or after, as their commit does. */
static enum err mark_account(struct db *db, struct account_id account, bool on)
{
    struct db_args args = { 0 };
    int64_t rows;
    args_i64(&args, account.n);
    args_bool(&args, on);
    enum err err = db_run_only(db, "update account set auto_reply = $2 where account_id = $1", &args, &rows);
    return !err && rows == 0 ? fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, account.n) : err;
}

static void args_when(struct db_args *args, struct account_id account, const struct vacation *vacation)
{
    args_i64(args, account.n);
    args_i16(args, (int16_t)vacation->state);
    args_time(args, vacation->starts_us);
    args_time(args, vacation->ends_us);
}

static enum err put(struct db *db, struct account_id account, const struct vacation *vacation)
{
    struct db_args args = { 0 };
    args_when(&args, account, vacation);
    enum err err = db_run_only(db,
                               "delete from vacation_answered a where a.account_id = $1 and not exists (select 1 from"
                               " vacation v where v.account_id = $1 and v.state = $2 and v.starts_at is not distinct from $3"
                               " and v.ends_at is not distinct from $4)",
                               &args, NULL);
    args = (struct db_args){ 0 };
    args_when(&args, account, vacation);
    if (!err)
        err = db_run_only(db,
                          "insert into vacation (account_id, state, starts_at, ends_at) values ($1, $2, $3, $4)"
                          " on conflict (account_id) do update set state = excluded.state, starts_at = excluded.starts_at,"
                          " ends_at = excluded.ends_at, changed_at = now()",
                          &args, NULL);
    for (size_t i = 0; i < VACATION_AUDIENCES && !err; i++) {
        const struct vacation_message *message = &vacation->messages[i];
        args = (struct db_args){ 0 };
        args_i64(&args, account.n);
        args_i16(&args, (int16_t)i);
        args_bool(&args, message->enabled);
        args_bool(&args, message->html);
        args_slice(&args, message->body.at ? message->body : SLICE_LIT(""));
        err = db_run_only(db,
                          "insert into vacation_message (account_id, audience, enabled, html, body)"
                          " values ($1, $2, $3, $4, $5) on conflict (account_id, audience) do update"
                          " set enabled = excluded.enabled, html = excluded.html, body = excluded.body",
                          &args, NULL);
    }
    return err;
}

enum err vacation_set(struct db *db, struct account_id account, const struct vacation *vacation)
{
    enum err err = check(db, vacation);
    if (!err)
        err = db_begin(db, "read committed");
    if (err)
        return err;
    err = mark_account(db, account, answers(vacation));
    if (!err)
        err = put(db, account, vacation);
    return db_end(db, err);
}

bool vacation_is_on(const struct vacation *vacation, int64_t now_us)
{
    if (vacation->state == VACATION_BETWEEN)
        return vacation->starts_us <= now_us && now_us < vacation->ends_us;
    return vacation->state == VACATION_ON;
}

enum err vacation_claim(struct db *db, struct account_id account, struct slice sender, int period_days, bool *fresh)
{
    struct db_args args = { 0 };
    int64_t rows = 0;
    args_i64(&args, account.n);
    args_slice(&args, sender);
    args_i32(&args, period_days);
    enum err err = db_run_only(db,
                               "insert into vacation_answered as a (account_id, sender) values ($1, lower($2))"
                               " on conflict (account_id, sender) do update set at = now()"
                               " where a.at <= now() - make_interval(days => $3)",
                               &args, &rows);
    *fresh = !err && rows > 0;
    return err;
}

enum err vacation_newest_sent(struct db *db, struct arena *arena, struct account_id account, uint32_t max,
                              struct message_id **ids, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i32(&args, (int32_t)max);
    enum err err = db_run(db,
                          "select p.message_id from placement p where p.account_id = $1 and p.removed_at is null"
                          " and p.mailbox_id = (select b.mailbox_id from mailbox b where b.account_id = $1 and b.role = 3"
                          "  and b.deleted_at is null order by b.mailbox_id limit 1)"
                          " order by p.uid desc limit $2",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *ids = arena_new(arena, struct message_id, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*ids)[i].n = res_i64(r, (int)i, 0);
    PQclear(r);
    return err;
}
