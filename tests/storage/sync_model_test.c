/* The ActiveSync state against a model of phones, on the real store (hard cases 1, 2, 5, 7, 8, 10, 11, 12): two phones
 * with windows and filters of their own, a desktop that writes in between, deliveries, moves, restores, purges, drafts
 * that are edited on both sides, lost replies, cut answers, parallel requests, Pings. Whatever happens, when all is quiet
 * each phone has exactly what its filter shows; it never gets a second Add, never a Change of what it was not given, and
 * never has to start over; and Ping says that there is news exactly when Sync has some.
 * The same runs find each of a list of faults that are put into the SQL of a scratch database, and into the phone.
 * GODWIT_MODEL_SEEDS says how many runs (default 150), GODWIT_MODEL_FIRST where they begin. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/account.h"
#include "storage/retention.h"
#include "storage/sync.h"
#include "tests/support/rig.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define NOW_US (INT64_C(1780000000) * 1000000)
#define STEPS 60
#define ITEMS_MAX 2000u
#define PHONES 2
#define BOXES 2 // 0: Inbox, 1: Drafts: moves go between them, drafts are made in the second
#define ROUNDS_MAX 1000

enum sabotage { HONEST, LOSE_AN_ADD, LOSE_A_CHANGE, LOSE_A_DELETE };

struct known { // what a phone has of an item
    bool there;
    uint64_t flags; // SEEN and FLAGGED
    int64_t message;
};

struct command { // of a request whose reply has not come yet
    enum { NO_COMMAND, CHANGE_FLAG, DELETE_ITEM, ADD_DRAFT, CHANGE_DRAFT } kind;
    uint32_t item;
    uint64_t flag; // of CHANGE_FLAG: which one, and
    bool on;       // its new state
    char client_id[32];
    struct known result; // of a draft
};

struct box {
    char key[SYNC_KEY_MAX + 1]; // "": never synced
    struct known items[ITEMS_MAX];
    struct command pending;
};

struct phone {
    struct device_id device;
    uint32_t window;
    int days; // filter; 0: all
    struct box boxes[BOXES];
};

struct world {
    struct db *db;
    struct arena *arena;
    struct account_id account;
    struct mailbox_id mailboxes[BOXES], trash;
    struct phone phones[PHONES];
    uint64_t random;
    unsigned seed, client_ids;
    int64_t now_us;
    enum sabotage sabotage;
    bool traced;
    char error[200]; // the first divergence; "": none
};

static uint32_t roll(struct world *world, uint32_t below)
{
    world->random = world->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(world->random >> 33) % below;
}

__attribute__((format(printf, 2, 3))) static void diverges(struct world *world, const char *format, ...)
{
    va_list args;
    if (world->error[0])
        return;
    va_start(args, format);
    vsnprintf(world->error, sizeof world->error, format, args);
    va_end(args);
}

/* What happens, with GODWIT_MODEL_TRACE set. */
__attribute__((format(printf, 2, 3))) static void story(struct world *world, const char *format, ...)
{
    va_list args;
    if (!world->traced)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void must(struct world *world, enum err err, const char *what)
{
    cr_assert_eq(err, ERR_OK, "seed %u: %s: %s (%s)", world->seed, what, err_name(err), db_trace(world->db)->text);
}

/* ---- the desktop ---- */

static const struct actor desktop = { .protocol = BY_IMAP, .name = "desktop" };

static struct message_new new_message(struct world *world)
{
    char *text = arena_printf(world->arena, "Subject: %u.%u\r\n\r\nx\r\n", world->seed, roll(world, 1u << 30));
    return (struct message_new){ .octets = { slice_of(text), -1, (int64_t)strlen(text) }, .meta = SLICE_LIT("meta") };
}

static int64_t some_date(struct world *world)
{
    static const int ages[] = { 0, 0, 0, 5, 50, 50 };
    return world->now_us - ages[roll(world, 6)] * DAY_US;
}

static void add_mail(struct world *world, int box, uint32_t count)
{
    struct change_set changes = { .count = 0 };
    struct append_item *items = arena_new(world->arena, struct append_item, count + 1);
    uint32_t uidvalidity;
    int64_t date = some_date(world);
    for (uint32_t i = 0; i < count; i++) {
        if (roll(world, 3))
            date = some_date(world); // else the same instant: ties at the cut
        items[i] = (struct append_item){ .message = new_message(world), .internal_date_us = date };
    }
    must(world,
         message_append(world->db, world->account, world->mailboxes[box], items, count, &desktop, &uidvalidity, &changes),
         "append");
    story(world, "append box %d: %u from uid %u", box, count, count ? items[0].uid : 0);
}

/* Some live rows of a mailbox as ranges; 0: it is empty. */
static size_t some_rows(struct world *world, int box, uint32_t most, struct uid_range *ranges)
{
    struct mailbox_look look;
    must(world, message_load(world->db, world->arena, world->account, world->mailboxes[box], &look), "load");
    size_t count = 0;
    for (size_t i = 0; i < look.row_count && count < most; i++) {
        if (roll(world, 2))
            ranges[count++] = (struct uid_range){ look.rows[i].uid, look.rows[i].uid };
    }
    free(look.rows);
    return count;
}

/* Mail by LMTP. */
static void deliver_mail(struct world *world)
{
    struct change_set changes = { .count = 0 };
    struct delivery_target target = { .account = world->account, .prefix = SLICE_LIT("Delivered-To: you\r\n") };
    struct delivery delivery = { .message = new_message(world), .delivery_id = world->now_us + roll(world, 1u << 30),
                                 .internal_date_us = world->now_us, .targets = &target, .target_count = 1 };
    struct delivery *list = &delivery;
    must(world, message_deliver(world->db, &list, 1, &changes), "deliver");
    must(world, target.result, "delivery");
    story(world, "delivery: uid %u", target.uid);
}

static void store_flag(struct world *world)
{
    struct uid_range ranges[20];
    struct change_set changes = { .count = 0 };
    struct flags_result *results;
    int box = (int)roll(world, BOXES);
    size_t changed, count = some_rows(world, box, 1 + roll(world, 20), ranges);
    struct flags_change change = { .mode = roll(world, 2) ? FLAGS_ADD : FLAGS_REMOVE,
                                   .flags = roll(world, 3) ? FLAG_SEEN : FLAG_FLAGGED,
                                   .unchanged_since = -1 };
    if (count)
        must(world,
             message_store_flags(world->db, world->arena, world->account, world->mailboxes[box], ranges, count, &change,
                                 &desktop, &results, &changed, &changes),
             "store");
    if (count)
        story(world, "store box %d: %s %s, %zu changed", box, change.mode == FLAGS_ADD ? "add" : "remove",
              change.flags == FLAG_SEEN ? "seen" : "flagged", changed);
}

static void expunge(struct world *world)
{
    struct uid_range ranges[6];
    struct change_set changes = { .count = 0 };
    int box = (int)roll(world, BOXES);
    uint32_t *uids;
    size_t gone, count = some_rows(world, box, 1 + roll(world, 6), ranges);
    if (count)
        must(world,
             message_expunge(world->db, world->arena, world->account, world->mailboxes[box], ranges, count, false, &desktop,
                             &uids, &gone, &changes),
             "expunge");
    for (size_t i = 0; count && i < gone; i++)
        story(world, "expunge box %d: uid %u", box, uids[i]);
}

static void move_mail(struct world *world)
{
    struct uid_range ranges[4];
    struct change_set changes = { .count = 0 };
    int box = (int)roll(world, BOXES);
    struct copied *copied;
    uint32_t uidvalidity;
    size_t done, count = some_rows(world, box, 1 + roll(world, 4), ranges);
    if (count)
        must(world,
             message_copy(world->db, world->arena, world->account, world->mailboxes[box], ranges, count,
                          world->mailboxes[1 - box], true, &desktop, &copied, &done, &uidvalidity, &changes),
             "move");
    for (size_t i = 0; count && i < done; i++)
        story(world, "desktop moves from box %d: uid %u to %u", box, copied[i].from, copied[i].to);
}

/* Mostly a draft; in the Inbox a new text with another date must not make the item cross a filter. */
static void replace_text(struct world *world)
{
    int box = roll(world, 3) != 0;
    struct uid_range range = { 0, 0 };
    struct change_set changes = { .count = 0 };
    struct append_item item = { .message = new_message(world), .internal_date_us = some_date(world) };
    if (some_rows(world, box, 1, &range))
        must(world,
             message_replace(world->db, world->account, world->mailboxes[box], range.first, &item, &desktop, &changes),
             "replace");
    story(world, "desktop replaces in box %d: uid %u by %u, item %u", box, range.first, item.uid, item.item);
}

static void restore(struct world *world)
{
    struct deleted_filter filter = { .limit = 10 };
    struct deleted_row *rows;
    struct restored result;
    struct change_set changes = { .count = 0 };
    size_t count;
    must(world, deleted_list(world->db, world->arena, world->account, &filter, &rows, &count), "deleted list");
    if (count == 0)
        return;
    size_t which = roll(world, (uint32_t)count);
    struct deleted_id id = { rows[which].mailbox, rows[which].uid };
    struct actor admin = { .protocol = BY_ADMIN, .name = "admin" };
    must(world,
         deleted_restore(world->db, world->arena, world->account, &id, 1, (struct mailbox_id){ 0 }, &admin, &result,
                         &changes),
         "restore");
    story(world, "restore: mailbox %d uid %u: %s, now uid %u", (int)id.mailbox.n, id.uid, err_name(result.err), result.uid);
}

/* Retention lets go of the content of everything that was removed so far; the tombstones stay. */
static void purge_content(struct world *world)
{
    rig_run(world->db, "select purge_1($1, now() + interval '1 day', null, 1000)", world->account.n);
    story(world, "purge");
}

/* ---- a phone ---- */

static struct known *item_of(struct world *world, struct box *box, uint32_t item)
{
    (void)world;
    cr_assert_lt(item, ITEMS_MAX);
    return &box->items[item];
}

static uint32_t some_item(struct world *world, struct box *box)
{
    uint32_t found = 0, seen = 0;
    for (uint32_t i = 1; i < ITEMS_MAX; i++) {
        if (box->items[i].there && roll(world, ++seen) == 0)
            found = i;
    }
    return found;
}

/* Drafts are not filtered: a replaced draft has a new date under its old item. */
static struct sync_cut target_of(const struct world *world, const struct phone *phone, int which)
{
    if (phone->days == 0 || which == 1)
        return (struct sync_cut){ 0, 0 };
    return (struct sync_cut){ world->now_us - phone->days * DAY_US, 0 };
}

/* Decides what the next request carries and shows it on the phone at once. */
static void choose_command(struct world *world, struct phone *phone, int which)
{
    struct box *box = &phone->boxes[which];
    struct command *command = &box->pending;
    uint32_t item = some_item(world, box);
    if (command->kind != NO_COMMAND || !box->key[0])
        return;
    *command = (struct command){ .item = item };
    switch (roll(world, 8)) {
    case 0:
    case 1:
        if (!item)
            return;
        command->kind = CHANGE_FLAG;
        command->flag = roll(world, 3) ? FLAG_SEEN : FLAG_FLAGGED;
        command->on = (box->items[item].flags & command->flag) == 0;
        box->items[item].flags ^= command->flag;
        break;
    case 2:
        if (!item)
            return;
        command->kind = DELETE_ITEM;
        box->items[item].there = false;
        break;
    case 3:
        if (which != 1)
            return;
        command->kind = ADD_DRAFT;
        snprintf(command->client_id, sizeof command->client_id, "c%u", ++world->client_ids);
        break;
    case 4:
        if (which != 1 || !item)
            return;
        command->kind = CHANGE_DRAFT;
        break;
    default:
        break;
    }
}

static void note_draft(struct world *world, struct box *box, int which, uint32_t item)
{
    struct sync_item stored;
    const char *const *keywords;
    size_t keyword_count;
    enum err err = sync_get_item(world->db, world->arena, world->account, world->mailboxes[which], item, &stored, &keywords,
                                 &keyword_count);
    box->pending.item = item;
    if (box->pending.result.there)
        return; // a repeat: what the phone has is what it sent first
    if (err == ERR_NOT_FOUND)
        return; // somebody else was quicker
    must(world, err, "get item");
    // Editing a draft leaves its flags alone: the phone goes on to show those that it knows.
    uint64_t flags = box->pending.kind == CHANGE_DRAFT ? box->items[item].flags : 0;
    box->pending.result = (struct known){ true, flags, stored.row.message.n };
}

/* The Sync command asks this first: a repeat is answered from what is remembered. */
static bool done_before(struct world *world, struct phone *phone, int which, struct slice id, struct sync_result *result)
{
    struct box *box = &phone->boxes[which];
    enum err err = sync_result_find(world->db, world->arena, world->account, phone->device, world->mailboxes[which],
                                    slice_of(box->key), id, result);
    if (err == ERR_NOT_FOUND)
        return false;
    must(world, err, "find result");
    if (!box->pending.result.there)
        note_draft(world, box, which, result->item); // the answer itself was never seen
    return true;
}

/* The command part of a request; a repeat comes under the same key. */
static void send_command(struct world *world, struct phone *phone, int which)
{
    struct box *box = &phone->boxes[which];
    struct command *command = &box->pending;
    struct change_set changes = { .count = 0 };
    struct slice key = slice_of(box->key);
    struct actor by = { .protocol = BY_EAS, .device = phone->device, .name = "phone" };
    struct sync_flags flags = { .read = command->flag == FLAG_SEEN ? command->on : -1,
                                .flagged = command->flag == FLAG_FLAGGED ? command->on : -1 };
    struct sync_result result = { .err = ERR_OK };
    struct append_item draft = { .message = new_message(world), .internal_date_us = world->now_us, .flags = FLAG_DRAFT,
                                 .born_by = phone->device };
    enum err err = ERR_OK;
    switch (command->kind) {
    case CHANGE_FLAG:
        err = sync_change_flags(world->db, world->account, phone->device, world->mailboxes[which], command->item, &flags,
                                &changes);
        break;
    case DELETE_ITEM:
        err = sync_delete(world->db, world->account, phone->device, world->mailboxes[which], &command->item, 1,
                          roll(world, 2), &by, &changes);
        break;
    case ADD_DRAFT:
        if (done_before(world, phone, which, slice_of(command->client_id), &result))
            break;
        err = sync_add_draft(world->db, world->arena, world->account, phone->device, world->mailboxes[which], key,
                             slice_of(command->client_id), &draft, &result, &changes);
        if (!err && !result.err)
            note_draft(world, box, which, result.item);
        break;
    case CHANGE_DRAFT:
        if (done_before(world, phone, which, slice_of(arena_printf(world->arena, "%u", command->item)), &result))
            break;
        struct draft_edit edit = { .item = command->item, .since = -1 };
        err = sync_change_draft(world->db, world->arena, world->account, phone->device, world->mailboxes[which], key, &edit,
                                &draft, &result, &changes);
        if (!err && !result.err)
            note_draft(world, box, which, command->item);
        break;
    default:
        break;
    }
    story(world, "phone %d box %d: command %d item %u flag %d %s: %s", (int)(phone - world->phones), which, command->kind,
          command->item, (int)command->flag, command->on ? "on" : "off", err_name(err));
    if (err != ERR_NOT_FOUND) // the item is gone: a Delete is on its way
        must(world, err, "command");
}

/* The reply has come: what the phone made has an id now. */
static void finish_command(struct world *world, struct box *box)
{
    struct command *command = &box->pending;
    if ((command->kind == ADD_DRAFT || command->kind == CHANGE_DRAFT) && command->result.there)
        *item_of(world, box, command->item) = command->result;
    *command = (struct command){ .kind = NO_COMMAND };
}

static bool is_lost(struct world *world, enum sync_op op)
{
    static const enum sync_op lost[] = { [LOSE_AN_ADD] = SYNC_ADD, [LOSE_A_CHANGE] = SYNC_CHANGE,
                                         [LOSE_A_DELETE] = SYNC_DELETE };
    return world->sabotage != HONEST && lost[world->sabotage] == op && roll(world, 8) == 0;
}

static void take_items(struct world *world, struct box *box, const struct command *done, const struct sync_look *look,
                       size_t sent)
{
    for (size_t i = 0; i < sent; i++) {
        const struct sync_item *item = &look->items[i];
        struct known *known = item_of(world, box, item->item);
        if (is_lost(world, item->op))
            continue;
        uint64_t flags = item->row.flags & (FLAG_SEEN | FLAG_FLAGGED);
        if (item->op == SYNC_ADD) {
            if (known->there)
                diverges(world, "a second Add of item %u", item->item);
            *known = (struct known){ true, flags, item->row.message.n };
        } else if (item->op == SYNC_CHANGE) {
            // A phone that deletes an item at the same time throws the Change away.
            if (!known->there && !(done->kind == DELETE_ITEM && done->item == item->item))
                diverges(world, "a Change of item %u, which it does not have", item->item);
            known->flags = flags;
            if (item->full)
                known->message = item->row.message.n;
        } else {
            known->there = false;
        }
    }
}

static void prime(struct world *world, struct phone *phone, int which)
{
    struct sync_state state;
    struct box *box = &phone->boxes[which];
    must(world,
         sync_reset(world->db, world->arena, world->account, phone->device, world->mailboxes[which], SLICE_LIT(""), &state),
         "reset");
    snprintf(box->key, sizeof box->key, "%s", state.key);
}

/* One Sync request. Returns whether it told anything (or was lost). */
static bool sync_box(struct world *world, struct phone *phone, int which, bool calm)
{
    struct box *box = &phone->boxes[which];
    struct mailbox_id mailbox = world->mailboxes[which];
    struct sync_state state, other;
    struct sync_look look;
    char key[SYNC_KEY_MAX + 1];
    if (!box->key[0]) {
        prime(world, phone, which);
        return true;
    }
    bool commanded = box->pending.kind != NO_COMMAND;
    enum err err = sync_begin(world->db, world->arena, world->account, phone->device, mailbox, slice_of(box->key), &state);
    if (err == ERR_CONFLICT) {
        diverges(world, "a false start over");
        box->key[0] = 0;
        return false;
    }
    must(world, err, "begin");
    send_command(world, phone, which);
    must(world,
         sync_look(world->db, world->arena, world->account, phone->device, mailbox, &state.at, target_of(world, phone, which),
                   phone->window, &look),
         "look");
    if (look.count > phone->window)
        diverges(world, "%zu items in a window of %u", look.count, phone->window);
    if (look.more && look.count == 0)
        diverges(world, "MoreAvailable with nothing to show for it");
    // The phone lost patience and asked again: this request must end without effect on the state.
    if (!calm && roll(world, 12) == 0) {
        must(world, sync_begin(world->db, world->arena, world->account, phone->device, mailbox, slice_of(box->key), &other),
             "second begin");
        err = sync_commit(world->db, world->account, phone->device, mailbox, &state, &look.next, SLICE_LIT(""), key);
        if (err != ERR_CONFLICT)
            diverges(world, "an older request wrote its state: %s", err_name(err));
        return true;
    }
    for (size_t i = 0; i < look.count; i++)
        story(world, "  op %d%s item %u uid %u modseq %d flags %d", look.items[i].op, look.items[i].full ? " full" : "",
              look.items[i].item, look.items[i].uid, (int)look.items[i].row.modseq, (int)look.items[i].row.flags);
    size_t sent = look.count;
    if (look.count > 1 && roll(world, 6) == 0)
        sent = 1 + roll(world, (uint32_t)look.count - 1); // cut by size
    struct sync_position next = sent < look.count ? sync_position_after(&state.at, &look, sent) : look.next;
    if (!look.count && !commanded && state.primed) {
        must(world, sync_advance(world->db, world->account, phone->device, mailbox, &state, &look), "advance");
        return false;
    }
    must(world, sync_commit(world->db, world->account, phone->device, mailbox, &state, &next, SLICE_LIT(""), key), "commit");
    bool lost = !calm && roll(world, 5) == 0;
    story(world, "phone %d box %d%s%s: S %d to %d, A %u to %u, B %u to %u, %zu of %zu%s", (int)(phone - world->phones),
          which, state.replay ? " replay" : "", lost ? " LOST" : "", (int)state.at.s, (int)next.s, state.at.a, next.a,
          state.at.b, next.b, sent, look.count, look.more ? " more" : "");
    if (lost)
        return true;
    struct command done = box->pending;
    finish_command(world, box);
    take_items(world, box, &done, &look, sent);
    snprintf(box->key, sizeof box->key, "%s", key);
    return true;
}

/* MoveItems by the phone; a lost reply is repeated at once, and must give the same. */
static void phone_moves(struct world *world, struct phone *phone)
{
    int from = (int)roll(world, BOXES);
    struct box *source = &phone->boxes[from], *target = &phone->boxes[1 - from];
    uint32_t item = some_item(world, source), made = 0, again = 0;
    struct actor by = { .protocol = BY_EAS, .device = phone->device, .name = "phone" };
    struct change_set changes = { .count = 0 };
    if (!item || !target->key[0] || source->pending.kind != NO_COMMAND)
        return;
    enum err err = sync_move(world->db, world->account, phone->device, world->mailboxes[from], item,
                             world->mailboxes[1 - from], &by, &made, &changes);
    if (err == ERR_NOT_FOUND)
        return;
    must(world, err, "move");
    if (roll(world, 3) == 0) {
        err = sync_move(world->db, world->account, phone->device, world->mailboxes[from], item, world->mailboxes[1 - from],
                        &by, &again, &changes);
        must(world, err, "repeated move");
        if (again != made)
            diverges(world, "the repeated move gave item %u, not %u", again, made);
    }
    story(world, "phone %d moves from box %d: item %u to %u", (int)(phone - world->phones), from, item, made);
    *item_of(world, target, made) = source->items[item];
    source->items[item].there = false;
}

/* ---- Ping tells the truth ---- */

static void check_news(struct world *world, struct phone *phone, int which)
{
    struct sync_watch watch = { .mailbox = world->mailboxes[which] };
    struct sync_state state;
    struct sync_look look;
    bool hierarchy;
    if (!phone->boxes[which].key[0])
        return;
    must(world,
         sync_begin(world->db, world->arena, world->account, phone->device, watch.mailbox, slice_of(phone->boxes[which].key),
                    &state),
         "begin");
    if (!state.primed || state.replay)
        return;
    if (roll(world, 2)) // a state that is a day old is moved by a look that finds nothing
        rig_run(world->db, "update sync_state set updated_at = now() - interval '2 days' where account_id = $1",
                world->account.n);
    must(world, sync_news(world->db, world->account, phone->device, &watch, 1, &hierarchy), "news");
    must(world,
         sync_look(world->db, world->arena, world->account, phone->device, watch.mailbox, &state.at, state.at.cut,
                   SYNC_WINDOW_MAX, &look),
         "look");
    size_t told = 0;
    for (size_t i = 0; i < look.count; i++)
        told += look.items[i].step == SYNC_NEW || look.items[i].step == SYNC_CHANGES;
    story(world, "phone %d box %d: Ping says %u, Sync has %zu", (int)(phone - world->phones), which, watch.news, told);
    if (watch.news && told == 0)
        diverges(world, "Ping says there is news, Sync has none");
    if (!watch.news && told)
        diverges(world, "Sync has %zu items, Ping says there is no news", told);
}

/* ---- one run ---- */

static void check_box(struct world *world, struct phone *phone, int number, int which)
{
    struct mailbox_look look;
    struct sync_cut target = target_of(world, phone, which);
    size_t expected = 0, held = 0;
    must(world, message_load(world->db, world->arena, world->account, world->mailboxes[which], &look), "load");
    for (size_t i = 0; i < look.row_count; i++) {
        const struct placement *row = &look.rows[i];
        const struct known *found = NULL;
        bool shown = row->internal_us >= target.date_us;
        for (uint32_t k = 1; k < ITEMS_MAX; k++) {
            if (phone->boxes[which].items[k].there && phone->boxes[which].items[k].message == row->message.n)
                found = &phone->boxes[which].items[k];
        }
        expected += shown;
        if (shown && !found)
            diverges(world, "phone %d lacks uid %u of box %d", number, row->uid, which);
        else if (found && found->flags != (row->flags & (FLAG_SEEN | FLAG_FLAGGED)))
            diverges(world, "phone %d has a stale flag of uid %u of box %d", number, row->uid, which);
    }
    for (uint32_t k = 1; k < ITEMS_MAX; k++)
        held += phone->boxes[which].items[k].there;
    if (held != expected)
        diverges(world, "phone %d has %zu items of box %d, not %zu", number, held, which, expected);
    free(look.rows);
}

/* Whether any phone was told anything; what one still has to say is news to the other. */
static bool sync_everything(struct world *world)
{
    bool told = false;
    for (int number = 0; number < PHONES; number++) {
        for (int which = 0; which < BOXES; which++)
            told |= sync_box(world, &world->phones[number], which, true);
    }
    return told;
}

static void settle(struct world *world)
{
    int rounds = 0;
    while (sync_everything(world) && rounds < ROUNDS_MAX && !world->error[0])
        rounds++;
    if (rounds == ROUNDS_MAX)
        diverges(world, "the phones never end");
    for (int number = 0; number < PHONES; number++) {
        for (int which = 0; which < BOXES; which++)
            check_box(world, &world->phones[number], number, which);
    }
}

static void take_step(struct world *world)
{
    static const uint32_t counts[] = { 1, 1, 2, 8 };
    struct phone *phone = &world->phones[roll(world, PHONES)];
    int which = (int)roll(world, BOXES);
    world->now_us += roll(world, 4) * DAY_US / 2;
    switch (roll(world, 20)) {
    case 0:
    case 1:
    case 2:
        if (roll(world, 4) == 0)
            deliver_mail(world);
        else
            add_mail(world, (int)roll(world, 4) == 0, counts[roll(world, 4)]);
        break;
    case 3:
    case 4:
        store_flag(world);
        break;
    case 5:
        expunge(world);
        break;
    case 6:
        move_mail(world);
        break;
    case 7:
        replace_text(world);
        break;
    case 8:
        if (roll(world, 6) == 0)
            purge_content(world);
        else
            restore(world);
        break;
    case 9:
        phone->days = (const int[]){ 0, 7, 60 }[roll(world, 3)];
        break;
    case 10:
        phone_moves(world, phone);
        break;
    case 11:
        check_news(world, phone, which);
        break;
    case 12:
    case 13:
        choose_command(world, phone, which);
        break;
    default:
        if (roll(world, 4) == 0)
            check_news(world, phone, which);
        sync_box(world, phone, which, false);
    }
}

static void make_account(struct world *world)
{
    static unsigned accounts;
    char login[64];
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    snprintf(login, sizeof login, "model%u.%ld.%u@model.test", world->seed, (long)getpid(), accounts++);
    must(world, account_create(world->db, slice_of(login), "", 0, &world->account), "account");
    must(world, mailbox_list(world->db, world->arena, world->account, &all, &count, &modseq), "mailboxes");
    for (size_t i = 0; i < count; i++) {
        if (all[i].role == ROLE_INBOX)
            world->mailboxes[0] = all[i].id;
        if (all[i].role == ROLE_DRAFTS)
            world->mailboxes[1] = all[i].id;
    }
    for (int i = 0; i < PHONES; i++) {
        struct device device;
        char key[16];
        snprintf(key, sizeof key, "MODEL%d", i);
        must(world,
             device_open(world->db, world->arena, world->account, slice_of(key), SLICE_LIT("Model"), 10, DEVICE_ALLOWED, &device), "device");
        world->phones[i].device = device.id;
        world->phones[i].window = (const uint32_t[]){ 1, 2, 3, 5, 10 }[roll(world, 5)];
    }
}

/* Returns whether the run diverged; the story in *error. */
static bool run_seed(struct db *db, unsigned seed, enum sabotage sabotage, char error[200])
{
    struct world *world = calloc(1, sizeof *world);
    world->db = db;
    world->arena = arena_open();
    world->seed = seed;
    world->traced = getenv("GODWIT_MODEL_TRACE") != NULL;
    world->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    world->sabotage = sabotage;
    world->now_us = NOW_US;
    make_account(world);
    add_mail(world, 0, 1 + roll(world, 30));
    for (int step = 0; step < STEPS && !world->error[0]; step++)
        take_step(world);
    if (!world->error[0])
        settle(world);
    snprintf(error, 200, "%s", world->error);
    arena_close(&world->arena);
    free(world);
    return error[0] != 0;
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

Test(sync_model, phones_never_diverge, .timeout = 3600)
{
    struct db *db = rig_open();
    unsigned first = from_environment("GODWIT_MODEL_FIRST", 1), seeds = from_environment("GODWIT_MODEL_SEEDS", 150);
    char error[200];
    unsigned failed = 0;
    for (unsigned seed = first; seed < first + seeds && failed < 5; seed++) {
        bool diverged = run_seed(db, seed, HONEST, error);
        cr_expect_not(diverged, "seed %u: %s", seed, error);
        failed += diverged;
    }
    db_close(&db);
}

/* ---- a check that cannot fail proves nothing ---- */

#define FAULT_SEEDS 80

/* A phone that loses an item now and then is found out. */
Test(sync_model, finds_a_lost_item, .timeout = 600)
{
    struct db *db = rig_open();
    for (enum sabotage sabotage = LOSE_AN_ADD; sabotage <= LOSE_A_DELETE; sabotage++) {
        char error[200] = "";
        bool found = false;
        for (unsigned seed = 1; seed <= 20 && !found; seed++)
            found = run_seed(db, seed, sabotage, error);
        cr_expect(found, "kind %d was not noticed", (int)sabotage);
    }
    db_close(&db);
}

/* Faults put into the SQL by a replacement within the text of a function. */
static const struct fault {
    const char *name, *function, *right, *wrong;
} faults[] = {
    { "what the device made itself is an Add", "sync_new_1", "p.born_by is not distinct from p_device", "false" },
    { "a device is taken to know what it was not told", "sync_told_1", "return p.changed_by", "return true or p.changed_by" },
    { "changes are judged by the new filter", "sync_look_1", "p_device, p_s, cut_date, cut_item) as op",
      "p_device, p_s, target_date, p_target_item) as op" },
    { "the clock passes changes that were not told", "sync_look_1", "if done then\n    s := clock;", "if true then\n    s := clock;" },
    { "new rows are passed that were not told", "sync_look_1", "    a := p.item;", "    a := box.uidnext - 1;" },
    { "the fill forgets replaced rows", "sync_look_1", "and y.item <> y.uid and y.item <= b", "and y.item <> y.uid and false" },
    { "the fill goes one too far", "sync_look_1", "b := p.item - 1;", "b := p.item - 2;" },
    { "ageing stops at the instant, not at the row", "sync_look_1", "cut_item := p.item + 1;", "cut_item := 0;" },
    { "replaced rows are told, too", "sync_rows_1", "and p.removed_how is distinct from 3", "" },
    { "a new text is taken for a change of flags", "sync_look_1", "o_full := p.item <> p.uid", "o_full := false" },
    { "a new text has a new date in a filtered folder", "replace_1",
      "case when box.role = 2 then p_internal else old.internal_date end", "p_internal" },
    { "one modseq for all rows of a STORE", "store_flags_1", "clock + row_number() over (order by uid) as clock_new",
      "clock + 1 as clock_new" },
    { "a moved row keeps its modseq", "copy_1", "set modseq = clock + o.n, removed_at", "set modseq = o.modseq, removed_at" },
    { "a moved row is taken to be told as it is", "sync_move_1", "if not told then", "if false then" },
    { "Ping does not hear of changes", "sync_news_3", "if changed then", "if false then" },
    { "Ping tells what is outside of the filter", "sync_news_3", "and sync_new_1(x, p_device, st.date, st.item) is not null", "" },
    { "a key that is used again is no replay", "sync_begin_2",
      "o_replay := true;",
      "o_replay := true; st.used_s := coalesce(st.given_s, st.used_s); st.used_a := coalesce(st.given_a, st.used_a);" },
};

/* Puts a fault in; *text is what heals it. False: the text to replace is not there. */
static bool break_function(struct db *db, const struct fault *fault, struct arena *arena, char **text)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_text(&args, fault->function);
    args_text(&args, fault->right);
    args_text(&args, fault->wrong);
    cr_assert_eq(db_run(db,
                        "select pg_get_functiondef(p.oid), replace(pg_get_functiondef(p.oid), $2, $3) from pg_proc p"
                        " where p.proname = $1",
                        &args, &r),
                 ERR_OK);
    cr_assert_eq(PQntuples(r), 1, "%s", fault->function);
    *text = res_text(arena, r, 0, 0);
    char *broken = res_text(arena, r, 0, 1);
    PQclear(r);
    bool changed = strcmp(*text, broken) != 0;
    cr_assert_eq(db_exec(db, broken), ERR_OK, "%s: %s", fault->name, db_trace(db)->text);
    return changed;
}

static bool is_found(struct db *db, const char *name)
{
    char error[200] = "";
    for (unsigned seed = 1; seed <= FAULT_SEEDS; seed++) {
        if (run_seed(db, seed, HONEST, error)) {
            fprintf(stderr, "%s: seed %u: %s\n", name, seed, error);
            return true;
        }
    }
    return false;
}

Test(sync_model, finds_each_fault_in_the_predicates, .timeout = 1800)
{
    struct db *home = rig_open(), *db = rig_open_scratch(home, "faults");
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char *text;
        cr_expect(break_function(db, &faults[i], arena, &text), "%s: its text has changed", faults[i].name);
        cr_expect(is_found(db, faults[i].name), "not noticed: %s", faults[i].name);
        cr_assert_eq(db_exec(db, text), ERR_OK);
    }
    arena_close(&arena);
    db_close(&db);
    rig_drop_scratch(home, "faults");
    db_close(&home);
}

