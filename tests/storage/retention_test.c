/* Letting go: content after retention, tombstones long after that, and what a purge means to clients (hard case 7). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/retention.h"
#include "storage/sync.h"
#include "tests/support/one_account.h"

#define DAY_US (INT64_C(86400) * US_PER_S)

TestSuite(retention, .init = setup, .fini = teardown);

static void expunge(struct mailbox_id mailbox, uint32_t first, uint32_t last)
{
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_expunge(db, arena, account, mailbox, &(struct uid_range){ first, last }, 1, false, &by_imap, &uids,
                                 &count, &changes),
                 ERR_OK);
}

/* Makes every removal so far look that many days older. */
static void let_days_pass(int days)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i32(&args, days);
    cr_assert_eq(db_run_only(db, "update placement set removed_at = removed_at - $2 * interval '1 day' where account_id = $1",
                             &args, NULL),
                 ERR_OK);
}

static struct purge_report purge(void)
{
    struct purge_report report = { 0 };
    cr_assert_eq(retention_purge(db, clock_wall_us() - 14 * DAY_US, clock_wall_us() - 180 * DAY_US, &report), ERR_OK, "%s",
                 db_trace(db)->text);
    return report;
}

static int64_t number(const char *sql)
{
    return rig_number(db, account, sql);
}

Test(retention, content_goes_after_retention_and_the_tombstone_stays)
{
    uint32_t old = rig_append(db, account, rig_inbox(), "old", 0), fresh = rig_append(db, account, rig_inbox(), "fresh", 0);
    expunge(rig_inbox(), old, old);
    let_days_pass(15);
    expunge(rig_inbox(), fresh, fresh);
    struct purge_report report = purge();
    cr_expect_eq(report.messages, 1);
    cr_expect_eq(report.tombstones, 0);
    cr_expect_eq(number("select count(*) from message where account_id = $1"), 1);
    cr_expect_eq(number("select count(*) from placement where account_id = $1"), 2);
    cr_expect_eq(number("select max(purged_modseq) from mailbox where account_id = $1"), 0, "no tombstone went");
    struct deleted_filter filter = { 0 };
    struct deleted_row *rows;
    struct restored restored;
    size_t count;
    cr_assert_eq(deleted_list(db, arena, account, &filter, &rows, &count), ERR_OK);
    cr_assert_eq(count, 1u);
    cr_expect_eq(rows->uid, fresh);
    cr_assert_eq(deleted_restore(db, arena, account, &(struct deleted_id){ rig_inbox(), old }, 1, (struct mailbox_id){ 0 },
                                 &by_admin, &restored, &changes),
                 ERR_OK);
    cr_expect_eq(restored.err, ERR_NOT_FOUND, "its content is gone");
    report = purge();
    cr_expect_eq(report.messages, 0, "a second pass finds nothing");
}

/* 7: a device that knew the mail still hears of its removal, long after the content went. */
Test(retention, a_removal_is_told_after_its_content_went)
{
    struct device_id device = rig_device(db, account, "PHONE");
    struct sync_state state;
    struct sync_look look;
    char key[SYNC_KEY_MAX + 1];
    uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
    cr_assert_eq(sync_reset(db, arena, account, device, rig_inbox(), SLICE_LIT(""), &state), ERR_OK);
    struct slice first = slice_of(arena_printf(arena, "%s", state.key));
    cr_assert_eq(sync_begin(db, arena, account, device, rig_inbox(), first, &state), ERR_OK);
    cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &state.at, (struct sync_cut){ 0 }, 10, &look), ERR_OK);
    cr_assert_eq(look.count, 1u);
    cr_assert_eq(sync_commit(db, account, device, rig_inbox(), &state, &look.next, SLICE_LIT(""), key), ERR_OK);
    expunge(rig_inbox(), uid, uid);
    let_days_pass(100);
    purge();
    cr_assert_eq(sync_begin(db, arena, account, device, rig_inbox(), slice_of(key), &state), ERR_OK, "no start over");
    cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &state.at, (struct sync_cut){ 0 }, 10, &look), ERR_OK);
    cr_assert_eq(look.count, 1u);
    cr_expect_eq(look.items[0].op, SYNC_DELETE);
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_vanished(db, arena, account, rig_inbox(), state.at.s, &uids, &count), ERR_OK);
    cr_expect_eq(count, 1u);

    let_days_pass(100);
    struct purge_report report = purge();
    cr_expect_eq(report.tombstones, 1);
    cr_expect_eq(sync_begin(db, arena, account, device, rig_inbox(), slice_of(key), &state), ERR_CONFLICT,
                 "silent for longer than tombstones are kept: it starts over");
}

Test(retention, purged_modseq_rises_for_its_mailbox_only)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
    rig_append(db, account, box, "y", 0);
    expunge(rig_inbox(), uid, uid);
    int64_t modseq = number("select modseq from account where account_id = $1");
    expunge(box, 1, 1);
    let_days_pass(200);
    rig_run(db, "update placement set removed_at = now() where account_id = $1 and mailbox_id <> 1", account.n);
    purge();
    cr_expect_eq(number("select purged_modseq from mailbox where account_id = $1 and mailbox_id = 1"), modseq);
    cr_expect_eq(number("select max(purged_modseq) from mailbox where account_id = $1 and mailbox_id <> 1"), 0);
}

