/* Writes of messages: rows, counters, modseqs, keywords, quota, the change log; and what reads of changes give. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/one_account.h"

TestSuite(message, .init = setup, .fini = teardown);

static int64_t clock_now(void)
{
    return rig_number(db, account, "select modseq from account where account_id = $1");
}

static struct mailbox find(const char *path)
{
    struct mailbox mailbox = { 0 };
    cr_assert_eq(mailbox_find(db, arena, account, slice_of(path), &mailbox), ERR_OK, "%s", path);
    return mailbox;
}

static struct append_item item_of(const char *text)
{
    return (struct append_item){ .message = { .octets = { .memory = slice_of(text), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .internal_date_us = 1700000000000000 };
}

static void append_many(struct mailbox_id mailbox, uint32_t count)
{
    struct append_item *items = arena_new(arena, struct append_item, count);
    uint32_t uidvalidity;
    for (uint32_t i = 0; i < count; i++)
        items[i] = item_of("x");
    cr_assert_eq(message_append(db, account, mailbox, items, count, &by_imap, &uidvalidity, &changes), ERR_OK);
}

static enum err store(struct mailbox_id mailbox, const struct uid_range *ranges, size_t count, struct flags_change change,
                      struct flags_result **results, size_t *result_count)
{
    if (change.unchanged_since == 0)
        change.unchanged_since = -1;
    return message_store_flags(db, arena, account, mailbox, ranges, count, &change, &by_imap, results, result_count, &changes);
}

static size_t expunge(struct mailbox_id mailbox, uint32_t first, uint32_t last, bool only_deleted, uint32_t **uids)
{
    size_t count;
    cr_assert_eq(message_expunge(db, arena, account, mailbox, &(struct uid_range){ first, last }, 1, only_deleted, &by_imap,
                                 uids, &count, &changes),
                 ERR_OK);
    return count;
}

static enum err copy(struct mailbox_id from, uint32_t first, uint32_t last, struct mailbox_id to, bool move,
                     struct copied **copied, size_t *count)
{
    uint32_t uidvalidity = 0;
    return message_copy(db, arena, account, from, &(struct uid_range){ first, last }, 1, to, move, &by_imap, copied, count,
                        &uidvalidity, &changes);
}

/* Whether rows uid first.. of a mailbox have modseqs that rise by one from `modseq`. */
static void check_modseqs(struct mailbox_id mailbox, uint32_t first, uint32_t last, int64_t modseq)
{
    char sql[240];
    snprintf(sql, sizeof sql,
             "select count(*) from placement where account_id = $1 and mailbox_id = %d and uid between %u and %u"
             " and modseq = %lld + uid - %u",
             (int)mailbox.n, first, last, (long long)modseq, first);
    cr_expect_eq(rig_number(db, account, sql), last - first + 1, "modseqs of uids %u to %u rise by one from %lld", first, last,
                 (long long)modseq);
}

/* ---- delivery ---- */

Test(message, a_delivery_is_one_row_with_the_recipients_own_lines)
{
    struct account_id other = rig_account(db);
    struct delivery_target targets[] = { { .account = account, .prefix = SLICE_LIT("Delivered-To: a\r\n") },
                                         { .account = other, .prefix = SLICE_LIT("Delivered-To: bb\r\n") } };
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("Subject: x\r\n\r\n"), .fd = -1 },
                                              .meta = SLICE_LIT("described"), .thread = 9, .sent_us = 1699999999000000 },
                                 .delivery_id = id_new(), .internal_date_us = 1700000000000000,
                                 .targets = targets, .target_count = 2 };
    struct delivery *list = &delivery;
    int64_t before = clock_now();
    cr_assert_eq(message_deliver(db, &list, 1, &changes), ERR_OK);
    cr_expect_eq(changes.count, 2u);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(targets[i].result, ERR_OK);
        cr_expect_eq(targets[i].mailbox.n, rig_inbox().n);
        cr_expect_eq(targets[i].uid, 1u);
    }
    cr_expect_eq(targets[0].modseq, before + 1);
    cr_expect_eq(clock_now(), before + 1);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), 1), SLICE_LIT("Delivered-To: a\r\nSubject: x\r\n\r\n")));
    cr_expect(slice_eq(rig_text(db, arena, other, rig_inbox(), 1), SLICE_LIT("Delivered-To: bb\r\nSubject: x\r\n\r\n")));
    cr_expect_eq(find("INBOX").unseen, 1);
    cr_expect_eq(find("INBOX").modseq_items, before + 1);
    cr_expect_eq(rig_number(db, account, "select count(*) from change_log where account_id = $1"), 0,
                 "new mail needs no row in the log");
    rig_check_counters(db, other);
}

