/* The directory and the account row; migration, epoch, notification and statement counting of the connection. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
}

static void teardown(void)
{
    arena_close(&arena);
    db_close(&db);
}

TestSuite(account, .init = setup, .fini = teardown);

Test(account, refuses_what_is_no_login)
{
    static const char *const rows[] = { "", "alice", "@example.test", "alice@", "a b@example.test", "a@b@c", "a\n@b" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct account_id id;
        cr_expect_eq(account_create(db, slice_of(rows[i]), "", 0, &id), ERR_SYNTAX, "\"%s\"", rows[i]);
    }
}

Test(account, is_found_whatever_the_case_and_by_subaddress)
{
    char login[80], address[96];
    int64_t n = id_new();
    struct account_id id, other;
    snprintf(login, sizeof login, "Case%" PRIi64 "@Example.Test", n);
    cr_assert_eq(account_create(db, slice_of(login), "hash", 5000, &id), ERR_OK);
    cr_expect_eq(account_create(db, slice_of(login), "", 0, &other), ERR_EXISTS);

    struct account found;
    snprintf(address, sizeof address, "cASE%" PRIi64 "@eXAMPLE.tEST", n);
    cr_assert_eq(account_find(db, arena, slice_of(address), &found), ERR_OK);
    cr_expect_eq(found.id.n, id.n);
    cr_expect_str_eq(found.password_hash, "hash");
    cr_expect_eq(found.quota_bytes, 5000);
    cr_expect_eq(found.status, ACCOUNT_ACTIVE);
    snprintf(address, sizeof address, "case%" PRIi64 "+list+x@example.test", n);
    cr_expect_eq(account_find(db, arena, slice_of(address), &found), ERR_NOT_FOUND, "a login has no subaddress");
    cr_assert_eq(account_find_recipient(db, arena, slice_of(address), &found), ERR_OK);
    cr_expect_eq(found.id.n, id.n);
    cr_expect_eq(account_find_recipient(db, arena, SLICE_LIT("+x@example.test"), &found), ERR_NOT_FOUND);
    bool local = false;
    cr_assert_eq(account_domain_is_local(db, SLICE_LIT("EXAMPLE.test"), &local), ERR_OK);
    cr_expect(local);
    cr_assert_eq(account_domain_is_local(db, SLICE_LIT("example.org"), &local), ERR_OK);
    cr_expect_not(local);
}

Test(account, an_exact_login_wins_over_the_subaddress)
{
    char plain[80], tagged[96];
    int64_t n = id_new();
    struct account_id first, second;
    snprintf(plain, sizeof plain, "p%" PRIi64 "@example.test", n);
    snprintf(tagged, sizeof tagged, "p%" PRIi64 "+x@example.test", n);
    cr_assert_eq(account_create(db, slice_of(plain), "", 0, &first), ERR_OK);
    cr_assert_eq(account_create(db, slice_of(tagged), "", 0, &second), ERR_OK);
    struct account found;
    cr_assert_eq(account_find_recipient(db, arena, slice_of(tagged), &found), ERR_OK);
    cr_expect_eq(found.id.n, second.n);
}

Test(account, password_and_status_raise_the_auth_version)
{
    struct account_id id = rig_account(db);
    struct account before, after;
    struct change_set changes = { 0 };
    cr_assert_eq(account_get(db, arena, id, &before), ERR_OK);
    cr_assert_eq(account_set_password(db, id, "new", &changes), ERR_OK);
    cr_assert_eq(account_set_status(db, id, ACCOUNT_DISABLED, &changes), ERR_OK);
    cr_assert_eq(account_get(db, arena, id, &after), ERR_OK);
    cr_expect_eq(after.auth_version, before.auth_version + 2);
    cr_expect_str_eq(after.password_hash, "new");
    cr_expect_eq(after.status, ACCOUNT_DISABLED);
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)CHANGE_AUTH);
    cr_expect_eq(account_set_password(db, (struct account_id){ INT64_MAX }, "x", &changes), ERR_NOT_FOUND);

    int64_t modseq[2], version[2];
    struct account_id ids[] = { { INT64_MAX }, id };
    cr_assert_eq(account_clocks(db, ids, 2, modseq, version), ERR_OK);
    cr_expect_eq(modseq[0], 0);
    cr_expect_eq(modseq[1], after.modseq);
    cr_expect_eq(version[1], after.auth_version);
}

Test(account, a_deleted_login_is_free_again_and_audited)
{
    struct account_id id = rig_account(db), again;
    struct account account;
    struct change_set changes = { 0 };
    cr_assert_eq(account_get(db, arena, id, &account), ERR_OK);
    cr_assert_eq(account_delete(db, id, &(struct actor){ .protocol = BY_ADMIN, .name = "root" }, &changes), ERR_OK);
    cr_expect_eq(account_find(db, arena, slice_of(account.login), &account), ERR_NOT_FOUND);
    cr_expect_eq(account_delete(db, id, &by_imap, &changes), ERR_NOT_FOUND);
    cr_expect_eq(rig_number(db, id, "select count(*) from audit where account_id = $1 and what = 'account_delete'"), 1);
    cr_assert_eq(account_create(db, slice_of(account.login), "", 0, &again), ERR_OK);
    cr_expect_neq(again.n, id.n);
}

Test(account, migrating_again_changes_nothing)
{
    int64_t before = rig_number(db, (struct account_id){ 0 }, "select count(*) + $1 from schema_function");
    cr_assert_gt(before, 5);
    cr_assert_eq(db_migrate(db), ERR_OK);
    cr_expect_eq(rig_number(db, (struct account_id){ 0 }, "select count(*) + $1 from schema_function"), before);
}

Test(account, a_store_of_a_newer_program_is_refused)
{
    cr_assert_eq(db_exec(db, "insert into schema_migration (name) values ('9999_future.sql')"), ERR_OK);
    cr_expect_eq(db_migrate(db), ERR_STATE);
    cr_expect(strstr(db_trace(db)->text, "9999_future.sql"), "%s", db_trace(db)->text);
    cr_assert_eq(db_exec(db, "delete from schema_migration where name = '9999_future.sql'"), ERR_OK);
    cr_expect_eq(db_migrate(db), ERR_OK);
}

Test(account, another_timeline_raises_the_epoch_and_every_clock)
{
    struct account_id id = rig_account(db);
    static const char clock[] = "select modseq from account where account_id = $1";
    static const char uidnext[] = "select uidnext from mailbox where account_id = $1 and mailbox_id = 1";
    static const char epoch[] = "select epoch + $1 * 0 from store_meta";
    cr_assert_eq(db_check_epoch(db), ERR_OK); // the first sight of this cluster
    int64_t clock_before = rig_number(db, id, clock), uid_before = rig_number(db, id, uidnext);
    int64_t epoch_before = rig_number(db, id, epoch);
    cr_assert_eq(db_check_epoch(db), ERR_OK);
    cr_expect_eq(rig_number(db, id, clock), clock_before, "the same history");

    cr_assert_eq(db_exec(db, "update store_meta set timeline = timeline - 1"), ERR_OK);
    cr_assert_eq(db_check_epoch(db), ERR_OK);
    cr_expect_eq(rig_number(db, id, clock), clock_before + 1000000);
    cr_expect_eq(rig_number(db, id, uidnext), uid_before + 1000000);
    cr_expect_eq(rig_number(db, id, epoch), epoch_before + 1);
    cr_assert_eq(db_check_epoch(db), ERR_OK);
    cr_expect_eq(rig_number(db, id, clock), clock_before + 1000000, "once");
}

Test(account, statements_are_counted)
{
    struct account account;
    struct account_id id = rig_account(db);
    cr_assert_eq(account_get(db, arena, id, &account), ERR_OK); // prepared from here on
    uint64_t before = db_statements_sent();
    cr_assert_eq(account_get(db, arena, id, &account), ERR_OK);
    cr_expect_eq(db_statements_sent(), before + 1);
}

Test(account, a_lost_connection_is_opened_again)
{
    struct db *other = rig_open();
    struct account account;
    struct account_id id = rig_account(db);
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, db_backend_pid(db));
    cr_assert_eq(db_run(other, "select pg_terminate_backend($1::int, 5000)", &args, &result), ERR_OK);
    PQclear(result);
    cr_expect_eq(account_get(db, arena, id, &account), ERR_OK, "%s", db_trace(db)->text);
    db_close(&other);
}

Test(account, notifications_arrive)
{
    struct db *listener = rig_open();
    const char *payload = NULL;
    int pid = 0;
    cr_assert_eq(db_listen(listener), ERR_OK);
    cr_assert_eq(db_wait_notify(listener, 0, &payload, &pid), ERR_OK);
    cr_expect_null(payload);
    cr_assert_eq(db_notify(db, "1,2,3"), ERR_OK);
    cr_assert_eq(db_wait_notify(listener, 20000, &payload, &pid), ERR_OK);
    cr_assert_not_null(payload);
    cr_expect_str_eq(payload, "1,2,3");
    cr_expect_eq(pid, db_backend_pid(db));
    db_close(&listener);
}
