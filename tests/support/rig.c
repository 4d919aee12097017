#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/device.h"
#include "storage/submission.h"

const struct actor by_imap = { .protocol = BY_IMAP, .name = "desktop" };
const struct actor by_admin = { .protocol = BY_ADMIN, .name = "admin" };

static struct db *connect_to(const char *url)
{
    struct trace trace = { 0 };
    struct db *db = NULL;
    cr_assert_eq(db_open(&(struct db_settings){ .url = url, .name = "test" }, &trace, &db), ERR_OK, "%s", trace.text);
    return db;
}

struct db *rig_open(void)
{
    const char *url = getenv("GODWIT_TEST_DATABASE_URL");
    cr_assert_not_null(url, "GODWIT_TEST_DATABASE_URL names the database of this run");
    struct db *db = connect_to(url);
    cr_assert_eq(db_migrate(db), ERR_OK, "%s", db_trace(db)->text);
    return db;
}

struct db *rig_open_empty(struct db *db, const char *suffix)
{
    char sql[160], url[1024];
    rig_drop_scratch(db, suffix);
    snprintf(sql, sizeof sql, "create database \"%.60s_%s\"", PQdb(db->conn), suffix);
    cr_assert_eq(db_exec(db, sql), ERR_OK, "%s", db_trace(db)->text);
    snprintf(url, sizeof url, "%s dbname='%s_%s'", getenv("GODWIT_TEST_DATABASE_URL"), PQdb(db->conn), suffix);
    return connect_to(url);
}

struct db *rig_open_scratch(struct db *db, const char *suffix)
{
    struct db *scratch = rig_open_empty(db, suffix);
    cr_assert_eq(db_migrate(scratch), ERR_OK, "%s", db_trace(scratch)->text);
    return scratch;
}

void rig_drop_scratch(struct db *db, const char *suffix)
{
    char sql[160];
    snprintf(sql, sizeof sql, "drop database if exists \"%.60s_%s\" with (force)", PQdb(db->conn), suffix);
    cr_assert_eq(db_exec(db, sql), ERR_OK, "%s", db_trace(db)->text);
}

struct account_id rig_account(struct db *db)
{
    return rig_quota_account(db, 0);
}

struct account_id rig_quota_account(struct db *db, int64_t quota_bytes)
{
    char login[64];
    struct account_id id = { 0 };
    snprintf(login, sizeof login, "u%" PRIi64 "@example.test", id_new());
    cr_assert_eq(account_create(db, slice_of(login), "", quota_bytes, &id), ERR_OK, "%s", db_trace(db)->text);
    return id;
}

struct device_id rig_device(struct db *db, struct account_id account, const char *key)
{
    struct arena *arena = arena_open();
    struct device device;
    cr_assert_eq(device_open(db, arena, account, slice_of(key), SLICE_LIT("Phone"), 100, DEVICE_ALLOWED, &device), ERR_OK, "%s",
                 db_trace(db)->text);
    arena_close(&arena);
    return device.id;
}

void rig_run(struct db *db, const char *sql, int64_t id)
{
    struct db_args args = { 0 };
    args_i64(&args, id);
    cr_assert_eq(db_run_only(db, sql, &args, NULL), ERR_OK, "%s", db_trace(db)->text);
}

struct mailbox_id rig_inbox(void)
{
    return (struct mailbox_id){ 1 };
}

struct mailbox_id rig_mailbox(struct db *db, struct account_id account, const char *path)
{
    struct change_set changes = { 0 };
    struct mailbox_id id = { 0 };
    cr_assert_eq(mailbox_create(db, account, slice_of(path), ROLE_NONE, &id, &changes), ERR_OK, "%s: %s", path,
                 db_trace(db)->text);
    return id;
}