Test(message, recipients_octets_are_stored_once)
{
    struct delivery_target targets[] = { { .account = account }, { .account = rig_account(db) },
                                         { .account = rig_account(db) } };
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("shared"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .delivery_id = id_new(), .internal_date_us = 1700000000000000,
                                 .targets = targets, .target_count = 3 };
    struct delivery *list = &delivery;
    for (int i = 0; i < 3; i++)
        targets[i].prefix = SLICE_LIT("");
    cr_assert_eq(message_deliver(db, &list, 1, &changes), ERR_OK);
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from message where blob_id = (select blob_id from message where account_id = $1)"),
                 3);
}

/* 16: over quota and gone are results of a recipient; the others get their mail. */
Test(message, each_recipient_has_its_own_result)
{
    struct account_id full = rig_quota_account(db, 3);
    struct mailbox_id box = rig_mailbox(db, account, "Gone");
    cr_assert_eq(mailbox_delete(db, account, box, false, &by_imap, &changes), ERR_OK);
    int64_t before = clock_now();
    struct delivery_target targets[] = { { .account = { INT64_MAX }, .prefix = SLICE_LIT("") },
                                         { .account = full, .prefix = SLICE_LIT("") },
                                         { .account = account, .mailbox = box, .prefix = SLICE_LIT("") },
                                         { .account = account, .prefix = SLICE_LIT("") } };
    static const enum err expected[] = { ERR_NOT_FOUND, ERR_QUOTA, ERR_NOT_FOUND, ERR_OK };
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("four"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .delivery_id = id_new(), .internal_date_us = 1700000000000000,
                                 .targets = targets, .target_count = 4 };
    struct delivery *list = &delivery;
    changes = (struct change_set){ 0 };
    cr_assert_eq(message_deliver(db, &list, 1, &changes), ERR_OK);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(targets[i].result, expected[i], "recipient %d: %s", i, err_name(targets[i].result));
    cr_expect_eq(clock_now(), before + 1, "the refused one raised no clock");
    cr_expect_eq(changes.count, 1u);
    cr_expect_eq(rig_number(db, full, "select count(*) from placement where account_id = $1"), 0);
    rig_check_counters(db, full);
}

/* If a batch fails as a whole, its recipients are tried one by one. */
Test(message, a_bad_delivery_in_a_batch_spoils_no_other)
{
    struct delivery_target good = { .account = account, .prefix = SLICE_LIT("") }, bad = good;
    struct delivery deliveries[2] = {
        { .message = { .octets = { .memory = SLICE_LIT("good"), .fd = -1 }, .meta = SLICE_LIT("m") },
          .delivery_id = id_new(), .internal_date_us = 1700000000000000, .targets = &good, .target_count = 1 },
        { .message = { .blob = { 42 }, .meta = SLICE_LIT("m") }, // octets that nobody has
          .delivery_id = id_new(), .internal_date_us = 1700000000000000, .targets = &bad, .target_count = 1 },
    };
    struct delivery *list[2] = { &deliveries[1], &deliveries[0] };
    cr_expect_eq(message_deliver(db, list, 2, &changes), ERR_OK);
    cr_expect_eq(good.result, ERR_OK);
    cr_expect_eq(bad.result, ERR_UNAVAILABLE);
    cr_expect_eq(find("INBOX").total, 1);
}

/* ---- append ---- */

Test(message, append_is_all_or_nothing)
{
    account = rig_quota_account(db, 10);
    struct append_item items[] = { item_of("12345"), item_of("67890"), item_of("x") };
    uint32_t uidvalidity = 0;
    int64_t before = clock_now();
    cr_expect_eq(message_append(db, account, rig_inbox(), items, 3, &by_imap, &uidvalidity, &changes), ERR_QUOTA);
    cr_expect_eq(find("INBOX").total, 0);
    cr_expect_eq(clock_now(), before);
    cr_assert_eq(message_append(db, account, rig_inbox(), items, 2, &by_imap, &uidvalidity, &changes), ERR_OK);
    cr_expect_eq(items[0].uid, 1u);
    cr_expect_eq(items[1].uid, 2u);
    cr_expect_eq(items[1].item, 2u);
    cr_expect_eq(uidvalidity, find("INBOX").uidvalidity);
    check_modseqs(rig_inbox(), 1, 2, before + 1);
    cr_expect_eq(message_append(db, account, (struct mailbox_id){ 99 }, items, 1, &by_imap, &uidvalidity, &changes),
                 ERR_NOT_FOUND);
}

