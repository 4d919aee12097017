/* Deleted mail: what is listed, and how it comes back (hard case 22). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "storage/retention.h"
#include "storage/sync.h"
#include "tests/support/one_account.h"

#define FUTURE_US INT64_C(4000000000000000)

TestSuite(restore, .init = setup, .fini = teardown);

static void expunge(struct mailbox_id mailbox, uint32_t first, uint32_t last)
{
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_expunge(db, arena, account, mailbox, &(struct uid_range){ first, last }, 1, false, &by_imap, &uids,
                                 &count, &changes),
                 ERR_OK);
    cr_assert_gt(count, 0u);
}

static uint32_t move(struct mailbox_id from, uint32_t uid, struct mailbox_id to)
{
    struct copied *copied;
    size_t count;
    uint32_t uidvalidity;
    cr_assert_eq(message_copy(db, arena, account, from, &(struct uid_range){ uid, uid }, 1, to, true, &by_imap, &copied, &count,
                              &uidvalidity, &changes),
                 ERR_OK);
    cr_assert_eq(count, 1u);
    return copied->to;
}

static struct restored restore_to(struct mailbox_id mailbox, uint32_t uid, struct mailbox_id to, enum err expected)
{
    struct restored restored = { .err = ERR_STATE };
    struct deleted_id id = { mailbox, uid };
    cr_assert_eq(deleted_restore(db, arena, account, &id, 1, to, &by_admin, &restored, &changes), expected, "%s",
                 db_trace(db)->text);
    return restored;
}

static struct restored restore(struct mailbox_id mailbox, uint32_t uid)
{
    return restore_to(mailbox, uid, (struct mailbox_id){ 0 }, ERR_OK);
}

static size_t listed(struct deleted_row **rows)
{
    struct deleted_filter filter = { .limit = 100 };
    size_t count;
    cr_assert_eq(deleted_list(db, arena, account, &filter, rows, &count), ERR_OK);
    return count;
}

static struct mailbox find(const char *path)
{
    struct mailbox mailbox = { 0 };
    cr_assert_eq(mailbox_find(db, arena, account, slice_of(path), &mailbox), ERR_OK, "%s", path);
    return mailbox;
}

static void delete_mailbox(struct mailbox_id id)
{
    cr_assert_eq(mailbox_delete(db, account, id, true, &by_imap, &changes), ERR_OK);
}

Test(restore, brings_back_flags_keywords_date_and_text)
{
    struct slice keywords[] = { SLICE_LIT("work"), SLICE_LIT("$Forwarded") };
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("Subject: kept\r\n\r\n"), .fd = -1 },
                                             .meta = SLICE_LIT("described") },
                                .internal_date_us = 1600000000123456,
                                .flags = FLAG_SEEN | FLAG_FLAGGED | FLAG_DELETED,
                                .keywords = keywords,
                                .keyword_count = 2 };
    uint32_t uidvalidity;
    cr_assert_eq(message_append(db, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    expunge(rig_inbox(), item.uid, item.uid);
    struct deleted_row *rows;
    cr_assert_eq(listed(&rows), 1u);
    cr_expect_str_eq(rows->mailbox_path, "INBOX");
    cr_expect_eq(rows->uid, item.uid);
    cr_expect_eq(rows->internal_us, item.internal_date_us);
    cr_expect_eq(rows->protocol, BY_IMAP);
    cr_expect_str_eq(rows->removed_by, "desktop");
    cr_expect(slice_eq(rows->message.meta, SLICE_LIT("described")));

    changes = (struct change_set){ 0 };
    struct restored restored = restore(rig_inbox(), item.uid);
    cr_expect_eq(restored.err, ERR_OK);
    cr_expect_eq(restored.uid, item.uid + 1, "a new uid");
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)CHANGE_NEW);
    struct mailbox_look look;
    cr_assert_eq(message_load(db, arena, account, rig_inbox(), &look), ERR_OK);
    cr_assert_eq(look.row_count, 1u);
    cr_expect_eq(look.rows->flags, FLAG_SEEN | FLAG_FLAGGED | UINT64_C(3) << FLAG_KEYWORD_SHIFT,
                 "all but \\Deleted, which would have it expunged again");
    cr_expect_eq(look.rows->internal_us, item.internal_date_us);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), restored.uid), SLICE_LIT("Subject: kept\r\n\r\n")));
    free(look.rows);
    cr_expect_eq(listed(&rows), 0u);
    cr_expect_eq(rig_number(db, account, "select count(*) from audit where account_id = $1 and what = 'restore'"), 1);
}

Test(restore, into_another_mailbox_its_keywords_are_mapped)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    struct slice first = SLICE_LIT("other"), word = SLICE_LIT("work");
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1600000000000000, .keywords = &first, .keyword_count = 1 };
    uint32_t uidvalidity;
    cr_assert_eq(message_append(db, account, box, &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    item.keywords = &word;
    cr_assert_eq(message_append(db, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    expunge(rig_inbox(), item.uid, item.uid);
    struct restored restored = restore_to(rig_inbox(), item.uid, box, ERR_OK);
    cr_expect_eq(restored.mailbox.n, box.n);
    struct mailbox target = find("Box");
    cr_assert_eq(target.keyword_count, 2u);
    cr_expect_str_eq(target.keywords[1], "work");
    cr_expect_eq(rig_number(db, account,
                            "select flags from placement where account_id = $1 and mailbox_id > 1 and uid = 2"),
                 2 << FLAG_KEYWORD_SHIFT);
}

Test(restore, what_is_no_deletion_is_refused)
{
    struct mailbox_id archive = find("Archive").id;
    uint32_t live = rig_append(db, account, rig_inbox(), "live", 0);
    uint32_t moved = rig_append(db, account, rig_inbox(), "moved", 0);
    move(rig_inbox(), moved, archive);
    cr_expect_eq(restore(rig_inbox(), live).err, ERR_NOT_FOUND);
    cr_expect_eq(restore(rig_inbox(), moved).err, ERR_NOT_FOUND);
    cr_expect_eq(restore(rig_inbox(), 999).err, ERR_NOT_FOUND);
    cr_expect_eq(restore((struct mailbox_id){ 999 }, 1).err, ERR_NOT_FOUND);
    cr_expect_eq(rig_number(db, account, "select count(*) from audit where account_id = $1 and what = 'restore'"), 0);
}

Test(restore, into_a_mailbox_that_is_not_there_is_refused)
{
    struct mailbox_id gone = rig_mailbox(db, account, "Gone");
    uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
    delete_mailbox(gone);
    expunge(rig_inbox(), uid, uid);
    restore_to(rig_inbox(), uid, gone, ERR_NOT_FOUND);
    restore_to(rig_inbox(), uid, (struct mailbox_id){ 999 }, ERR_NOT_FOUND);
    struct deleted_row *rows;
    cr_expect_eq(listed(&rows), 1u);
}

/* 22a: Trash was deleted with its mail, and made again. */
Test(restore, a_name_that_exists_again_gets_the_mail)
{
    struct mailbox trash = find("Trash");
    uint32_t uid = rig_append(db, account, trash.id, "x", 0);
    delete_mailbox(trash.id);
    struct mailbox_id again = rig_mailbox(db, account, "Trash");
    struct restored restored = restore(trash.id, uid);
    cr_expect_eq(restored.err, ERR_OK);
    cr_expect_eq(restored.mailbox.n, again.n);
    cr_expect_eq(find("Trash").total, 1);
}

