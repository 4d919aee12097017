/* Reading: snapshots of mailboxes, what changed since, immutable rows, octets. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/blob_internal.h"
#include "storage/message.h"

#define BOX_SQL \
    "select b.uidvalidity, b.uidnext, b.recent_uid, b.modseq_items, a.modseq, b.purged_modseq, b.keywords" \
    " from account a join mailbox b on b.account_id = a.account_id" \
    " where a.account_id = $1 and b.mailbox_id = $2 and b.deleted_at is null"

static enum err read_box(struct db *db, struct arena *arena, const PGresult *r, struct mailbox_look *look)
{
    if (PQntuples(r) == 0)
        return fail(&db->trace, ERR_NOT_FOUND, "the mailbox is gone");
    *look = (struct mailbox_look){
        .uidvalidity = (uint32_t)res_i64(r, 0, 0),
        .uidnext = (uint32_t)res_i64(r, 0, 1),
        .recent_uid = (uint32_t)res_i64(r, 0, 2),
        .highest_modseq = res_i64(r, 0, 3),
        .clock = res_i64(r, 0, 4),
        .purged_modseq = res_i64(r, 0, 5),
    };
    look->keywords = res_text_array(arena, r, 0, 6, &look->keyword_count);
    return ERR_OK;
}

static void read_placement(const PGresult *r, int row, struct placement *p)
{
    *p = (struct placement){
        .uid = (uint32_t)res_i64(r, row, 0),
        .size = (uint32_t)res_i64(r, row, 1),
        .flags = (uint64_t)res_i64(r, row, 2),
        .modseq = res_i64(r, row, 3),
        .internal_us = res_time(r, row, 4),
        .message.n = res_i64(r, row, 5),
    };
}

enum err message_load(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                      struct mailbox_look *look)
{
    struct db_args box = { 0 }, rows = { 0 };
    PGresult *results[2] = { NULL, NULL };
    args_i64(&box, account.n);
    args_i64(&box, mailbox.n);
    args_i64(&rows, account.n);
    args_i64(&rows, mailbox.n);
    const struct db_statement statements[] = {
        { BOX_SQL, &box },
        { "select uid, size, flags, modseq, internal_date, message_id from placement"
          " where account_id = $1 and mailbox_id = $2 and removed_at is null order by uid",
          &rows },
    };
    enum err err = db_run_snapshot(db, statements, 2, results);
    if (!err)
        err = read_box(db, arena, results[0], look);
    if (!err) {
        look->row_count = (size_t)PQntuples(results[1]);
        look->rows = mem_alloc((look->row_count + 1) * sizeof *look->rows);
        for (size_t i = 0; i < look->row_count; i++)
            read_placement(results[1], (int)i, &look->rows[i]);
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return err;
}

enum err message_changes(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                         int64_t since_modseq, uint32_t since_uidnext, struct mailbox_look *look)
{
    struct db_args box = { 0 }, rows = { 0 };
    PGresult *results[2] = { NULL, NULL };
    args_i64(&box, account.n);
    args_i64(&box, mailbox.n);
    args_i64(&rows, account.n);
    args_i64(&rows, mailbox.n);
    args_i64(&rows, since_modseq);
    args_i64(&rows, since_uidnext);
    const struct db_statement statements[] = {
        { BOX_SQL, &box },
        { "select o_uid, o_size, o_flags, o_modseq, o_internal, o_message, o_removed from changes_1($1, $2, $3, $4)", &rows },
    };
    enum err err = db_run_snapshot(db, statements, 2, results);
    if (!err)
        err = read_box(db, arena, results[0], look);
    if (!err && since_modseq < look->purged_modseq)
        err = fail(&db->trace, ERR_CONFLICT, "tombstones up to modseq=%" PRIi64 " are gone", look->purged_modseq);
    size_t count = err ? 0 : (size_t)PQntuples(results[1]);
    if (!err) {
        look->rows = arena_new(arena, struct placement, count + 1);
        look->removed = arena_new(arena, uint32_t, count + 1);
    }
    for (size_t i = 0; i < count; i++) {
        if (res_bool(results[1], (int)i, 6))
            look->removed[look->removed_count++] = (uint32_t)res_i64(results[1], (int)i, 0);
        else
            read_placement(results[1], (int)i, &look->rows[look->row_count++]);
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return err;
}

enum err message_vanished(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                          int64_t since_modseq, uint32_t **uids, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, since_modseq);
    enum err err = db_run(db, "select o_uid from vanished_2($1, $2, $3)", &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *uids = arena_new(arena, uint32_t, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*uids)[i] = (uint32_t)res_i64(r, (int)i, 0);
    PQclear(r);
    return err;
}

enum err message_save_dates(struct db *db, struct account_id account, struct mailbox_id mailbox, const uint32_t *uids,
                            size_t count, int64_t *dates_us)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    int64_t *numbers = mem_alloc((count + 1) * sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = uids[i];
        dates_us[i] = 0;
    }
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64_array(&args, numbers, count);
    enum err err = db_run(db,
                          "select u.nth, p.save_date from unnest($3::bigint[]) with ordinality u(uid, nth)"
                          " join placement p on p.account_id = $1 and p.mailbox_id = $2 and p.uid = u.uid",
                          &args, &r);
    for (int i = 0; !err && i < PQntuples(r); i++)
        dates_us[res_i64(r, i, 0) - 1] = res_time(r, i, 1);
    PQclear(r);
    free(numbers);
    return err;
}

enum err message_get(struct db *db, struct arena *arena, struct account_id account, const struct message_id *ids,
                     size_t count, struct message_row **rows, size_t *row_count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    int64_t *numbers = arena_new(arena, int64_t, count + 1);
    for (size_t i = 0; i < count; i++)
        numbers[i] = ids[i].n;
    args_i64(&args, account.n);
    args_i64_array(&args, numbers, count);
    enum err err = db_run(db,
                          "select message_id, blob_id, prefix, meta, thread, sent_at, size from message"
                          " where account_id = $1 and message_id = any ($2) order by message_id",
                          &args, &r);
    *row_count = err ? 0 : (size_t)PQntuples(r);
    *rows = arena_new(arena, struct message_row, *row_count + 1);
    for (size_t i = 0; i < *row_count; i++) {
        int n = (int)i;
        (*rows)[i] = (struct message_row){
            .id.n = res_i64(r, n, 0),
            .blob.n = res_i64(r, n, 1),
            .prefix = arena_copy(arena, res_slice(r, n, 2)),
            .thread = res_i64(r, n, 4),
            .sent_us = res_time(r, n, 5),
            .size = res_i64(r, n, 6),
        };
        meta_unpack_or_none(db, arena, res_slice(r, n, 3), &(*rows)[i].meta);
    }
    PQclear(r);
    return err;
}

enum err message_read(struct db *db, const struct message_row *row, int64_t offset, int64_t len, struct buf *out)
{
    int64_t in_prefix = (int64_t)row->prefix.len - offset;
    if (in_prefix > 0) {
        int64_t part = in_prefix < len ? in_prefix : len;
        buf_add(out, slice_make(row->prefix.at + offset, (size_t)part));
        offset += part;
        len -= part;
    }
    offset -= (int64_t)row->prefix.len;
    return len > 0 ? blob_read(db, row->blob, offset, len, out) : ERR_OK;
}
