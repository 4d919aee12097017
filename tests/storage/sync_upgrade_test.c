/* A state goes on after an upgrade, whatever wrote it; and it stays small. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "storage/sync.h"
#include "tests/support/rig.h"

#define OPTIONS SLICE_LIT("\1\3\1\10\1\0\0\2\2\2\0\0\1\0\0\4\0\0\377\377\377\377") // two body preferences

static struct db *db;
static struct arena *arena;
static struct account_id account;
static struct device_id device;
static struct mailbox_id inbox;

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    account = rig_account(db);
    device = rig_device(db, account, "P");
    inbox = rig_inbox();
    for (int i = 0; i < 5; i++)
        rig_append(db, account, inbox, "x", 0);
}

static void teardown(void)
{
    arena_close(&arena);
    db_close(&db);
}

TestSuite(sync_upgrade, .init = setup, .fini = teardown);

static void begin(const char *key, struct sync_state *state)
{
    cr_assert_eq(sync_begin(db, arena, account, device, inbox, slice_of(key), state), ERR_OK, "%s: %s", key, db_trace(db)->text);
}

static struct sync_look look_from(const struct sync_state *state, uint32_t window)
{
    struct sync_look look;
    cr_assert_eq(sync_look(db, arena, account, device, inbox, &state->at, (struct sync_cut){ 0, 0 }, window, &look), ERR_OK);
    return look;
}

#define OLD_USED "0123456789abcdef0123456789abcdef"
#define OLD_GIVEN "fedcba9876543210fedcba9876543210"

/* Rows as the first version writes them: keys of 32 hex digits, every column filled. The used key has two mails, the given
 * one four, of which one answer told. */
static void write_version_1(void)
{
    rig_run(db, "insert into sync_state (account_id, device_id, mailbox_id, generation, given_key, given_s, given_a, given_b,"
                " given_date, given_item, given_options, given_initial, used_key, used_s, used_a, used_b, used_date, used_item,"
                " used_options, version) select account_id, (select device_id from device where account_id = $1), 1, 7,"
                " '" OLD_GIVEN "', modseq, 4, 0, '-infinity', 0, '\\x0103010801000001020000000000000000', false,"
                " '" OLD_USED "', modseq, 2, 0, '-infinity', 0, '\\x0101010801000001010000000000000000', 1"
                " from account where account_id = $1", account.n);
    rig_run(db, "insert into sync_state (account_id, device_id, mailbox_id, given_key, given_s, used_key, used_s)"
                " select account_id, (select device_id from device where account_id = $1), 0, '" OLD_GIVEN "', modseq,"
                " '" OLD_USED "', modseq from account where account_id = $1", account.n);
}

Test(sync_upgrade, a_state_of_the_first_version_goes_on)
{
    struct sync_state state;
    write_version_1();
    begin(OLD_USED, &state);
    cr_expect(state.replay);
    cr_expect_eq(state.at.a, 2u);
    cr_expect_eq(state.options.at[1], 1, "its own options");
    cr_expect_eq(look_from(&state, 100).count, 3u);
    begin(OLD_GIVEN, &state);
    cr_expect_not(state.replay);
    cr_expect_eq(state.at.a, 4u);
    cr_expect_eq(state.options.at[1], 3);
    struct sync_look look = look_from(&state, 100);
    cr_assert_eq(look.count, 1u, "the fifth mail and nothing else: no resync");
    cr_expect_eq(look.items[0].op, SYNC_ADD);
    char key[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_commit(db, account, device, inbox, &state, &look.next, state.options, key), ERR_OK);
    begin(OLD_GIVEN, &state);
    cr_expect(state.replay, "the reply was lost");
    cr_expect_eq(state.at.a, 4u);
    cr_expect_eq(state.options.at[1], 3);
    begin(key, &state);
    cr_expect_eq(look_from(&state, 100).count, 0u);
    struct folder_look folders;
    cr_assert_eq(sync_folders(db, arena, account, device, SLICE_LIT(OLD_GIVEN), &folders), ERR_OK);
    cr_expect_eq(folders.count, 0u);
    cr_expect_str_eq(folders.key, OLD_GIVEN);
}

Test(sync_upgrade, options_of_a_replay_are_those_of_its_key)
{
    struct sync_state state;
    char first[SYNC_KEY_MAX + 1], second[SYNC_KEY_MAX + 1];
    cr_assert_eq(sync_reset(db, arena, account, device, inbox, SLICE_LIT("one"), &state), ERR_OK);
    strcpy(first, state.key);
    begin(first, &state);
    cr_assert_eq(sync_commit(db, account, device, inbox, &state, &state.at, SLICE_LIT("two"), second), ERR_OK);
    begin(first, &state);
    cr_expect(slice_eq(state.options, SLICE_LIT("one")));
    cr_assert_eq(sync_commit(db, account, device, inbox, &state, &state.at, SLICE_LIT("one"), second), ERR_OK);
    begin(first, &state);
    cr_expect(slice_eq(state.options, SLICE_LIT("one")));
    cr_assert_eq(sync_commit(db, account, device, inbox, &state, &state.at, SLICE_LIT("two"), second), ERR_OK);
    begin(second, &state);
    cr_expect(slice_eq(state.options, SLICE_LIT("two")));
    cr_assert_eq(sync_commit(db, account, device, inbox, &state, &state.at, SLICE_LIT("three"), first), ERR_OK);
    begin(second, &state);
    cr_expect(slice_eq(state.options, SLICE_LIT("two")));
}

/* What a state takes once the phone is up to date, whatever came before: two keys, a filter, two body preferences. */
Test(sync_upgrade, a_state_stays_under_200_octets)
{
    struct sync_state state;
    struct sync_look look = { .more = true };
    char key[SYNC_KEY_MAX + 1];
    struct sync_cut filter = { INT64_C(1700000000) * 1000000, 0 };
    cr_assert_eq(sync_reset(db, arena, account, device, inbox, OPTIONS, &state), ERR_OK);
    strcpy(key, state.key);
    for (int i = 0; i < 8; i++) {
        begin(key, &state);
        cr_assert_eq(sync_look(db, arena, account, device, inbox, &state.at, filter, 1, &look), ERR_OK);
        cr_assert_eq(sync_commit(db, account, device, inbox, &state, &look.next, OPTIONS, key), ERR_OK);
    }
    cr_expect_not(look.more);
    int64_t size = rig_number(db, account, "select pg_column_size(s.*) from sync_state s where account_id = $1");
    cr_expect_lt(size, 200, "%d octets", (int)size);
    cr_log_info("%d octets", (int)size);
}