/* 22a: a role is given once. */
Test(restore, an_undeleted_mailbox_keeps_its_role_unless_another_has_it)
{
    struct mailbox trash = find("Trash"), archive = find("Archive");
    uint32_t in_trash = rig_append(db, account, trash.id, "x", 0), in_archive = rig_append(db, account, archive.id, "y", 0);
    struct mailbox_id id;
    delete_mailbox(trash.id);
    delete_mailbox(archive.id);
    cr_assert_eq(mailbox_create(db, account, SLICE_LIT("Papierkorb"), ROLE_TRASH, &id, &changes), ERR_OK);
    restore(trash.id, in_trash);
    restore(archive.id, in_archive);
    cr_expect_eq(find("Trash").role, ROLE_NONE);
    cr_expect_eq(find("Papierkorb").role, ROLE_TRASH);
    cr_expect_eq(find("Archive").role, ROLE_ARCHIVE);
}

/* 9b: to FolderSync an undeleted folder is new. */
Test(restore, an_undeleted_folder_is_an_add)
{
    struct device_id device = rig_device(db, account, "PHONE");
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    uint32_t uid = rig_append(db, account, box, "x", 0);
    struct folder_look first, look;
    cr_assert_eq(sync_folders(db, arena, account, device, SLICE_LIT("0"), &first), ERR_OK);
    cr_expect_eq(first.count, 7u);
    delete_mailbox(box);
    cr_assert_eq(sync_folders(db, arena, account, device, slice_of(first.key), &look), ERR_OK);
    cr_assert_eq(look.count, 1u);
    cr_expect_eq(look.items[0].op, FOLDER_DELETE);
    changes = (struct change_set){ 0 };
    cr_expect_eq(restore(box, uid).mailbox.n, box.n);
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)(CHANGE_NEW | CHANGE_HIERARCHY));
    cr_assert_eq(sync_folders(db, arena, account, device, slice_of(look.key), &first), ERR_OK);
    cr_assert_eq(first.count, 1u);
    cr_expect_eq(first.items[0].op, FOLDER_ADD);
    cr_expect_eq(first.items[0].mailbox.id.n, box.n);
}

