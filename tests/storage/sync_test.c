/* The scenarios of the hard cases against the ActiveSync state, each as its own test, named after its case. A small phone
 * keeps what it was told; the storage functions are those that the Sync command calls. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/retention.h"
#include "storage/sync.h"
#include "tests/support/rig.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define NOW_US (INT64_C(1780000000) * 1000000)
#define ITEMS_MAX 400u

static struct db *db;
static struct arena *arena;
static struct account_id account;
static struct mailbox_id inbox, drafts, trash, sent, archive;
static struct change_set changes;

struct item { // as the phone shows it
    bool there;
    uint64_t flags;
    int64_t message;
};

struct phone {
    struct device_id device;
    struct mailbox_id mailbox;
    char key[SYNC_KEY_MAX + 1], before[SYNC_KEY_MAX + 1];
    uint32_t window;
    struct sync_cut target;
    struct item items[ITEMS_MAX];
    unsigned ops[4]; // told by the last sync, by enum sync_op
    bool more;
};

static struct mailbox_id find(const char *path)
{
    struct mailbox mailbox = { 0 };
    cr_assert_eq(mailbox_find(db, arena, account, slice_of(path), &mailbox), ERR_OK, "%s", path);
    return mailbox.id;
}

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    account = rig_account(db);
    inbox = rig_inbox();
    drafts = find("Drafts");
    trash = find("Trash");
    sent = find("Sent");
    archive = find("Archive");
    changes = (struct change_set){ 0 };
}

static void teardown(void)
{
    rig_check_counters(db, account);
    arena_close(&arena);
    db_close(&db);
}

TestSuite(sync, .init = setup, .fini = teardown);

/* ---- the phone ---- */

static struct phone *phone_of(const char *key, struct mailbox_id mailbox)
{
    struct phone *phone = arena_new(arena, struct phone, 1);
    struct sync_state state;
    phone->device = rig_device(db, account, key);
    phone->mailbox = mailbox;
    phone->window = 100;
    cr_assert_eq(sync_reset(db, arena, account, phone->device, mailbox, SLICE_LIT(""), &state), ERR_OK);
    snprintf(phone->key, sizeof phone->key, "%s", state.key);
    return phone;
}

static void take(struct phone *phone, const struct sync_look *look)
{
    memset(phone->ops, 0, sizeof phone->ops);
    for (size_t i = 0; i < look->count; i++) {
        const struct sync_item *item = &look->items[i];
        cr_assert_lt(item->item, ITEMS_MAX);
        struct item *known = &phone->items[item->item];
        phone->ops[item->op]++;
        cr_expect(item->op != SYNC_ADD || !known->there, "a second Add of item %u", item->item);
        cr_expect(item->op != SYNC_CHANGE || known->there, "a Change of item %u, which the phone does not have", item->item);
        known->there = item->op == SYNC_ADD || item->op == SYNC_CHANGE;
        known->flags = item->row.flags;
        if (item->op == SYNC_ADD || item->full)
            known->message = item->message.id.n;
    }
}

static enum err open_state(struct phone *phone, struct sync_state *state)
{
    return sync_begin(db, arena, account, phone->device, phone->mailbox, slice_of(phone->key), state);
}

static struct sync_look look_from(struct phone *phone, const struct sync_state *state)
{
    struct sync_look look;
    cr_assert_eq(sync_look(db, arena, account, phone->device, phone->mailbox, &state->at, phone->target, phone->window, &look),
                 ERR_OK, "%s", db_trace(db)->text);
    cr_assert_leq(look.count, phone->window);
    return look;
}

/* The server's part of one Sync; the reply is lost. */
static struct sync_look serve(struct phone *phone, char key[SYNC_KEY_MAX + 1])
{
    struct sync_state state;
    cr_assert_eq(open_state(phone, &state), ERR_OK, "%s", db_trace(db)->text);
    struct sync_look look = look_from(phone, &state);
    if (look.count == 0 && state.primed) {
        cr_assert_eq(sync_advance(db, account, phone->device, phone->mailbox, &state, &look), ERR_OK);
        snprintf(key, SYNC_KEY_MAX + 1, "%s", phone->key);
    } else {
        cr_assert_eq(sync_commit(db, account, phone->device, phone->mailbox, &state, &look.next, SLICE_LIT(""), key), ERR_OK);
    }
    return look;
}

/* One Sync; returns how many items it told. */
static size_t sync_once(struct phone *phone)
{
    char key[SYNC_KEY_MAX + 1];
    struct sync_look look = serve(phone, key);
    take(phone, &look);
    phone->more = look.more;
    snprintf(phone->key, sizeof phone->key, "%s", key);
    return look.count;
}

/* Syncs until nothing is told any more: by then the phone has shown each key that it was given. */
static size_t sync_all(struct phone *phone)
{
    unsigned ops[4] = { 0 };
    size_t told = 0, now, rounds = 0;
    do {
        now = sync_once(phone);
        told += now;
        for (int i = 0; i < 4; i++)
            ops[i] += phone->ops[i];
        cr_assert_lt(++rounds, 500u, "it never ends");
    } while (now || phone->more);
    memcpy(phone->ops, ops, sizeof ops);
    return told;
}

/* The phone shows what the mailbox has inside its filter. */
static void expect_same(struct phone *phone)
{
    struct mailbox_look look;
    size_t shown = 0, held = 0;
    cr_assert_eq(message_load(db, arena, account, phone->mailbox, &look), ERR_OK);
    for (size_t i = 0; i < look.row_count; i++) {
        const struct item *found = NULL;
        for (uint32_t k = 1; k < ITEMS_MAX; k++)
            if (phone->items[k].there && phone->items[k].message == look.rows[i].message.n)
                found = &phone->items[k];
        bool inside = look.rows[i].internal_us >= phone->target.date_us;
        shown += inside;
        cr_expect_eq(found != NULL, inside, "uid %u", look.rows[i].uid);
        if (found && inside)
            cr_expect_eq(found->flags, look.rows[i].flags, "flags of uid %u", look.rows[i].uid);
    }
    for (uint32_t k = 1; k < ITEMS_MAX; k++)
        held += phone->items[k].there;
    cr_expect_eq(held, shown, "the phone has %zu items, not %zu", held, shown);
    free(look.rows);
}

static unsigned news(struct phone *phone)
{
    struct sync_watch watch = { .mailbox = phone->mailbox, .since_uidnext = 1u << 30 };
    bool hierarchy;
    cr_assert_eq(sync_news(db, account, phone->device, &watch, 1, &hierarchy), ERR_OK, "%s", db_trace(db)->text);
    return watch.news;
}

