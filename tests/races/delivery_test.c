/* Deliveries against the blob collector, against each other, and against limits (hard cases 4, 16). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "storage/retention.h"
#include "tests/support/rig.h"

#define DAY_US (INT64_C(86400) * 1000000)

struct scene {
    struct account_id accounts[2];
    struct blob_id blob;
    bool backwards;        // the right delivery names its recipients the other way round
    enum err left, right;  // what the steps gave
    enum err results[2][2];
};

static struct db *db; // the third connection

static void setup(void)
{
    db = rig_open();
}

static void teardown(void)
{
    db_close(&db);
}

TestSuite(delivery_races, .init = setup, .fini = teardown, .timeout = 120);

static enum err deliver(struct db *client, struct scene *s, struct blob_id blob, size_t recipients, bool backwards,
                        enum err *results)
{
    struct delivery_target targets[2];
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("Subject: x\r\n\r\nx\r\n"), .fd = -1 },
                                              .blob = blob,
                                              .meta = SLICE_LIT("m") },
                                 .delivery_id = id_new(),
                                 .internal_date_us = 1700000000000000,
                                 .targets = targets,
                                 .target_count = recipients };
    struct delivery *list = &delivery;
    struct change_set changes = { 0 };
    for (size_t i = 0; i < recipients; i++)
        targets[i] = (struct delivery_target){ .account = s->accounts[backwards ? recipients - 1 - i : i],
                                               .prefix = SLICE_LIT("") };
    enum err err = message_deliver(client, &list, 1, &changes);
    for (size_t i = 0; i < recipients; i++)
        results[i] = targets[i].result;
    return err;
}

static int64_t mails(struct account_id account)
{
    return rig_number(db, account, "select count(*) from placement where account_id = $1 and removed_at is null");
}

/* ---- the collector ---- */

static void left_delivers_the_blob(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = deliver(client, s, s->blob, 1, false, s->results[0]);
}

static void right_collects(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct purge_report report = { 0 };
    // As at night: what is condemned now is not deleted now, else the delivery may come between the two or behind both.
    s->right = blob_collect(client, clock_wall_us() - DAY_US, &report);
}

static struct scene with_old_blob(const char *condemned)
{
    struct scene s = { .accounts = { rig_account(db) } };
    char sql[160];
    cr_assert_eq(blob_write(db, &(struct octets){ .memory = SLICE_LIT("old octets"), .fd = -1 }, &s.blob), ERR_OK);
    snprintf(sql, sizeof sql,
             "update blob set touched_at = now() - interval '3 days', condemned_at = %s where blob_id = $1", condemned);
    rig_run(db, sql, s.blob.n);
    return s;
}

static void race_the_collector(struct scene *s, bool delivery_first)
{
    struct rig_step delivery = { left_delivers_the_blob, s }, collector = { right_collects, s };
    rig_race(db, "select 1 from blob where blob_id = $1 for update", s->blob.n, delivery_first ? delivery : collector,
             delivery_first ? collector : delivery);
    cr_expect_eq(s->right, ERR_OK);
    rig_check_content(db, s->accounts[0]);
    rig_check_counters(db, s->accounts[0]);
}

Test(delivery_races, a_delivery_saves_a_condemned_blob)
{
    struct scene s = with_old_blob("now() - interval '2 days'");
    struct arena *arena = arena_open();
    race_the_collector(&s, true);
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.results[0][0], ERR_OK);
    struct slice text = rig_text(db, arena, s.accounts[0], rig_inbox(), 1);
    cr_expect(slice_eq(text, SLICE_LIT("old octets")), "%.*s", SLICE_ARG(text));
    cr_expect_eq(rig_number(db, s.accounts[0], "select used_bytes from account where account_id = $1"), 10,
                 "the blob's own size counts");
    arena_close(&arena);
}

Test(delivery_races, a_collected_blob_refuses_the_delivery)
{
    struct scene s = with_old_blob("now() - interval '2 days'");
    race_the_collector(&s, false);
    cr_expect_eq(s.left, ERR_UNAVAILABLE, "the sender tries again");
    cr_expect_eq(s.results[0][0], ERR_UNAVAILABLE);
    cr_expect_eq(mails(s.accounts[0]), 0, "no message without octets");
    cr_expect_eq(rig_number(db, (struct account_id){ s.blob.n }, "select count(*) from chunk where blob_id = $1"), 0);
}

