#include "storage/device.h"

#include <inttypes.h>

#include "storage/db_internal.h"

#define DEVICE_COLUMNS \
    "d.device_id, d.key, d.type, d.user_agent, d.model, d.os, d.friendly_name, d.phone_number, d.protocol_version," \
    " d.access, d.policy_key, d.policy_key_pending, d.policy_hash, d.first_seen, d.last_seen, d.ping_heartbeat_s," \
    " d.ping_folders, d.sync_request, d.imei, d.os_language, d.mobile_operator, d.decided, d.notice_due, d.wipe," \
    " d.wipe_kind, d.wipe_by, d.wipe_ordered_at, d.wipe_sent_at, d.wipe_answered_at, d.loops, d.loop_what, d.loop_at," \
    " d.trace_until, d.trace_content, d.policy_at"

static void read_device(struct arena *arena, const PGresult *result, int row, struct device *device)
{
    *device = (struct device){
        .id.n = res_i64(result, row, 0),
        .key = res_text(arena, result, row, 1),
        .type = res_text(arena, result, row, 2),
        .user_agent = res_text(arena, result, row, 3),
        .model = res_text(arena, result, row, 4),
        .os = res_text(arena, result, row, 5),
        .friendly_name = res_text(arena, result, row, 6),
        .phone_number = res_text(arena, result, row, 7),
        .protocol_version = res_text(arena, result, row, 8),
        .access = (enum device_access)res_i64(result, row, 9),
        .policy_key = (uint32_t)res_i64(result, row, 10),
        .policy_key_pending = (uint32_t)res_i64(result, row, 11),
        .policy_hash = (uint64_t)res_i64(result, row, 12),
        .first_seen_us = res_time(result, row, 13),
        .last_seen_us = res_time(result, row, 14),
        .ping_heartbeat_s = (int32_t)res_i64(result, row, 15),
        .ping_folders = arena_copy(arena, res_slice(result, row, 16)),
        .sync_request = arena_copy(arena, res_slice(result, row, 17)),
        .imei = res_text(arena, result, row, 18),
        .os_language = res_text(arena, result, row, 19),
        .mobile_operator = res_text(arena, result, row, 20),
        .decided = res_bool(result, row, 21),
        .notice_due = res_bool(result, row, 22),
        .wipe = (enum device_wipe)res_i64(result, row, 23),
        .wipe_kind = (enum device_wipe_kind)res_i64(result, row, 24),
        .wipe_by = res_text(arena, result, row, 25),
        .wipe_ordered_us = res_time(result, row, 26),
        .wipe_sent_us = res_time(result, row, 27),
        .wipe_answered_us = res_time(result, row, 28),
        .loops = (int32_t)res_i64(result, row, 29),
        .loop_what = res_text(arena, result, row, 30),
        .loop_us = res_time(result, row, 31),
        .trace_until_us = res_time(result, row, 32),
        .trace_content = res_bool(result, row, 33),
        .policy_us = res_time(result, row, 34),
    };
}

enum err device_find(struct db *db, struct arena *arena, struct account_id account, struct slice key,
                     struct device *device)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_slice(&args, key);
    enum err err = db_run(db, "select " DEVICE_COLUMNS " from device d where d.account_id = $1 and lower(d.key) = lower($2)", &args, &result);
    if (!err && PQntuples(result) == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        read_device(arena, result, 0, device);
    PQclear(result);
    return err;
}

enum err device_open(struct db *db, struct arena *arena, struct account_id account, struct slice key, struct slice type,
                     int32_t devices_max, enum device_access access, struct device *device)
{
    if (key.len == 0 || key.len > DEVICE_KEY_MAX || type.len > DEVICE_KEY_MAX)
        return fail(&db->trace, ERR_SYNTAX, "a device key has 1 to %u octets", DEVICE_KEY_MAX);
    enum err err = device_find(db, arena, account, key, device);
    if (err != ERR_NOT_FOUND)
        return err;
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_slice(&args, key);
    args_slice(&args, type);
    args_i32(&args, devices_max);
    args_i32(&args, (int32_t)access);
    err = db_run(db, "select device_open_2($1, $2, $3, $4, $5)", &args, &result);
    PQclear(result);
    return err ? err : device_find(db, arena, account, key, device);
}