/* ---- everybody else ---- */

static void add(struct mailbox_id mailbox, uint32_t count, int64_t date_us)
{
    struct append_item *items = arena_new(arena, struct append_item, count);
    uint32_t uidvalidity;
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct append_item){ .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                         .internal_date_us = date_us };
    cr_assert_eq(message_append(db, account, mailbox, items, count, &by_imap, &uidvalidity, &changes), ERR_OK);
}

static void expunge(struct mailbox_id mailbox, uint32_t first, uint32_t last)
{
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_expunge(db, arena, account, mailbox, &(struct uid_range){ first, last }, 1, false, &by_imap, &uids,
                                 &count, &changes),
                 ERR_OK);
}

static void replace(struct mailbox_id mailbox, uint32_t uid, int64_t date_us, const struct actor *by)
{
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("new text"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = date_us };
    cr_assert_eq(message_replace(db, account, mailbox, uid, &item, by, &changes), ERR_OK, "%s", db_trace(db)->text);
}

static struct actor device_of(const struct phone *phone)
{
    return (struct actor){ .protocol = BY_EAS, .device = phone->device, .name = "phone" };
}

static void mark_read(struct phone *phone, uint32_t item, int read)
{
    struct sync_flags flags = { .read = read, .flagged = -1 };
    cr_assert_eq(sync_change_flags(db, account, phone->device, phone->mailbox, item, &flags, &changes), ERR_OK);
    phone->items[item].flags = (phone->items[item].flags & ~(uint64_t)FLAG_SEEN) | (read ? FLAG_SEEN : 0);
}

static void delete_item(struct phone *phone, uint32_t item, bool to_trash)
{
    struct actor by = device_of(phone);
    cr_assert_eq(sync_delete(db, account, phone->device, phone->mailbox, &item, 1, to_trash, &by, &changes), ERR_OK);
    phone->items[item].there = false;
}

static int64_t number(const char *sql)
{
    return rig_number(db, account, sql);
}

/* ---- 1: the phone was off over night, and the first mail is read on the desktop before the phone has it ---- */

Test(sync, case_1_touched_behind_a_backlog_larger_than_the_window)
{
    struct phone *phone = phone_of("P", inbox);
    sync_all(phone);
    add(inbox, 300, NOW_US);
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_SEEN);
    cr_expect_eq(sync_once(phone), 100u);
    cr_expect(phone->more);
    cr_expect_eq(phone->ops[SYNC_ADD], 100u);
    rig_flags(db, account, inbox, 50, 150, FLAGS_ADD, FLAG_FLAGGED); // told and not told yet
    expunge(inbox, 90, 110);
    sync_all(phone);
    expect_same(phone);
}

Test(sync, case_1_created_and_changed_between_two_windows)
{
    struct phone *phone = phone_of("P", inbox);
    sync_all(phone);
    phone->window = 3;
    add(inbox, 7, NOW_US);
    for (uint32_t i = 0; i < 12; i++) {
        sync_once(phone);
        add(inbox, 1, NOW_US);
        rig_flags(db, account, inbox, 1, 8 + i, i % 2 ? FLAGS_REMOVE : FLAGS_ADD, FLAG_SEEN);
    }
    phone->window = 100;
    sync_all(phone);
    expect_same(phone);
}

Test(sync, case_1_first_fill_is_newest_first_and_new_mail_comes_before_it)
{
    add(inbox, 20, NOW_US);
    struct phone *phone = phone_of("P", inbox);
    phone->window = 5;
    sync_once(phone);
    cr_expect(phone->items[20].there && phone->items[16].there && !phone->items[15].there);
    add(inbox, 1, NOW_US);
    rig_flags(db, account, inbox, 1, 20, FLAGS_ADD, FLAG_SEEN);
    sync_once(phone);
    cr_expect(phone->items[21].there);
    cr_expect_eq(phone->ops[SYNC_CHANGE], 4u, "changes of what it has; the rest comes with its flags");
    sync_all(phone);
    expect_same(phone);
}

/* ---- 2: one STORE of many ---- */

Test(sync, case_2_one_store_of_many_is_cut_by_the_window)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 250, NOW_US);
    sync_all(phone);
    rig_flags(db, account, inbox, 1, 250, FLAGS_ADD, FLAG_SEEN);
    cr_expect_eq(sync_once(phone), 100u);
    cr_expect(phone->more);
    cr_expect_eq(sync_once(phone), 100u);
    cr_expect_eq(sync_once(phone), 50u);
    cr_expect_not(phone->more, "no loop");
    cr_expect_eq(sync_once(phone), 0u);
    expect_same(phone);
}

/* ---- 5: no echo, and nothing hidden by it ---- */

Test(sync, case_5_own_changes_are_not_echoed)
{
    struct phone *phone = phone_of("P", inbox), *other = phone_of("Q", inbox);
    add(inbox, 3, NOW_US);
    sync_all(phone);
    sync_all(other);
    mark_read(phone, 1, 1);
    mark_read(phone, 1, 0);
    mark_read(phone, 2, 1);
    delete_item(phone, 3, false);
    cr_expect_eq(news(phone), 0u);
    cr_expect_eq(sync_all(phone), 0u);
    cr_expect_eq(news(other), (unsigned)(CHANGE_FLAGS | CHANGE_REMOVED));
    cr_expect_eq(sync_all(other), 3u, "the other one hears of all");
    expect_same(phone);
    expect_same(other);
}

Test(sync, case_5a_what_the_device_was_not_told_is_told)
{
    struct phone *phone = phone_of("P", inbox), *in_trash = phone_of("P", trash);
    add(inbox, 1, NOW_US);
    sync_all(phone);
    sync_all(in_trash);
    delete_item(phone, 1, true);
    cr_expect_eq(sync_all(phone), 0u);
    cr_expect_eq(news(in_trash), (unsigned)CHANGE_NEW);
    cr_expect_eq(sync_all(in_trash), 1u, "the copy in Trash");
    cr_expect_eq(in_trash->ops[SYNC_ADD], 1u);
    expect_same(in_trash);
}

Test(sync, case_5b_the_desktops_change_before_ours_is_told)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 1, NOW_US);
    sync_all(phone);
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_FLAGGED);
    mark_read(phone, 1, 1);
    cr_expect_eq(sync_all(phone), 1u);
    expect_same(phone);
    mark_read(phone, 1, 0); // it has been told now
    cr_expect_eq(sync_all(phone), 0u);
    rig_flags(db, account, inbox, 1, 1, FLAGS_REMOVE, FLAG_FLAGGED);
    cr_expect_eq(sync_all(phone), 1u, "and after ours, too");
    expect_same(phone);
}

