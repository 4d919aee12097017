/* FolderSync beside the device's own folder commands: what others did is told, what it did itself is not, and a lost reply
 * is made good (hard case 9). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "storage/retention.h"
#include "storage/sync.h"
#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;
static struct account_id account;
static struct mailbox_id top;
static struct device_id device;
static struct change_set changes;
static struct actor by;
static char key[SYNC_KEY_MAX + 1];

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    account = rig_account(db);
    device = rig_device(db, account, "P");
    by = (struct actor){ .protocol = BY_EAS, .device = device, .name = "P" };
    top = (struct mailbox_id){ 0 };
    changes = (struct change_set){ 0 };
}

static void teardown(void)
{
    rig_check_counters(db, account);
    arena_close(&arena);
    db_close(&db);
}

TestSuite(sync_folders, .init = setup, .fini = teardown);

/* What FolderSync with a key says, as "+name ~name -name " with a number in place of the name of what is gone; keeps the key. */
static const char *sync_with(const char *with)
{
    static const char ops[] = { [FOLDER_ADD] = '+', [FOLDER_UPDATE] = '~', [FOLDER_DELETE] = '-' };
    struct folder_look look;
    struct buf said = { 0 };
    cr_assert_eq(sync_folders(db, arena, account, device, slice_of(with), &look), ERR_OK, "%s", db_trace(db)->text);
    for (size_t i = 0; i < look.count; i++)
        buf_printf(&said, "%c%s ", ops[look.items[i].op], look.items[i].mailbox.name);
    buf_add_byte(&said, '\0');
    const char *text = arena_text(arena, buf_slice(&said));
    buf_free(&said);
    memcpy(key, look.key, sizeof key);
    return text;
}

static bool has_news(void)
{
    bool hierarchy;
    cr_assert_eq(sync_news(db, account, device, NULL, 0, &hierarchy), ERR_OK);
    return hierarchy;
}

static struct mailbox_id create(const char *with, struct mailbox_id parent, const char *name, enum err expected)
{
    struct mailbox_id id = { 0 };
    char next[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_folder_create(db, account, device, slice_of(with), parent, slice_of(name), &id, next, &changes), expected,
                 "%s: %s", name, db_trace(db)->text);
    if (!expected)
        memcpy(key, next, sizeof key);
    return id;
}

static void update(const char *with, struct mailbox_id id, struct mailbox_id parent, const char *name, enum err expected)
{
    char next[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_folder_update(db, account, device, slice_of(with), id, parent, slice_of(name), next, &changes), expected,
                 "%s: %s", name, db_trace(db)->text);
    if (!expected)
        memcpy(key, next, sizeof key);
}

static void delete(const char *with, struct mailbox_id id)
{
    char next[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_folder_delete(db, account, device, slice_of(with), id, &by, next, &changes), ERR_OK);
    memcpy(key, next, sizeof key);
}

static void rename_elsewhere(struct mailbox_id id, const char *path)
{
    cr_assert_eq(mailbox_rename(db, account, id, slice_of(path), &by_imap, &changes), ERR_OK);
}

Test(sync_folders, own_changes_are_not_echoed_though_others_changed_folders_meanwhile)
{
    sync_with("0");
    struct mailbox_id theirs = rig_mailbox(db, account, "Theirs");
    struct mailbox_id mine = create(key, top, "Mine", ERR_OK);
    cr_expect(has_news(), "of Theirs");
    cr_expect_str_eq(sync_with(key), "+Theirs ");
    cr_expect_not(has_news());
    rename_elsewhere(theirs, "Theirs too");
    update(key, mine, top, "Mine too", ERR_OK);
    cr_expect_str_eq(sync_with(key), "~Theirs too ");
    rename_elsewhere(theirs, "Still theirs");
    create(key, mine, "Below", ERR_OK);
    delete(key, mine); // with what lies below
    cr_expect(has_news());
    cr_expect_str_eq(sync_with(key), "~Still theirs ");
    cr_expect_str_eq(sync_with(key), "");
}

