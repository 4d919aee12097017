/* Two clients that write to one account at the same moment, in both orders (hard cases 3, 4, 16, 22). Each row gives
 * the step of each client; whoever is named first gets the account first, while the other's statement has begun already.
 * After each race every counter is what the rows say, and no mail that was accepted is lost. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "storage/retention.h"
#include "tests/support/rig.h"

#define FUTURE_US INT64_C(4000000000000000)

struct scene {
    struct account_id account;
    struct mailbox_id box, other_box; // both empty at first
    uint32_t uid;                     // a message in INBOX: "one"
    struct deleted_id deleted;        // a message that was deleted from `box`: "two"
    // what came of it
    enum err left, right; // of the left and the right step of the row
    size_t left_count, right_count;
    struct restored left_restored, right_restored;
};

static struct db *db; // the third connection: prepares, watches, checks

static void setup(void)
{
    db = rig_open();
}

static void teardown(void)
{
    db_close(&db);
}

TestSuite(races, .init = setup, .fini = teardown, .timeout = 120);

/* ---- steps ---- */

static struct append_item an_item(const char *text)
{
    return (struct append_item){ .message = { .octets = { .memory = slice_of(text), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .internal_date_us = 1700000000000000 };
}

static enum err move(struct db *client, struct scene *s, struct mailbox_id to, bool move, size_t *count)
{
    struct arena *arena = arena_open();
    struct change_set changes = { 0 };
    struct copied *copied;
    uint32_t uidvalidity;
    enum err err = message_copy(client, arena, s->account, rig_inbox(), &(struct uid_range){ s->uid, s->uid }, 1, to, move,
                                &by_imap, &copied, count, &uidvalidity, &changes);
    arena_close(&arena);
    return err;
}

static void left_moves_to_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = move(client, s, s->box, true, &s->left_count);
}

static void left_copies_to_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = move(client, s, s->box, false, &s->left_count);
}

static void right_moves_to_other_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = move(client, s, s->other_box, true, &s->right_count);
}

static void left_appends_to_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct append_item item = an_item("appended");
    struct change_set changes = { 0 };
    uint32_t uidvalidity;
    s->left = message_append(client, s->account, s->box, &item, 1, &by_imap, &uidvalidity, &changes);
    s->left_count = !s->left;
}

static void left_delivers_to_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct delivery_target target = { .account = s->account, .mailbox = s->box, .prefix = SLICE_LIT("To-You: 1\r\n") };
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("delivered"), .fd = -1 },
                                              .meta = SLICE_LIT("m") },
                                 .delivery_id = id_new(),
                                 .internal_date_us = 1700000000000000,
                                 .targets = &target,
                                 .target_count = 1 };
    struct delivery *list = &delivery;
    struct change_set changes = { 0 };
    enum err err = message_deliver(client, &list, 1, &changes);
    s->left = err ? err : target.result;
    s->left_count = !s->left;
}

static void right_deletes_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct change_set changes = { 0 };
    s->right = mailbox_delete(client, s->account, s->box, false, &by_imap, &changes);
}

static enum err change_flags(struct db *client, struct scene *s, size_t *count)
{
    struct arena *arena = arena_open();
    struct slice keyword = SLICE_LIT("work");
    struct flags_change change = { .mode = FLAGS_ADD, .flags = FLAG_SEEN, .keywords = &keyword, .keyword_count = 1,
                                   .create_keywords = true, .unchanged_since = -1 };
    struct change_set changes = { 0 };
    struct flags_result *results;
    enum err err = message_store_flags(client, arena, s->account, rig_inbox(), &(struct uid_range){ s->uid, s->uid }, 1,
                                       &change, &by_imap, &results, count, &changes);
    arena_close(&arena);
    return err;
}

static void right_changes_flags(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = change_flags(client, s, &s->right_count);
}

static enum err expunge(struct db *client, struct scene *s, size_t *count)
{
    struct arena *arena = arena_open();
    struct change_set changes = { 0 };
    uint32_t *uids;
    enum err err = message_expunge(client, arena, s->account, rig_inbox(), &(struct uid_range){ s->uid, s->uid }, 1, false,
                                   &by_imap, &uids, count, &changes);
    arena_close(&arena);
    return err;
}

static void left_expunges(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = expunge(client, s, &s->left_count);
}

static void right_expunges(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = expunge(client, s, &s->right_count);
}