enum err device_list(struct db *db, struct arena *arena, struct account_id account, struct device **devices, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    enum err err = db_run(db, "select " DEVICE_COLUMNS " from device d where d.account_id = $1 order by d.device_id", &args,
                          &result);
    if (err)
        return err;
    *count = (size_t)PQntuples(result);
    *devices = arena_new(arena, struct device, *count + 1);
    for (size_t i = 0; i < *count; i++)
        read_device(arena, result, (int)i, &(*devices)[i]);
    PQclear(result);
    return ERR_OK;
}

/* A change of one device; ERR_NOT_FOUND when there is none. */
static enum err change_one(struct db *db, const char *sql, struct db_args *args)
{
    int64_t rows;
    enum err err = db_run_only(db, sql, args, &rows);
    return !err && rows == 0 ? fail(&db->trace, ERR_NOT_FOUND, "no such device") : err;
}

enum err device_set_information(struct db *db, struct account_id account, struct device_id device, const struct device *info)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_text(&args, info->user_agent);
    args_text(&args, info->model);
    args_text(&args, info->os);
    args_text(&args, info->friendly_name);
    args_text(&args, info->phone_number);
    args_text(&args, info->protocol_version);
    args_text(&args, info->imei);
    args_text(&args, info->os_language);
    args_text(&args, info->mobile_operator);
    return change_one(db,
                      "update device set user_agent = coalesce($3, user_agent), model = coalesce($4, model),"
                      " os = coalesce($5, os), friendly_name = coalesce($6, friendly_name),"
                      " phone_number = coalesce($7, phone_number), protocol_version = coalesce($8, protocol_version),"
                      " imei = coalesce($9, imei), os_language = coalesce($10, os_language),"
                      " mobile_operator = coalesce($11, mobile_operator)"
                      " where account_id = $1 and device_id = $2",
                      &args);
}

enum err device_set_policy(struct db *db, struct account_id account, struct device_id device, uint32_t key,
                           uint32_t key_pending, uint64_t policy_hash, bool acknowledged)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, key);
    args_i64(&args, key_pending);
    args_i64(&args, (int64_t)policy_hash);
    args_bool(&args, acknowledged);
    return change_one(db,
                      "update device set policy_key = $3, policy_key_pending = $4, policy_hash = $5,"
                      " policy_at = case when $6 then now() else policy_at end"
                      " where account_id = $1 and device_id = $2",
                      &args);
}

enum err device_set_ping(struct db *db, struct account_id account, struct device_id device, int32_t heartbeat_s,
                         struct slice folders)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i32(&args, heartbeat_s);
    args_bytes(&args, folders);
    return change_one(db,
                      "update device set ping_heartbeat_s = $3, ping_folders = $4 where account_id = $1 and device_id = $2",
                      &args);
}

enum err device_set_sync_request(struct db *db, struct account_id account, struct device_id device, struct slice request)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_bytes(&args, request);
    return change_one(db, "update device set sync_request = $3 where account_id = $1 and device_id = $2", &args);
}

/* Runs "update device ... returning account_id" and raises the account's auth_version. */
#define WITH_AUTH(update) \
    "with d as (" update " returning account_id)" \
    " update directory set auth_version = auth_version + 1 where account_id = (select account_id from d)"

static enum err change_auth(struct db *db, const char *sql, struct db_args *args, struct account_id account,
                            struct change_set *changes)
{
    enum err err = change_one(db, sql, args);
    if (!err)
        change_set_add(changes, (struct change){ .account = account, .kinds = CHANGE_AUTH });
    return err;
}