Test(restore, a_folder_comes_back_below_its_parents)
{
    struct mailbox_id top = rig_mailbox(db, account, "Work"), box = rig_mailbox(db, account, "Work/2026/May");
    struct mailbox_id middle = find("Work/2026").id;
    uint32_t uid = rig_append(db, account, box, "x", 0);
    delete_mailbox(top);
    cr_expect_eq(restore(box, uid).mailbox.n, box.n);
    struct mailbox back = find("Work/2026/May");
    cr_expect_eq(back.id.n, box.n);
    cr_expect_eq(back.parent.n, middle.n);
    cr_expect_eq(find("Work").id.n, top.n);
    cr_expect_eq(rig_number(db, account,
                            "select count(distinct modseq_hierarchy) from mailbox where account_id = $1 and name in"
                            " ('Work', '2026', 'May')"),
                 3, "each its own clock");
}

Test(restore, a_parent_that_was_made_again_takes_the_folder)
{
    struct mailbox_id top = rig_mailbox(db, account, "Work"), box = rig_mailbox(db, account, "Work/May");
    uint32_t uid = rig_append(db, account, box, "x", 0);
    delete_mailbox(top);
    struct mailbox_id again = rig_mailbox(db, account, "Work");
    cr_expect_eq(restore(box, uid).mailbox.n, box.n);
    cr_expect_eq(find("Work/May").parent.n, again.n);
}

Test(restore, a_folder_whose_parent_went_too_deep_comes_back_at_the_top)
{
    struct mailbox_id parent = rig_mailbox(db, account, "Work"), box = rig_mailbox(db, account, "Work/May");
    uint32_t uid = rig_append(db, account, box, "x", 0);
    char deep[80] = "D";
    for (unsigned i = 2; i < MAILBOX_DEPTH_MAX; i++)
        strcat(deep, "/d");
    rig_mailbox(db, account, deep);
    strcat(deep, "/Work");
    delete_mailbox(box);
    cr_assert_eq(mailbox_rename(db, account, parent, slice_of(deep), &by_imap, &changes), ERR_OK);
    cr_expect_eq(restore(box, uid).mailbox.n, box.n);
    cr_expect_eq(find("May").id.n, box.n);
}

/* 22b */
Test(restore, restoring_twice_says_where_it_is)
{
    uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
    expunge(rig_inbox(), uid, uid);
    struct restored first = restore(rig_inbox(), uid), second = restore(rig_inbox(), uid);
    cr_expect_eq(second.err, ERR_EXISTS);
    cr_expect_eq(second.uid, first.uid);
    cr_expect_eq(find("INBOX").total, 1);
}