static enum err replace(struct db *client, struct scene *s, const char *text)
{
    struct append_item item = an_item(text);
    struct change_set changes = { 0 };
    return message_replace(client, s->account, rig_inbox(), s->uid, &item, &by_imap, &changes);
}

static void left_replaces(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = replace(client, s, "left's text");
}

static void right_replaces(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = replace(client, s, "right's text");
}

static enum err restore(struct db *client, struct scene *s, struct mailbox_id to, struct restored *restored)
{
    struct arena *arena = arena_open();
    struct change_set changes = { 0 };
    enum err err = deleted_restore(client, arena, s->account, &s->deleted, 1, to, &by_admin, restored, &changes);
    arena_close(&arena);
    return err;
}

static void left_restores(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = restore(client, s, (struct mailbox_id){ 0 }, &s->left_restored);
}

static void right_restores(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = restore(client, s, (struct mailbox_id){ 0 }, &s->right_restored);
}

static void left_restores_to_box(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = restore(client, s, s->box, &s->left_restored);
}

/* As if everything removed were past retention. */
static void left_purges(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct db_args args = { 0 };
    args_i64(&args, s->account.n);
    args_time(&args, FUTURE_US);
    PGresult *r = NULL;
    s->left = db_run(client, "select * from purge_1($1, $2, '-infinity', 1000)", &args, &r);
    PQclear(r);
}

static void left_creates(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct change_set changes = { 0 };
    struct mailbox_id id;
    s->left = mailbox_create(client, s->account, SLICE_LIT("New/Box"), ROLE_NONE, &id, &changes);
}

static void right_renames_to_the_same(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct change_set changes = { 0 };
    s->right = mailbox_rename(client, s->account, s->box, SLICE_LIT("New/Box"), &by_imap, &changes);
}

/* ---- what has to come of it ---- */

static int64_t live_in(const struct scene *s, struct mailbox_id mailbox)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "select count(*) from placement where account_id = $1 and mailbox_id = %d and removed_at is null",
             (int)mailbox.n);
    return rig_number(db, s->account, sql);
}

static int64_t restorable_in(const struct scene *s, struct mailbox_id mailbox)
{
    char sql[160];
    snprintf(sql, sizeof sql,
             "select count(*) from placement where account_id = $1 and mailbox_id = %d and removed_how in (1, 4)",
             (int)mailbox.n);
    return rig_number(db, s->account, sql);
}

/* Something comes into a mailbox that is being deleted: refused, or deleted with it and restorable. Never lost. */
static void arrival_is_refused_or_kept(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->left, left_first ? ERR_OK : ERR_NOT_FOUND, "%s", err_name(s->left));
    cr_expect_eq(live_in(s, s->box), 0, "a live message in a deleted mailbox");
    cr_expect_eq(restorable_in(s, s->box), left_first ? 2 : 1, "the one deleted before, and the arrival");
}

static void move_is_refused_or_kept(const struct scene *s, bool left_first)
{
    arrival_is_refused_or_kept(s, left_first);
    cr_expect_eq(live_in(s, rig_inbox()), left_first ? 0 : 1);
}

static void copy_is_refused_or_kept(const struct scene *s, bool left_first)
{
    arrival_is_refused_or_kept(s, left_first);
    cr_expect_eq(live_in(s, rig_inbox()), 1);
}

static void moved_flags_go_along(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->left_count, 1u);
    cr_expect_eq(s->right_count, left_first ? 0u : 1u, "a row that is gone is not changed");
    cr_expect_eq(live_in(s, s->box), 1);
    cr_expect_eq(rig_number(db, s->account, "select flags from placement where account_id = $1 and removed_at is null"),
                 left_first ? 0 : FLAG_SEEN | 1 << FLAG_KEYWORD_SHIFT, "the flags of the one that was first go along");
}

static void flags_of_the_expunged_stay(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left_count, 1u);
    cr_expect_eq(s->right_count, left_first ? 0u : 1u);
    cr_expect_eq(live_in(s, rig_inbox()), 0);
}

static void one_moves(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->left_count, left_first ? 1u : 0u);
    cr_expect_eq(s->right_count, left_first ? 0u : 1u);
    cr_expect_eq(live_in(s, s->box), left_first ? 1 : 0);
    cr_expect_eq(live_in(s, s->other_box), left_first ? 0 : 1);
}

static void one_expunges(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left_count, left_first ? 1u : 0u);
    cr_expect_eq(s->right_count, left_first ? 0u : 1u);
    cr_expect_eq(restorable_in(s, rig_inbox()), 1);
}