Test(sync, case_5_a_change_that_changes_nothing_hides_nothing)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 1, NOW_US);
    sync_all(phone);
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED);
    int64_t clock = number("select modseq from account where account_id = $1");
    mark_read(phone, 1, 1);
    cr_expect_eq(number("select modseq from account where account_id = $1"), clock);
    cr_expect_eq(sync_all(phone), 1u);
    expect_same(phone);
}

Test(sync, case_5_moveitems_tells_both_sides)
{
    struct phone *phone = phone_of("P", inbox), *target = phone_of("P", archive);
    struct actor by = device_of(phone);
    uint32_t made = 0, again = 0;
    add(inbox, 2, NOW_US);
    sync_all(phone);
    sync_all(target);
    cr_assert_eq(sync_move(db, account, phone->device, inbox, 1, archive, &by, &made, &changes), ERR_OK);
    phone->items[1].there = false;
    target->items[made] = phone->items[1];
    target->items[made].there = true;
    cr_expect_eq(sync_all(phone), 0u);
    cr_expect_eq(sync_all(target), 0u);
    expect_same(target);
    // 11d: the reply was lost, and it is asked again
    cr_assert_eq(sync_move(db, account, phone->device, inbox, 1, archive, &by, &again, &changes), ERR_OK);
    cr_expect_eq(again, made);
    // The desktop touches the moved one before the phone syncs that folder.
    cr_assert_eq(sync_move(db, account, phone->device, inbox, 2, archive, &by, &made, &changes), ERR_OK);
    phone->items[2].there = false;
    target->items[made] = (struct item){ true, 0, phone->items[2].message };
    rig_flags(db, account, archive, made, made, FLAGS_ADD, FLAG_FLAGGED);
    sync_all(target);
    cr_expect_eq(target->ops[SYNC_CHANGE], 1u, "a Change, never an Add of what it has");
    expect_same(target);
}

Test(sync, case_5_moveitems_of_what_changed_meanwhile)
{
    struct phone *phone = phone_of("P", inbox), *target = phone_of("P", archive);
    struct actor by = device_of(phone);
    uint32_t made = 0;
    add(inbox, 1, NOW_US);
    sync_all(phone);
    sync_all(target);
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_FLAGGED); // the phone does not know
    cr_assert_eq(sync_move(db, account, phone->device, inbox, 1, archive, &by, &made, &changes), ERR_OK);
    phone->items[1].there = false;
    target->items[made] = (struct item){ true, 0, phone->items[1].message };
    cr_expect_eq(sync_all(target), 1u);
    cr_expect_eq(target->ops[SYNC_CHANGE], 1u);
    expect_same(target);
}

Test(sync, case_5_moveitems_refusals)
{
    struct phone *phone = phone_of("P", inbox);
    struct actor by = device_of(phone);
    uint32_t made;
    add(inbox, 1, NOW_US);
    cr_expect_eq(sync_move(db, account, phone->device, inbox, 9, archive, &by, &made, &changes), ERR_NOT_FOUND);
    cr_expect_eq(sync_move(db, account, phone->device, inbox, 1, inbox, &by, &made, &changes), ERR_EXISTS);
    cr_expect_eq(sync_move(db, account, phone->device, inbox, 1, (struct mailbox_id){ 99 }, &by, &made, &changes), ERR_STATE);
}

Test(sync, case_5_deleting_what_is_gone_wakes_nobody)
{
    struct phone *phone = phone_of("P", inbox);
    struct actor by = device_of(phone);
    uint32_t items[] = { 1, 77 };
    add(inbox, 1, NOW_US);
    expunge(inbox, 1, 1);
    changes = (struct change_set){ 0 };
    cr_assert_eq(sync_delete(db, account, phone->device, inbox, items, 2, true, &by, &changes), ERR_OK);
    cr_expect_eq(changes.count, 0u);
}

/* ---- 7: changes that the phone cannot see ---- */

static struct phone *with_filter(const char *key, int days)
{
    struct phone *phone = phone_of(key, inbox);
    phone->target = (struct sync_cut){ NOW_US - days * DAY_US, 0 };
    return phone;
}

static int64_t stored_s(void)
{
    return number("select given_s from sync_state where account_id = $1 and mailbox_id = 1");
}

Test(sync, case_7_a_sync_that_finds_nothing_moves_the_state)
{
    struct phone *phone = with_filter("P", 3);
    add(inbox, 300, NOW_US - 50 * DAY_US);
    sync_all(phone);
    char key[SYNC_KEY_MAX + 1];
    snprintf(key, sizeof key, "%s", phone->key);
    rig_flags(db, account, inbox, 1, 300, FLAGS_ADD, FLAG_SEEN);
    cr_expect_eq(sync_once(phone), 0u);
    cr_expect_str_eq(phone->key, key, "under the same key");
    cr_expect_eq(stored_s(), number("select modseq from account where account_id = $1"));
    int64_t s = stored_s();
    expunge(inbox, 1, 1);
    cr_expect_eq(sync_once(phone), 0u);
    cr_expect_eq(stored_s(), s, "one row is not worth a write");
    rig_run(db, "update sync_state set updated_at = now() - interval '25 hours' where account_id = $1", account.n);
    cr_expect_eq(sync_once(phone), 0u);
    cr_expect_gt(stored_s(), s, "a day is");
}

/* A phone that only pings for months: it is never thrown out for want of tombstones it cannot see. */
Test(sync, case_7_a_ping_that_finds_nothing_moves_the_state)
{
    struct phone *phone = with_filter("P", 3);
    add(inbox, 300, NOW_US - 50 * DAY_US);
    sync_all(phone);
    rig_flags(db, account, inbox, 1, 300, FLAGS_ADD, FLAG_SEEN);
    cr_expect_eq(news(phone), 0u);
    cr_expect_eq(stored_s(), number("select modseq from account where account_id = $1"));

    int64_t s = stored_s();
    expunge(inbox, 5, 5);
    cr_expect_eq(news(phone), 0u);
    cr_expect_eq(stored_s(), s);
    rig_run(db, "update sync_state set updated_at = now() - interval '25 hours' where account_id = $1", account.n);
    cr_expect_eq(news(phone), 0u);
    cr_expect_gt(stored_s(), s);
    struct purge_report report = { 0 };
    cr_assert_eq(retention_purge(db, INT64_C(4000000000000000), INT64_C(4000000000000000), &report), ERR_OK);
    cr_expect_geq(report.tombstones, 1);
    cr_expect_eq(sync_once(phone), 0u, "no start over");
    rig_flags(db, account, inbox, 6, 6, FLAGS_ADD, FLAG_FLAGGED);
    add(inbox, 1, NOW_US);
    cr_expect_eq(news(phone), (unsigned)CHANGE_NEW);
    cr_expect_eq(sync_all(phone), 1u);
    expect_same(phone);
}

