/* The tree of mailboxes: paths, roles, renaming, deletion, subscriptions, \Recent. */
#include <criterion/criterion.h>

#include "tests/support/one_account.h"

TestSuite(mailbox, .init = setup, .fini = teardown);

static struct mailbox find(const char *path)
{
    struct mailbox mailbox = { 0 };
    cr_assert_eq(mailbox_find(db, arena, account, slice_of(path), &mailbox), ERR_OK, "%s", path);
    return mailbox;
}

static bool is_there(const char *path)
{
    struct mailbox mailbox;
    return mailbox_find(db, arena, account, slice_of(path), &mailbox) == ERR_OK;
}

static int64_t clock_now(void)
{
    return rig_number(db, account, "select modseq from account where account_id = $1");
}

Test(mailbox, a_new_account_has_its_roles)
{
    static const struct {
        const char *path;
        enum mailbox_role role;
    } rows[] = { { "INBOX", ROLE_INBOX }, { "Archive", ROLE_ARCHIVE }, { "Drafts", ROLE_DRAFTS },
                 { "Junk", ROLE_JUNK },   { "Sent", ROLE_SENT },       { "Trash", ROLE_TRASH } };
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    cr_assert_eq(mailbox_list(db, arena, account, &all, &count, &modseq), ERR_OK);
    cr_assert_eq(count, sizeof rows / sizeof *rows);
    cr_expect_eq(modseq, clock_now());
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(all[i].path, rows[i].path, "INBOX first, then by path");
        cr_expect_eq(all[i].role, rows[i].role, "%s", rows[i].path);
        cr_expect(all[i].subscribed);
        cr_expect_gt(all[i].uidvalidity, 0u);
        cr_expect_eq(all[i].uidnext, 1u);
    }
}

Test(mailbox, names_that_are_none_are_refused)
{
    static const char *const rows[] = { "", "/", "a//b", "/a", "a/", "a\tb", "a\x7f", "\xff\xfe", "\xc0\xaf", "\xed\xa0\x80" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mailbox_id id;
        cr_expect_eq(mailbox_create(db, account, slice_of(rows[i]), ROLE_NONE, &id, &changes), ERR_SYNTAX, "row %zu", i);
    }
    char deep[80] = "a";
    for (unsigned i = 0; i < MAILBOX_DEPTH_MAX; i++)
        strcat(deep, "/a");
    struct mailbox_id id;
    cr_expect_eq(mailbox_create(db, account, slice_of(deep), ROLE_NONE, &id, &changes), ERR_SYNTAX);
    cr_expect_eq(changes.count, 0u);
}

Test(mailbox, parents_are_made_and_inbox_has_one_spelling)
{
    struct mailbox_id id = rig_mailbox(db, account, "Work/2026/Q1");
    cr_expect_eq(find("Work/2026/Q1").id.n, id.n);
    cr_expect(find("Work").has_children);
    cr_expect_not(find("Work/2026/Q1").has_children);
    cr_expect_str_eq(find("Work/2026").path, "Work/2026");
    cr_expect_eq(find("inbox").id.n, 1);
    rig_mailbox(db, account, "iNbOx/sub");
    cr_expect_str_eq(find("INBOX/sub").path, "INBOX/sub");
    struct mailbox_id again;
    cr_expect_eq(mailbox_create(db, account, SLICE_LIT("Work/2026"), ROLE_NONE, &again, &changes), ERR_EXISTS);
    cr_expect_eq(mailbox_create(db, account, SLICE_LIT("Inbox"), ROLE_NONE, &again, &changes), ERR_EXISTS);
    cr_expect(!is_there("work"), "names other than INBOX keep their case");
}

Test(mailbox, names_are_composed)
{
    struct mailbox_id id = rig_mailbox(db, account, "Entwu\xcc\x88rfe"); // u and a combining diaeresis
    cr_expect_eq(find("Entw\xc3\xbcrfe").id.n, id.n);
    struct mailbox_id again;
    cr_expect_eq(mailbox_create(db, account, SLICE_LIT("Entw\xc3\xbcrfe"), ROLE_NONE, &again, &changes), ERR_EXISTS);
}

