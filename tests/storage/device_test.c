/* ActiveSync devices: made once, remembered, decided on, reset. */
#include <criterion/criterion.h>

#include "storage/device.h"
#include "storage/sync.h"
#include "tests/support/one_account.h"

TestSuite(device, .init = setup, .fini = teardown);

static struct device open_device(const char *key)
{
    struct device device = { .id = { 0 } };
    cr_assert_eq(device_open(db, arena, account, slice_of(key), SLICE_LIT("iPhone"), 3, DEVICE_ALLOWED, &device), ERR_OK, "%s",
                 db_trace(db)->text);
    return device;
}

Test(device, is_made_once_and_found_again)
{
    struct device first = open_device("APPL1"), again = open_device("APPL1"), other = open_device("APPL2");
    cr_expect_eq(again.id.n, first.id.n);
    cr_expect_neq(other.id.n, first.id.n);
    cr_expect_str_eq(first.key, "APPL1");
    cr_expect_str_eq(first.type, "iPhone");
    cr_expect_eq(first.access, DEVICE_ALLOWED);
    cr_expect_eq(first.policy_key, 0u);
    cr_expect_null(first.user_agent);
    struct device *all;
    size_t count;
    cr_assert_eq(device_list(db, arena, account, &all, &count), ERR_OK);
    cr_expect_eq(count, 2u);
}

Test(device, keys_are_one_whatever_their_case_and_belong_to_their_account)
{
    struct device first = open_device("abc"), upper = open_device("ABC");
    cr_expect_eq(first.id.n, upper.id.n, "some phones write it one way in OPTIONS and the other way later");
    struct account_id other = rig_account(db);
    struct device theirs;
    cr_assert_eq(device_open(db, arena, other, SLICE_LIT("abc"), SLICE_LIT("x"), 3, DEVICE_ALLOWED, &theirs), ERR_OK);
    struct device *all;
    size_t count;
    cr_assert_eq(device_list(db, arena, other, &all, &count), ERR_OK);
    cr_expect_eq(count, 1u);
}

Test(device, refusals)
{
    static const struct {
        const char *key;
        enum err err;
    } rows[] = { { "", ERR_SYNTAX },
                 { "012345678901234567890123456789012", ERR_SYNTAX },
                 { "01234567890123456789012345678901", ERR_OK },
                 { "\xff\xfe", ERR_SYNTAX },
                 { "two", ERR_OK },
                 { "three", ERR_OK },
                 { "one too many", ERR_LIMIT },
                 { "two", ERR_OK } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct device device;
        cr_expect_eq(device_open(db, arena, account, slice_of(rows[i].key), SLICE_LIT("x"), 3, DEVICE_ALLOWED, &device), rows[i].err,
                     "row %zu \"%s\"", i, rows[i].key);
    }
    struct device device;
    cr_expect_eq(device_open(db, arena, (struct account_id){ INT64_MAX }, SLICE_LIT("k"), SLICE_LIT("x"), 3, DEVICE_ALLOWED, &device),
                 ERR_NOT_FOUND);
}

Test(device, information_that_is_absent_stays)
{
    struct device device = open_device("APPL1");
    struct device first = { .model = "iPhone15C2", .user_agent = "Apple-iPhone/2101.1" }, second = { .os = "iOS 18" };
    cr_assert_eq(device_set_information(db, account, device.id, &first), ERR_OK);
    cr_assert_eq(device_set_information(db, account, device.id, &second), ERR_OK);
    device = open_device("APPL1");
    cr_expect_str_eq(device.model, "iPhone15C2");
    cr_expect_str_eq(device.user_agent, "Apple-iPhone/2101.1");
    cr_expect_str_eq(device.os, "iOS 18");
    cr_expect_eq(device_set_information(db, account, (struct device_id){ 99 }, &second), ERR_NOT_FOUND);
}

Test(device, policy_ping_and_request_are_remembered)
{
    struct device device = open_device("APPL1");
    cr_assert_eq(device_set_policy(db, account, device.id, 3000000000u, 4000000000u, UINT64_MAX - 1, true), ERR_OK);
    cr_assert_eq(device_set_ping(db, account, device.id, 900, SLICE_LIT("\0packed")), ERR_OK);
    cr_assert_eq(device_set_sync_request(db, account, device.id, SLICE_LIT("\1\0request")), ERR_OK);
    device = open_device("APPL1");
    cr_expect_eq(device.policy_key, 3000000000u);
    cr_expect_eq(device.policy_key_pending, 4000000000u);
    cr_expect_eq(device.policy_hash, UINT64_MAX - 1);
    cr_expect_eq(device.ping_heartbeat_s, 900);
    cr_expect(slice_eq(device.ping_folders, SLICE_LIT("\0packed")));
    cr_expect(slice_eq(device.sync_request, SLICE_LIT("\1\0request")));
}