enum err device_set_access(struct db *db, struct account_id account, struct device_id device, enum device_access access,
                           struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i16(&args, (int16_t)access);
    return change_auth(db,
                       WITH_AUTH("update device set access = $3, decided = true, notice_due = false"
                                 " where account_id = $1 and device_id = $2"),
                       &args, account, changes);
}

enum err device_take_notice(struct db *db, struct account_id account, struct device_id device, bool *due)
{
    struct db_args args = { 0 };
    int64_t rows = 0;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    enum err err = db_run_only(db,
                               "update device set notice_due = false"
                               " where account_id = $1 and device_id = $2 and notice_due",
                               &args, &rows);
    *due = !err && rows == 1;
    return err;
}

enum err device_order_wipe(struct db *db, struct account_id account, struct device_id device,
                           enum device_wipe_kind kind, const char *by, struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i16(&args, (int16_t)kind);
    args_text(&args, by);
    return change_auth(db,
                       WITH_AUTH("update device set wipe = 1, wipe_kind = $3, wipe_by = $4, wipe_ordered_at = now(),"
                                 " wipe_sent_at = null, wipe_answered_at = null"
                                 " where account_id = $1 and device_id = $2"),
                       &args, account, changes);
}

enum err device_step_wipe(struct db *db, struct account_id account, struct device_id device, enum device_wipe wipe)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i16(&args, (int16_t)wipe);
    return db_run_only(db,
                       "update device set wipe = $3,"
                       " wipe_sent_at = case when $3 = 2 then now() else wipe_sent_at end,"
                       " wipe_answered_at = case when $3 > 2 then now() end"
                       " where account_id = $1 and device_id = $2 and wipe = case when $3 = 2 then 1 else 2 end",
                       &args, NULL);
}

enum err device_note_loop(struct db *db, struct account_id account, struct device_id device, const char *what)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_text(&args, what);
    return change_one(db,
                      "update device set loops = loops + 1, loop_what = $3, loop_at = now()"
                      " where account_id = $1 and device_id = $2",
                      &args);
}

enum err device_set_trace(struct db *db, struct account_id account, struct device_id device, int64_t until_us,
                          bool content, struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_time(&args, until_us);
    args_bool(&args, content);
    enum err err = change_one(db,
                              "update device set trace_until = $3, trace_content = $4"
                              " where account_id = $1 and device_id = $2",
                              &args);
    if (!err)
        change_set_add(changes, (struct change){ .account = account, .kinds = CHANGE_DEVICE });
    return err;
}

enum err device_reset(struct db *db, struct account_id account, struct device_id device)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    return db_run_only(db,
                       "with gone as (delete from sync_state where account_id = $1 and device_id = $2),"
                       " results as (delete from sync_result where account_id = $1 and device_id = $2)"
                       " update device set sync_request = '', ping_folders = '', policy_key = 0,"
                       " policy_key_pending = 0, policy_at = null, wipe = 0"
                       " where account_id = $1 and device_id = $2",
                       &args, NULL);
}

enum err device_touch(struct db *db, const struct device_seen *seen, size_t count)
{
    struct arena *arena = arena_open();
    int64_t *accounts = arena_new(arena, int64_t, count + 1), *devices = arena_new(arena, int64_t, count + 1);
    int64_t *times = arena_new(arena, int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        accounts[i] = seen[i].account.n;
        devices[i] = seen[i].device.n;
        times[i] = seen[i].at_us;
    }
    struct db_args args = { 0 };
    args_i64_array(&args, accounts, count);
    args_i64_array(&args, devices, count);
    args_time_array(&args, times, count);
    enum err err = db_run_only(db,
                               "update device d set last_seen = greatest(d.last_seen, u.at)"
                               " from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) u(account_id, device_id, at)"
                               " where d.account_id = u.account_id and d.device_id = u.device_id",
                               &args, NULL);
    arena_close(&arena);
    return err;
}
