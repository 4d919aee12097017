/* Sending in one transaction. */
#include <criterion/criterion.h>

#include "storage/outbox.h"
#include "storage/submission.h"
#include "storage/sync.h"
#include "storage/vacation.h"
#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;
static struct account_id sender, friend;
static struct device_id device;
static const struct actor by = { .protocol = BY_EAS, .name = "phone" };

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    sender = rig_account(db);
    friend = rig_account(db);
    device = rig_device(db, sender, "PHONE");
}

static void teardown(void)
{
    rig_check_counters(db, sender);
    rig_check_content(db, sender);
    rig_check_counters(db, friend);
    rig_check_content(db, friend);
    arena_close(&arena);
    db_close(&db);
}

TestSuite(submission, .init = setup, .fini = teardown);

static const struct slice far_one = { "far@elsewhere.invalid", 21 };
static const struct slice friends_address = { "friend@example.test", 19 };

struct scene {
    struct submission s;
    struct delivery_target targets[2];
    struct slice addresses[2];
    struct message_new copy;
    struct change_set changes;
};

static struct message_new message_of(const char *text)
{
    struct slice octets = slice_of(text);
    return (struct message_new){ .octets = { octets, -1, (int64_t)octets.len }, .meta = SLICE_LIT("m"), .thread = 7 };
}

/* To a local friend and somebody far away, with a copy. */
static struct scene *scene_of(const char *text, const char *client_id)
{
    struct scene *scene = arena_new(arena, struct scene, 1);
    scene->targets[0] = (struct delivery_target){ .account = friend, .prefix = SLICE_LIT("Return-Path: <me>\r\n") };
    scene->addresses[0] = friends_address;
    scene->copy = message_of(text);
    scene->s = (struct submission){
        .account = sender, .device = device, .client_id = slice_of(client_id), .message = message_of(text),
        .internal_date_us = INT64_C(1795780800000000), .targets = scene->targets, .addresses = scene->addresses,
        .target_count = 1, .sender = SLICE_LIT("me@example.test"), .far = &far_one, .far_count = 1, .copy = &scene->copy,
        .by = &by,
    };
    return scene;
}

static enum err send_scene(struct scene *scene)
{
    return submission_send(db, &scene->s, &scene->changes);
}

#define LIVE "select count(*) from placement where account_id = $1 and removed_at is null"
#define IN_SENT LIVE " and mailbox_id = (select mailbox_id from mailbox where account_id = $1 and role = 3)"
#define QUEUED "select count(*) from outbox where account_id = $1"
#define CLAIMED "select count(*) from sent_client_id where account_id = $1"

static void expect_sent(int64_t count)
{
    cr_expect_eq(rig_number(db, friend, LIVE), count);
    cr_expect_eq(rig_number(db, sender, IN_SENT), count);
    cr_expect_eq(rig_number(db, sender, QUEUED), count);
    cr_expect_eq(rig_number(db, sender, CLAIMED), count);
}

Test(submission, all_of_it_once)
{
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1");
    cr_assert_eq(send_scene(scene), ERR_OK, "%s", db_trace(db)->text);
    expect_sent(1);
    cr_expect_eq(scene->changes.count, 2u);
    cr_expect_gt(scene->targets[0].uid, 0u);
    cr_expect(slice_eq(rig_text(db, arena, friend, rig_inbox(), scene->targets[0].uid), SLICE_LIT("Return-Path: <me>\r\nSubject: s\r\n\r\nx\r\n")));
    cr_expect_eq(rig_number(db, sender, "select count(*) from message m join outbox o using (blob_id) where o.account_id = $1"), 2, "the octets once");
    cr_expect_eq(send_scene(scene), ERR_EXISTS, "the same ClientId");
    expect_sent(1);
    rig_run(db, "update sent_client_id set at = at - interval '8 days' where account_id = $1", sender.n);
    uint64_t before = db_statements_sent();
    cr_expect_eq(send_scene(scene), ERR_OK, "a week later it is another mail");
    cr_expect_eq(db_statements_sent() - before, 1u, "one round trip");
    cr_expect_eq(rig_number(db, friend, LIVE), 2);
}

Test(submission, a_copy_with_other_octets)
{
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1");
    scene->copy = message_of("Bcc: z@x\r\nSubject: s\r\n\r\nx\r\n");
    cr_assert_eq(send_scene(scene), ERR_OK, "%s", db_trace(db)->text);
    expect_sent(1);
    struct mailbox_id sent = { rig_number(db, sender, "select mailbox_id from mailbox where account_id = $1 and role = 3") };
    cr_expect(slice_starts(rig_text(db, arena, sender, sent, 1), SLICE_LIT("Bcc: z@x\r\n")));
    cr_expect_eq(rig_number(db, sender, IN_SENT " and flags & 1 = 1"), 1, "read");
}