uint32_t rig_append(struct db *db, struct account_id account, struct mailbox_id mailbox, const char *text,
                      uint64_t flags)
{
    struct append_item item = { .message = { .octets = { .memory = slice_of(text), .fd = -1 },
                                             .meta = SLICE_LIT("described"),
                                             .thread = 7,
                                             .sent_us = 1700000000000000 },
                                .internal_date_us = 1700000001000000,
                                .flags = flags };
    struct change_set changes = { 0 };
    uint32_t uidvalidity = 0;
    cr_assert_eq(message_append(db, account, mailbox, &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK, "%s",
                 db_trace(db)->text);
    return item.uid;
}

int64_t rig_queue(struct db *db, struct account_id account, struct slice sender, const struct slice *recipients,
                  size_t count, struct slice octets)
{
    struct submission mail = { .account = account,
                               .message = { .octets = { octets, -1, (int64_t)octets.len }, .meta = SLICE_LIT("m") },
                               .sender = sender,
                               .far = recipients,
                               .far_count = count,
                               .by = &by_imap };
    struct change_set changes = { 0 };
    cr_assert_eq(submission_send(db, &mail, &changes), ERR_OK, "%s", db_trace(db)->text);
    return rig_number(db, account, "select max(outbox_id) from outbox where account_id = $1");
}

size_t rig_flags(struct db *db, struct account_id account, struct mailbox_id mailbox, uint32_t first, uint32_t last,
                   enum flags_mode mode, uint64_t flags)
{
    struct arena *arena = arena_open();
    struct flags_change change = { .mode = mode, .flags = flags, .unchanged_since = -1 };
    struct flags_result *results = NULL;
    struct change_set changes = { 0 };
    size_t count = 0;
    cr_assert_eq(message_store_flags(db, arena, account, mailbox, &(struct uid_range){ first, last }, 1, &change,
                                     &by_imap, &results, &count, &changes),
                 ERR_OK, "%s", db_trace(db)->text);
    arena_close(&arena);
    return count;
}

int64_t rig_number(struct db *db, struct account_id account, const char *sql)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    PGresult *result = NULL;
    cr_assert_eq(db_run(db, sql, &args, &result), ERR_OK, "%s", db_trace(db)->text);
    int64_t number = PQntuples(result) ? res_i64(result, 0, 0) : 0;
    PQclear(result);
    return number;
}

/* The planner knows nothing of tables that were filled a moment ago, and joins in loops within loops. */
static void join_by_hash(struct db *db, bool on)
{
    cr_assert_eq(db_exec(db, on ? "set enable_nestloop = off" : "reset enable_nestloop"), ERR_OK);
}

void rig_check_counters(struct db *db, struct account_id account)
{
    join_by_hash(db, true);
    cr_expect_eq(rig_number(db, account,
                              "select count(*) from mailbox b left join lateral ("
                              " select count(*) as total, count(*) filter (where flags & 1 = 0) as unseen,"
                              "  count(*) filter (where flags & 8 <> 0) as deleted, coalesce(sum(size), 0) as bytes,"
                              "  coalesce(max(uid), 0) as top from placement p where p.account_id = b.account_id"
                              "  and p.mailbox_id = b.mailbox_id and p.removed_at is null) p on true"
                              " where b.account_id = $1 and ((b.total, b.unseen, b.deleted, b.bytes)"
                              "  is distinct from (p.total, p.unseen, p.deleted, p.bytes::bigint)"
                              "  or p.top >= b.uidnext)"),
                 0, "counters of a mailbox");
    cr_expect_eq(rig_number(db, account,
                              "select count(*) from account a left join lateral ("
                              " select count(*) as n, coalesce(sum(size), 0)::bigint as bytes,"
                              "  (select max(modseq) from placement q where q.account_id = a.account_id) as top"
                              "  from placement p where p.account_id = a.account_id and p.removed_at is null) p on true"
                              " where a.account_id = $1 and ((a.used_count, a.used_bytes)"
                              "  is distinct from (p.n, p.bytes) or p.top > a.modseq)"),
                 0, "counters of the account");
    cr_expect_eq(rig_number(db, account,
                              "select count(*) from message m left join ("
                              " select message_id, count(*) as n from placement where account_id = $1"
                              "  and (removed_how is null or removed_how in (1, 4)) group by message_id) p"
                              " on p.message_id = m.message_id where m.account_id = $1 and m.refs <> coalesce(p.n, 0)"),
                 0, "refs of a message");
    cr_expect_eq(rig_number(db, account,
                              "select count(*) - count(distinct modseq) from placement where account_id = $1"),
                 0, "every changed row has a modseq of its own");
    join_by_hash(db, false);
}