/* 13: a decision ends sessions everywhere. */
Test(device, an_access_decision_raises_the_auth_version)
{
    struct device device = open_device("APPL1");
    struct account before, after;
    cr_assert_eq(account_get(db, arena, account, &before), ERR_OK);
    cr_assert_eq(device_set_access(db, account, device.id, DEVICE_BLOCKED, &changes), ERR_OK);
    cr_assert_eq(account_get(db, arena, account, &after), ERR_OK);
    cr_expect_eq(after.auth_version, before.auth_version + 1);
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)CHANGE_AUTH);
    cr_expect_eq(open_device("APPL1").access, DEVICE_BLOCKED);
    cr_expect_eq(device_set_access(db, account, (struct device_id){ 99 }, DEVICE_BLOCKED, &changes), ERR_NOT_FOUND);
    cr_assert_eq(account_get(db, arena, account, &after), ERR_OK);
    cr_expect_eq(after.auth_version, before.auth_version + 1, "nothing was decided");
}

Test(device, a_reset_forgets_its_states_and_nobody_elses)
{
    struct device device = open_device("APPL1"), other = open_device("APPL2");
    struct sync_state state, kept;
    struct folder_look folders;
    struct sync_result result = { .err = ERR_OK }, found;
    cr_assert_eq(sync_reset(db, arena, account, device.id, rig_inbox(), SLICE_LIT(""), &state), ERR_OK);
    cr_assert_eq(sync_reset(db, arena, account, other.id, rig_inbox(), SLICE_LIT(""), &kept), ERR_OK);
    cr_assert_eq(sync_folders(db, arena, account, device.id, SLICE_LIT("0"), &folders), ERR_OK);
    cr_assert_eq(device_set_sync_request(db, account, device.id, SLICE_LIT("x")), ERR_OK);
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    cr_assert_eq(sync_add_draft(db, arena, account, device.id, rig_inbox(), slice_of(state.key), SLICE_LIT("c"), &item, &result,
                                &changes),
                 ERR_OK);
    cr_assert_eq(device_reset(db, account, device.id), ERR_OK);
    char key[SYNC_KEY_MAX + 1];
    cr_expect_eq(sync_current_key(db, account, device.id, rig_inbox(), key), ERR_NOT_FOUND);
    cr_expect_eq(sync_result_find(db, arena, account, device.id, rig_inbox(), slice_of(state.key), SLICE_LIT("c"), &found),
                 ERR_NOT_FOUND);
    struct folder_look again;
    cr_expect_eq(sync_folders(db, arena, account, device.id, slice_of(folders.key), &again), ERR_CONFLICT);
    cr_expect_eq(open_device("APPL1").sync_request.len, 0u);
    cr_assert_eq(sync_current_key(db, account, other.id, rig_inbox(), key), ERR_OK);
    cr_expect_str_eq(key, kept.key);
}

/* 32: one statement for many; a late report does not turn the clock back. */
Test(device, last_seen_of_many_at_once)
{
    struct device device = open_device("APPL1"), other = open_device("APPL2");
    int64_t later = device.last_seen_us + 60000000;
    struct device_seen seen[] = { { account, device.id, later },
                                  { account, other.id, other.last_seen_us - 1 },
                                  { account, { 99 }, later } };
    uint64_t before = db_statements_sent();
    cr_assert_eq(device_touch(db, seen, 3), ERR_OK);
    cr_expect_leq(db_statements_sent() - before, 2u, "the statement, and preparing it");
    cr_expect_eq(open_device("APPL1").last_seen_us, later);
    cr_expect_eq(open_device("APPL2").last_seen_us, other.last_seen_us);
    cr_assert_eq(device_touch(db, seen, 0), ERR_OK);
}

Test(device, a_new_one_gets_what_the_rule_says_and_its_user_one_mail)
{
    struct device device;
    bool due;
    cr_assert_eq(device_open(db, arena, account, SLICE_LIT("NEW"), SLICE_LIT("x"), 10, DEVICE_QUARANTINED, &device), ERR_OK);
    cr_expect_eq(device.access, DEVICE_QUARANTINED);
    cr_expect(device.notice_due && !device.decided);
    cr_assert_eq(device_take_notice(db, account, device.id, &due), ERR_OK);
    cr_expect(due);
    cr_assert_eq(device_take_notice(db, account, device.id, &due), ERR_OK);
    cr_expect_not(due, "once");
    cr_assert_eq(device_set_access(db, account, device.id, DEVICE_ALLOWED, &changes), ERR_OK);
    cr_assert_eq(device_open(db, arena, account, SLICE_LIT("new"), SLICE_LIT("x"), 10, DEVICE_QUARANTINED, &device), ERR_OK);
    cr_expect_eq(device.access, DEVICE_ALLOWED, "a rule is for new ones");
    cr_expect(device.decided);
}