Test(sync, case_7_a_ping_with_news_moves_nothing)
{
    struct phone *phone = with_filter("P", 3);
    add(inbox, 300, NOW_US - 50 * DAY_US);
    add(inbox, 1, NOW_US);
    sync_all(phone);
    int64_t s = stored_s();
    rig_flags(db, account, inbox, 1, 301, FLAGS_ADD, FLAG_SEEN);
    cr_expect_eq(news(phone), (unsigned)(CHANGE_FLAGS | CHANGE_REMOVED));
    cr_expect_eq(stored_s(), s);
    cr_expect_eq(sync_all(phone), 1u);
    expect_same(phone);
}

Test(sync, case_7_only_lost_tombstones_make_it_start_over)
{
    struct phone *phone = phone_of("P", inbox);
    struct sync_state state;
    add(inbox, 2, NOW_US);
    sync_all(phone);
    expunge(inbox, 1, 1);
    struct purge_report report = { 0 };
    cr_assert_eq(retention_purge(db, INT64_C(4000000000000000), 0, &report), ERR_OK);
    cr_expect_eq(open_state(phone, &state), ERR_OK, "content only");
    cr_assert_eq(retention_purge(db, INT64_C(4000000000000000), INT64_C(4000000000000000), &report), ERR_OK);
    rig_run(db, "update sync_state set updated_at = now() - interval '2 days' where account_id = $1", account.n);
    int64_t s = stored_s();
    cr_expect_eq(news(phone), (unsigned)(CHANGE_FLAGS | CHANGE_REMOVED), "a Ping sends it to Sync");
    cr_expect_eq(stored_s(), s, "and does not pass over what it missed");
    cr_expect_eq(open_state(phone, &state), ERR_CONFLICT);
    uint32_t estimate;
    cr_expect_eq(sync_estimate(db, account, phone->device, inbox, slice_of(phone->key), NULL, 100, &estimate), ERR_CONFLICT);
}

/* ---- 8: the filter ---- */

Test(sync, case_8a_ten_of_one_instant_age_out_in_windows_of_three)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 10, NOW_US - 5 * DAY_US);
    add(inbox, 2, NOW_US);
    sync_all(phone);
    phone->window = 3;
    phone->target = (struct sync_cut){ NOW_US - 3 * DAY_US, 0 };
    size_t gone = 0;
    do {
        gone += sync_once(phone);
        cr_expect_eq(phone->ops[SYNC_ADD] + phone->ops[SYNC_CHANGE] + phone->ops[SYNC_DELETE], 0u);
    } while (phone->more);
    cr_expect_eq(gone, 10u);
    expect_same(phone);
    phone->target = (struct sync_cut){ 0, 0 };
    cr_expect_eq(sync_all(phone), 10u, "and come back");
    expect_same(phone);
}

Test(sync, case_8b_deleted_between_the_old_and_the_new_filter)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 4, NOW_US - 5 * DAY_US);
    sync_all(phone);
    expunge(inbox, 2, 2);
    phone->target = (struct sync_cut){ NOW_US - 3 * DAY_US, 0 };
    sync_all(phone);
    cr_expect_eq(phone->ops[SYNC_DELETE], 1u, "judged by the cut that was in force");
    cr_expect_eq(phone->ops[SYNC_SOFT_DELETE], 3u);
    expect_same(phone);
}

Test(sync, case_8c_ageing_and_an_unfinished_fill_wake_nobody)
{
    add(inbox, 30, NOW_US - 5 * DAY_US);
    struct phone *phone = phone_of("P", inbox);
    phone->window = 10;
    sync_once(phone);
    cr_expect(phone->more);
    cr_expect_eq(news(phone), 0u, "the rest of the fill is no news");
    sync_all(phone);
    phone->target = (struct sync_cut){ NOW_US - 3 * DAY_US, 0 };
    cr_expect_eq(news(phone), 0u, "what has aged is no news");
    add(inbox, 1, NOW_US);
    cr_expect_eq(news(phone), (unsigned)CHANGE_NEW);
    sync_all(phone);
    expect_same(phone);
}

Test(sync, case_8d_a_folder_that_was_never_synced_has_news_from_now_on)
{
    struct device_id device = rig_device(db, account, "P");
    struct sync_watch watch = { .mailbox = inbox };
    bool hierarchy = true;
    add(inbox, 5, NOW_US);
    cr_assert_eq(sync_news(db, account, device, &watch, 1, &hierarchy), ERR_OK);
    cr_expect_eq(watch.news, 0u);
    cr_expect_eq(watch.since_uidnext, 6u);
    cr_expect_not(hierarchy);
    struct phone *phone = phone_of("P", inbox); // key 0 only, never used
    cr_assert_eq(sync_news(db, account, phone->device, &watch, 1, &hierarchy), ERR_OK);
    cr_expect_eq(watch.news, 0u);
    add(inbox, 1, NOW_US);
    cr_assert_eq(sync_news(db, account, phone->device, &watch, 1, &hierarchy), ERR_OK);
    cr_expect_eq(watch.news, (unsigned)CHANGE_NEW);
    cr_assert_eq(mailbox_delete(db, account, archive, false, &by_imap, &changes), ERR_OK);
    watch = (struct sync_watch){ .mailbox = archive };
    cr_assert_eq(sync_news(db, account, phone->device, &watch, 1, &hierarchy), ERR_OK);
    cr_expect(watch.gone);
}

Test(sync, case_8_a_restored_old_mail_outside_the_filter_is_not_sent)
{
    struct phone *phone = with_filter("P", 3);
    add(inbox, 1, NOW_US - 50 * DAY_US);
    add(inbox, 1, NOW_US);
    sync_all(phone);
    expunge(inbox, 1, 2);
    sync_all(phone);
    struct deleted_id ids[] = { { inbox, 1 }, { inbox, 2 } };
    struct restored restored[2];
    cr_assert_eq(deleted_restore(db, arena, account, ids, 2, (struct mailbox_id){ 0 }, &by_admin, restored, &changes), ERR_OK);
    cr_expect_eq(sync_all(phone), 1u);
    expect_same(phone);
}

