/* Automatic replies as they are kept. */
#include <criterion/criterion.h>

#include "storage/retention.h"
#include "storage/vacation.h"
#include "tests/support/one_account.h"

TestSuite(vacation, .init = setup, .fini = teardown);

#define NOW INT64_C(1795780800000000)
#define MARK "select auto_reply::int from account where account_id = $1"

static struct vacation away(enum vacation_state state)
{
    return (struct vacation){ .state = state, .starts_us = NOW, .ends_us = NOW + 1000,
                              .messages = { [VACATION_INTERNAL] = { true, false, SLICE_LIT("gr\xc3\xbc\xc3\x9f" "e") },
                                            [VACATION_UNKNOWN] = { false, true, SLICE_LIT("<p>x</p>") } } };
}

Test(vacation, what_is_set_is_got)
{
    struct vacation got, set = away(VACATION_BETWEEN);
    cr_assert_eq(vacation_get(db, arena, account, &got), ERR_OK);
    cr_expect_eq(got.state, VACATION_OFF);
    cr_expect_eq(got.messages[VACATION_KNOWN].body.len, 0u);
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK, "%s", db_trace(db)->text);
    cr_assert_eq(vacation_get(db, arena, account, &got), ERR_OK);
    cr_expect_eq(got.state, VACATION_BETWEEN);
    cr_expect(got.starts_us == NOW && got.ends_us == NOW + 1000);
    for (size_t i = 0; i < VACATION_AUDIENCES; i++) {
        cr_expect_eq(got.messages[i].enabled, set.messages[i].enabled);
        cr_expect_eq(got.messages[i].html, set.messages[i].html);
        cr_expect(slice_eq(got.messages[i].body, set.messages[i].body));
    }
}

Test(vacation, the_account_is_marked_only_while_there_is_something_to_say)
{
    struct vacation set = away(VACATION_ON);
    cr_expect_eq(rig_number(db, account, MARK), 0);
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_eq(rig_number(db, account, MARK), 1);
    set.messages[VACATION_INTERNAL].enabled = false;
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_eq(rig_number(db, account, MARK), 0, "nobody is answered");
    set = away(VACATION_ON);
    set.messages[VACATION_INTERNAL].body = SLICE_LIT("");
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_eq(rig_number(db, account, MARK), 0, "with nothing");
    set = away(VACATION_OFF);
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_eq(rig_number(db, account, MARK), 0);
}

static bool deliver_one(uint64_t *statements)
{
    struct delivery_target target = { .account = account, .prefix = SLICE_LIT("") };
    struct delivery delivery = { .message = { .octets = { SLICE_LIT("Subject: s\r\n\r\nx\r\n"), -1, 17 }, .meta = SLICE_LIT("m") },
                                 .delivery_id = 7, .internal_date_us = NOW, .targets = &target, .target_count = 1 };
    struct delivery *one = &delivery;
    uint64_t before = db_statements_sent();
    cr_assert_eq(message_deliver(db, &one, 1, &changes), ERR_OK, "%s", db_trace(db)->text);
    cr_assert_eq(target.result, ERR_OK);
    *statements = db_statements_sent() - before;
    return target.auto_reply;
}

Test(vacation, a_delivery_tells_it_in_its_one_statement)
{
    struct vacation set = away(VACATION_ON);
    uint64_t statements;
    cr_expect_not(deliver_one(&statements)); // the first one prepares it
    cr_expect_not(deliver_one(&statements));
    cr_expect_eq(statements, 1u);
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect(deliver_one(&statements));
    cr_expect_eq(statements, 1u);
}

Test(vacation, refusals)
{
    struct vacation set = away(VACATION_BETWEEN);
    char *big = arena_alloc(arena, VACATION_BODY_MAX + 1);
    memset(big, 'x', VACATION_BODY_MAX + 1);
    set.ends_us = set.starts_us;
    cr_expect_eq(vacation_set(db, account, &set), ERR_SYNTAX);
    set = away(VACATION_ON);
    set.messages[VACATION_KNOWN].body = slice_make(big, VACATION_BODY_MAX + 1);
    cr_expect_eq(vacation_set(db, account, &set), ERR_LIMIT);
    set.messages[VACATION_KNOWN].body.len--;
    cr_expect_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_eq(vacation_set(db, (struct account_id){ INT64_MAX }, &set), ERR_NOT_FOUND);
}

Test(vacation, when_it_is_on)
{
    struct vacation v = away(VACATION_BETWEEN);
    cr_expect_not(vacation_is_on(&v, NOW - 1));
    cr_expect(vacation_is_on(&v, NOW));
    cr_expect(vacation_is_on(&v, NOW + 999));
    cr_expect_not(vacation_is_on(&v, NOW + 1000));
    v.state = VACATION_ON;
    cr_expect(vacation_is_on(&v, NOW - 1));
    v.state = VACATION_OFF;
    cr_expect_not(vacation_is_on(&v, NOW));
}

static bool claim(const char *sender)
{
    bool fresh = false;
    cr_assert_eq(vacation_claim(db, account, slice_of(sender), 7, &fresh), ERR_OK, "%s", db_trace(db)->text);
    return fresh;
}

Test(vacation, one_answer_a_sender_and_period)
{
    struct vacation set = away(VACATION_ON);
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect(claim("a@x"));
    cr_expect_not(claim("A@X"));
    cr_expect(claim("b@x"));
    rig_run(db, "update vacation_answered set at = at - interval '7 days' where account_id = $1 and sender = 'a@x'", account.n);
    cr_expect(claim("a@x"));
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect_not(claim("b@x"), "the same absence");
    set.ends_us++;
    cr_assert_eq(vacation_set(db, account, &set), ERR_OK);
    cr_expect(claim("b@x"), "another one");
}

Test(vacation, the_newest_sent)
{
    struct mailbox_id sent = { rig_number(db, account, "select mailbox_id from mailbox where account_id = $1 and role = 3") };
    struct message_id *ids;
    size_t count;
    cr_assert_eq(vacation_newest_sent(db, arena, account, 2, &ids, &count), ERR_OK);
    cr_expect_eq(count, 0u);
    rig_append(db, account, rig_inbox(), "Subject: in\r\n\r\nx\r\n", 0);
    for (int i = 0; i < 4; i++)
        rig_append(db, account, sent, "Subject: out\r\n\r\nx\r\n", 0);
    uint32_t *uids;
    cr_assert_eq(message_expunge(db, arena, account, sent, &(struct uid_range){ 4, 4 }, 1, false, &by_imap, &uids, &count,
                                 &changes),
                 ERR_OK);
    cr_assert_eq(vacation_newest_sent(db, arena, account, 2, &ids, &count), ERR_OK, "%s", db_trace(db)->text);
    cr_assert_eq(count, 2u);
    cr_expect(ids[0].n == 4 && ids[1].n == 3, "what came last and lives");
    rig_run(db, "update mailbox set role = 0 where account_id = $1 and role = 3", account.n);
    cr_assert_eq(vacation_newest_sent(db, arena, account, 2, &ids, &count), ERR_OK);
    cr_expect_eq(count, 0u);
}

Test(vacation, who_was_answered_is_forgotten)
{
    struct purge_report report = { 0 };
    cr_expect(claim("a@x"));
    cr_expect(claim("b@x"));
    rig_run(db, "update vacation_answered set at = at - interval '32 days' where account_id = $1 and sender = 'a@x'", account.n);
    cr_assert_eq(retention_purge(db, 1, 1, &report), ERR_OK);
    cr_expect_eq(rig_number(db, account, "select count(*) from vacation_answered where account_id = $1"), 1);
}
