/* The ActiveSync state against a model of phones, on the real store (hard cases 1, 2, 5, 7, 8, 10, 11, 12): two phones
 * with windows and filters of their own, a desktop that writes in between, lost replies, cut answers, parallel requests.
 * Whatever happens, when all is quiet each phone has exactly what its filter shows; it never gets a second Add, never a
 * Change of what it was not given, and never has to start over.
 * GODWIT_MODEL_SEEDS says how many runs (default 150), GODWIT_MODEL_FIRST where they begin. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/account.h"
#include "storage/retention.h"
#include "storage/sync.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define NOW_US (INT64_C(1780000000) * 1000000)
#define STEPS 60
#define ITEMS_MAX 2000u
#define PHONES 2
#define BOXES 2 // 0: Inbox, 1: Drafts: moves go between them, drafts are made in the second
#define ROUNDS_MAX 3000

enum sabotage { HONEST, LOSE_AN_ADD, LOSE_A_CHANGE, LOSE_A_DELETE };

struct known { // what a phone has of an item
    bool there;
    bool seen;
    int64_t message;
};

struct command { // of a request whose reply has not come yet
    enum { NO_COMMAND, CHANGE_SEEN, DELETE_ITEM, ADD_DRAFT, CHANGE_DRAFT } kind;
    uint32_t item;
    bool seen;
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

static void store_seen(struct world *world)
{
    struct uid_range ranges[20];
    struct change_set changes = { .count = 0 };
    struct flags_result *results;
    size_t changed, count = some_rows(world, (int)roll(world, BOXES), 1 + roll(world, 20), ranges);
    struct flags_change change = { .mode = roll(world, 2) ? FLAGS_ADD : FLAGS_REMOVE, .flags = FLAG_SEEN,
                                   .unchanged_since = -1 };
    int box = (int)roll(world, BOXES);
    if (count)
        must(world,
             message_store_flags(world->db, world->arena, world->account, world->mailboxes[box], ranges, count, &change,
                                 &desktop, &results, &changed, &changes),
             "store");
    if (count)
        story(world, "store box %d: %s seen, %zu changed", box, change.mode == FLAGS_ADD ? "add" : "remove", changed);
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

static void replace_draft(struct world *world)
{
    struct uid_range range = { 0, 0 };
    struct change_set changes = { .count = 0 };
    struct append_item item = { .message = new_message(world), .internal_date_us = some_date(world) };
    if (some_rows(world, 1, 1, &range))
        must(world,
             message_replace(world->db, world->account, world->mailboxes[1], range.first, &item, &desktop, &changes),
             "replace");
    story(world, "desktop replaces a draft: uid %u by %u", range.first, item.uid);
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
        command->kind = CHANGE_SEEN;
        command->seen = !box->items[item].seen;
        box->items[item].seen = command->seen;
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
    box->pending.result = (struct known){ true, stored.row.flags & FLAG_SEEN, stored.row.message.n };
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
    struct sync_flags flags = { .read = command->seen, .flagged = -1 };
    struct sync_result result = { .err = ERR_OK };
    struct append_item draft = { .message = new_message(world), .internal_date_us = world->now_us, .flags = FLAG_DRAFT,
                                 .born_by = phone->device };
    enum err err = ERR_OK;
    switch (command->kind) {
    case CHANGE_SEEN:
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
        err = sync_add_draft(world->db, world->account, phone->device, world->mailboxes[which], key,
                             slice_of(command->client_id), &draft, &result, &changes);
        if (!err && !result.err)
            note_draft(world, box, which, result.item);
        break;
    case CHANGE_DRAFT:
        if (done_before(world, phone, which, slice_of(arena_printf(world->arena, "%u", command->item)), &result))
            break;
        err = sync_change_draft(world->db, world->account, phone->device, world->mailboxes[which], key, command->item,
                                &draft, &result, &changes);
        if (!err && !result.err)
            note_draft(world, box, which, command->item);
        break;
    default:
        break;
    }
    story(world, "phone %d box %d: command %d item %u seen %d: %s", (int)(phone - world->phones), which, command->kind,
          command->item, command->seen, err_name(err));
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
        bool seen = item->row.flags & FLAG_SEEN;
        if (item->op == SYNC_ADD) {
            if (known->there)
                diverges(world, "a second Add of item %u", item->item);
            *known = (struct known){ true, seen, item->row.message.n };
        } else if (item->op == SYNC_CHANGE) {
            // A phone that deletes an item at the same time throws the Change away.
            if (!known->there && !(done->kind == DELETE_ITEM && done->item == item->item))
                diverges(world, "a Change of item %u, which it does not have", item->item);
            known->seen = seen;
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
        story(world, "  op %d%s item %u uid %u modseq %d seen %d", look.items[i].op, look.items[i].full ? " full" : "",
              look.items[i].item, look.items[i].uid, (int)look.items[i].row.modseq, (int)(look.items[i].row.flags & 1));
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
    must(world, sync_news(world->db, world->account, phone->device, &watch, 1, &hierarchy), "news");
    must(world,
         sync_look(world->db, world->arena, world->account, phone->device, watch.mailbox, &state.at, state.at.cut,
                   SYNC_WINDOW_MAX, &look),
         "look");
    if (watch.news && look.count == 0)
        diverges(world, "Ping says there is news, Sync has none");
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
        else if (found && found->seen != ((row->flags & FLAG_SEEN) != 0))
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
        add_mail(world, (int)roll(world, 4) == 0, counts[roll(world, 4)]);
        break;
    case 3:
    case 4:
        store_seen(world);
        break;
    case 5:
        expunge(world);
        break;
    case 6:
        move_mail(world);
        break;
    case 7:
        replace_draft(world);
        break;
    case 8:
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
             device_open(world->db, world->arena, world->account, slice_of(key), SLICE_LIT("Model"), 10, &device), "device");
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

static struct db *open_store(void)
{
    const char *url = getenv("GODWIT_TEST_DATABASE_URL");
    cr_assert(url, "GODWIT_TEST_DATABASE_URL is not set");
    struct db_settings settings = { .url = url, .name = "sync_model_test" };
    struct trace trace = { "" };
    struct db *db;
    cr_assert_eq(db_open(&settings, &trace, &db), ERR_OK, "%s", trace.text);
    cr_assert_eq(db_migrate(db), ERR_OK, "%s", db_trace(db)->text);
    return db;
}

static unsigned from_environment(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

Test(sync_model, phones_never_diverge, .timeout = 3600)
{
    struct db *db = open_store();
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

/* A check that cannot fail proves nothing: a server that loses an item now and then is found out. */
Test(sync_model, the_check_finds_a_broken_server, .timeout = 600)
{
    struct db *db = open_store();
    for (enum sabotage sabotage = LOSE_AN_ADD; sabotage <= LOSE_A_DELETE; sabotage++) {
        char error[200] = "";
        bool found = false;
        for (unsigned seed = 1; seed <= 20 && !found; seed++)
            found = run_seed(db, seed, sabotage, error);
        cr_expect(found, "kind %d was not noticed", (int)sabotage);
    }
    db_close(&db);
}