/* ---- 9: folders ---- */

static struct folder_look folders(struct device_id device, const char *key)
{
    struct folder_look look;
    cr_assert_eq(sync_folders(db, arena, account, device, slice_of(key), &look), ERR_OK, "%s", db_trace(db)->text);
    return look;
}

Test(sync, case_9a_mail_is_no_change_of_the_hierarchy)
{
    struct device_id device = rig_device(db, account, "P");
    struct folder_look first = folders(device, "0");
    cr_expect_eq(first.count, 6u);
    add(inbox, 3, NOW_US);
    rig_flags(db, account, inbox, 1, 2, FLAGS_ADD, FLAG_SEEN);
    expunge(inbox, 1, 1);
    struct folder_look next = folders(device, first.key);
    cr_expect_eq(next.count, 0u);
    cr_expect_str_eq(next.key, first.key);
    bool hierarchy = true;
    cr_assert_eq(sync_news(db, account, device, NULL, 0, &hierarchy), ERR_OK);
    cr_expect_not(hierarchy, "no Ping status 7 for mail");
    rig_mailbox(db, account, "New");
    cr_assert_eq(sync_news(db, account, device, NULL, 0, &hierarchy), ERR_OK);
    cr_expect(hierarchy);
    next = folders(device, first.key);
    cr_assert_eq(next.count, 1u);
    cr_expect_eq(next.items[0].op, FOLDER_ADD);
    struct folder_look replay = folders(device, first.key);
    cr_expect_eq(replay.count, 1u, "the reply was lost: the older key gives the same");
    struct folder_look last;
    cr_expect_eq(sync_folders(db, arena, account, device, slice_of(next.key), &last), ERR_CONFLICT, "only the newest two");
}

/* The phone slept through it: its old key goes on, and its state finds what became of the mail. */
Test(sync, case_9b_deleted_and_brought_back_while_the_phone_was_away)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    add(box, 3, NOW_US);
    struct phone *phone = phone_of("P", box);
    sync_all(phone);
    cr_assert_eq(mailbox_delete(db, account, box, false, &by_imap, &changes), ERR_OK);
    struct sync_state state;
    cr_expect_eq(open_state(phone, &state), ERR_NOT_FOUND);
    struct deleted_id ids[] = { { box, 1 }, { box, 3 } };
    struct restored restored[2];
    cr_assert_eq(deleted_restore(db, arena, account, ids, 2, (struct mailbox_id){ 0 }, &by_admin, restored, &changes), ERR_OK);
    cr_expect_eq(restored[1].mailbox.n, box.n);
    sync_all(phone);
    cr_expect_eq(phone->ops[SYNC_DELETE], 3u);
    cr_expect_eq(phone->ops[SYNC_ADD], 2u);
    expect_same(phone);
}

Test(sync, case_9_renamed_and_deleted_folders)
{
    struct device_id device = rig_device(db, account, "P");
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    struct folder_look first = folders(device, "0");
    cr_assert_eq(mailbox_rename(db, account, box, SLICE_LIT("Crate"), &by_imap, &changes), ERR_OK);
    struct folder_look second = folders(device, first.key);
    cr_assert_eq(second.count, 1u);
    cr_expect_eq(second.items[0].op, FOLDER_UPDATE);
    cr_expect_str_eq(second.items[0].mailbox.name, "Crate");
    cr_assert_eq(mailbox_delete(db, account, box, false, &by_imap, &changes), ERR_OK);
    struct mailbox_id brief = rig_mailbox(db, account, "Brief");
    cr_assert_eq(mailbox_delete(db, account, brief, false, &by_imap, &changes), ERR_OK);
    struct folder_look third = folders(device, second.key);
    cr_assert_eq(third.count, 1u, "what came and went is not told");
    cr_expect_eq(third.items[0].op, FOLDER_DELETE);
    cr_expect_eq(third.items[0].mailbox.id.n, box.n);
}

Test(sync, case_9c_a_repeated_foldercreate_answers_the_same)
{
    struct device_id device = rig_device(db, account, "P");
    struct folder_look first = folders(device, "0");
    struct mailbox_id id = { 0 }, again = { 0 }, other;
    char key[SYNC_KEY_MAX + 1], key_again[SYNC_KEY_MAX + 1];
    struct slice old = slice_of(first.key);
    cr_assert_eq(sync_folder_create(db, account, device, old, (struct mailbox_id){ 0 }, SLICE_LIT("Mine"), &id, key, &changes),
                 ERR_OK);
    cr_assert_eq(sync_folder_create(db, account, device, old, (struct mailbox_id){ 0 }, SLICE_LIT("Mine"), &again, key_again,
                                    &changes),
                 ERR_OK);
    cr_expect_eq(again.n, id.n);
    cr_expect_eq(folders(device, key_again).count, 0u, "it is not told what it did");
    cr_expect_eq(sync_folder_create(db, account, device, slice_of(key_again), (struct mailbox_id){ 0 }, SLICE_LIT("Mine"),
                                    &other, key, &changes),
                 ERR_EXISTS, "under a new key it is another request");
    cr_expect_eq(sync_folder_create(db, account, device, SLICE_LIT("nonsense"), (struct mailbox_id){ 0 }, SLICE_LIT("X"),
                                    &other, key, &changes),
                 ERR_CONFLICT);
    cr_assert_eq(sync_folder_update(db, account, device, slice_of(key_again), id, inbox, SLICE_LIT("Below"), key, &changes),
                 ERR_OK);
    cr_expect_eq(find("INBOX/Below").n, id.n);
    cr_expect_eq(folders(device, key).count, 0u);
    struct actor by = { .protocol = BY_EAS, .device = device, .name = "phone" };
    cr_assert_eq(sync_folder_delete(db, account, device, slice_of(key), id, &by, key_again, &changes), ERR_OK);
    cr_assert_eq(sync_folder_delete(db, account, device, slice_of(key), id, &by, key_again, &changes), ERR_OK, "a repeat");
    cr_expect_eq(folders(device, key_again).count, 0u);
}

