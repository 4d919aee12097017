/* The folder hierarchy of a device: FolderSync and the commands that change it. Its state is a sync_state row of mailbox 0,
 * of which only s counts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/mailbox_internal.h"
#include "storage/sync_internal.h"

static const struct mailbox_id HIERARCHY = { 0 };

static void whose(struct db_args *args, struct account_id account, struct device_id device)
{
    args_i64(args, account.n);
    args_i64(args, device.n);
}

/* Finds the state of a key and makes it the used one. The row stays locked in the caller's transaction. *did: the key
 * changed something before. */
static enum err open_key(struct db *db, struct account_id account, struct device_id device, struct slice key, int64_t *s,
                         bool *did)
{
    struct db_args args = { 0 }, move = { 0 };
    PGresult *result = NULL;
    enum err err = sync_key_check(db, key);
    if (err)
        return err;
    whose(&args, account, device);
    args_slice(&args, key);
    err = db_run(db,
                 "select case when given_key = $3 then given_s when used_key = $3 then used_s end,"
                 " given_key = $3 and used_key is distinct from $3,"
                 " exists (select 1 from sync_result where account_id = $1 and device_id = $2 and mailbox_id = 0 and key = $3)"
                 " from sync_state where account_id = $1 and device_id = $2 and mailbox_id = 0 for update",
                 &args, &result);
    if (!err && (PQntuples(result) == 0 || res_null(result, 0, 0)))
        err = fail(&db->trace, ERR_CONFLICT, "unknown hierarchy key");
    bool new_to_us = !err && res_bool(result, 0, 1);
    if (!err)
        *s = res_i64(result, 0, 0);
    *did = !err && res_bool(result, 0, 2);
    PQclear(result);
    if (err || !new_to_us)
        return err;
    whose(&move, account, device);
    args_slice(&move, key);
    return db_run_only(db,
                       "with gone as (delete from sync_result r using sync_state s where s.account_id = $1 and s.device_id = $2"
                       "  and s.mailbox_id = 0 and r.account_id = $1 and r.device_id = $2 and r.mailbox_id = 0"
                       "  and r.key = s.used_key and r.key <> $3)"
                       " update sync_state set used_key = given_key, used_s = given_s"
                       " where account_id = $1 and device_id = $2 and mailbox_id = 0",
                       &move, NULL);
}

static enum err give_key(struct db *db, struct account_id account, struct device_id device, int64_t s,
                         char key[SYNC_KEY_MAX + 1])
{
    struct db_args args = { 0 };
    sync_key_new(key);
    whose(&args, account, device);
    args_text(&args, key);
    args_i64(&args, s);
    return db_run_only(db,
                       "insert into sync_state (account_id, device_id, mailbox_id, given_key, given_s) values ($1, $2, 0, $3, $4)"
                       " on conflict (account_id, device_id, mailbox_id) do update"
                       " set given_key = excluded.given_key, given_s = excluded.given_s, updated_at = now()",
                       &args, NULL);
}

static enum err forget_all(struct db *db, struct account_id account, struct device_id device)
{
    struct db_args args = { 0 };
    whose(&args, account, device);
    return db_run_only(db,
                       "with gone as (delete from sync_result where account_id = $1 and device_id = $2 and mailbox_id = 0)"
                       " delete from sync_state where account_id = $1 and device_id = $2 and mailbox_id = 0",
                       &args, NULL);
}

static size_t depth_of(const struct mailbox *mailbox)
{
    return slice_count(slice_of(mailbox->path), '/');
}

/* Parents before children, but for what goes: there the children first. */
static int by_depth(const void *a, const void *b)
{
    const struct folder_change *x = a, *y = b;
    size_t i = depth_of(&x->mailbox), j = depth_of(&y->mailbox);
    if (x->op != y->op)
        return (x->op > y->op) - (x->op < y->op);
    if (i != j)
        return x->op == FOLDER_DELETE ? (j > i) - (j < i) : (i > j) - (i < j);
    return (x->mailbox.id.n > y->mailbox.id.n) - (x->mailbox.id.n < y->mailbox.id.n);
}