static void one_replaces(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, left_first ? ERR_OK : ERR_NOT_FOUND);
    cr_expect_eq(s->right, left_first ? ERR_NOT_FOUND : ERR_OK);
    cr_expect_eq(live_in(s, rig_inbox()), 1);
    cr_expect_eq(rig_number(db, s->account,
                            "select item from placement where account_id = $1 and mailbox_id = 1 and removed_at is null"),
                 s->uid, "the item stays");
}

static void one_restores(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->left_restored.err, left_first ? ERR_OK : ERR_EXISTS);
    cr_expect_eq(s->right_restored.err, left_first ? ERR_EXISTS : ERR_OK);
    cr_expect_eq(s->left_restored.uid, s->right_restored.uid, "both are told the same place");
    cr_expect_eq(s->left_restored.mailbox.n, s->right_restored.mailbox.n);
    cr_expect_eq(live_in(s, s->box), 1);
}

static void restored_box_or_deleted_copy(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->left_restored.err, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(live_in(s, s->box), left_first ? 0 : 1);
    cr_expect_eq(rig_number(db, s->account,
                            "select count(*) from mailbox where account_id = $1 and name = 'Box' and deleted_at is null"),
                 left_first ? 0 : 1);
}

static void restored_into_box_or_refused(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->left, left_first ? ERR_OK : ERR_NOT_FOUND);
    cr_expect_eq(live_in(s, s->box), 0);
    cr_expect_geq(restorable_in(s, s->box), 1, "it can still be brought back");
}

static void restored_or_gone(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->right_restored.err, left_first ? ERR_NOT_FOUND : ERR_OK);
    cr_expect_eq(live_in(s, s->box), left_first ? 0 : 1);
}

static void the_moved_one_is_whole(const struct scene *s, bool left_first)
{
    (void)left_first;
    struct arena *arena = arena_open();
    cr_expect_eq(s->left, ERR_OK);
    cr_expect_eq(s->right, ERR_OK);
    cr_expect_eq(s->right_count, 1u);
    struct slice text = rig_text(db, arena, s->account, s->other_box, 1);
    cr_expect(slice_eq(text, SLICE_LIT("one")), "%.*s", SLICE_ARG(text));
    arena_close(&arena);
}

static void one_gets_the_name(const struct scene *s, bool left_first)
{
    cr_expect_eq(s->left, left_first ? ERR_OK : ERR_EXISTS);
    cr_expect_eq(s->right, left_first ? ERR_EXISTS : ERR_OK);
}

/* ---- the races ---- */

static const struct race {
    const char *name;
    void (*left)(struct db *client, void *scene);
    void (*right)(struct db *client, void *scene);
    void (*check)(const struct scene *s, bool left_first);
} races[] = {
    { "move into a mailbox that is being deleted", left_moves_to_box, right_deletes_box, move_is_refused_or_kept },
    { "copy into a mailbox that is being deleted", left_copies_to_box, right_deletes_box, copy_is_refused_or_kept },
    { "append to a mailbox that is being deleted", left_appends_to_box, right_deletes_box, arrival_is_refused_or_kept },
    { "delivery to a mailbox that is being deleted", left_delivers_to_box, right_deletes_box, arrival_is_refused_or_kept },
    { "move of a message whose flags are being changed", left_moves_to_box, right_changes_flags, moved_flags_go_along },
    { "expunge of a message whose flags are being changed", left_expunges, right_changes_flags,
      flags_of_the_expunged_stay },
    { "two moves of one message", left_moves_to_box, right_moves_to_other_box, one_moves },
    { "two expunges of one message", left_expunges, right_expunges, one_expunges },
    { "two new texts for one draft", left_replaces, right_replaces, one_replaces },
    { "two admins restore one mail", left_restores, right_restores, one_restores },
    { "restore while its mailbox is being deleted", left_restores, right_deletes_box, restored_box_or_deleted_copy },
    { "restore into a mailbox that is being deleted", left_restores_to_box, right_deletes_box,
      restored_into_box_or_refused },
    { "purge of a deletion that is being restored", left_purges, right_restores, restored_or_gone },
    { "purge of what is being moved on", left_purges, right_moves_to_other_box, the_moved_one_is_whole },
    { "create and rename to one name", left_creates, right_renames_to_the_same, one_gets_the_name },
};