/* What others did before the device's own change is still told. */
Test(sync, case_9_own_change_hides_no_other)
{
    struct device_id device = rig_device(db, account, "P");
    struct folder_look first = folders(device, "0");
    struct mailbox_id theirs = rig_mailbox(db, account, "Theirs"), mine;
    char key[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_folder_create(db, account, device, slice_of(first.key), (struct mailbox_id){ 0 }, SLICE_LIT("Mine"),
                                    &mine, key, &changes),
                 ERR_OK);
    struct folder_look next = folders(device, key);
    bool told = false;
    for (size_t i = 0; i < next.count; i++)
        told |= next.items[i].mailbox.id.n == theirs.n && next.items[i].op == FOLDER_ADD;
    cr_expect(told);
}

/* ---- 10: drafts ---- */

Test(sync, case_10_an_edited_draft_is_a_change_of_its_item)
{
    struct phone *phone = phone_of("P", drafts), *other = phone_of("Q", drafts);
    add(drafts, 1, NOW_US);
    sync_all(phone);
    sync_all(other);
    for (int i = 0; i < 3; i++) { // autosave, always under the same ServerId
        struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("longer"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                    .internal_date_us = NOW_US };
        struct sync_result result = { .err = ERR_OK };
        struct draft_edit edit = { .item = 1, .since = -1 };
        cr_assert_eq(sync_change_draft(db, arena, account, phone->device, drafts, slice_of(arena_printf(arena, "key%d", i)),
                                       &edit, &item, &result, &changes),
                     ERR_OK);
        cr_expect_eq(result.item, 1u);
    }
    cr_expect_eq(sync_all(phone), 0u, "its own text is not sent back");
    struct sync_state state;
    cr_assert_eq(open_state(other, &state), ERR_OK);
    struct sync_look look = look_from(other, &state);
    cr_assert_eq(look.count, 1u, "three texts, one Change");
    cr_expect_eq(look.items[0].op, SYNC_CHANGE);
    cr_expect_eq(look.items[0].item, 1u);
    cr_expect_eq(look.items[0].uid, 4u);
    cr_expect(look.items[0].full, "the whole item");
    sync_all(other);
    expect_same(other);
}

static enum err edit_draft(struct phone *phone, const char *key, int64_t since, bool echo)
{
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("longer"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = NOW_US };
    struct sync_result result = { .err = ERR_OK };
    struct draft_edit edit = { .item = 1, .since = since, .echo = echo };
    return sync_change_draft(db, arena, account, phone->device, drafts, slice_of(key), &edit, &item, &result, &changes);
}

Test(sync, case_10_another_text_that_came_meanwhile_is_a_conflict)
{
    struct phone *phone = phone_of("P", drafts);
    add(drafts, 1, NOW_US);
    sync_all(phone);
    int64_t s = number("select modseq from account where account_id = $1");
    cr_expect_eq(edit_draft(phone, "a", s, false), ERR_OK);
    cr_expect_eq(edit_draft(phone, "b", s, false), ERR_OK, "its own text is none");
    rig_flags(db, account, drafts, 3, 3, FLAGS_ADD, FLAG_FLAGGED);
    cr_expect_eq(edit_draft(phone, "c", s, false), ERR_OK, "nor is a flag");
    replace(drafts, 4, NOW_US, &by_imap);
    cr_expect_eq(edit_draft(phone, "d", s, false), ERR_CONFLICT);
    cr_expect_eq(edit_draft(phone, "c", s, false), ERR_OK, "a repeat of what was done");
    cr_expect_eq(edit_draft(phone, "e", -1, false), ERR_OK, "unless its text counts");
    sync_all(phone);
    expect_same(phone);
    cr_expect_eq(edit_draft(phone, "f", -1, false), ERR_OK);
    cr_expect_eq(sync_all(phone), 0u);
    cr_expect_eq(edit_draft(phone, "g", -1, true), ERR_OK);
    cr_expect_eq(sync_all(phone), 1u, "it does not know all of the outcome");
    expect_same(phone);
}

Test(sync, case_10_an_item_is_found_under_its_new_uid)
{
    struct phone *phone = phone_of("P", drafts);
    add(drafts, 2, NOW_US);
    sync_all(phone);
    replace(drafts, 1, NOW_US, &by_imap); // uid 3, item 1
    struct sync_item item;
    const char *const *keywords;
    size_t count;
    cr_assert_eq(sync_get_item(db, arena, account, drafts, 1, &item, &keywords, &count), ERR_OK);
    cr_expect_eq(item.uid, 3u);
    cr_expect_eq(sync_get_item(db, arena, account, drafts, 3, &item, &keywords, &count), ERR_NOT_FOUND, "3 is no item");
    mark_read(phone, 1, 1);
    cr_expect_eq(number("select flags from placement where account_id = $1 and uid = 3"), FLAG_SEEN);
    sync_all(phone);
    expect_same(phone);
    delete_item(phone, 1, false);
    cr_expect_eq(number("select count(*) from placement where account_id = $1 and removed_at is null"), 1);
    cr_expect_eq(sync_all(phone), 0u);
    expect_same(phone);
}

Test(sync, case_10_replaced_rows_in_every_step)
{
    add(drafts, 6, NOW_US);
    replace(drafts, 2, NOW_US, &by_imap); // uid 7: replaced before the phone ever came
    struct phone *phone = phone_of("P", drafts);
    phone->window = 2;
    sync_once(phone);                      // the fill has begun
    replace(drafts, 1, NOW_US, &by_imap);  // uid 8: not told yet
    replace(drafts, 6, NOW_US, &by_imap);  // uid 9: told
    sync_all(phone);
    expect_same(phone);
    add(drafts, 1, NOW_US);                // uid 10
    replace(drafts, 10, NOW_US, &by_imap); // uid 11: new and replaced
    replace(drafts, 11, NOW_US, &by_imap); // uid 12: twice
    sync_all(phone);
    cr_expect(phone->items[10].there);
    expect_same(phone);
    add(drafts, 1, NOW_US);                // uid 13
    replace(drafts, 13, NOW_US, &by_imap); // uid 14
    expunge(drafts, 14, 14);               // new, replaced and gone
    cr_expect_eq(sync_all(phone), 0u);
    expunge(drafts, 12, 12);
    sync_all(phone);
    cr_expect_eq(phone->ops[SYNC_DELETE], 1u);
    expect_same(phone);
}