Test(submission, big_octets)
{
    char *big = arena_alloc(arena, (3u << 20) + 1);
    memset(big, 'x', 3u << 20);
    cr_assert_eq(send_scene(scene_of(big, "c1")), ERR_OK, "%s", db_trace(db)->text);
    expect_sent(1);
}

Test(submission, nothing_of_it_when_the_copy_does_not_fit)
{
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1");
    rig_run(db, "update account set quota_bytes = 1 where account_id = $1", sender.n);
    cr_expect_eq(send_scene(scene), ERR_QUOTA);
    cr_expect_eq(scene->changes.count, 0u);
    expect_sent(0);
    scene->s.copy = NULL;
    cr_expect_eq(send_scene(scene), ERR_OK);
    cr_expect_eq(rig_number(db, friend, LIVE), 1);
}

Test(submission, who_cannot_take_it)
{
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1");
    rig_run(db, "update account set quota_bytes = 1 where account_id = $1", friend.n);
    cr_assert_eq(send_scene(scene), ERR_OK, "somebody gets it");
    cr_expect_eq(scene->targets[0].result, ERR_QUOTA);
    cr_expect_eq(rig_number(db, sender, "select cardinality(recipients) from outbox where account_id = $1"), 2, "and it waits for the other");
    scene = scene_of("Subject: s\r\n\r\nx\r\n", "c2");
    scene->s.far_count = 0;
    cr_expect_eq(send_scene(scene), ERR_CONFLICT, "nobody gets it");
    cr_expect_eq(rig_number(db, sender, IN_SENT), 1);
    cr_expect_eq(rig_number(db, sender, CLAIMED), 1);
    scene->targets[0].account.n = INT64_MAX;
    scene->s.far_count = 1;
    cr_expect_eq(send_scene(scene), ERR_OK);
    cr_expect_eq(scene->targets[0].result, ERR_NOT_FOUND, "gone meanwhile");
}

Test(submission, the_source_is_marked)
{
    uint32_t uid = rig_append(db, sender, rig_inbox(), "Subject: q\r\n\r\nx\r\n", 0);
    for (int i = 0; i < 2; i++) {
        struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", i ? "c2" : "c1");
        scene->s.source_mailbox = rig_inbox();
        scene->s.source_item = uid;
        scene->s.source_flags = i ? 0 : FLAG_ANSWERED;
        scene->s.source_keyword = i ? SLICE_LIT("$Forwarded") : SLICE_LIT("");
        scene->s.source_extra = i ? SLICE_LIT("{\"verb\": 3}") : SLICE_LIT("{\"verb\": 1, \"kept\": 2}");
        cr_assert_eq(send_scene(scene), ERR_OK, "%s", db_trace(db)->text);
        cr_expect_eq(scene->changes.count, 3u);
    }
    cr_expect_eq(rig_number(db, sender, "select count(*) from placement where account_id = $1 and mailbox_id = 1 and flags & 2 = 2 and flags >> 8 <> 0"
                                        " and extra = '{\"verb\": 3, \"kept\": 2}' and changed_by is null"), 1);
    cr_expect_eq(rig_number(db, sender, "select count(*) from mailbox b join placement p using (account_id, mailbox_id) where account_id = $1"
                                        " and mailbox_id = 1 and b.modseq_items = p.modseq and b.keywords = '{$Forwarded}'"), 1);
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c3");
    scene->s.source_mailbox = rig_inbox();
    scene->s.source_item = 99;
    cr_expect_eq(send_scene(scene), ERR_OK, "one that has gone is passed over");
}