/* The first night: what is just being referred to is not condemned, and what is condemned is saved by a touch. */
Test(delivery_races, a_delivery_and_the_first_night)
{
    for (int delivery_first = 1; delivery_first >= 0; delivery_first--) {
        struct scene s = with_old_blob("null");
        race_the_collector(&s, delivery_first);
        cr_expect_eq(s.left, ERR_OK);
        cr_expect_eq(mails(s.accounts[0]), 1);
        cr_expect_eq(rig_number(db, (struct account_id){ s.blob.n },
                                "select count(*) from blob where blob_id = $1 and condemned_at is null"),
                     1, "delivery %s", delivery_first ? "first" : "second");
    }
}

/* ---- two deliveries ---- */

static void left_delivers_to_both(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = deliver(client, s, (struct blob_id){ 0 }, 2, false, s->results[0]);
}

static void right_delivers_to_both(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = deliver(client, s, (struct blob_id){ 0 }, 2, s->backwards, s->results[1]);
}

static void check_both_stored(const struct scene *s)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++)
            cr_expect_eq(s->results[i][k], ERR_OK);
        cr_expect_eq(mails(s->accounts[i]), 2);
        rig_check_counters(db, s->accounts[i]);
        rig_check_content(db, s->accounts[i]);
    }
}

/* Whichever account is held, both deliveries wait for it or for each other, never in a ring. */
Test(delivery_races, opposite_recipients_do_not_deadlock)
{
    for (int held = 0; held < 2; held++) {
        for (int left_first = 0; left_first < 2; left_first++) {
            struct scene s = { .accounts = { rig_account(db), rig_account(db) }, .backwards = true };
            struct rig_step left = { left_delivers_to_both, &s }, right = { right_delivers_to_both, &s };
            rig_race(db, "select 1 from account where account_id = $1 for update", s.accounts[held].n,
                     left_first ? left : right, left_first ? right : left);
            check_both_stored(&s);
        }
    }
}

/* The lock order itself: a delivery that waits for the first account holds nothing of the second. */
Test(delivery_races, locks_are_taken_in_account_order)
{
    struct scene s = { .accounts = { rig_account(db), rig_account(db) }, .backwards = true };
    struct db *gate = rig_open(), *client = rig_open();
    struct rig_thread thread;
    cr_assert_lt(s.accounts[0].n, s.accounts[1].n);
    rig_hold(gate, "select 1 from account where account_id = $1 for update", s.accounts[0].n);
    rig_start(&thread, client, (struct rig_step){ right_delivers_to_both, &s });
    rig_wait_blocked(db, db_backend_pid(client));
    cr_expect_eq(rig_number(db, s.accounts[1],
                            "select count(*) from (select 1 from account where account_id = $1 for update skip locked) x"),
                 1, "the second account is free while the first one is waited for");
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    rig_join(&thread);
    cr_expect_eq(s.right, ERR_OK);
    cr_expect_eq(mails(s.accounts[0]), 1);
    cr_expect_eq(mails(s.accounts[1]), 1);
    db_close(&gate);
    db_close(&client);
}

/* ---- limits ---- */

static void append_half(struct db *client, struct scene *s, enum err *err)
{
    static const char octets[60] = "sixty octets";
    struct append_item item = { .message = { .octets = { .memory = { octets, sizeof octets }, .fd = -1 },
                                             .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    struct change_set changes = { 0 };
    uint32_t uidvalidity;
    *err = message_append(client, s->accounts[0], rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes);
}

static void left_appends(struct db *client, void *scene)
{
    struct scene *s = scene;
    append_half(client, s, &s->left);
}

static void right_appends(struct db *client, void *scene)
{
    struct scene *s = scene;
    append_half(client, s, &s->right);
}

Test(delivery_races, the_last_octets_of_a_quota_are_given_once)
{
    struct scene s = { .accounts = { rig_quota_account(db, 100) } };
    rig_race(db, "select 1 from account where account_id = $1 for update", s.accounts[0].n,
             (struct rig_step){ left_appends, &s }, (struct rig_step){ right_appends, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_QUOTA);
    cr_expect_eq(mails(s.accounts[0]), 1);
    rig_check_counters(db, s.accounts[0]);
}