/* What changed after s for the device, and the clock of that snapshot. s -1: everything live. */
static enum err changed_since(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                              int64_t s, struct folder_look *look, int64_t *clock)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    size_t count;
    whose(&args, account, device);
    args_i64(&args, s);
    enum err err = db_run(db,
                          "select " MAILBOX_COLUMNS ", a.modseq, hierarchy_op_1(b, $2, $3)"
                          " from account a join mailbox b on b.account_id = a.account_id"
                          " where a.account_id = $1 order by b.mailbox_id",
                          &args, &result);
    if (err)
        return err;
    struct mailbox *all = mailbox_read_all(arena, result, &count);
    *clock = count ? res_i64(result, 0, MAILBOX_COLUMN_COUNT) : 0;
    look->items = arena_new(arena, struct folder_change, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (res_null(result, (int)i, MAILBOX_COLUMN_COUNT + 1))
            continue;
        enum folder_op op = (enum folder_op)res_i64(result, (int)i, MAILBOX_COLUMN_COUNT + 1);
        look->items[look->count++] = (struct folder_change){ op, all[i] };
    }
    PQclear(result);
    qsort(look->items, look->count, sizeof *look->items, by_depth);
    return ERR_OK;
}

/* What the key did before without the device knowing of it, but for `what`, which it repeats, is news to it. */
static enum err doubt(struct db *db, struct account_id account, struct device_id device, struct slice key, struct slice what)
{
    struct db_args args = { 0 };
    whose(&args, account, device);
    args_slice(&args, key);
    args_slice(&args, what);
    return db_run_only(db, "select hierarchy_doubt_1($1, $2, $3, $4)", &args, NULL);
}

enum err sync_folders(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                      struct slice key, struct folder_look *look)
{
    int64_t s = -1, clock;
    *look = (struct folder_look){ 0 };
    bool fresh = slice_eq(key, SLICE_LIT("0")), did = false;
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    err = fresh ? forget_all(db, account, device) : open_key(db, account, device, key, &s, &did);
    if (!err && did)
        err = doubt(db, account, device, key, SLICE_LIT(""));
    if (!err)
        err = changed_since(db, arena, account, device, s, look, &clock);
    if (!err && (fresh || look->count)) {
        err = give_key(db, account, device, clock, look->key);
    } else if (!err) {
        memcpy(look->key, key.at, key.len);
        look->key[key.len] = '\0';
    }
    return db_end(db, err);
}

/* ---- the device's own changes ---- */

/* Before it changes `id` (0: makes a mailbox); locks the account. */
static enum err claim(struct db *db, struct account_id account, struct device_id device, struct mailbox_id id)
{
    struct db_args args = { 0 };
    whose(&args, account, device);
    args_i64(&args, id.n);
    return db_run_only(db, "select hierarchy_claim_1($1, $2, $3)", &args, NULL);
}

static enum err tell(struct db *db, struct account_id account, struct device_id device, struct mailbox_id made)
{
    struct db_args args = { 0 };
    whose(&args, account, device);
    args_i64(&args, made.n);
    return db_run_only(db, "select hierarchy_told_1($1, $2, $3)", &args, NULL);
}

/* Phones take names that differ in case only for one. */
static enum err check_name(struct db *db, struct account_id account, struct mailbox_id parent, struct slice name,
                           struct mailbox_id but)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, parent.n);
    args_slice(&args, name);
    args_i64(&args, but.n);
    enum err err = db_run(db,
                          "select exists (select 1 from mailbox where account_id = $1 and parent_id = $2"
                          " and lower(name) = lower(normalize($3, nfc)) and mailbox_id <> $4 and deleted_at is null)",
                          &args, &result);
    if (!err && res_bool(result, 0, 0))
        err = fail(&db->trace, ERR_EXISTS, "the name is taken");
    PQclear(result);
    return err;
}

/* Remembers the change and ends the transaction. The state stays where it was: marks at the rows say what the device
 * knows. */
static enum err finish(struct db *db, enum err err, struct account_id account, struct device_id device, struct slice key,
                       struct slice what, struct mailbox_id id, int64_t s, char new_key[SYNC_KEY_MAX + 1],
                       const struct change_set *made, struct change_set *changes)
{
    struct sync_result done = { .err = ERR_OK, .item = (uint32_t)id.n };
    if (!err)
        err = sync_result_put(db, account, device, HIERARCHY, key, what, &done);
    if (!err)
        err = give_key(db, account, device, s, new_key);
    err = db_end(db, err);
    for (size_t i = 0; !err && i < made->count; i++)
        change_set_add(changes, made->items[i]);
    return err;
}