/* 22b, 22c: the copy that was brought back lives on wherever it is moved to. */
Test(restore, a_copy_that_was_moved_on_still_lives)
{
    struct mailbox_id archive = find("Archive").id, box = rig_mailbox(db, account, "Box");
    uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
    expunge(rig_inbox(), uid, uid);
    struct restored first = restore(rig_inbox(), uid);
    uint32_t there = move(archive, move(rig_inbox(), first.uid, archive), box);
    struct deleted_row *rows;
    cr_expect_eq(listed(&rows), 0u);
    struct restored second = restore(rig_inbox(), uid);
    cr_expect_eq(second.err, ERR_EXISTS);
    cr_expect_eq(second.mailbox.n, box.n);
    cr_expect_eq(second.uid, there);
}

Test(restore, a_draft_that_was_brought_back_and_edited_still_lives)
{
    struct mailbox_id drafts = find("Drafts").id;
    uint32_t uid = rig_append(db, account, drafts, "x", FLAG_DRAFT);
    expunge(drafts, uid, uid);
    struct restored first = restore(drafts, uid);
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("longer"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    cr_assert_eq(message_replace(db, account, drafts, first.uid, &item, &by_imap, &changes), ERR_OK);
    cr_assert_eq(message_replace(db, account, drafts, item.uid, &item, &by_imap, &changes), ERR_OK);
    struct restored second = restore(drafts, uid);
    cr_expect_eq(second.err, ERR_EXISTS);
    cr_expect_eq(second.uid, item.uid);
}

/* Restored, then deleted again: one mail, one line in the list, one copy whichever of its tombstones is named. */
Test(restore, a_copy_that_was_deleted_again_is_listed_once)
{
    for (int name_the_first = 0; name_the_first < 2; name_the_first++) {
        uint32_t uid = rig_append(db, account, rig_inbox(), "x", 0);
        expunge(rig_inbox(), uid, uid);
        struct restored first = restore(rig_inbox(), uid);
        expunge(rig_inbox(), first.uid, first.uid);
        struct deleted_row *rows;
        cr_assert_eq(listed(&rows), 1u);
        cr_expect_eq(rows->uid, first.uid);
        uint32_t named = name_the_first ? uid : first.uid, other = name_the_first ? first.uid : uid;
        struct restored second = restore(rig_inbox(), named);
        cr_expect_eq(second.err, ERR_OK);
        cr_expect_eq(restore(rig_inbox(), other).err, ERR_EXISTS, "the other tombstone of the same mail");
        cr_expect_eq(find("INBOX").total, 1 + name_the_first);
    }
}

/* A copy made by COPY is a mail of its own: deleting it and bringing it back has nothing to do with the first. */
Test(restore, a_copy_by_copy_is_another_mail)
{
    struct mailbox_id archive = find("Archive").id;
    struct copied *copied;
    size_t count;
    uint32_t uidvalidity, uid = rig_append(db, account, rig_inbox(), "x", 0);
    cr_assert_eq(message_copy(db, arena, account, rig_inbox(), &(struct uid_range){ uid, uid }, 1, archive, false, &by_imap,
                              &copied, &count, &uidvalidity, &changes),
                 ERR_OK);
    expunge(rig_inbox(), uid, uid);
    struct deleted_row *rows;
    cr_expect_eq(listed(&rows), 1u);
    cr_expect_eq(restore(rig_inbox(), uid).err, ERR_OK);
}

/* 22c: a MOVE's tombstone is no deletion, nor is a replaced draft. */
Test(restore, moved_and_replaced_are_not_listed)
{
    struct mailbox_id archive = find("Archive").id;
    uint32_t moved = rig_append(db, account, rig_inbox(), "moved", 0);
    uint32_t draft = rig_append(db, account, rig_inbox(), "draft", 0);
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("longer"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    move(rig_inbox(), moved, archive);
    cr_assert_eq(message_replace(db, account, rig_inbox(), draft, &item, &by_imap, &changes), ERR_OK);
    struct deleted_row *rows;
    cr_expect_eq(listed(&rows), 0u);
    expunge(rig_inbox(), item.uid, item.uid); // the edited draft can be brought back, with its last text
    cr_assert_eq(listed(&rows), 1u);
    struct restored restored = restore(rig_inbox(), rows->uid);
    cr_expect_eq(restored.err, ERR_OK);
    cr_expect(slice_eq(rig_text(db, arena, account, rig_inbox(), restored.uid), SLICE_LIT("longer")));
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1 and removed_at is null"
                                         " and mailbox_id = 1 and item <> uid"),
                 0, "it is born anew");
}

