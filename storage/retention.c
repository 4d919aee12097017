#include "storage/retention.h"

#include <inttypes.h>

#include "storage/mailbox_internal.h"
#include "storage/search.h"
#include "storage/sync_internal.h"

#define RESTORES_PER_TRANSACTION 200u
#define BLOBS_PER_TRANSACTION 500

/* ---- finding ---- */

static const struct mailbox *find_mailbox(const struct mailbox *all, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].id.n == id)
            return &all[i];
    return NULL;
}

static enum err read_rows(struct db *db, struct arena *arena, const PGresult *r, const struct mailbox *all,
                          size_t mailbox_count, struct deleted_row **rows, size_t *count)
{
    *count = (size_t)PQntuples(r);
    *rows = arena_new(arena, struct deleted_row, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        struct deleted_row *row = &(*rows)[i];
        int n = (int)i;
        const struct mailbox *mailbox = find_mailbox(all, mailbox_count, res_i64(r, n, 0));
        *row = (struct deleted_row){
            .mailbox.n = res_i64(r, n, 0),
            .mailbox_path = mailbox ? mailbox->path : "",
            .mailbox_deleted = !mailbox || mailbox->deleted_us != 0,
            .uid = (uint32_t)res_i64(r, n, 1),
            .removed_us = res_time(r, n, 2),
            .internal_us = res_time(r, n, 3),
            .protocol = (enum actor_protocol)res_i64(r, n, 4),
            .removed_by = res_text(arena, r, n, 5),
            .flags = (uint64_t)res_i64(r, n, 6),
            .message = { .id.n = res_i64(r, n, 7),
                         .blob.n = res_i64(r, n, 8),
                         .prefix = arena_copy(arena, res_slice(r, n, 9)),
                         .thread = res_i64(r, n, 11),
                         .sent_us = res_time(r, n, 12),
                         .size = res_i64(r, n, 13) },
        };
        meta_unpack_or_none(db, arena, res_slice(r, n, 10), &row->message.meta);
    }
    return ERR_OK;
}

enum err deleted_list(struct db *db, struct arena *arena, struct account_id account, const struct deleted_filter *filter,
                      struct deleted_row **rows, size_t *count)
{
    struct db_args args = { 0 }, boxes = { 0 };
    PGresult *results[2] = { NULL, NULL };
    args_i64(&args, account.n);
    args_i64(&args, filter->mailbox.n);
    args_time(&args, filter->since_us);
    args_time(&args, filter->behind_removed_us);
    args_i64(&args, filter->behind.mailbox.n);
    args_i64(&args, filter->behind.uid);
    args_i32(&args, (int32_t)(filter->limit ? filter->limit : 1000));
    args_i64(&boxes, account.n);
    const struct db_statement statements[] = {
        { "select p.mailbox_id, p.uid, p.removed_at, p.internal_date, p.removed_protocol, p.removed_by, p.flags,"
          " m.message_id, m.blob_id, m.prefix, m.meta, m.thread, m.sent_at, m.size"
          " from placement p join message m on m.account_id = p.account_id and m.message_id = p.message_id"
          " where p.account_id = $1 and p.removed_at is not null and p.message_id <> 0 and p.removed_how in (1, 4)"
          // What was restored lives, or was deleted again and is listed as that deletion.
          " and (p.restored_as_uid is null"
          "  or not exists (select 1 from lives_as_1(p.account_id, p.restored_as_mailbox, p.restored_as_uid)))"
          " and ($2 = 0 or p.mailbox_id = $2) and ($3::timestamptz is null or p.removed_at >= $3)"
          " and ($4::timestamptz is null or (p.removed_at, p.mailbox_id, p.uid) < ($4, $5, $6))"
          " order by p.removed_at desc, p.mailbox_id desc, p.uid desc limit $7",
          &args },
        { "select " MAILBOX_COLUMNS " from mailbox b where b.account_id = $1 order by b.mailbox_id", &boxes },
    };
    enum err err = db_run_snapshot(db, statements, 2, results);
    if (!err) {
        size_t mailbox_count;
        struct mailbox *all = mailbox_read_all(arena, results[1], &mailbox_count);
        err = read_rows(db, arena, results[0], all, mailbox_count, rows, count);
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return err;
}

/* ---- bringing back ---- */

static enum err restore_one(struct db *db, struct account_id account, const struct deleted_id *id, struct mailbox_id to,
                            struct restored *restored, struct change_set *changes)
{
    static const enum err verdicts[] = { ERR_OK, ERR_NOT_FOUND, ERR_EXISTS };
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, id->mailbox.n);
    args_i64(&args, id->uid);
    args_i64(&args, to.n);
    enum err err = db_run(db, "select o_err, o_mailbox, o_uid, o_clock, o_hierarchy from restore_2($1, $2, $3, $4)", &args, &r);
    if (!err) {
        *restored = (struct restored){ .from = *id,
                                       .err = verdicts[res_i64(r, 0, 0)],
                                       .mailbox.n = res_i64(r, 0, 1),
                                       .uid = (uint32_t)res_i64(r, 0, 2) };
        if (!restored->err)
            change_set_add(changes, (struct change){ account, restored->mailbox, res_i64(r, 0, 3),
                                                     CHANGE_NEW | (res_bool(r, 0, 4) ? CHANGE_HIERARCHY : 0u) });
    }
    PQclear(r);
    return err;
}