Test(message, append_names_keywords_whatever_their_case)
{
    struct slice words[] = { SLICE_LIT("Work"), SLICE_LIT("$Forwarded") }, same[] = { SLICE_LIT("WORK") };
    struct append_item items[] = { item_of("1"), item_of("2") };
    uint32_t uidvalidity;
    items[0].keywords = words;
    items[0].keyword_count = 2;
    items[1].keywords = same;
    items[1].keyword_count = 1;
    items[1].flags = FLAG_SEEN | FLAG_DELETED;
    cr_assert_eq(message_append(db, account, rig_inbox(), items, 2, &by_imap, &uidvalidity, &changes), ERR_OK);
    struct mailbox box = find("INBOX");
    cr_assert_eq(box.keyword_count, 2u);
    cr_expect_str_eq(box.keywords[0], "Work");
    cr_expect_eq(box.unseen, 1);
    cr_expect_eq(box.deleted, 1);
    struct mailbox_look look;
    cr_assert_eq(message_load(db, arena, account, rig_inbox(), &look), ERR_OK);
    cr_assert_eq(look.row_count, 2u);
    cr_expect_eq(look.rows[0].flags, UINT64_C(3) << FLAG_KEYWORD_SHIFT);
    cr_expect_eq(look.rows[1].flags, FLAG_SEEN | FLAG_DELETED | UINT64_C(1) << FLAG_KEYWORD_SHIFT);
    free(look.rows);
}

/* ---- flags ---- */

/* 2: every changed row takes its own modseq, in uid order; one row in the log for the transaction. */
Test(message, each_changed_row_has_its_own_modseq)
{
    struct flags_result *results;
    size_t count;
    append_many(rig_inbox(), 9);
    int64_t before = clock_now();
    struct uid_range ranges[] = { { 7, 9 }, { 1, 3 }, { 2, 4 } }; // in no order, overlapping
    cr_assert_eq(store(rig_inbox(), ranges, 3, (struct flags_change){ .flags = FLAG_SEEN }, &results, &count), ERR_OK);
    cr_assert_eq(count, 7u);
    for (size_t i = 1; i < count; i++) {
        cr_expect_gt(results[i].uid, results[i - 1].uid);
        cr_expect_eq(results[i].modseq, results[i - 1].modseq + 1);
    }
    cr_expect_eq(results[0].modseq, before + 1);
    cr_expect_eq(clock_now(), before + 7);
    cr_expect_eq(find("INBOX").modseq_items, before + 7);
    cr_expect_eq(find("INBOX").unseen, 2);
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from change_log where account_id = $1 and uids = '{[1,5),[7,10)}'"),
                 1);
    cr_expect_eq(rig_number(db, account, "select modseq - modseq_first from change_log where account_id = $1"), 6);
}

Test(message, what_changes_nothing_raises_no_clock)
{
    struct flags_result *results;
    size_t count;
    append_many(rig_inbox(), 2);
    rig_flags(db, account, rig_inbox(), 1, 1, FLAGS_ADD, FLAG_SEEN);
    int64_t before = clock_now();
    changes = (struct change_set){ 0 };
    struct uid_range one = { 1, 1 };
    static const struct flags_change rows[] = { { .mode = FLAGS_ADD, .flags = FLAG_SEEN },
                                                { .mode = FLAGS_REMOVE, .flags = FLAG_FLAGGED },
                                                { .mode = FLAGS_REPLACE, .flags = FLAG_SEEN } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(store(rig_inbox(), &one, 1, rows[i], &results, &count), ERR_OK);
        cr_expect_eq(count, 0u, "row %zu", i);
    }
    uint32_t *uids;
    struct copied *copied;
    cr_expect_eq(expunge(rig_inbox(), 5, 9, false, &uids), 0u);
    cr_expect_eq(expunge(rig_inbox(), 1, 2, true, &uids), 0u, "none has \\Deleted");
    cr_assert_eq(copy(rig_inbox(), 7, 9, find("Archive").id, true, &copied, &count), ERR_OK);
    cr_expect_eq(count, 0u);
    cr_expect_eq(clock_now(), before);
    cr_expect_eq(changes.count, 0u, "nobody is woken");
}

