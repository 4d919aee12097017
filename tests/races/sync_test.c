/* Two requests of one device at once, and a device against everybody else (hard cases 5, 11). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "storage/sync.h"
#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;
static struct account_id account;
static struct device_id device;
static struct mailbox_id drafts, archive;

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    account = rig_account(db);
    device = rig_device(db, account, "RACER");
    struct mailbox box;
    cr_assert_eq(mailbox_find(db, arena, account, SLICE_LIT("Drafts"), &box), ERR_OK);
    drafts = box.id;
    cr_assert_eq(mailbox_find(db, arena, account, SLICE_LIT("Archive"), &box), ERR_OK);
    archive = box.id;
}

static void teardown(void)
{
    rig_check_counters(db, account);
    rig_check_content(db, account);
    arena_close(&arena);
    db_close(&db);
}

TestSuite(sync_races, .init = setup, .fini = teardown, .timeout = 120);

static struct sync_state open_sync(struct db *client, struct mailbox_id mailbox, const char *key)
{
    struct sync_state state;
    cr_assert_eq(sync_begin(client, arena, account, device, mailbox, slice_of(key), &state), ERR_OK, "%s",
                 db_trace(client)->text);
    return state;
}

static struct sync_state first_key(struct mailbox_id mailbox)
{
    struct sync_state state;
    cr_assert_eq(sync_reset(db, arena, account, device, mailbox, SLICE_LIT(""), &state), ERR_OK);
    return state;
}

/* ---- the newer request wins, in whichever order the two finish (11c) ---- */

enum step { BEGIN_1, LOOK_1, COMMIT_1, BEGIN_2, LOOK_2, COMMIT_2, END };

static const struct {
    const char *name;
    enum step steps[7];
    enum err first, second; // what the commits give
} orders[] = {
    { "one behind the other", { BEGIN_1, LOOK_1, COMMIT_1, BEGIN_2, LOOK_2, COMMIT_2, END }, ERR_OK, ERR_OK },
    { "the second begins before the first commits", { BEGIN_1, LOOK_1, BEGIN_2, COMMIT_1, LOOK_2, COMMIT_2, END },
      ERR_CONFLICT, ERR_OK },
    { "the second overtakes the first", { BEGIN_1, LOOK_1, BEGIN_2, LOOK_2, COMMIT_2, COMMIT_1, END }, ERR_CONFLICT, ERR_OK },
    { "the second overtakes between begin and look", { BEGIN_1, BEGIN_2, LOOK_2, COMMIT_2, LOOK_1, COMMIT_1, END },
      ERR_CONFLICT, ERR_OK },
};

Test(sync_races, the_newer_of_two_requests_wins)
{
    rig_append(db, account, rig_inbox(), "one", 0);
    rig_append(db, account, rig_inbox(), "two", 0);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct sync_state state[2];
        struct sync_look look[2];
        char key[2][SYNC_KEY_MAX + 1];
        enum err done[2] = { ERR_STATE, ERR_STATE };
        char old[SYNC_KEY_MAX + 1];
        snprintf(old, sizeof old, "%s", first_key(rig_inbox()).key);
        for (const enum step *step = orders[i].steps; *step != END; step++) {
            int n = *step >= BEGIN_2;
            switch (*step) {
            case BEGIN_1:
            case BEGIN_2:
                state[n] = open_sync(db, rig_inbox(), old);
                break;
            case LOOK_1:
            case LOOK_2:
                cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &state[n].at, (struct sync_cut){ 0 }, 10,
                                       &look[n]),
                             ERR_OK);
                cr_expect_eq(look[n].count, 2u, "%s: each request tells the same", orders[i].name);
                break;
            default:
                done[n] = sync_commit(db, account, device, rig_inbox(), &state[n], &look[n].next, SLICE_LIT(""), key[n]);
            }
        }
        cr_expect_eq(done[0], orders[i].first, "%s: first: %s", orders[i].name, err_name(done[0]));
        cr_expect_eq(done[1], orders[i].second, "%s: second: %s", orders[i].name, err_name(done[1]));
        // The phone holds the second answer's key: it is known, and nothing is told twice.
        struct sync_state next = open_sync(db, rig_inbox(), key[1]);
        cr_expect_not(next.replay);
        cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &next.at, (struct sync_cut){ 0 }, 10, &look[0]), ERR_OK);
        cr_expect_eq(look[0].count, 0u, "%s", orders[i].name);
    }
}