Test(mailbox, the_list_keeps_trees_together)
{
    rig_mailbox(db, account, "A-b");
    rig_mailbox(db, account, "A/x");
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    cr_assert_eq(mailbox_list(db, arena, account, &all, &count, &modseq), ERR_OK);
    cr_expect_str_eq(all[1].path, "A");
    cr_expect_str_eq(all[2].path, "A/x");
    cr_expect_str_eq(all[3].path, "A-b");
}

Test(mailbox, hierarchy_and_items_have_clocks_of_their_own)
{
    struct mailbox before = find("INBOX");
    rig_append(db, account, rig_inbox(), "x", 0);
    struct mailbox after = find("INBOX");
    cr_expect_gt(after.modseq_items, before.modseq_items);
    cr_expect_eq(after.modseq_hierarchy, before.modseq_hierarchy, "a delivery is no change of the tree");
    struct mailbox archive = find("Archive");
    cr_assert_eq(mailbox_rename(db, account, archive.id, SLICE_LIT("Attic"), &by_imap, &changes), ERR_OK);
    struct mailbox attic = find("Attic");
    cr_expect_eq(attic.modseq_hierarchy, clock_now());
    cr_expect_eq(attic.modseq_items, archive.modseq_items, "a rename is no change of the contents");
    cr_expect_eq(attic.modseq_born, archive.modseq_born);
    cr_expect_eq(attic.id.n, archive.id.n);
    cr_expect_eq(attic.uidvalidity, archive.uidvalidity);
    cr_expect_eq(attic.role, ROLE_ARCHIVE);
}

Test(mailbox, renaming_takes_children_along)
{
    rig_mailbox(db, account, "A/B/C");
    struct mailbox a = find("A");
    cr_assert_eq(mailbox_rename(db, account, a.id, SLICE_LIT("X/Y"), &by_imap, &changes), ERR_OK);
    cr_expect_str_eq(find("X/Y/B/C").path, "X/Y/B/C");
    cr_expect(!is_there("A"));
    struct mailbox_id id = find("X/Y").id;
    cr_expect_eq(mailbox_rename(db, account, id, SLICE_LIT("X/Y/B/Z"), &by_imap, &changes), ERR_STATE);
    cr_expect_eq(mailbox_rename(db, account, id, SLICE_LIT("Trash"), &by_imap, &changes), ERR_EXISTS);
    cr_expect_eq(mailbox_rename(db, account, id, SLICE_LIT("a//b"), &by_imap, &changes), ERR_SYNTAX);
    cr_expect_eq(mailbox_rename(db, account, (struct mailbox_id){ 999 }, SLICE_LIT("N"), &by_imap, &changes),
                 ERR_NOT_FOUND);
    cr_expect(!is_there("X/Y/B/Z"), "a refused rename leaves no parents behind");
}

Test(mailbox, what_lies_below_a_moved_one_has_its_depth_limit)
{
    char deep[80] = "D";
    for (unsigned i = 1; i < MAILBOX_DEPTH_MAX - 2; i++)
        strcat(deep, "/d");
    rig_mailbox(db, account, deep);
    rig_mailbox(db, account, "A/B/C");
    struct mailbox_id id = find("A").id, b = find("A/B").id;
    char target[80];
    snprintf(target, sizeof target, "%s/A", deep); // C would be at MAILBOX_DEPTH_MAX + 1
    cr_expect_eq(mailbox_rename(db, account, id, slice_of(target), &by_imap, &changes), ERR_LIMIT);
    snprintf(target, sizeof target, "%s/B", deep);
    cr_expect_eq(mailbox_rename(db, account, b, slice_of(target), &by_imap, &changes), ERR_OK);
    strcat(target, "/C");
    cr_expect_str_eq(find(target).path, target);
    cr_expect_eq(mailbox_rename(db, account, id, SLICE_LIT("Z"), &by_imap, &changes), ERR_OK, "what went away counts no more");
}