Test(message, replace_takes_the_other_flags_and_keywords_away)
{
    struct slice work = SLICE_LIT("work"), home = SLICE_LIT("home");
    struct flags_result *results;
    struct uid_range one = { 1, 1 };
    size_t count;
    append_many(rig_inbox(), 1);
    cr_assert_eq(store(rig_inbox(), &one, 1, (struct flags_change){ .flags = FLAG_SEEN | FLAG_DELETED, .keywords = &work,
                                                                    .keyword_count = 1, .create_keywords = true },
                       &results, &count),
                 ERR_OK);
    cr_expect_eq(find("INBOX").deleted, 1);
    cr_assert_eq(store(rig_inbox(), &one, 1, (struct flags_change){ .mode = FLAGS_REPLACE, .flags = FLAG_ANSWERED,
                                                                    .keywords = &home, .keyword_count = 1,
                                                                    .create_keywords = true },
                       &results, &count),
                 ERR_OK);
    cr_expect_eq(results->flags, FLAG_ANSWERED | UINT64_C(2) << FLAG_KEYWORD_SHIFT);
    cr_expect_eq(find("INBOX").deleted, 0);
    cr_expect_eq(find("INBOX").unseen, 1);
}

Test(message, unchanged_since_leaves_newer_rows_alone)
{
    struct flags_result *results;
    size_t count;
    append_many(rig_inbox(), 3);
    int64_t seen = clock_now();
    rig_flags(db, account, rig_inbox(), 2, 2, FLAGS_ADD, FLAG_FLAGGED);
    struct uid_range all = { 1, 3 };
    cr_assert_eq(store(rig_inbox(), &all, 1, (struct flags_change){ .flags = FLAG_SEEN, .unchanged_since = seen }, &results,
                       &count),
                 ERR_OK);
    cr_assert_eq(count, 3u);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(results[i].conflict, i == 1);
        cr_expect_eq(results[i].flags, (uint64_t)(i == 1 ? FLAG_FLAGGED : FLAG_SEEN));
    }
    cr_expect_eq(clock_now(), seen + 3);
}

