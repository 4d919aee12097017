/* What a device does to mail, with the results that its repeats are answered from. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/blob_internal.h"
#include "storage/sync_internal.h"

/* ---- results ---- */

enum err sync_result_find(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                          struct mailbox_id mailbox, struct slice key, struct slice client_id, struct sync_result *result)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_slice(&args, key);
    args_slice(&args, client_id);
    enum err err = db_run(db,
                          "select err, item, detail from sync_result where account_id = $1 and device_id = $2"
                          " and mailbox_id = $3 and key = $4 and client_id = $5",
                          &args, &r);
    if (!err && PQntuples(r) == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        *result = (struct sync_result){ .err = (enum err)res_i64(r, 0, 0),
                                        .item = (uint32_t)res_i64(r, 0, 1),
                                        .detail = arena_copy(arena, res_slice(r, 0, 2)) };
    PQclear(r);
    return err;
}

enum err sync_result_put(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                         struct slice key, struct slice client_id, const struct sync_result *result)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_slice(&args, key);
    args_slice(&args, client_id);
    args_i16(&args, (int16_t)result->err);
    args_i64(&args, result->item);
    args_bytes(&args, result->detail);
    return db_run_only(db,
                       "insert into sync_result (account_id, device_id, mailbox_id, key, client_id, err, item, detail)"
                       " values ($1, $2, $3, $4, $5, $6, $7, $8)"
                       " on conflict (account_id, device_id, mailbox_id, key, client_id) do update"
                       " set err = excluded.err, item = excluded.item, detail = excluded.detail",
                       &args, NULL);
}

/* ---- flags, deletions, moves ---- */

enum err sync_change_flags(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                           uint32_t item, const struct sync_flags *flags, struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, item);
    args_i32(&args, flags->read);
    args_i32(&args, flags->flagged);
    args_json(&args, flags->extra_flag);
    args_bool(&args, flags->set_categories);
    args_text_array(&args, flags->categories, flags->category_count);
    enum err err = db_run(db, "select o_clock, o_changed from sync_flags_1($1, $2, $3, $4, $5, $6, $7, $8, $9)", &args,
                          &result);
    if (!err && res_bool(result, 0, 1))
        change_set_add(changes, (struct change){ account, mailbox, res_i64(result, 0, 0), CHANGE_FLAGS });
    PQclear(result);
    return err;
}

enum err sync_delete(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                     const uint32_t *items, size_t count, bool to_trash, const struct actor *by,
                     struct change_set *changes)
{
    struct arena *arena = arena_open();
    int64_t *ids = arena_new(arena, int64_t, count + 1);
    struct db_args args = { 0 };
    PGresult *result = NULL;
    for (size_t i = 0; i < count; i++)
        ids[i] = items[i];
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_i64_array(&args, ids, count);
    args_bool(&args, to_trash);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    enum err err = db_run(db, "select o_clock, o_trash from sync_delete_1($1, $2, $3, $4, $5, $6, $7)", &args, &result);
    if (!err && !res_null(result, 0, 0)) {
        int64_t clock = res_i64(result, 0, 0);
        struct mailbox_id trash = { res_i64(result, 0, 1) };
        change_set_add(changes, (struct change){ account, mailbox, clock, CHANGE_REMOVED });
        if (trash.n)
            change_set_add(changes, (struct change){ account, trash, clock, CHANGE_NEW });
    }
    PQclear(result);
    arena_close(&arena);
    return err;
}

enum err sync_move(struct db *db, struct account_id account, struct device_id device, struct mailbox_id from,
                   uint32_t item, struct mailbox_id to, const struct actor *by, uint32_t *new_item,
                   struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, from.n);
    args_i64(&args, item);
    args_i64(&args, to.n);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    enum err err = db_run(db, "select o_item, o_clock, o_repeat from sync_move_1($1, $2, $3, $4, $5, $6, $7)", &args, &result);
    if (!err) {
        *new_item = (uint32_t)res_i64(result, 0, 0);
        if (!res_bool(result, 0, 2)) {
            change_set_add(changes, (struct change){ account, from, res_i64(result, 0, 1), CHANGE_REMOVED });
            change_set_add(changes, (struct change){ account, to, res_i64(result, 0, 1), CHANGE_NEW });
        }
    }
    PQclear(result);
    return err;
}

/* ---- drafts: the message and what is remembered of the request are one transaction ---- */

/* Big octets are written ahead, before the account is locked. */
static enum err write_ahead(struct db *db, struct append_item *item)
{
    const struct octets *octets = &item->message.octets;
    if (item->message.blob.n || octets_size(octets) <= (int64_t)BLOB_CHUNK_BYTES)
        return ERR_OK;
    return blob_write(db, octets, &item->message.blob);
}

/* Begins the transaction with the account locked, and asks again what the request did before: its repeat may have been
 * under way beside it. ERR_NOT_FOUND: nothing yet. Ended by db_end, whatever it gives. */
static enum err begin_draft(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                            struct mailbox_id mailbox, struct slice key, struct slice client_id, struct sync_result *result)
{
    struct db_args args = { 0 };
    PGresult *locked = NULL;
    struct sync_result before;
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    args_i64(&args, account.n);
    err = db_run(db, "select 1 from account where account_id = $1 for no key update", &args, &locked);
    PQclear(locked);
    if (err)
        return err;
    err = sync_result_find(db, arena, account, device, mailbox, key, client_id, &before);
    if (!err)
        *result = before;
    return err;
}