/* 22d, 22e */
Test(restore, quota_ignores_deletions_and_gives_way_to_a_restore)
{
    struct account_id before = account;
    account = rig_quota_account(db, 10);
    uint32_t uid = rig_append(db, account, rig_inbox(), "12345678", 0);
    expunge(rig_inbox(), uid, uid);
    cr_expect_eq(rig_number(db, account, "select used_bytes from account where account_id = $1"), 0);
    rig_append(db, account, rig_inbox(), "87654321", 0);
    cr_expect_eq(restore(rig_inbox(), uid).err, ERR_OK);
    cr_expect_eq(rig_number(db, account, "select used_bytes from account where account_id = $1"), 16);
    rig_check_counters(db, account);
    account = before;
}

Test(restore, pages_hold_every_row_once)
{
    for (int i = 0; i < 7; i++)
        rig_append(db, account, rig_inbox(), "x", 0);
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    for (int i = 0; i < 3; i++)
        rig_append(db, account, box, "y", 0);
    expunge(rig_inbox(), 1, 6); // one transaction: one time for all
    delete_mailbox(box);
    expunge(rig_inbox(), 7, 7);
    struct deleted_filter filter = { .limit = 3 };
    bool seen[2][8] = { { false } };
    size_t count, total = 0;
    do {
        struct deleted_row *rows;
        cr_assert_eq(deleted_list(db, arena, account, &filter, &rows, &count), ERR_OK);
        for (size_t i = 0; i < count; i++) {
            bool *mark = &seen[rows[i].mailbox.n == box.n][rows[i].uid];
            cr_expect_not(*mark, "uid %u twice", rows[i].uid);
            cr_expect_eq(rows[i].mailbox_deleted, rows[i].mailbox.n == box.n);
            *mark = true;
            filter.behind_removed_us = rows[i].removed_us;
            filter.behind = (struct deleted_id){ rows[i].mailbox, rows[i].uid };
        }
        total += count;
    } while (count == 3);
    cr_expect_eq(total, 10u);
    filter = (struct deleted_filter){ .mailbox = box };
    struct deleted_row *rows;
    cr_assert_eq(deleted_list(db, arena, account, &filter, &rows, &count), ERR_OK);
    cr_expect_eq(count, 3u);
    filter = (struct deleted_filter){ .since_us = FUTURE_US };
    cr_assert_eq(deleted_list(db, arena, account, &filter, &rows, &count), ERR_OK);
    cr_expect_eq(count, 0u);
}

/* 2, 14: many at once come in transactions of their own, each row with a modseq of its own. */
Test(restore, five_hundred_at_once)
{
    enum { MANY = 500 };
    struct append_item items[MANY];
    struct deleted_id ids[MANY];
    struct restored results[MANY];
    uint32_t uidvalidity;
    for (uint32_t i = 0; i < MANY; i++) {
        items[i] = (struct append_item){ .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                         .internal_date_us = 1700000000000000 };
        ids[i] = (struct deleted_id){ rig_inbox(), i + 1 };
    }
    cr_assert_eq(message_append(db, account, rig_inbox(), items, MANY, &by_imap, &uidvalidity, &changes), ERR_OK);
    expunge(rig_inbox(), 1, MANY);
    cr_assert_eq(deleted_restore(db, arena, account, ids, MANY, (struct mailbox_id){ 0 }, &by_admin, results, &changes), ERR_OK);
    for (uint32_t i = 0; i < MANY; i++) {
        cr_expect_eq(results[i].err, ERR_OK);
        cr_expect_eq(results[i].uid, MANY + 1 + i);
    }
    cr_expect_eq(find("INBOX").total, MANY);
    cr_expect_eq(rig_number(db, account, "select count(*) from audit where account_id = $1 and what = 'restore'"), 3);
}