/* 56 names, then no more: NO [LIMIT] for STORE and APPEND, dropped by COPY and MOVE. */
Test(message, a_full_keyword_table)
{
    struct slice names[KEYWORDS_MAX + 1];
    struct mailbox_id box = rig_mailbox(db, account, "Full");
    for (size_t i = 0; i <= KEYWORDS_MAX; i++)
        names[i] = slice_of(arena_printf(arena, "k%zu", i));
    struct append_item item = item_of("x");
    uint32_t uidvalidity;
    item.keywords = names;
    item.keyword_count = KEYWORDS_MAX + 1;
    cr_expect_eq(message_append(db, account, box, &item, 1, &by_imap, &uidvalidity, &changes), ERR_LIMIT);
    item.keyword_count = KEYWORDS_MAX;
    cr_assert_eq(message_append(db, account, box, &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    cr_expect_eq(rig_number(db, account, "select flags from placement where account_id = $1"), ~INT64_C(255),
                 "all 56 bits, the sign among them");

    struct flags_result *results;
    struct uid_range one = { 1, 1 };
    struct flags_change change = { .keywords = &names[KEYWORDS_MAX], .keyword_count = 1, .create_keywords = true };
    size_t count;
    cr_expect_eq(store(box, &one, 1, change, &results, &count), ERR_LIMIT);
    change.mode = FLAGS_REMOVE;
    cr_expect_eq(store(box, &one, 1, change, &results, &count), ERR_OK, "what is not there can be removed");
    change.mode = FLAGS_ADD;
    change.create_keywords = false;
    rig_append(db, account, rig_inbox(), "x", 0);
    cr_expect_eq(store(rig_inbox(), &one, 1, change, &results, &count), ERR_LIMIT, "may not be created");
    cr_expect_eq(find("INBOX").keyword_count, 0u);

    change.create_keywords = true;
    cr_assert_eq(store(rig_inbox(), &one, 1, change, &results, &count), ERR_OK);
    struct copied *copied;
    cr_assert_eq(copy(rig_inbox(), 1, 1, box, false, &copied, &count), ERR_OK);
    cr_expect_eq(rig_number(db, account,
                            "select flags from placement where account_id = $1 and mailbox_id <> 1 and uid = 2"),
                 0, "the keyword that does not fit is dropped");
    cr_assert_eq(copy(box, 1, 1, rig_inbox(), true, &copied, &count), ERR_OK);
    cr_expect_eq(find("INBOX").keyword_count, KEYWORDS_MAX, "56 of 57");
    cr_expect_eq(rig_number(db, account,
                            "select length(replace(flags::bit(64)::text, '0', '')) from placement where account_id = $1"
                            " and mailbox_id = 1 and uid = 2"),
                 KEYWORDS_MAX - 1);
}

/* ---- copy and move ---- */

Test(message, copy_maps_keywords_and_keeps_dates_and_texts)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    struct slice a = SLICE_LIT("a"), b = SLICE_LIT("b");
    struct append_item in_box = item_of("already there"), in_inbox[] = { item_of("one"), item_of("two") };
    uint32_t uidvalidity;
    struct copied *copied;
    size_t count;
    in_box.keywords = &b;
    in_inbox[0].keywords = &a;
    in_inbox[1].keywords = &b;
    in_box.keyword_count = in_inbox[0].keyword_count = in_inbox[1].keyword_count = 1;
    cr_assert_eq(message_append(db, account, box, &in_box, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    cr_assert_eq(message_append(db, account, rig_inbox(), in_inbox, 2, &by_imap, &uidvalidity, &changes), ERR_OK);
    int64_t before = clock_now();
    changes = (struct change_set){ 0 };
    cr_assert_eq(copy(rig_inbox(), 1, 2, box, false, &copied, &count), ERR_OK);
    cr_assert_eq(count, 2u);
    cr_expect_eq(copied[0].from, 1u);
    cr_expect_eq(copied[0].to, 2u);
    cr_expect_eq(copied[1].to, 3u);
    check_modseqs(box, 2, 3, before + 1);
    cr_expect_eq(changes.count, 1u);
    cr_expect_eq(find("INBOX").modseq_items, before, "the source did not change");
    struct mailbox_look look;
    cr_assert_eq(message_load(db, arena, account, box, &look), ERR_OK);
    cr_expect_eq(look.rows[1].flags, UINT64_C(2) << FLAG_KEYWORD_SHIFT, "a is the second name there");
    cr_expect_eq(look.rows[2].flags, UINT64_C(1) << FLAG_KEYWORD_SHIFT);
    cr_expect_eq(look.rows[1].internal_us, in_inbox[0].internal_date_us);
    free(look.rows);
    cr_expect(slice_eq(rig_text(db, arena, account, box, 2), SLICE_LIT("one")));
    cr_expect_eq(rig_number(db, account, "select max(refs) from message where account_id = $1"), 2);
}

Test(message, copy_to_itself)
{
    struct copied *copied;
    size_t count;
    append_many(rig_inbox(), 2);
    cr_assert_eq(copy(rig_inbox(), 1, 2, rig_inbox(), false, &copied, &count), ERR_OK);
    cr_assert_eq(count, 2u);
    cr_expect_eq(find("INBOX").total, 4);
    cr_assert_eq(copy(rig_inbox(), 1, 2, rig_inbox(), true, &copied, &count), ERR_OK);
    cr_expect_eq(find("INBOX").total, 4);
    cr_expect_eq(copied[1].to, 6u);
}

Test(message, move_numbers_the_sources_first)
{
    struct mailbox_id archive = find("Archive").id;
    struct copied *copied;
    size_t count;
    append_many(rig_inbox(), 3);
    int64_t before = clock_now();
    changes = (struct change_set){ 0 };
    cr_assert_eq(copy(rig_inbox(), 1, 3, archive, true, &copied, &count), ERR_OK);
    check_modseqs(rig_inbox(), 1, 3, before + 1);
    check_modseqs(archive, 1, 3, before + 4);
    cr_expect_eq(find("INBOX").modseq_items, before + 3);
    cr_expect_eq(find("Archive").modseq_items, before + 6);
    cr_expect_eq(clock_now(), before + 6);
    cr_assert_eq(changes.count, 2u);
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from placement where account_id = $1 and mailbox_id = 1 and removed_how = 2"
                            " and moved_to_item = uid and removed_by = 'desktop'"),
                 3);
    cr_expect_eq(rig_number(db, account, "select max(refs) from message where account_id = $1"), 1, "no second reference");
}

Test(message, a_copy_counts_against_the_quota_a_move_does_not)
{
    account = rig_quota_account(db, 5);
    struct copied *copied;
    size_t count;
    rig_append(db, account, rig_inbox(), "12345", 0);
    struct mailbox_id archive = find("Archive").id;
    cr_expect_eq(copy(rig_inbox(), 1, 1, archive, false, &copied, &count), ERR_QUOTA);
    cr_expect_eq(copy(rig_inbox(), 1, 1, archive, true, &copied, &count), ERR_OK);
    cr_expect_eq(copy(archive, 1, 1, (struct mailbox_id){ 99 }, true, &copied, &count), ERR_NOT_FOUND);
}

/* ---- expunge, replace ---- */

Test(message, expunge_takes_only_deleted_ones_when_asked)
{
    uint32_t *uids;
    append_many(rig_inbox(), 5);
    rig_flags(db, account, rig_inbox(), 2, 3, FLAGS_ADD, FLAG_DELETED | FLAG_SEEN);
    int64_t before = clock_now();
    cr_assert_eq(expunge(rig_inbox(), 1, 5, true, &uids), 2u);
    cr_expect_eq(uids[0], 2u);
    cr_expect_eq(uids[1], 3u);
    check_modseqs(rig_inbox(), 2, 3, before + 1);
    struct mailbox box = find("INBOX");
    cr_expect_eq(box.deleted, 0);
    cr_expect_eq(box.unseen, 3);
    cr_expect_eq(box.total, 3);
    cr_expect_eq(rig_number(db, account,
                            "select count(*) from change_log where account_id = $1 and uids = '{[2,4)}' and modseq ="
                            " modseq_first + 1"),
                 2, "one row for the STORE, one for the EXPUNGE");
}

/* 10: a new uid under the same item. */
Test(message, replace_keeps_the_item)
{
    uint32_t uid = rig_append(db, account, rig_inbox(), "first text", FLAG_DRAFT | FLAG_DELETED);
    struct append_item item = item_of("second, longer text");
    int64_t before = clock_now();
    item.flags = FLAG_DRAFT | FLAG_SEEN;
    changes = (struct change_set){ 0 };
    cr_assert_eq(message_replace(db, account, rig_inbox(), uid, &item, &by_imap, &changes), ERR_OK);
    cr_expect_eq(item.uid, uid + 1);
    cr_expect_eq(item.item, uid);
    cr_expect_eq(clock_now(), before + 2);
    check_modseqs(rig_inbox(), uid, uid + 1, before + 1);
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)(CHANGE_NEW | CHANGE_REMOVED));
    struct mailbox box = find("INBOX");
    cr_expect_eq(box.total, 1);
    cr_expect_eq(box.unseen, 0);
    cr_expect_eq(box.deleted, 0);
    cr_expect_eq(box.bytes, 19);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), uid + 1), SLICE_LIT("second, longer text")));
    cr_expect_eq(message_replace(db, account, rig_inbox(), uid, &item, &by_imap, &changes), ERR_NOT_FOUND, "it is replaced");

    struct append_item third = item_of("third");
    cr_assert_eq(message_replace(db, account, rig_inbox(), item.uid, &third, &by_imap, &changes), ERR_OK);
    cr_expect_eq(third.item, uid, "still the first one's");
}