/* An account test uses one device id for every phone of its kind. */
Test(device, account_tests_do_not_count)
{
    struct device device;
    for (int i = 0; i < 3; i++)
        open_device(arena_printf(arena, "APPL%d", i));
    cr_assert_eq(device_open(db, arena, account, SLICE_LIT("validate"), SLICE_LIT("x"), 3, DEVICE_BLOCKED, &device), ERR_OK);
    cr_expect_not(device.notice_due);
    cr_expect_eq(device_open(db, arena, account, SLICE_LIT("APPL9"), SLICE_LIT("x"), 3, DEVICE_ALLOWED, &device), ERR_LIMIT);
    cr_expect_eq(device_open(db, arena, account, SLICE_LIT("APPL9"), SLICE_LIT("x"), 4, DEVICE_ALLOWED, &device), ERR_OK);
}

Test(device, a_wipe_goes_forward_only)
{
    static const struct {
        const char *name;
        enum device_wipe step, state;
    } steps[] = {
        { "an answer before it was sent", WIPE_DONE, WIPE_ORDERED },
        { "sent", WIPE_SENT, WIPE_SENT },
        { "sent again", WIPE_SENT, WIPE_SENT },
        { "done", WIPE_DONE, WIPE_DONE },
        { "sent too late", WIPE_SENT, WIPE_DONE },
        { "another answer", WIPE_REFUSED, WIPE_DONE },
    };
    struct device device = open_device("APPL1");
    cr_assert_eq(device_step_wipe(db, account, device.id, WIPE_SENT), ERR_OK);
    cr_expect_eq(open_device("APPL1").wipe, WIPE_NONE, "nobody ordered one");
    cr_assert_eq(device_order_wipe(db, account, device.id, WIPE_DEVICE, "root", &changes), ERR_OK);
    cr_assert_eq(changes.count, 1u);
    cr_expect_eq(changes.items[0].kinds, (unsigned)CHANGE_AUTH);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        cr_assert_eq(device_step_wipe(db, account, device.id, steps[i].step), ERR_OK);
        cr_expect_eq(open_device("APPL1").wipe, steps[i].state, "%s", steps[i].name);
    }
    device = open_device("APPL1");
    cr_expect_eq(device.wipe_kind, WIPE_DEVICE);
    cr_expect_str_eq(device.wipe_by, "root");
    cr_expect(device.wipe_ordered_us && device.wipe_sent_us && device.wipe_answered_us);
    cr_assert_eq(device_order_wipe(db, account, device.id, WIPE_ACCOUNT, "other", &changes), ERR_OK);
    device = open_device("APPL1");
    cr_expect(device.wipe == WIPE_ORDERED && !device.wipe_sent_us && !device.wipe_answered_us, "a new order");
    cr_assert_eq(device_reset(db, account, device.id), ERR_OK);
    cr_expect_eq(open_device("APPL1").wipe, WIPE_NONE);
    cr_expect_eq(device_order_wipe(db, account, (struct device_id){ 99 }, WIPE_ACCOUNT, "x", &changes), ERR_NOT_FOUND);
}

Test(device, loops_and_traces_are_kept)
{
    struct device device = open_device("APPL1");
    cr_expect_eq(device.loops, 0);
    cr_assert_eq(device_note_loop(db, account, device.id, "FolderSync"), ERR_OK);
    cr_assert_eq(device_note_loop(db, account, device.id, "Provision"), ERR_OK);
    cr_assert_eq(device_set_trace(db, account, device.id, 1700000000000000, true, &changes), ERR_OK);
    device = open_device("APPL1");
    cr_expect_eq(device.loops, 2);
    cr_expect_str_eq(device.loop_what, "Provision");
    cr_expect_neq(device.loop_us, 0);
    cr_expect_eq(device.trace_until_us, 1700000000000000);
    cr_expect(device.trace_content);
    cr_assert_eq(device_set_trace(db, account, device.id, 0, false, &changes), ERR_OK);
    cr_expect_eq(open_device("APPL1").trace_until_us, 0);
    cr_expect_eq(device_note_loop(db, account, (struct device_id){ 99 }, "x"), ERR_NOT_FOUND);
    cr_expect_eq(device_find(db, arena, account, SLICE_LIT("NONE"), &device), ERR_NOT_FOUND);
}
