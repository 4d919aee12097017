/* The rows of sync_state: opening, replacing and advancing them. */
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "storage/sync_internal.h"

#define KEY_LEN 12u

/* 72 random bits in base64url: what a state takes is read and written with every Sync. Older states have keys of 32 hex
 * digits, which count as well. */
void sync_key_new(char key[SYNC_KEY_MAX + 1])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char octets[KEY_LEN];
    size_t got = 0;
    while (got < sizeof octets) {
        ssize_t n = getrandom(octets + got, sizeof octets - got, 0);
        got += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < sizeof octets; i++)
        key[i] = digits[octets[i] & 63];
    key[sizeof octets] = '\0';
}

enum err sync_key_check(struct db *db, struct slice key)
{
    return key.len == 0 || key.len > SYNC_KEY_MAX ? fail(&db->trace, ERR_CONFLICT, "no key of ours") : ERR_OK;
}

enum err sync_reset(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                    struct mailbox_id mailbox, struct slice options, struct sync_state *state)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    *state = (struct sync_state){ .options = arena_copy(arena, options) };
    sync_key_new(state->key);
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_text(&args, state->key);
    args_bytes(&args, options);
    enum err err = db_run(db,
                          "with look as (select a.modseq, b.uidnext - 1 as top from account a, mailbox b"
                          "  where a.account_id = $1 and b.account_id = $1 and b.mailbox_id = $3 and b.deleted_at is null),"
                          " forgotten as (delete from sync_result where account_id = $1 and device_id = $2 and mailbox_id = $3)"
                          " insert into sync_state as s (account_id, device_id, mailbox_id, generation, given_key, given_s,"
                          "  given_a, given_b, given_date, given_item, given_options, given_initial)"
                          " select $1, $2, $3, 1, $4, modseq, top, nullif(top, 0), '-infinity', null, $5, true from look"
                          " on conflict (account_id, device_id, mailbox_id) do update set generation = s.generation + 1,"
                          "  given_key = excluded.given_key, given_s = excluded.given_s, given_a = excluded.given_a,"
                          "  given_b = excluded.given_b, given_date = excluded.given_date, given_item = null,"
                          "  given_options = excluded.given_options, given_initial = true, used_key = null, updated_at = now()"
                          " returning s.generation, s.given_s, s.given_a",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "mailbox=%" PRIi64 " is gone", mailbox.n);
    if (!err) {
        state->generation = res_i64(result, 0, 0);
        state->at.s = res_i64(result, 0, 1);
        state->at.a = state->at.b = (uint32_t)res_i64(result, 0, 2);
    }
    PQclear(result);
    return err;
}

enum err sync_begin(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                    struct mailbox_id mailbox, struct slice key, struct sync_state *state)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    enum err err = sync_key_check(db, key);
    if (err)
        return err;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_slice(&args, key);
    err = db_run(db,
                 "select o_s, o_a, o_b, nullif(o_date, '-infinity'), o_item, o_options, o_generation, o_primed, o_replay,"
                 " (select role from mailbox where account_id = $1 and mailbox_id = $3),"
                 " (select updated_at < now() - interval '1 day' from sync_state"
                 "  where account_id = $1 and device_id = $2 and mailbox_id = $3)"
                 " from sync_begin_2($1, $2, $3, $4)",
                 &args, &result);
    if (!err) {
        *state = (struct sync_state){
            .at = { .s = res_i64(result, 0, 0),
                    .a = (uint32_t)res_i64(result, 0, 1),
                    .b = (uint32_t)res_i64(result, 0, 2),
                    .cut = { res_time(result, 0, 3), (uint32_t)res_i64(result, 0, 4) } },
            .options = arena_copy(arena, res_slice(result, 0, 5)),
            .generation = res_i64(result, 0, 6),
            .primed = res_bool(result, 0, 7),
            .replay = res_bool(result, 0, 8),
            .role = (int)res_i64(result, 0, 9),
            .old = res_bool(result, 0, 10),
        };
        memcpy(state->key, key.at, key.len);
        state->key[key.len] = '\0';
    }
    PQclear(result);
    return err;
}

enum err sync_current_key(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                          char key[SYNC_KEY_MAX + 1])
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    enum err err = db_run(db,
                          "select coalesce(given_key, used_key) from sync_state"
                          " where account_id = $1 and device_id = $2 and mailbox_id = $3",
                          &args, &result);
    if (!err && (PQntuples(result) == 0 || res_null(result, 0, 0)))
        err = fail(&db->trace, ERR_NOT_FOUND, "never synced");
    if (!err) {
        struct slice found = res_slice(result, 0, 0);
        memcpy(key, found.at, found.len);
        key[found.len] = '\0';
    }
    PQclear(result);
    return err;
}

enum err sync_commit(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                     const struct sync_state *state, const struct sync_position *next, struct slice options,
                     char key[SYNC_KEY_MAX + 1])
{
    struct db_args args = { 0 };
    int64_t rows;
    sync_key_new(key);
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, state->generation);
    args_text(&args, key);
    args_i64(&args, next->s);
    args_i64(&args, next->a);
    args_i64(&args, next->b);
    args_time(&args, next->cut.date_us);
    args_i64(&args, next->cut.item);
    args_bytes(&args, options);
    enum err err = db_run_only(db,
                               "update sync_state set given_key = $5, given_s = $6, given_a = $7, given_b = nullif($8, 0),"
                               " given_date = coalesce($9, '-infinity'), given_item = nullif($10, 0), given_options = $11,"
                               " used_options = nullif(coalesce(used_options, given_options), $11),"
                               " given_initial = false, updated_at = now()"
                               " where account_id = $1 and device_id = $2 and mailbox_id = $3 and generation = $4",
                               &args, &rows);
    return !err && rows == 0 ? fail(&db->trace, ERR_CONFLICT, "a newer request took over") : err;
}

enum err sync_advance(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                      const struct sync_state *state, const struct sync_look *look)
{
    const struct sync_position *at = &state->at, *next = &look->next;
    bool moved = look->rows_passed >= SYNC_ADVANCE_ROWS || next->b != at->b || next->cut.date_us != at->cut.date_us ||
                 next->cut.item != at->cut.item;
    if (!moved && !state->old && !state->replay)
        return ERR_OK;
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_text(&args, state->key);
    args_i64(&args, at->s);
    args_i64(&args, next->s);
    args_i64(&args, next->a);
    args_i64(&args, next->b);
    args_time(&args, next->cut.date_us);
    args_i64(&args, next->cut.item);
    args_i64(&args, state->generation);
    // The device holds this key: a newer one that was given to it is as good as never given. Ping looks from the newest.
    return db_run_only(db,
                       "update sync_state set given_key = $4, given_s = $6, given_a = $7, given_b = nullif($8, 0),"
                       " given_date = coalesce($9, '-infinity'), given_item = nullif($10, 0),"
                       " given_options = coalesce(used_options, given_options), used_options = null, given_initial = false,"
                       " used_s = $6, used_a = $7, used_b = nullif($8, 0), used_date = coalesce($9, '-infinity'),"
                       " used_item = nullif($10, 0),"
                       " updated_at = now()"
                       " where account_id = $1 and device_id = $2 and mailbox_id = $3 and used_key = $4 and used_s = $5"
                       " and generation = $11",
                       &args, NULL);
}