Test(mailbox, renaming_inbox_moves_its_messages)
{
    rig_append(db, account, rig_inbox(), "one", FLAG_SEEN);
    rig_append(db, account, rig_inbox(), "two", 0);
    struct mailbox before = find("INBOX");
    cr_assert_eq(mailbox_rename(db, account, before.id, SLICE_LIT("Old/Mail"), &by_imap, &changes), ERR_OK);
    struct mailbox inbox = find("INBOX"), old = find("Old/Mail");
    cr_expect_eq(inbox.id.n, 1);
    cr_expect_eq(inbox.uidvalidity, before.uidvalidity);
    cr_expect_eq(inbox.total, 0);
    cr_expect_eq(old.total, 2);
    cr_expect_eq(old.unseen, 1);
    cr_expect_eq(rig_append(db, account, rig_inbox(), "three", 0), 3u, "uids go on");
}

Test(mailbox, deleting_keeps_the_messages_as_tombstones)
{
    struct mailbox_id id = rig_mailbox(db, account, "Gone"), child = rig_mailbox(db, account, "Gone/Child");
    uint32_t uidvalidity = find("Gone").uidvalidity;
    rig_append(db, account, id, "one", 0);
    rig_append(db, account, child, "two", 0);
    cr_expect_eq(mailbox_delete(db, account, rig_inbox(), false, &by_imap, &changes), ERR_STATE);
    cr_expect_eq(mailbox_delete(db, account, id, false, &by_imap, &changes), ERR_STATE, "it has a child");
    cr_expect_eq(changes.count, 0u);
    cr_assert_eq(mailbox_delete(db, account, id, true, &by_imap, &changes), ERR_OK);
    cr_expect_eq(changes.count, 2u);
    cr_expect(!is_there("Gone"));
    cr_expect(!is_there("Gone/Child"));
    struct mailbox mailbox;
    cr_expect_eq(mailbox_get(db, arena, account, child, &mailbox), ERR_NOT_FOUND);
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1 and removed_how = 4"), 2);
    cr_expect_eq(mailbox_delete(db, account, id, true, &by_imap, &changes), ERR_NOT_FOUND);
    struct mailbox_id again = rig_mailbox(db, account, "Gone");
    cr_expect_neq(again.n, id.n);
    cr_expect_gt(find("Gone").uidvalidity, uidvalidity);
}

Test(mailbox, subscriptions_move_no_clock)
{
    int64_t before = clock_now();
    cr_assert_eq(mailbox_subscribe(db, account, SLICE_LIT("Junk"), false, &changes), ERR_OK);
    cr_expect_not(find("Junk").subscribed);
    cr_expect_eq(changes.count, 1u);
    cr_assert_eq(mailbox_subscribe(db, account, SLICE_LIT("Junk"), false, &changes), ERR_OK);
    cr_expect_eq(clock_now(), before);
    cr_expect_eq(mailbox_subscribe(db, account, SLICE_LIT("None"), true, &changes), ERR_NOT_FOUND);
}

Test(mailbox, recent_is_taken_once)
{
    uint32_t first = 0;
    rig_append(db, account, rig_inbox(), "one", 0);
    rig_append(db, account, rig_inbox(), "two", 0);
    cr_assert_eq(mailbox_take_recent(db, account, rig_inbox(), &first), ERR_OK);
    cr_expect_eq(first, 1u);
    rig_append(db, account, rig_inbox(), "three", 0);
    cr_assert_eq(mailbox_take_recent(db, account, rig_inbox(), &first), ERR_OK);
    cr_expect_eq(first, 3u);
    cr_expect_eq(find("INBOX").recent_uid, 4u);
    cr_expect_eq(mailbox_take_recent(db, account, (struct mailbox_id){ 999 }, &first), ERR_NOT_FOUND);
}