Test(sync_folders, what_others_did_to_it_later_is_told_as_an_update)
{
    sync_with("0");
    rig_mailbox(db, account, "Theirs");
    struct mailbox_id mine = create(key, top, "Mine", ERR_OK);
    rename_elsewhere(mine, "Renamed");
    cr_expect_str_eq(sync_with(key), "+Theirs ~Renamed ", "it knows the folder: no second Add");
    update(key, mine, top, "Mine again", ERR_OK);
    cr_expect_str_eq(sync_with(key), "");
}

Test(sync_folders, what_others_did_to_it_before_is_told)
{
    struct mailbox_id shared = rig_mailbox(db, account, "Shared");
    struct mailbox_id parent = rig_mailbox(db, account, "Parent");
    sync_with("0");
    rename_elsewhere(shared, "Parent/Shared");
    update(key, shared, parent, "Mine now", ERR_OK);
    cr_expect_str_eq(sync_with(key), "~Mine now ", "it did not know that the folder had moved");
}

Test(sync_folders, a_lost_reply_is_made_good_by_the_next_foldersync)
{
    char old[SYNC_KEY_MAX + 1];
    sync_with("0");
    memcpy(old, key, sizeof old);
    create(old, top, "Lost", ERR_OK);
    cr_expect_str_eq(sync_with(old), "+Lost ", "the phone never got its id");
    memcpy(old, key, sizeof old);
    create(old, top, "Lost too", ERR_OK);
    create(old, top, "Other", ERR_OK); // it gave up on the first and goes on with the same key
    cr_expect_str_eq(sync_with(key), "+Lost too ");
    cr_expect_str_eq(sync_with(key), "");
}

Test(sync_folders, deleted_by_the_device_and_brought_back_is_an_add)
{
    struct mailbox_id box = rig_mailbox(db, account, "Box");
    uint32_t uid = rig_append(db, account, box, "x", 0);
    sync_with("0");
    delete(key, box);
    cr_expect_str_eq(sync_with(key), "");
    struct deleted_id id = { box, uid };
    struct restored restored;
    cr_assert_eq(deleted_restore(db, arena, account, &id, 1, top, &by_admin, &restored, &changes), ERR_OK);
    cr_expect(has_news());
    cr_expect_str_eq(sync_with(key), "+Box ");
}

Test(sync_folders, key_0_tells_everything_its_own_too)
{
    sync_with("0");
    create(key, top, "Mine", ERR_OK);
    cr_expect(strstr(sync_with("0"), "+Mine "));
}

Test(sync_folders, parents_come_first_and_go_last)
{
    struct mailbox_id child = rig_mailbox(db, account, "Child"), parent = rig_mailbox(db, account, "Parent");
    rename_elsewhere(child, "Parent/Child"); // its id is the lower one
    const char *all = sync_with("0");
    cr_expect_lt(strstr(all, "+Parent "), strstr(all, "+Child "), "%s", all);
    cr_assert_eq(mailbox_delete(db, account, parent, true, &by_imap, &changes), ERR_OK);
    cr_expect_str_eq(sync_with(key), "-Child -Parent ");
}

Test(sync_folders, names_that_differ_in_case_only_are_one)
{
    sync_with("0");
    struct mailbox_id work = create(key, top, "Work", ERR_OK);
    create(key, top, "WORK", ERR_EXISTS);
    create(key, top, "inbox", ERR_EXISTS);
    create(key, work, "work", ERR_OK); // below another parent
    update(key, work, top, "wORK", ERR_OK);
    struct mailbox_id other = create(key, top, "Other", ERR_OK);
    update(key, other, top, "Work", ERR_EXISTS);
    update(key, work, work, "Below itself", ERR_STATE);
}

Test(sync_folders, another_device_is_told_of_all_of_it)
{
    sync_with("0");
    struct device_id mine = device;
    device = rig_device(db, account, "Q");
    sync_with("0");
    char theirs[SYNC_KEY_MAX + 1];
    memcpy(theirs, key, sizeof theirs);
    device = mine;
    sync_with("0");
    struct mailbox_id box = create(key, top, "Mine", ERR_OK);
    update(key, box, top, "Mine too", ERR_OK);
    device = rig_device(db, account, "Q");
    cr_expect(has_news());
    cr_expect_str_eq(sync_with(theirs), "+Mine too ");
}