/* ---- what changed ---- */

struct seen_changes {
    uint32_t uids[16], removed[16];
    size_t count, removed_count;
};

static struct seen_changes changes_since(int64_t modseq, uint32_t uidnext)
{
    struct mailbox_look look;
    struct seen_changes seen = { 0 };
    cr_assert_eq(message_changes(db, arena, account, rig_inbox(), modseq, uidnext, &look), ERR_OK, "%s", db_trace(db)->text);
    cr_assert(look.row_count <= 16 && look.removed_count <= 16);
    for (size_t i = 0; i < look.row_count; i++)
        seen.uids[seen.count++] = look.rows[i].uid;
    for (size_t i = 0; i < look.removed_count; i++)
        seen.removed[seen.removed_count++] = look.removed[i];
    return seen;
}

static void change_some(int64_t *modseq, uint32_t *uidnext)
{
    uint32_t *uids;
    append_many(rig_inbox(), 5);
    rig_flags(db, account, rig_inbox(), 5, 5, FLAGS_ADD, FLAG_SEEN);
    *modseq = clock_now();
    *uidnext = find("INBOX").uidnext;
    rig_flags(db, account, rig_inbox(), 1, 2, FLAGS_ADD, FLAG_SEEN);
    struct append_item item = item_of("new text");
    cr_assert_eq(message_replace(db, account, rig_inbox(), 3, &item, &by_imap, &changes), ERR_OK); // uid 6
    append_many(rig_inbox(), 2);                                                                   // uids 7, 8
    cr_assert_eq(expunge(rig_inbox(), 2, 2, false, &uids), 1u);
    cr_assert_eq(expunge(rig_inbox(), 8, 8, false, &uids), 1u); // came and went unseen
}