/* The contract that a draft's Send relies on. */
Test(submission, the_draft_goes_with_it)
{
    struct mailbox_id drafts = { rig_number(db, sender, "select mailbox_id from mailbox where account_id = $1 and role = 2") };
    uint32_t uid = rig_append(db, sender, drafts, "Subject: s\r\n\r\nx\r\n", FLAG_DRAFT);
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "key:send:1");
    scene->s.draft_mailbox = drafts;
    scene->s.draft_item = uid;
    rig_run(db, "update account set quota_bytes = 1 where account_id = $1", sender.n);
    cr_expect_eq(send_scene(scene), ERR_QUOTA);
    cr_expect_eq(rig_number(db, sender, LIVE), 1, "what could not be sent stays");
    rig_run(db, "update account set quota_bytes = 0 where account_id = $1", sender.n);
    cr_assert_eq(send_scene(scene), ERR_OK, "%s", db_trace(db)->text);
    cr_expect_eq(rig_number(db, sender, LIVE), 1, "the copy");
    expect_sent(1);
    cr_expect_eq(send_scene(scene), ERR_EXISTS);
    scene->s.client_id = SLICE_LIT("another phone");
    cr_expect_eq(send_scene(scene), ERR_NOT_FOUND, "it was sent from elsewhere");
    expect_sent(1);
}

Test(submission, tells_who_may_want_to_answer)
{
    struct vacation vacation = { .state = VACATION_ON, .messages = { { true, false, SLICE_LIT("away") } } };
    struct scene *scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1");
    cr_assert_eq(send_scene(scene), ERR_OK);
    cr_expect_not(scene->targets[0].auto_reply);
    cr_assert_eq(vacation_set(db, friend, &vacation), ERR_OK, "%s", db_trace(db)->text);
    scene->s.client_id = SLICE_LIT("c2");
    cr_assert_eq(send_scene(scene), ERR_OK);
    cr_expect(scene->targets[0].auto_reply);
}

/* ---- two at once ---- */

struct sender_step {
    struct scene *scene;
    enum err err;
};

static void run_send(struct db *client, void *ctx)
{
    struct sender_step *step = ctx;
    step->err = submission_send(client, &step->scene->s, &step->scene->changes);
}

Test(submission, two_who_write_to_each_other_do_not_lock_each_other_out)
{
    struct scene *there = scene_of("Subject: there\r\n\r\nx\r\n", "c1"), *back = scene_of("Subject: back\r\n\r\nx\r\n", "c1");
    back->s.account = friend;
    back->s.device = rig_device(db, friend, "OTHER");
    back->targets[0].account = sender;
    struct sender_step first = { .scene = there }, second = { .scene = back };
    rig_race(db, "select 1 from account where account_id = $1 for update", sender.n, (struct rig_step){ run_send, &first },
             (struct rig_step){ run_send, &second });
    cr_expect_eq(first.err, ERR_OK);
    cr_expect_eq(second.err, ERR_OK);
    cr_expect_eq(rig_number(db, friend, LIVE), 2);
    cr_expect_eq(rig_number(db, sender, LIVE), 2);
}

Test(submission, a_repeat_beside_its_first_try)
{
    struct sender_step first = { .scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1") }, second = { .scene = scene_of("Subject: s\r\n\r\nx\r\n", "c1") };
    rig_race(db, "select 1 from account where account_id = $1 for update", sender.n, (struct rig_step){ run_send, &first },
             (struct rig_step){ run_send, &second });
    cr_expect_eq(first.err, ERR_OK);
    cr_expect_eq(second.err, ERR_EXISTS);
    expect_sent(1);
}

/* ---- the outbox ---- */

Test(submission, the_outbox_is_listed_and_dropped)
{
    struct outbox_row *rows;
    size_t count;
    struct account_id owner;
    cr_assert_eq(send_scene(scene_of("Subject: s\r\n\r\nx\r\n", "c1")), ERR_OK);
    int64_t id = rig_number(db, sender, "select outbox_id from outbox where account_id = $1");
    cr_assert_eq(outbox_list(db, arena, id - 1, 1, &rows, &count), ERR_OK, "%s", db_trace(db)->text);
    cr_assert_eq(count, 1u);
    cr_expect_eq(rows[0].id, id);
    cr_expect_eq(rows[0].size, 17);
    cr_expect_str_eq(rows[0].sender, "me@example.test");
    cr_expect_str_eq(rows[0].recipients[0], "far@elsewhere.invalid");
    cr_expect_not(rows[0].claimed);
    rig_run(db, "update outbox set claimed_until = now() + interval '1 minute' where outbox_id = $1", id);
    cr_expect_eq(outbox_drop(db, id, &owner), ERR_STATE);
    rig_run(db, "update outbox set claimed_until = now() - interval '1 minute' where outbox_id = $1", id);
    cr_expect_eq(outbox_drop(db, id, &owner), ERR_OK);
    cr_expect_eq(owner.n, sender.n);
    cr_expect_eq(outbox_drop(db, id, &owner), ERR_NOT_FOUND);
}
