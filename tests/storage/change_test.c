/* Folding of change sets. */
#include <criterion/criterion.h>

#include "storage/change.h"

static struct change of(int64_t account, int64_t mailbox, int64_t modseq, unsigned kinds)
{
    return (struct change){ { account }, { mailbox }, modseq, kinds };
}

Test(change, same_mailbox_is_folded)
{
    struct change_set set = { 0 };
    change_set_add(&set, of(1, 2, 10, CHANGE_NEW));
    change_set_add(&set, of(1, 2, 9, CHANGE_FLAGS));
    change_set_add(&set, of(1, 3, 11, CHANGE_NEW));
    cr_assert_eq(set.count, 2u);
    cr_expect_eq(set.items[0].kinds, (unsigned)(CHANGE_NEW | CHANGE_FLAGS));
    cr_expect_eq(set.items[0].modseq, 10);
}

Test(change, a_full_set_folds_into_the_account)
{
    struct change_set set = { 0 };
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        change_set_add(&set, of(i, 1, i, CHANGE_NEW));
    change_set_add(&set, of(5, 2, 1000, CHANGE_REMOVED));
    cr_assert_eq(set.count, CHANGES_MAX);
    cr_expect_eq(set.items[5].mailbox.n, 0);
    cr_expect_eq(set.items[5].kinds, (unsigned)(CHANGE_NEW | CHANGE_REMOVED));
    cr_expect_eq(set.items[5].modseq, 1000);
    cr_expect_not(set.overflow);
}

Test(change, an_account_without_room_is_told_as_overflow)
{
    struct change_set set = { 0 };
    for (unsigned i = 0; i <= CHANGES_MAX; i++)
        change_set_add(&set, of(i, 1, i, CHANGE_NEW));
    cr_expect(set.overflow);
    cr_expect_eq(set.count, CHANGES_MAX);
}