/* A new text with another date would lie on the other side of the filter, and nobody could tell what the phone has. */
Test(sync, case_10_a_new_text_does_not_cross_the_filter)
{
    struct phone *phone = with_filter("P", 3);
    add(inbox, 2, NOW_US);
    add(inbox, 2, NOW_US - 50 * DAY_US);
    sync_all(phone);
    replace(inbox, 3, NOW_US, &by_imap);               // an old one
    replace(inbox, 1, NOW_US - 50 * DAY_US, &by_imap); // a new one
    cr_expect_eq(number("select count(*) from placement where account_id = $1 and item <> uid and internal_date ="
                        " (select internal_date from placement x where x.account_id = $1 and x.uid = placement.item)"),
                 2);
    cr_expect_eq(sync_all(phone), 1u);
    cr_expect_eq(phone->ops[SYNC_CHANGE], 1u);
    expect_same(phone);
    add(drafts, 1, NOW_US - 50 * DAY_US);
    replace(drafts, 1, NOW_US, &by_imap);
    cr_expect_eq(number("select extract(epoch from internal_date)::bigint from placement where account_id = $1"
                        " and mailbox_id = 2 and uid = 2"),
                 NOW_US / 1000000, "a draft's date is that of its text");
}

/* ---- 11: replay and parallel requests ---- */

static struct append_item a_draft(void)
{
    return (struct append_item){ .message = { .octets = { .memory = SLICE_LIT("draft"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .internal_date_us = NOW_US, .flags = FLAG_DRAFT };
}

Test(sync, case_11a_a_client_id_counts_for_its_key_only)
{
    struct phone *phone = phone_of("P", drafts);
    struct sync_result result = { .err = ERR_OK }, again = { .err = ERR_OK }, found;
    struct append_item item = a_draft();
    struct slice id = SLICE_LIT("1");
    sync_all(phone); // the first key is used
    struct slice key = slice_of(arena_printf(arena, "%s", phone->key));
    struct sync_state state;
    cr_assert_eq(open_state(phone, &state), ERR_OK);
    cr_assert_eq(sync_add_draft(db, arena, account, phone->device, drafts, key, id, &item, &result, &changes), ERR_OK);
    cr_assert_eq(sync_add_draft(db, arena, account, phone->device, drafts, key, id, &item, &again, &changes), ERR_OK);
    cr_expect_eq(again.item, result.item, "a repeat makes no second draft");
    cr_expect_eq(number("select count(*) from placement where account_id = $1"), 1);
    struct sync_look look = look_from(phone, &state);
    cr_expect_eq(look.count, 0u, "its own draft is no news");
    cr_assert_eq(sync_commit(db, account, phone->device, drafts, &state, &look.next, SLICE_LIT(""), phone->key), ERR_OK);
    cr_expect_eq(sync_result_find(db, arena, account, phone->device, drafts, key, id, &found), ERR_OK, "the reply may be lost");
    cr_assert_eq(open_state(phone, &state), ERR_OK); // the new key proves that it was not
    cr_expect_eq(sync_result_find(db, arena, account, phone->device, drafts, key, id, &found), ERR_NOT_FOUND);
    cr_assert_eq(sync_add_draft(db, arena, account, phone->device, drafts, slice_of(phone->key), id, &item, &again, &changes), ERR_OK);
    cr_expect_neq(again.item, result.item, "the same ClientId again, for another draft");
}

Test(sync, case_11b_a_result_is_answered_from_what_is_kept)
{
    struct phone *phone = phone_of("P", drafts);
    struct sync_result kept = { .err = ERR_OK, .detail = SLICE_LIT("sent") }, found;
    struct append_item item = a_draft();
    cr_assert_eq(sync_add_draft(db, arena, account, phone->device, drafts, slice_of(phone->key), SLICE_LIT("c"), &item, &kept,
                                &changes),
                 ERR_OK);
    cr_assert_eq(sync_result_find(db, arena, account, phone->device, drafts, slice_of(phone->key), SLICE_LIT("c"), &found),
                 ERR_OK);
    cr_expect_eq(found.item, kept.item);
    cr_expect(slice_eq(found.detail, SLICE_LIT("sent")));
    bool fresh = false, known = true;
    cr_assert_eq(sync_client_id_known(db, account, phone->device, SLICE_LIT("mail-1"), &known), ERR_OK);
    cr_expect_not(known);
    cr_assert_eq(sync_claim_client_id(db, account, phone->device, SLICE_LIT("mail-1"), &fresh), ERR_OK);
    cr_expect(fresh);
    cr_assert_eq(sync_claim_client_id(db, account, phone->device, SLICE_LIT("mail-1"), &fresh), ERR_OK);
    cr_expect_not(fresh, "sent once");
    cr_assert_eq(sync_client_id_known(db, account, phone->device, SLICE_LIT("mail-1"), &known), ERR_OK);
    cr_expect(known);
}

Test(sync, case_11_a_replay_gives_the_same)
{
    struct phone *phone = phone_of("P", inbox);
    char lost[SYNC_KEY_MAX + 1], again[SYNC_KEY_MAX + 1];
    struct sync_state state;
    add(inbox, 5, NOW_US);
    sync_all(phone);
    rig_flags(db, account, inbox, 2, 3, FLAGS_ADD, FLAG_SEEN);
    add(inbox, 1, NOW_US);
    struct sync_look first = serve(phone, lost);
    struct sync_look second = serve(phone, again);
    cr_assert_eq(first.count, second.count);
    for (size_t i = 0; i < first.count; i++) {
        cr_expect_eq(first.items[i].item, second.items[i].item);
        cr_expect_eq(first.items[i].op, second.items[i].op);
    }
    cr_expect_str_neq(lost, again, "its key may differ");
    cr_expect_eq(sync_begin(db, arena, account, phone->device, inbox, slice_of(lost), &state), ERR_CONFLICT,
                 "the key of the lost answer was never seen");
    cr_assert_eq(open_state(phone, &state), ERR_OK);
    cr_expect(state.replay);
    sync_all(phone);
    expect_same(phone);
}

Test(sync, case_11_an_unknown_key_is_a_conflict)
{
    static const char *const keys[] = { "", "x", "0", "00000000000000000000000000000000",
                                        "000000000000000000000000000000000000" };
    struct phone *phone = phone_of("P", inbox);
    struct sync_state state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        cr_expect_eq(sync_begin(db, arena, account, phone->device, inbox, slice_of(keys[i]), &state), ERR_CONFLICT, "\"%s\"",
                     keys[i]);
    cr_assert_eq(mailbox_delete(db, account, archive, false, &by_imap, &changes), ERR_OK);
    cr_expect_eq(sync_reset(db, arena, account, phone->device, archive, SLICE_LIT(""), &state), ERR_NOT_FOUND);
    cr_expect_eq(sync_begin(db, arena, account, phone->device, archive, slice_of(phone->key), &state), ERR_NOT_FOUND);
}

/* An answer that was cut by its size: the rest comes next. */
Test(sync, case_11_cut_by_size_in_every_step)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 8, NOW_US);
    phone->window = 20;
    for (int round = 0; round < 60; round++) {
        struct sync_state state;
        char key[SYNC_KEY_MAX + 1];
        if (round == 10) {
            add(inbox, 3, NOW_US);
            add(inbox, 6, NOW_US - 9 * DAY_US);
            rig_flags(db, account, inbox, 2, 6, FLAGS_ADD, FLAG_SEEN);
        }
        if (round == 30)
            phone->target = (struct sync_cut){ NOW_US - 3 * DAY_US, 0 };
        if (round == 45)
            phone->target = (struct sync_cut){ 0, 0 };
        cr_assert_eq(open_state(phone, &state), ERR_OK);
        struct sync_look look = look_from(phone, &state);
        struct sync_position next = sync_position_after(&state.at, &look, look.count ? 1 : 0);
        if (look.count == 0)
            next = look.next;
        look.count = look.count ? 1 : 0;
        cr_assert_eq(sync_commit(db, account, phone->device, inbox, &state, &next, SLICE_LIT(""), key), ERR_OK);
        take(phone, &look);
        snprintf(phone->key, sizeof phone->key, "%s", key);
    }
    cr_expect_eq(sync_all(phone), 0u);
    expect_same(phone);
}

Test(sync, estimate_counts_what_the_next_syncs_tell)
{
    struct phone *phone = phone_of("P", inbox);
    uint32_t estimate = 0;
    add(inbox, 7, NOW_US);
    cr_assert_eq(sync_estimate(db, account, phone->device, inbox, slice_of(phone->key), NULL, 100, &estimate), ERR_OK);
    cr_expect_eq(estimate, 7u);
    sync_all(phone);
    rig_flags(db, account, inbox, 1, 2, FLAGS_ADD, FLAG_SEEN);
    expunge(inbox, 3, 3);
    add(inbox, 2, NOW_US);
    cr_assert_eq(sync_estimate(db, account, phone->device, inbox, slice_of(phone->key), NULL, 100, &estimate), ERR_OK);
    cr_expect_eq(estimate, 5u);
    cr_assert_eq(sync_estimate(db, account, phone->device, inbox, slice_of(phone->key), NULL, 2, &estimate), ERR_OK);
    cr_expect_eq(estimate, 2u);
    cr_expect_eq(sync_all(phone), 5u, "asking changed nothing");
    cr_expect_eq(sync_estimate(db, account, phone->device, inbox, SLICE_LIT("nonsense"), NULL, 2, &estimate), ERR_CONFLICT);
}

/* ---- 12: one snapshot ---- */

Test(sync, case_12_what_comes_while_an_answer_is_made_is_told_once)
{
    struct phone *phone = phone_of("P", inbox);
    struct sync_state state;
    char key[SYNC_KEY_MAX + 1];
    add(inbox, 1, NOW_US);
    cr_assert_eq(open_state(phone, &state), ERR_OK);
    add(inbox, 1, NOW_US); // between the phone's commands and the look
    struct sync_look look = look_from(phone, &state);
    take(phone, &look);
    cr_expect_eq(phone->ops[SYNC_ADD], 2u);
    add(inbox, 1, NOW_US); // while the answer is made
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_SEEN);
    cr_assert_eq(sync_commit(db, account, phone->device, inbox, &state, &look.next, SLICE_LIT(""), key), ERR_OK);
    snprintf(phone->key, sizeof phone->key, "%s", key);
    sync_all(phone);
    cr_expect_eq(phone->ops[SYNC_ADD], 1u);
    cr_expect_eq(phone->ops[SYNC_CHANGE], 1u);
    expect_same(phone);
}