/* ---- steps of clients ---- */

struct scene {
    char key[SYNC_KEY_MAX + 1];
    uint32_t item;
    enum err left, right;
    struct sync_result left_result, right_result;
    int64_t left_generation, right_generation;
    uint32_t left_item, right_item;
};

static enum err begin(struct db *client, const struct scene *s, int64_t *generation)
{
    struct arena *room = arena_open();
    struct sync_state state = { .generation = 0 };
    enum err err = sync_begin(client, room, account, device, rig_inbox(), slice_of(s->key), &state);
    *generation = state.generation;
    arena_close(&room);
    return err;
}

static void left_begins(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = begin(client, s, &s->left_generation);
}

static void right_begins(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = begin(client, s, &s->right_generation);
}

Test(sync_races, each_request_has_a_generation_of_its_own)
{
    struct scene s = { .item = 0 };
    snprintf(s.key, sizeof s.key, "%s", first_key(rig_inbox()).key);
    rig_race(db, "select 1 from sync_state where account_id = $1 and mailbox_id = 1 for update", account.n,
             (struct rig_step){ left_begins, &s }, (struct rig_step){ right_begins, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_OK);
    cr_expect_eq(s.right_generation, s.left_generation + 1, "who asked last is the newest");
}

#define HOLD_ACCOUNT "select 1 from account where account_id = $1 for update"

static struct append_item a_draft(const char *text)
{
    return (struct append_item){ .message = { .octets = { .memory = slice_of(text), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .internal_date_us = 1700000000000000,
                                 .flags = FLAG_DRAFT };
}

static enum err add_draft(struct db *client, struct scene *s, struct sync_result *result)
{
    struct append_item item = a_draft("a draft");
    struct change_set changes = { 0 };
    struct arena *own = arena_open();
    enum err err = sync_add_draft(client, own, account, device, drafts, slice_of(s->key), SLICE_LIT("client-1"), &item, result,
                                  &changes);
    arena_close(&own);
    return err;
}

static void left_adds_a_draft(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = add_draft(client, s, &s->left_result);
}

static void right_adds_a_draft(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = add_draft(client, s, &s->right_result);
}

/* The phone lost patience and repeats its request while the first one is still under way: one draft, one id. */
Test(sync_races, a_draft_and_its_repeat_make_one_draft)
{
    struct scene s = { .item = 0 };
    snprintf(s.key, sizeof s.key, "%s", first_key(drafts).key);
    rig_race(db, HOLD_ACCOUNT, account.n, (struct rig_step){ left_adds_a_draft, &s },
             (struct rig_step){ right_adds_a_draft, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_OK);
    cr_expect_eq(s.left_result.item, s.right_result.item);
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), 1);
}

static enum err change_draft(struct db *client, struct scene *s, struct sync_result *result)
{
    struct append_item item = a_draft("a draft, longer");
    struct change_set changes = { 0 };
    struct draft_edit edit = { .item = s->item, .since = -1 };
    struct arena *own = arena_open();
    enum err err = sync_change_draft(client, own, account, device, drafts, slice_of(s->key), &edit, &item, result, &changes);
    arena_close(&own);
    return err;
}

static void left_changes_a_draft(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = change_draft(client, s, &s->left_result);
}

static void right_changes_a_draft(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = change_draft(client, s, &s->right_result);
}

Test(sync_races, a_changed_draft_and_its_repeat_change_it_once)
{
    struct scene s = { .item = rig_append(db, account, drafts, "a draft", FLAG_DRAFT) };
    snprintf(s.key, sizeof s.key, "%s", first_key(drafts).key);
    rig_race(db, HOLD_ACCOUNT, account.n, (struct rig_step){ left_changes_a_draft, &s },
             (struct rig_step){ right_changes_a_draft, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_OK);
    cr_expect_eq(s.left_result.item, s.item);
    cr_expect_eq(s.right_result.item, s.item);
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), 2,
                 "the replaced row and the new one");
}

/* A desktop saves the same draft: the phone's change finds the item, whatever its uid is by then. */
static void left_replaces_by_desktop(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct append_item item = a_draft("the desktop's text");
    struct change_set changes = { 0 };
    s->left = message_replace(client, account, drafts, s->item, &item, &by_imap, &changes);
}

Test(sync_races, a_draft_changed_by_desktop_and_phone)
{
    struct scene s = { .item = rig_append(db, account, drafts, "a draft", FLAG_DRAFT) };
    snprintf(s.key, sizeof s.key, "%s", first_key(drafts).key);
    rig_race(db, HOLD_ACCOUNT, account.n, (struct rig_step){ left_replaces_by_desktop, &s },
             (struct rig_step){ right_changes_a_draft, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_OK, "%s", err_name(s.right));
    cr_expect(slice_eq(rig_text(db, arena, account, drafts, 3), SLICE_LIT("a draft, longer")));
    cr_expect_eq(rig_number(db, account, "select item from placement where account_id = $1 and removed_at is null"), s.item);
}

static enum err move_item(struct db *client, const struct scene *s, uint32_t *made)
{
    struct actor by = { .protocol = BY_EAS, .device = device, .name = "phone" };
    struct change_set changes = { 0 };
    return sync_move(client, account, device, rig_inbox(), s->item, archive, &by, made, &changes);
}

static void left_moves(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->left = move_item(client, s, &s->left_item);
}

static void right_moves(struct db *client, void *scene)
{
    struct scene *s = scene;
    s->right = move_item(client, s, &s->right_item);
}

Test(sync_races, a_move_and_its_repeat_move_once)
{
    struct scene s = { .item = rig_append(db, account, rig_inbox(), "one", 0) };
    rig_race(db, HOLD_ACCOUNT, account.n, (struct rig_step){ left_moves, &s }, (struct rig_step){ right_moves, &s });
    cr_expect_eq(s.left, ERR_OK);
    cr_expect_eq(s.right, ERR_OK);
    cr_expect_eq(s.left_item, s.right_item, "the repeat is answered with the same DstMsgId");
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1 and removed_at is null"), 1);
}

/* ---- phone and desktop change one mail's flags ---- */

static void left_flags_by_phone(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct sync_flags flags = { .read = 1, .flagged = -1 };
    struct change_set changes = { 0 };
    s->left = sync_change_flags(client, account, device, rig_inbox(), s->item, &flags, &changes);
}

static void right_flags_by_desktop(struct db *client, void *scene)
{
    struct scene *s = scene;
    struct arena *room = arena_open();
    struct flags_change change = { .mode = FLAGS_ADD, .flags = FLAG_ANSWERED, .unchanged_since = -1 };
    struct flags_result *results;
    struct change_set changes = { 0 };
    size_t count;
    s->right = message_store_flags(client, room, account, rig_inbox(), &(struct uid_range){ s->item, s->item }, 1, &change,
                                   &by_imap, &results, &count, &changes);
    arena_close(&room);
}

/* Whoever was first, the phone hears of the desktop's change, and both changes stand (5b). */
Test(sync_races, the_desktops_change_is_told_whoever_was_first)
{
    for (int phone_first = 1; phone_first >= 0; phone_first--) {
        struct scene s = { .item = rig_append(db, account, rig_inbox(), "one", 0) };
        struct sync_state state = first_key(rig_inbox());
        struct sync_look look;
        char key[SYNC_KEY_MAX + 1];
        state = open_sync(db, rig_inbox(), state.key);
        cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &state.at, (struct sync_cut){ 0 }, 10, &look), ERR_OK);
        cr_assert_eq(sync_commit(db, account, device, rig_inbox(), &state, &look.next, SLICE_LIT(""), key), ERR_OK);
        state = open_sync(db, rig_inbox(), key);
        struct rig_step phone = { left_flags_by_phone, &s }, desktop = { right_flags_by_desktop, &s };
        rig_race(db, HOLD_ACCOUNT, account.n, phone_first ? phone : desktop, phone_first ? desktop : phone);
        cr_expect_eq(s.left, ERR_OK);
        cr_expect_eq(s.right, ERR_OK);
        cr_assert_eq(sync_look(db, arena, account, device, rig_inbox(), &state.at, (struct sync_cut){ 0 }, 10, &look), ERR_OK);
        cr_assert_eq(look.count, 1u, "phone %s", phone_first ? "first" : "second");
        cr_expect_eq(look.items[0].op, SYNC_CHANGE);
        cr_expect_eq(look.items[0].row.flags, (uint64_t)(FLAG_SEEN | FLAG_ANSWERED));
    }
}