/* Nobody asks for what lies below the purged clock, so the log is cut there; above it, it goes on to answer. */
Test(retention, the_change_log_is_cut_with_the_tombstones)
{
    for (int i = 0; i < 4; i++)
        rig_append(db, account, rig_inbox(), "x", 0);
    rig_flags(db, account, rig_inbox(), 1, 1, FLAGS_ADD, FLAG_SEEN);
    expunge(rig_inbox(), 2, 2);
    let_days_pass(200);
    int64_t since = number("select modseq from account where account_id = $1");
    rig_flags(db, account, rig_inbox(), 3, 3, FLAGS_ADD, FLAG_SEEN);
    expunge(rig_inbox(), 4, 4);
    cr_expect_eq(number("select count(*) from change_log where account_id = $1"), 4);
    purge();
    cr_expect_eq(number("select count(*) from change_log where account_id = $1"), 2);
    struct mailbox_look look;
    cr_assert_eq(message_changes(db, arena, account, rig_inbox(), since, 5, &look), ERR_OK);
    cr_assert_eq(look.row_count, 1u);
    cr_expect_eq(look.rows[0].uid, 3u);
    cr_assert_eq(look.removed_count, 1u);
    cr_expect_eq(look.removed[0], 4u);
}

/* 4: content goes when nothing shows it any more, whichever of its rows is purged first. */
Test(retention, content_is_let_go_by_its_last_row)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    struct copied *copied;
    size_t count;
    uint32_t uidvalidity, uid = rig_append(db, account, rig_inbox(), "shared", 0);
    struct uid_range range = { uid, uid };
    cr_assert_eq(message_copy(db, arena, account, rig_inbox(), &range, 1, box, false, &by_imap, &copied, &count, &uidvalidity,
                              &changes),
                 ERR_OK);
    cr_assert_eq(message_copy(db, arena, account, box, &range, 1, rig_inbox(), true, &by_imap, &copied, &count, &uidvalidity,
                              &changes),
                 ERR_OK);
    expunge(rig_inbox(), uid, uid);
    let_days_pass(15);
    cr_expect_eq(purge().messages, 0, "the moved copy lives");
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), 2), SLICE_LIT("shared")));
    expunge(rig_inbox(), 2, 2);
    let_days_pass(15);
    cr_expect_eq(purge().messages, 1);
    cr_expect_eq(number("select count(*) from placement where account_id = $1 and message_id = 0"), 3);
}

/* 10: a replaced draft's old text goes; the new one stays. */
Test(retention, a_replaced_text_goes_and_the_new_one_stays)
{
    uint32_t uid = rig_append(db, account, rig_inbox(), "first", FLAG_DRAFT);
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("second"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    cr_assert_eq(message_replace(db, account, rig_inbox(), uid, &item, &by_imap, &changes), ERR_OK);
    let_days_pass(15);
    cr_expect_eq(purge().messages, 1);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), item.uid), SLICE_LIT("second")));
}

Test(retention, a_restored_mail_keeps_its_content)
{
    uint32_t uid = rig_append(db, account, rig_inbox(), "kept", 0);
    struct restored restored;
    expunge(rig_inbox(), uid, uid);
    cr_assert_eq(deleted_restore(db, arena, account, &(struct deleted_id){ rig_inbox(), uid }, 1, (struct mailbox_id){ 0 },
                                 &by_admin, &restored, &changes),
                 ERR_OK);
    let_days_pass(15);
    cr_expect_eq(purge().messages, 0);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), restored.uid), SLICE_LIT("kept")));
    let_days_pass(180);
    cr_expect_eq(purge().tombstones, 1);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), restored.uid), SLICE_LIT("kept")));
}

/* 14: in batches, and all of it. */
Test(retention, a_big_purge_works_in_batches)
{
    enum { MANY = 2500 };
    struct append_item *items = arena_new(arena, struct append_item, MANY);
    uint32_t uidvalidity;
    for (int i = 0; i < MANY; i++)
        items[i] = (struct append_item){ .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                         .internal_date_us = 1700000000000000 };
    cr_assert_eq(message_append(db, account, rig_inbox(), items, MANY, &by_imap, &uidvalidity, &changes), ERR_OK);
    expunge(rig_inbox(), 1, MANY);
    let_days_pass(15);
    struct purge_report report = purge();
    cr_expect_eq(report.messages, MANY);
    cr_expect_eq(report.tombstones, 0);
    let_days_pass(180);
    report = purge();
    cr_expect_eq(report.messages, 0);
    cr_expect_eq(report.tombstones, MANY);
    cr_expect_eq(number("select count(*) from placement where account_id = $1"), 0);
}

Test(retention, sent_client_ids_are_forgotten_after_a_week)
{
    struct device_id device = rig_device(db, account, "PHONE");
    bool fresh;
    cr_assert_eq(sync_claim_client_id(db, account, device, SLICE_LIT("a"), &fresh), ERR_OK);
    cr_assert_eq(sync_claim_client_id(db, account, device, SLICE_LIT("b"), &fresh), ERR_OK);
    rig_run(db, "update sent_client_id set at = at - interval '8 days' where account_id = $1 and client_id = 'a'", account.n);
    purge();
    cr_expect_eq(number("select count(*) from sent_client_id where account_id = $1"), 1);
    cr_assert_eq(sync_claim_client_id(db, account, device, SLICE_LIT("b"), &fresh), ERR_OK);
    cr_expect_not(fresh);
}