void rig_check_content(struct db *db, struct account_id account)
{
    join_by_hash(db, true);
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from placement p left join message m on m.account_id = p.account_id"
                            "  and m.message_id = p.message_id left join blob b on b.blob_id = m.blob_id"
                            " left join (select blob_id, count(*) as n from chunk group by blob_id) c"
                            "  on c.blob_id = m.blob_id"
                            " where p.account_id = $1 and (p.removed_at is null or p.removed_how in (1, 4))"
                            "  and p.message_id <> 0 and b.pieces is distinct from c.n"),
                 0, "messages without octets");
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from placement where account_id = $1 and removed_at is null"
                            " and message_id = 0"),
                 0, "live messages whose content was let go");
    join_by_hash(db, false);
}

struct slice rig_text(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                      uint32_t uid)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, uid);
    cr_assert_eq(db_run(db, "select message_id from placement where account_id = $1 and mailbox_id = $2 and uid = $3", &args,
                        &result),
                 ERR_OK);
    cr_assert_eq(PQntuples(result), 1, "no row for uid %u", uid);
    struct message_id id = { res_i64(result, 0, 0) };
    PQclear(result);
    struct message_row *rows;
    size_t count;
    cr_assert_eq(message_get(db, arena, account, &id, 1, &rows, &count), ERR_OK);
    cr_assert_eq(count, 1u, "no message for uid %u", uid);
    struct buf out = { 0 };
    cr_assert_eq(message_read(db, rows, 0, rows->size, &out), ERR_OK, "%s", db_trace(db)->text);
    struct slice text = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return text;
}

/* ---- two clients at once ---- */

static void *run_step(void *ctx)
{
    struct rig_thread *thread = ctx;
    thread->step.run(thread->client, thread->step.scene);
    return NULL;
}

void rig_start(struct rig_thread *thread, struct db *client, struct rig_step step)
{
    thread->client = client;
    thread->step = step;
    cr_assert_eq(pthread_create(&thread->thread, NULL, run_step, thread), 0);
}

void rig_join(struct rig_thread *thread)
{
    pthread_join(thread->thread, NULL);
}

void rig_hold(struct db *gate, const char *sql, int64_t id)
{
    struct db_args args = { 0 };
    PGresult *held = NULL;
    cr_assert_eq(db_begin(gate, "read committed"), ERR_OK);
    args_i64(&args, id);
    cr_assert_eq(db_run(gate, sql, &args, &held), ERR_OK, "%s", db_trace(gate)->text);
    cr_assert_gt(PQntuples(held), 0, "nothing to hold: %s", sql);
    PQclear(held);
}

void rig_race(struct db *watcher, const char *lock, int64_t lock_id, struct rig_step first, struct rig_step second)
{
    struct db *gate = rig_open(), *clients[2] = { rig_open(), rig_open() };
    const struct rig_step steps[2] = { first, second };
    struct rig_thread threads[2];
    rig_hold(gate, lock, lock_id);
    for (int i = 0; i < 2; i++) {
        rig_start(&threads[i], clients[i], steps[i]);
        rig_wait_blocked(watcher, db_backend_pid(clients[i]));
    }
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    for (int i = 0; i < 2; i++) {
        rig_join(&threads[i]);
        db_close(&clients[i]);
    }
    db_close(&gate);
}

void rig_wait_blocked(struct db *watcher, int backend_pid)
{
    int64_t end = clock_mono_us() + 20 * US_PER_S;
    int64_t blocked = 0;
    while (!blocked && clock_mono_us() < end)
        blocked = rig_number(watcher, (struct account_id){ backend_pid },
                               "select count(*) from pg_locks where pid = $1::bigint and not granted");
    cr_assert_neq(blocked, 0, "backend %d should wait for a lock", backend_pid);
}