/* ---- 18: flags and categories of the phone ---- */

Test(sync, case_18_categories_leave_the_other_keywords_alone)
{
    struct slice words[] = { SLICE_LIT("$Forwarded"), SLICE_LIT("Junk"), SLICE_LIT("old") }, fresh = SLICE_LIT("new");
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = NOW_US, .keywords = words, .keyword_count = 3 };
    struct phone *phone = phone_of("P", inbox);
    uint32_t uidvalidity;
    cr_assert_eq(message_append(db, account, inbox, &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    struct sync_flags flags = { .read = -1, .flagged = -1, .set_categories = true, .categories = &fresh, .category_count = 1 };
    cr_assert_eq(sync_change_flags(db, account, phone->device, inbox, 1, &flags, &changes), ERR_OK);
    cr_expect_eq(number("select flags from placement where account_id = $1"), (1 | 2 | 8) << FLAG_KEYWORD_SHIFT);
    flags.category_count = 0;
    cr_assert_eq(sync_change_flags(db, account, phone->device, inbox, 1, &flags, &changes), ERR_OK);
    cr_expect_eq(number("select flags from placement where account_id = $1"), (1 | 2) << FLAG_KEYWORD_SHIFT);
}

Test(sync, case_18_the_flag_of_imap_and_the_follow_up)
{
    struct phone *phone = phone_of("P", inbox);
    add(inbox, 1, NOW_US);
    struct sync_flags flags = { .read = -1, .flagged = 1, .extra_flag = SLICE_LIT("{\"due\": \"2026-12-01\"}") };
    cr_assert_eq(sync_change_flags(db, account, phone->device, inbox, 1, &flags, &changes), ERR_OK);
    cr_expect_eq(number("select (extra->'flag'->>'due' = '2026-12-01')::int from placement where account_id = $1"), 1);
    rig_flags(db, account, inbox, 1, 1, FLAGS_REMOVE, FLAG_FLAGGED);
    cr_expect_eq(number("select (extra is null)::int from placement where account_id = $1"), 1, "cleared with its details");
    flags.flagged = 2;
    cr_assert_eq(sync_change_flags(db, account, phone->device, inbox, 1, &flags, &changes), ERR_OK);
    cr_expect_eq(number("select flags from placement where account_id = $1"), 0, "complete is not flagged");
    rig_flags(db, account, inbox, 1, 1, FLAGS_ADD, FLAG_FLAGGED);
    cr_expect_eq(number("select (extra is null)::int from placement where account_id = $1"), 1, "active again");
    cr_expect_eq(sync_change_flags(db, account, phone->device, inbox, 9, &flags, &changes), ERR_NOT_FOUND);
}
