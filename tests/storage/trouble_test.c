/* Messages that could not be read: told once, counted, a bounded number kept. */
#include <criterion/criterion.h>

#include "storage/trouble.h"
#include "tests/support/rig.h"

Test(trouble, is_kept_for_the_admin)
{
    struct db *db = rig_open();
    struct arena *arena = arena_open();
    struct account_id account = rig_account(db);
    struct mailbox_id inbox = rig_inbox();
    struct trouble *list;
    size_t count;
    bool fresh;
    uint32_t uid = rig_append(db, account, inbox, "Subject: x\r\n\r\nx\r\n", 0);
    struct trouble trouble = {
        .account = account, .mailbox = inbox, .item = uid, .protocol = BY_EAS, .device = "PHONE", .why = "body: damaged"
    };
    cr_assert_eq(trouble_note(db, &trouble, &fresh), ERR_OK);
    cr_expect(fresh);
    cr_assert_eq(trouble_note(db, &trouble, &fresh), ERR_OK);
    cr_expect(!fresh, "said once");
    trouble.item = uid + 1000; // one that was removed since
    cr_assert_eq(trouble_note(db, &trouble, &fresh), ERR_OK);
    cr_assert_eq(trouble_list(db, arena, account, 10, &list, &count), ERR_OK);
    cr_assert_eq(count, 1, "only what is still there");
    cr_expect_eq(list[0].times, 2);
    cr_expect_eq(list[0].item, uid);
    cr_expect_str_eq(list[0].device, "PHONE");
    cr_expect_str_eq(list[0].why, "body: damaged");
    cr_expect_str_eq(list[0].mailbox_name, "INBOX");
    for (uint32_t i = 0; i < TROUBLE_MAX + 5; i++) {
        trouble.item = uid + 2000 + i;
        cr_assert_eq(trouble_note(db, &trouble, &fresh), ERR_OK);
    }
    cr_expect_eq(rig_number(db, account, "select count(*) from trouble where account_id = $1"), TROUBLE_MAX);
    cr_assert_eq(trouble_list(db, arena, account, 10, &list, &count), ERR_OK);
    cr_expect_eq(count, 0, "the oldest went");
    arena_close(&arena);
    db_close(&db);
}