/* Hard case 1's naive rule whole: rows in the order of their changes; what was made after S is an Add, what is older a
 * Change or a Delete. */
static const char naive_look[] =
    "create or replace function sync_look_1("
    " p_account bigint, p_device bigint, p_mailbox bigint, p_s bigint, p_a bigint, p_b bigint,"
    " p_date timestamptz, p_item bigint, p_target_date timestamptz, p_target_item bigint, p_window int"
    ") returns table (o_step int, o_op int, o_full boolean, o_item bigint, o_uid bigint, o_size bigint, o_flags bigint,"
    " o_modseq bigint, o_internal timestamptz, o_message bigint, o_extra jsonb) language plpgsql stable as $$\n"
    "declare clock bigint; top bigint; sent int := 0; s bigint := p_s; b bigint := p_b; more boolean := false; p record;\n"
    "begin\n"
    " select a.modseq, m.uidnext - 1 into clock, top from account a join mailbox m using (account_id)"
    "  where a.account_id = p_account and m.mailbox_id = p_mailbox;\n"
    " for p in select x.*, case when x.modseq_created > p_s then case when x.removed_at is null then 0 end"
    "   when x.removed_at is null then 1 else 2 end as op from placement x where x.account_id = p_account"
    "   and x.mailbox_id = p_mailbox and x.modseq > p_s and x.item > p_b and x.removed_how is distinct from 3"
    "   order by x.modseq loop\n"
    "  continue when p.op is null;\n"
    "  if sent = p_window then more := true; exit; end if;\n"
    "  sent := sent + 1; s := p.modseq; o_step := 2; o_op := p.op; o_full := true; o_item := p.item; o_uid := p.uid;"
    "  o_size := p.size; o_flags := p.flags; o_modseq := p.modseq; o_internal := p.internal_date;"
    "  o_message := p.message_id; o_extra := p.extra; return next;\n"
    " end loop;\n"
    " if not more then s := clock; end if;\n"
    " for p in select x.* from placement x where not more and x.account_id = p_account and x.mailbox_id = p_mailbox"
    "   and x.item <= p_b and x.removed_at is null order by x.item desc loop\n"
    "  if sent = p_window then more := true; exit; end if;\n"
    "  sent := sent + 1; b := p.item - 1; o_step := 5; o_op := 0; o_full := true; o_item := p.item; o_uid := p.uid;"
    "  o_size := p.size; o_flags := p.flags; o_modseq := p.modseq; o_internal := p.internal_date;"
    "  o_message := p.message_id; o_extra := p.extra; return next;\n"
    " end loop;\n"
    " if not more then b := 0; end if;\n"
    " o_step := 0; o_op := more::int; o_full := false; o_item := top; o_uid := b; o_size := 0; o_flags := clock;"
    " o_modseq := s; o_internal := null; o_message := 0; o_extra := null; return next;\n"
    "end $$";

Test(sync_model, finds_the_naive_rule, .timeout = 600)
{
    struct db *home = rig_open(), *db = rig_open_scratch(home, "naive");
    cr_assert_eq(db_exec(db, naive_look), ERR_OK, "%s", db_trace(db)->text);
    cr_expect(is_found(db, "the naive rule"));
    db_close(&db);
    rig_drop_scratch(home, "naive");
    db_close(&home);
}