enum err deleted_restore(struct db *db, struct arena *arena, struct account_id account, const struct deleted_id *ids,
                         size_t count, struct mailbox_id to, const struct actor *by, struct restored *results,
                         struct change_set *changes)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < count && !err;) {
        struct change_set made = { 0 };
        size_t end = count - at < RESTORES_PER_TRANSACTION ? count : at + RESTORES_PER_TRANSACTION, done = 0;
        err = db_begin(db, "read committed");
        if (err)
            return err;
        for (size_t i = at; i < end && !err; i++) {
            err = restore_one(db, account, &ids[i], to, &results[i], &made);
            done += !err && !results[i].err;
        }
        if (!err && done)
            err = audit_write(db, account, by, "restore", arena_printf(arena, "messages=%zu first=%" PRIi64 ":%u", done,
                                                                       ids[at].mailbox.n, ids[at].uid));
        err = db_end(db, err);
        for (size_t i = 0; !err && i < made.count; i++)
            change_set_add(changes, made.items[i]);
        at = end;
    }
    return err;
}

/* ---- letting go ---- */

static enum err purge_account(struct db *db, int64_t account, int64_t content_before_us, int64_t tombstone_before_us,
                              struct purge_report *report)
{
    for (;;) {
        struct db_args args = { 0 };
        PGresult *r = NULL;
        args_i64(&args, account);
        args_time(&args, content_before_us);
        args_time(&args, tombstone_before_us);
        args_i32(&args, WRITE_ROWS_MAX);
        enum err err = db_run(db, "select o_messages, o_tombstones, o_passed from purge_1($1, $2, $3, $4)", &args, &r);
        int64_t messages = err ? 0 : res_i64(r, 0, 0), tombstones = err ? 0 : res_i64(r, 0, 1);
        int64_t passed = err ? 0 : res_i64(r, 0, 2);
        PQclear(r);
        report->messages += messages;
        report->tombstones += tombstones;
        if (err || passed + tombstones == 0)
            return err;
    }
}

enum err retention_purge(struct db *db, int64_t content_before_us, int64_t tombstone_before_us,
                         struct purge_report *report)
{
    PGresult *r = NULL;
    enum err err = db_run_only(db, "delete from sent_client_id where at < now() - interval '" CLIENT_ID_KEPT "'", NULL, NULL);
    if (!err) // longer than vacation.period_days can be
        err = db_run_only(db, "delete from vacation_answered where at < now() - interval '31 days'", NULL, NULL);
    if (!err)
        err = db_run(db, "select account_id from account order by account_id", NULL, &r);
    for (int i = 0; !err && i < PQntuples(r); i++)
        err = purge_account(db, res_i64(r, i, 0), content_before_us, tombstone_before_us, report);
    PQclear(r);
    return err ? err : search_clean(db, (struct account_id){ 0 });
}

/* One round of batches: *total rows in all. */
static enum err in_batches(struct db *db, const char *sql, int64_t before_us, int64_t *total)
{
    for (;;) {
        struct db_args args = { 0 };
        int64_t rows;
        args_i32(&args, BLOBS_PER_TRANSACTION);
        if (before_us)
            args_time(&args, before_us);
        enum err err = db_run_only(db, sql, &args, &rows);
        if (err || rows == 0)
            return err;
        *total += rows;
    }
}

enum err blob_collect(struct db *db, int64_t condemned_before_us, struct purge_report *report)
{
    enum err err = in_batches(db,
                              "update blob set condemned_at = now() where blob_id in (select b.blob_id from blob b"
                              " where b.condemned_at is null and b.touched_at < now() - interval '1 hour'"
                              " and not exists (select 1 from message m where m.blob_id = b.blob_id)"
                              " and not exists (select 1 from outbox o where o.blob_id = b.blob_id) limit $1)"
                              // Asked again of the row itself: a delivery may have touched it while this waited for it.
                              " and condemned_at is null and touched_at < now() - interval '1 hour'",
                              0, &report->blobs_condemned);
    if (err)
        return err;
    // One statement: the row lock on the blob makes a delivery that touches it wait, and the delivery then writes it anew.
    return in_batches(db,
                      "with gone as (delete from blob b where b.blob_id in (select c.blob_id from blob c"
                      "  where c.condemned_at < $2 and c.touched_at < c.condemned_at limit $1)"
                      "  and b.condemned_at < $2 and b.touched_at < b.condemned_at"
                      "  and not exists (select 1 from message m where m.blob_id = b.blob_id)"
                      "  and not exists (select 1 from outbox o where o.blob_id = b.blob_id) returning b.blob_id),"
                      " pieces as (delete from chunk c using gone g where c.blob_id = g.blob_id)"
                      " select * from gone",
                      condemned_before_us, &report->blobs_deleted);
}

enum err audit_write(struct db *db, struct account_id account, const struct actor *by, const char *what, const char *detail)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, id_new());
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    args_text(&args, what);
    args_text(&args, detail);
    return db_run_only(db,
                       "insert into audit (account_id, audit_id, protocol, actor, what, detail)"
                       " values ($1, $2, $3, $4, $5, $6)",
                       &args, NULL);
}
