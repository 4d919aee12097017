/* What a look costs does not depend on how much there is behind its window, nor on how much it has passed already. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "storage/sync.h"
#include "tests/support/rig.h"

#define WINDOW 50

static struct db *db;
static struct account_id account;

static void setup(void)
{
    db = rig_open();
    account = rig_account(db);
}

static void teardown(void)
{
    db_close(&db);
}

TestSuite(sync_cost, .init = setup, .fini = teardown);

/* Rows of placement that one window reads from a position, besides what it sends. */
static int64_t rows_read(const char *position)
{
    char sql[300];
    cr_assert_eq(db_begin(db, "read committed"), ERR_OK);
    int64_t before = rig_number(db, account, "select pg_stat_get_xact_tuples_returned('placement'::regclass)"
                                             " + pg_stat_get_xact_tuples_fetched('placement'::regclass) where $1 > 0");
    snprintf(sql, sizeof sql, "select count(*) from sync_look_1($1, 1, 1, %s, %d)", position, WINDOW);
    int64_t items = rig_number(db, account, sql) - 1; // the last row is the position
    int64_t after = rig_number(db, account, "select pg_stat_get_xact_tuples_returned('placement'::regclass)"
                                            " + pg_stat_get_xact_tuples_fetched('placement'::regclass) where $1 > 0");
    cr_assert_eq(db_end(db, ERR_OK), ERR_OK);
    cr_expect_eq(items, WINDOW, "%s", position);
    return after - before;
}

Test(sync_cost, a_window_reads_what_it_sends)
{
    rig_run(db, "insert into placement (account_id, mailbox_id, uid, item, message_id, modseq, modseq_created, modseq_content,"
                " flags, internal_date, save_date, size) select $1, 1, u, u, u, u + 10, u + 10, u + 10, 0, now(), now(), 9"
                " from generate_series(1, 6000) u", account.n);
    rig_run(db, "update mailbox set uidnext = 6001, modseq_items = 6010 where account_id = $1 and mailbox_id = 1", account.n);
    rig_run(db, "update account set modseq = 6010 where account_id = $1", account.n);
    cr_assert_eq(db_exec(db, "analyze placement"), ERR_OK);
    static const struct {
        const char *name, *position; // s, a, b, cut, target
    } rows[] = {
        { "a backlog at its beginning", "10, 0, 0, '-infinity', 0, '-infinity', 0" },
        { "a backlog in its middle", "10, 3000, 0, '-infinity', 0, '-infinity', 0" },
        { "a first fill at its beginning", "6010, 6000, 6000, '-infinity', 0, '-infinity', 0" },
        { "a first fill in its middle", "6010, 6000, 3000, '-infinity', 0, '-infinity', 0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_leq(rows_read(rows[i].position), 4 * WINDOW, "%s", rows[i].name);
    rig_run(db, "delete from placement where account_id = $1", account.n);
}