/* Opens the key, and finds what a repeat of this very request already did. */
static enum err start(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                      struct slice key, struct slice what, int64_t *s, struct sync_result *before, bool *repeat)
{
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    bool did = false;
    err = open_key(db, account, device, key, s, &did);
    if (err)
        return db_end(db, err);
    if (did)
        err = doubt(db, account, device, key, what);
    if (!err)
        err = sync_result_find(db, arena, account, device, HIERARCHY, key, what, before);
    *repeat = err == ERR_OK;
    return err && err != ERR_NOT_FOUND ? db_end(db, err) : ERR_OK;
}

/* The path of a name below a parent. */
static enum err path_below(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id parent,
                           struct slice name, struct slice *path)
{
    struct mailbox mailbox;
    if (!mailbox_name_is_good(name))
        return fail(&db->trace, ERR_SYNTAX, "no name for a folder");
    if (parent.n == 0) {
        *path = name;
        return ERR_OK;
    }
    enum err err = mailbox_get(db, arena, account, parent, &mailbox);
    if (!err)
        *path = slice_of(arena_printf(arena, "%s/%.*s", mailbox.path, SLICE_ARG(name)));
    return err;
}

enum err sync_folder_create(struct db *db, struct account_id account, struct device_id device, struct slice key,
                            struct mailbox_id parent, struct slice name, struct mailbox_id *id,
                            char new_key[SYNC_KEY_MAX + 1], struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct slice what = slice_of(arena_printf(arena, "create:%" PRIi64 ":%.*s", parent.n, SLICE_ARG(name))), path;
    struct sync_result before;
    struct change_set made = { 0 };
    bool repeat = false;
    int64_t s;
    enum err err = start(db, arena, account, device, key, what, &s, &before, &repeat);
    if (!err) {
        if (repeat)
            id->n = before.item;
        else
            err = path_below(db, arena, account, parent, name, &path);
        if (!err && !repeat)
            err = claim(db, account, device, HIERARCHY);
        if (!err && !repeat)
            err = check_name(db, account, parent, name, HIERARCHY);
        if (!err && !repeat)
            err = mailbox_create(db, account, path, ROLE_NONE, id, &made);
        if (!err && !repeat)
            err = tell(db, account, device, *id);
        err = finish(db, err, account, device, key, what, *id, s, new_key, &made, changes);
    }
    arena_close(&arena);
    return err;
}

enum err sync_folder_update(struct db *db, struct account_id account, struct device_id device, struct slice key,
                            struct mailbox_id id, struct mailbox_id parent, struct slice name,
                            char new_key[SYNC_KEY_MAX + 1], struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct slice what = slice_of(arena_printf(arena, "update:%" PRIi64 ":%" PRIi64 ":%.*s", id.n, parent.n, SLICE_ARG(name)));
    struct slice path;
    struct sync_result before;
    struct change_set made = { 0 };
    struct actor by = { .protocol = BY_EAS, .device = device };
    bool repeat = false;
    int64_t s;
    enum err err = start(db, arena, account, device, key, what, &s, &before, &repeat);
    if (!err) {
        if (!repeat)
            err = path_below(db, arena, account, parent, name, &path);
        if (!err && !repeat)
            err = claim(db, account, device, id);
        if (!err && !repeat)
            err = check_name(db, account, parent, name, id);
        if (!err && !repeat)
            err = mailbox_rename(db, account, id, path, &by, &made);
        if (!err && !repeat)
            err = tell(db, account, device, HIERARCHY);
        err = finish(db, err, account, device, key, what, id, s, new_key, &made, changes);
    }
    arena_close(&arena);
    return err;
}

enum err sync_folder_delete(struct db *db, struct account_id account, struct device_id device, struct slice key,
                            struct mailbox_id id, const struct actor *by, char new_key[SYNC_KEY_MAX + 1],
                            struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct slice what = slice_of(arena_printf(arena, "delete:%" PRIi64, id.n));
    struct sync_result before;
    struct change_set made = { 0 };
    bool repeat = false;
    int64_t s;
    enum err err = start(db, arena, account, device, key, what, &s, &before, &repeat);
    if (!err) {
        if (!repeat)
            err = claim(db, account, device, id);
        if (!err && !repeat)
            err = mailbox_delete(db, account, id, true, by, &made);
        if (!err && !repeat)
            err = tell(db, account, device, HIERARCHY);
        err = finish(db, err, account, device, key, what, id, s, new_key, &made, changes);
    }
    arena_close(&arena);
    return err;
}