static struct scene prepare(void)
{
    struct scene s = { .account = rig_account(db) };
    s.box = rig_mailbox(db, s.account, "Box");
    s.other_box = rig_mailbox(db, s.account, "Other");
    s.uid = rig_append(db, s.account, rig_inbox(), "one", 0);
    uint32_t uid = rig_append(db, s.account, s.box, "two", FLAG_FLAGGED);
    struct scene there = { .account = s.account };
    struct arena *arena = arena_open();
    struct change_set changes = { 0 };
    uint32_t *uids;
    size_t count;
    cr_assert_eq(message_expunge(db, arena, there.account, s.box, &(struct uid_range){ uid, uid }, 1, false, &by_imap, &uids,
                                 &count, &changes),
                 ERR_OK);
    arena_close(&arena);
    s.deleted = (struct deleted_id){ s.box, uid };
    return s;
}

static void run_race(const struct race *race, bool left_first)
{
    struct scene s = prepare();
    struct rig_step left = { race->left, &s }, right = { race->right, &s };
    rig_race(db, "select 1 from account where account_id = $1 for update", s.account.n, left_first ? left : right,
             left_first ? right : left);
    race->check(&s, left_first);
    rig_check_counters(db, s.account);
    rig_check_content(db, s.account);
}

Test(races, rows)
{
    for (size_t i = 0; i < sizeof races / sizeof *races; i++) {
        for (int left_first = 1; left_first >= 0; left_first--) {
            fprintf(stderr, "%s: %s first\n", races[i].name, left_first ? "left" : "right"); // shown when it fails
            run_race(&races[i], left_first);
        }
    }
}

/* A move leaves a tombstone and a live row with one message: letting go of the one must not take the other (refs). */
Test(races, purging_a_moved_row_keeps_the_live_content)
{
    struct scene s = prepare();
    struct arena *arena = arena_open();
    struct purge_report report = { 0 };
    cr_assert_eq(move(db, &s, s.other_box, true, &s.left_count), ERR_OK);
    cr_assert_eq(retention_purge(db, FUTURE_US, 0, &report), ERR_OK);
    cr_expect(slice_eq(rig_text(db, arena, s.account, s.other_box, 1), SLICE_LIT("one")));
    rig_check_content(db, s.account);
    rig_check_counters(db, s.account);
    arena_close(&arena);
}

/* ---- counters under many writers ---- */

#define TOGGLERS 6
#define TOGGLES 40
#define TOGGLED 30u

struct toggler {
    struct db *db;
    struct account_id account;
    unsigned seed;
    int failures;
    pthread_t thread;
};

static void *toggle(void *ctx)
{
    struct toggler *t = ctx;
    struct arena *arena = arena_open();
    for (int i = 0; i < TOGGLES; i++) {
        t->seed = t->seed * 1103515245 + 12345;
        uint32_t first = 1 + (t->seed >> 8) % TOGGLED, last = first + (t->seed >> 16) % (TOGGLED - first + 1);
        struct flags_change change = { .mode = (t->seed >> 24) & 1 ? FLAGS_ADD : FLAGS_REMOVE,
                                       .flags = FLAG_SEEN | FLAG_DELETED,
                                       .unchanged_since = -1 };
        struct change_set changes = { 0 };
        struct flags_result *results;
        size_t count;
        t->failures += message_store_flags(t->db, arena, t->account, rig_inbox(), &(struct uid_range){ first, last }, 1,
                                           &change, &by_imap, &results, &count, &changes) != ERR_OK;
        arena_reset(arena);
    }
    arena_close(&arena);
    return NULL;
}

Test(races, counters_stay_exact_under_toggling)
{
    struct account_id account = rig_account(db);
    struct toggler togglers[TOGGLERS];
    for (unsigned i = 0; i < TOGGLED; i++)
        rig_append(db, account, rig_inbox(), "x", 0);
    for (unsigned i = 0; i < TOGGLERS; i++) {
        togglers[i] = (struct toggler){ .db = rig_open(), .account = account, .seed = i + 1 };
        cr_assert_eq(pthread_create(&togglers[i].thread, NULL, toggle, &togglers[i]), 0);
    }
    for (unsigned i = 0; i < TOGGLERS; i++) {
        pthread_join(togglers[i].thread, NULL);
        cr_expect_eq(togglers[i].failures, 0);
        db_close(&togglers[i].db);
    }
    rig_check_counters(db, account);
}
