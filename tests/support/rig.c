#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

const struct actor by_imap = { .protocol = BY_IMAP, .name = "desktop" };

struct db *rig_open(void)
{
    const char *url = getenv("GODWIT_TEST_DATABASE_URL");
    cr_assert_not_null(url, "GODWIT_TEST_DATABASE_URL names the database of this run");
    struct trace trace = { 0 };
    struct db *db = NULL;
    cr_assert_eq(db_open(&(struct db_settings){ .url = url, .name = "test" }, &trace, &db), ERR_OK, "%s", trace.text);
    cr_assert_eq(db_migrate(db), ERR_OK, "%s", db_trace(db)->text);
    return db;
}

struct account_id rig_account(struct db *db)
{
    char login[64];
    struct account_id id = { 0 };
    snprintf(login, sizeof login, "u%" PRIi64 "@example.test", id_new());
    cr_assert_eq(account_create(db, slice_of(login), "", 0, &id), ERR_OK, "%s", db_trace(db)->text);
    return id;
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

void rig_check_counters(struct db *db, struct account_id account)
{
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
                              "select count(*) from message m where m.account_id = $1 and m.refs <>"
                              " (select count(*) from placement p where p.account_id = $1"
                              "   and p.message_id = m.message_id"
                              "   and (p.removed_how is null or p.removed_how in (1, 4)))"),
                 0, "refs of a message");
    cr_expect_eq(rig_number(db, account,
                              "select count(*) - count(distinct modseq) from placement where account_id = $1"),
                 0, "every changed row has a modseq of its own");
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