static void check_some(int64_t modseq, uint32_t uidnext)
{
    struct seen_changes seen = changes_since(modseq, uidnext);
    cr_assert_eq(seen.count, 3u);
    cr_expect_eq(seen.uids[0], 1u);
    cr_expect_eq(seen.uids[1], 6u);
    cr_expect_eq(seen.uids[2], 7u);
    cr_assert_eq(seen.removed_count, 2u);
    cr_expect_eq(seen.removed[0], 2u);
    cr_expect_eq(seen.removed[1], 3u, "a replaced row is gone to IMAP");
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_vanished(db, arena, account, rig_inbox(), modseq, &uids, &count), ERR_OK);
    cr_assert_eq(count, 3u);
    cr_expect_eq(uids[2], 8u);
}

Test(message, changes_come_from_the_log_and_the_new_uids)
{
    int64_t modseq;
    uint32_t uidnext;
    change_some(&modseq, &uidnext);
    check_some(modseq, uidnext);
    struct seen_changes none = changes_since(clock_now(), find("INBOX").uidnext);
    cr_expect_eq(none.count + none.removed_count, 0u);
}

/* The log only speeds things up: without it the placements give the same. */
Test(message, changes_without_the_log_are_the_same)
{
    int64_t modseq;
    uint32_t uidnext;
    change_some(&modseq, &uidnext);
    rig_run(db, "delete from change_log where account_id = $1", account.n);
    rig_run(db, "update mailbox set logged_modseq = modseq_items where account_id = $1", account.n);
    check_some(modseq, uidnext);
}

Test(message, changes_from_below_the_purged_clock_are_refused)
{
    struct mailbox_look look;
    append_many(rig_inbox(), 1);
    int64_t modseq = clock_now();
    rig_run(db, "update mailbox set purged_modseq = modseq_items + 1 where account_id = $1", account.n);
    cr_expect_eq(message_changes(db, arena, account, rig_inbox(), modseq, 2, &look), ERR_CONFLICT);
    cr_expect_eq(message_changes(db, arena, account, (struct mailbox_id){ 99 }, modseq, 2, &look), ERR_NOT_FOUND);
}

Test(message, reading_by_id_leaves_out_what_is_not_there)
{
    append_many(rig_inbox(), 2);
    struct message_id ids[] = { { 2 }, { 77 }, { 1 } };
    struct message_row *rows;
    size_t count;
    cr_assert_eq(message_get(db, arena, account, ids, 3, &rows, &count), ERR_OK);
    cr_assert_eq(count, 2u);
    cr_expect_eq(rows[0].id.n, 1);
    cr_expect_eq(rows[1].id.n, 2);
    cr_expect(slice_eq(rows[0].meta, SLICE_LIT("m")));
}

/* 14, 2: ten thousand in one COPY, all or nothing, each with its own modseq. */
Test(message, a_big_copy)
{
    enum { MANY = 10000 };
    struct copied *copied;
    size_t count;
    append_many(rig_inbox(), MANY);
    int64_t before = clock_now();
    struct mailbox_id archive = find("Archive").id;
    cr_assert_eq(copy(rig_inbox(), 1, MANY, archive, false, &copied, &count), ERR_OK);
    cr_expect_eq(count, (size_t)MANY);
    check_modseqs(archive, 1, MANY, before + 1);
}