static void add_changes(struct change_set *changes, const struct change_set *made)
{
    for (size_t i = 0; i < made->count; i++)
        change_set_add(changes, made->items[i]);
}

enum err sync_add_draft(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                        struct mailbox_id mailbox, struct slice key, struct slice client_id, struct append_item *item,
                        struct sync_result *result, struct change_set *changes)
{
    struct actor by = { .protocol = BY_EAS, .device = device };
    struct change_set made = { 0 };
    uint32_t uidvalidity;
    item->born_by = device;
    enum err err = write_ahead(db, item);
    if (err)
        return err;
    err = begin_draft(db, arena, account, device, mailbox, key, client_id, result);
    if (err == ERR_NOT_FOUND) {
        err = message_append(db, account, mailbox, item, 1, &by, &uidvalidity, &made);
        result->err = ERR_OK;
        result->item = item->item;
        if (!err)
            err = sync_result_put(db, account, device, mailbox, key, client_id, result);
    }
    err = db_end(db, err);
    if (!err)
        add_changes(changes, &made);
    return err;
}

/* The draft's row, unless somebody else gave it another text behind edit->since: the row that a text replaced says who
 * replaced it, since it became a tombstone one step before the new row. */
static enum err find_draft(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                           const struct draft_edit *edit, uint32_t *uid, uint64_t *flags)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, edit->item);
    args_i64(&args, device.n);
    args_i64(&args, edit->since);
    enum err err = db_run(db,
                          "select p.uid, p.flags, $5 >= 0 and p.item <> p.uid and p.modseq_content > $5 and not exists ("
                          "  select 1 from placement o where o.account_id = $1 and o.mailbox_id = $2 and o.removed_how = 3"
                          "   and o.modseq = p.modseq_content - 1 and o.changed_by = $4"
                          "   and ((o.uid = $3 and o.item = o.uid) or (o.item <> o.uid and o.item = $3)))"
                          " from placement p where p.account_id = $1 and p.mailbox_id = $2 and p.removed_at is null"
                          " and ((p.uid = $3 and p.item = p.uid) or (p.item <> p.uid and p.item = $3))",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "item=%u", edit->item);
    if (!err && res_bool(result, 0, 2))
        err = fail(&db->trace, ERR_CONFLICT, "item=%u has another text by now", edit->item);
    if (!err) {
        *uid = (uint32_t)res_i64(result, 0, 0);
        *flags = (uint64_t)res_i64(result, 0, 1);
    }
    PQclear(result);
    return err;
}

/* Takes back that the device was told of a row. */
static enum err untell(struct db *db, struct account_id account, struct mailbox_id mailbox, uint32_t uid)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, uid);
    return db_run_only(db,
                       "update placement set changed_by = null, modseq_before = null"
                       " where account_id = $1 and mailbox_id = $2 and uid = $3",
                       &args, NULL);
}

enum err sync_change_draft(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                           struct mailbox_id mailbox, struct slice key, const struct draft_edit *edit,
                           struct append_item *content, struct sync_result *result, struct change_set *changes)
{
    struct actor by = { .protocol = BY_EAS, .device = device };
    struct change_set made = { 0 };
    uint32_t uid;
    char id[16];
    snprintf(id, sizeof id, "%u", edit->item);
    enum err err = write_ahead(db, content);
    if (err)
        return err;
    err = begin_draft(db, arena, account, device, mailbox, key, slice_of(id), result);
    if (err == ERR_NOT_FOUND) {
        err = find_draft(db, account, device, mailbox, edit, &uid, &content->flags);
        if (!err)
            err = message_replace(db, account, mailbox, uid, content, &by, &made);
        if (!err && edit->echo)
            err = untell(db, account, mailbox, content->uid);
        result->err = ERR_OK;
        result->item = edit->item;
        if (!err)
            err = sync_result_put(db, account, device, mailbox, key, slice_of(id), result);
    }
    err = db_end(db, err);
    if (!err)
        add_changes(changes, &made);
    return err;
}

/* ---- ClientIds of sent mail ---- */

enum err sync_claim_client_id(struct db *db, struct account_id account, struct device_id device, struct slice client_id,
                              bool *fresh)
{
    struct db_args args = { 0 };
    int64_t rows;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_slice(&args, client_id);
    enum err err = db_run_only(db,
                               "insert into sent_client_id as s (account_id, device_id, client_id) values ($1, $2, $3)"
                               " on conflict (account_id, device_id, client_id) do update set at = now()"
                               " where s.at < now() - interval '" CLIENT_ID_KEPT "'",
                               &args, &rows);
    *fresh = !err && rows > 0;
    return err;
}

enum err sync_client_id_known(struct db *db, struct account_id account, struct device_id device, struct slice client_id,
                              bool *known)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_slice(&args, client_id);
    enum err err = db_run(db,
                          "select 1 from sent_client_id where account_id = $1 and device_id = $2 and client_id = $3"
                          " and at >= now() - interval '" CLIENT_ID_KEPT "'",
                          &args, &result);
    *known = !err && PQntuples(result) > 0;
    PQclear(result);
    return err;
}
