/* The ActiveSync state: a few integers per device and mailbox, and the steps that turn them into what to send.
 * The rule is hard case 1 (New, Changes, Ageing, First fill) with hard cases 5, 7, 8, 10, 11, 12; sync_model.py is its
 * runnable model. A Sync is three short transactions: sync_begin and the client's commands; one REPEATABLE READ look;
 * sync_commit. Nothing is locked while the caller renders. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/device.h"
#include "storage/message.h"

#define SYNC_KEY_MAX 32u     // octets; unguessable, never repeats, printable
#define SYNC_WINDOW_MAX 512u // items in one answer
#define SYNC_OPTIONS_VERSION 1

struct sync_cut { // (internal date, item): rows below it are outside the filter
    int64_t date_us;
    uint32_t item;
};

struct sync_position {
    int64_t s;       // account clock up to which changes were told
    uint32_t a, b;   // the device knows items b < item <= a
    struct sync_cut cut;
};

struct sync_state {
    char key[SYNC_KEY_MAX + 1]; // the key this state belongs to
    struct sync_position at;
    int64_t generation;   // of this request (hard case 11)
    bool primed;          // false: made by key 0 and not used yet
    bool replay;          // the key is the older of the two kept: the reply that carried the newer one was lost
    struct slice options; // sticky options, packed by server/eas, opaque here; in the arena
    int role;             // enum mailbox_role of the mailbox; by sync_begin
    bool old;             // stored more than a day ago; by sync_begin
};

/* Starts over (client key "0"): drops both states, makes a new one whose key is in *state. errors: ERR_NOT_FOUND
 * (mailbox gone) */
MUST_USE enum err sync_reset(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                             struct mailbox_id mailbox, struct slice options, struct sync_state *state);
/* Takes the next generation and finds the state of a key. Using the newer key drops the older and its results.
 * errors: ERR_CONFLICT (unknown key: EAS status 3, also when tombstones it needs are purged), ERR_NOT_FOUND (mailbox
 * gone) */
MUST_USE enum err sync_begin(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                             struct mailbox_id mailbox, struct slice key, struct sync_state *state);

/* The newest key given to the device for the mailbox: what an empty or Partial Sync request goes on from.
 * errors: ERR_NOT_FOUND (never synced) */
MUST_USE enum err sync_current_key(struct db *db, struct account_id account, struct device_id device,
                                   struct mailbox_id mailbox, char key[SYNC_KEY_MAX + 1]);

enum sync_step { SYNC_NEW = 1, SYNC_CHANGES, SYNC_AGEING_OUT, SYNC_AGEING_IN, SYNC_FILL };
enum sync_op { SYNC_ADD, SYNC_CHANGE, SYNC_DELETE, SYNC_SOFT_DELETE };

struct sync_item {
    enum sync_op op;
    enum sync_step step; // which step of the rule it belongs to
    bool full; // SYNC_CHANGE: the content changed, send all; else Read, Flag, Categories only
    uint32_t item, uid;
    struct placement row;     // also of what was removed
    struct slice extra;       // placement.extra as JSON text; empty when none
    struct message_row message; // with meta; for SYNC_ADD and full SYNC_CHANGE
    enum mailbox_role role;     // of its mailbox; set by sync_get_item alone
};

struct sync_look {
    struct sync_position next; // where the state stands after `items`
    int64_t clock;             // T
    struct sync_item *items;   // in the order to send; in the arena
    size_t count;
    bool more;                 // a step was cut short by the window: MoreAvailable
    int64_t rows_passed;       // rows it read that led to nothing
    const char *const *keywords;
    size_t keyword_count;
};

/* Computes one window from a position. target: the cut of the FilterType now, rounded down to the hour ({0,0}: all).
 * window 0 gives nothing and leaves the position where it is. errors: ERR_NOT_FOUND (mailbox gone), ERR_CONFLICT (s is
 * below what purged tombstones allow) */
MUST_USE enum err sync_look(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                            struct mailbox_id mailbox, const struct sync_position *from, struct sync_cut target,
                            uint32_t window, struct sync_look *look);
/* When the answer was cut by size after `sent` of look->items: the position that belongs to just those. */
struct sync_position sync_position_after(const struct sync_position *from, const struct sync_look *look, size_t sent);

/* Stores the next state under a new key (written to `key`), keeping `state` as the older one, if the generation is
 * still the newest. errors: ERR_CONFLICT (a newer request of this device took over: end without an answer) */
MUST_USE enum err sync_commit(struct db *db, struct account_id account, struct device_id device,
                              struct mailbox_id mailbox, const struct sync_state *state,
                              const struct sync_position *next, struct slice options, char key[SYNC_KEY_MAX + 1]);
/* A look that found nothing stores s = clock and a under the same key (compare-and-set; hard case 7); the storage side
 * decides whether it is worth a write. */
MUST_USE enum err sync_advance(struct db *db, struct account_id account, struct device_id device,
                               struct mailbox_id mailbox, const struct sync_state *state,
                               const struct sync_look *look);

/* Ping and hanging Sync: is there news by the steps New and Changes with the stored cut? A mailbox without a state, or
 * whose first key was never used, has news only for rows with uid >= since_uidnext (the uidnext when the Ping came;
 * 0 asks for it: it is set). A state whose tombstones are gone has changes: Sync says that it is to start over. One
 * statement; a state that fell far behind without news is moved to the clock of the look by a second one, as sync_advance
 * does. */
struct sync_watch {
    struct mailbox_id mailbox;
    uint32_t since_uidnext; // in and out
    unsigned news;          // out: CHANGE_* bits; 0: none
    bool gone;              // out: the mailbox was deleted
};
MUST_USE enum err sync_news(struct db *db, struct account_id account, struct device_id device,
                            struct sync_watch *watches, size_t count, bool *hierarchy_changed);
/* GetItemEstimate: Adds + Changes + Deletes the next Syncs would give, up to `max`. target NULL: the cut as it stands. */
MUST_USE enum err sync_estimate(struct db *db, struct account_id account, struct device_id device,
                                struct mailbox_id mailbox, struct slice key, const struct sync_cut *target,
                                uint32_t max, uint32_t *estimate);

/* ---- the client's commands, under the account lock, results remembered until the key is dropped ---- */

struct sync_result {      // of one client command
    enum err err;         // ERR_OK, ERR_NOT_FOUND, ERR_QUOTA, ERR_SYNTAX ...
    uint32_t item;        // the item made or changed
    struct slice detail;  // opaque to storage; kept with the result for replays
};

/* Looks up what request key K already did for this ClientId or ServerId. errors: ERR_NOT_FOUND: nothing yet */
MUST_USE enum err sync_result_find(struct db *db, struct arena *arena, struct account_id account,
                                   struct device_id device, struct mailbox_id mailbox, struct slice key,
                                   struct slice client_id, struct sync_result *result);

struct sync_flags { // EAS Change of Read, Flag, Categories: absent parts stay
    int read;                   // -1 absent, 0, 1
    int flagged;                // -1 absent, 0 cleared, 1 active, 2 complete
    struct slice extra_flag;    // JSON object for placement.extra's "flag"; with flagged >= 0
    bool set_categories;
    const struct slice *categories; // keyword names (mapped by server/eas; hard case 18)
    size_t category_count;
};
/* Applies to the live row of `item`; marks it as told to the device. errors: ERR_NOT_FOUND */
MUST_USE enum err sync_change_flags(struct db *db, struct account_id account, struct device_id device,
                                    struct mailbox_id mailbox, uint32_t item, const struct sync_flags *flags,
                                    struct change_set *changes);
/* Deletes items: moved to the Trash mailbox (to_trash, unless they are in it) or removed. Gone already is success. */
MUST_USE enum err sync_delete(struct db *db, struct account_id account, struct device_id device,
                              struct mailbox_id mailbox, const uint32_t *items, size_t count, bool to_trash,
                              const struct actor *by, struct change_set *changes);
/* Drafts: adds (item in *result) and replaces content under the same item, remembered under (key, client_id) and under
 * (key, item) with result->detail as given; a new text keeps the flags and keywords of the old one. A repeat that runs
 * beside its first try, or behind it, changes nothing and gives the same item and the detail of then, in the arena. */
MUST_USE enum err sync_add_draft(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                                 struct mailbox_id mailbox, struct slice key, struct slice client_id,
                                 struct append_item *item, struct sync_result *result, struct change_set *changes);
struct draft_edit {
    uint32_t item;
    int64_t since; // refuse if somebody else gave the draft another text behind this clock; -1: the device's text counts
    bool echo;     // the device does not know all of the outcome: tell it like any other change
};
/* errors: ERR_CONFLICT (by edit->since), ERR_NOT_FOUND */
MUST_USE enum err sync_change_draft(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                                    struct mailbox_id mailbox, struct slice key, const struct draft_edit *edit,
                                    struct append_item *content, struct sync_result *result, struct change_set *changes);
/* MoveItems for one item: the new item in the target. A repeat of a move that was done answers the same.
 * errors: ERR_NOT_FOUND (source item), ERR_STATE (target mailbox gone), ERR_EXISTS (source and target are the same) */
MUST_USE enum err sync_move(struct db *db, struct account_id account, struct device_id device, struct mailbox_id from,
                            uint32_t item, struct mailbox_id to, const struct actor *by, uint32_t *new_item,
                            struct change_set *changes);
/* The live row of an item with its message, for Fetch. errors: ERR_NOT_FOUND */
MUST_USE enum err sync_get_item(struct db *db, struct arena *arena, struct account_id account,
                                struct mailbox_id mailbox, uint32_t item, struct sync_item *out,
                                const char *const **keywords, size_t *keyword_count);

/* ---- folder hierarchy (FolderSync) ---- */

enum folder_op { FOLDER_ADD, FOLDER_UPDATE, FOLDER_DELETE };
struct folder_change {
    enum folder_op op;
    struct mailbox mailbox; // FOLDER_DELETE: id only
};
struct folder_look {
    struct folder_change *items;
    size_t count;
    char key[SYNC_KEY_MAX + 1]; // the new key (the old one again when nothing changed)
};
/* Key "0": everything as adds under a new key. Keeps the newest two keys, like sync_state.
 * errors: ERR_CONFLICT (unknown key: FolderSync status 9) */
MUST_USE enum err sync_folders(struct db *db, struct arena *arena, struct account_id account,
                               struct device_id device, struct slice key, struct folder_look *look);
/* FolderCreate, FolderUpdate, FolderDelete: check the hierarchy key (ERR_CONFLICT), do it, advance the device's
 * hierarchy state so that it is not told what it did, and give the new key. Repeats answer the same (hard case 9c). */
MUST_USE enum err sync_folder_create(struct db *db, struct account_id account, struct device_id device,
                                     struct slice key, struct mailbox_id parent, struct slice name,
                                     struct mailbox_id *id, char new_key[SYNC_KEY_MAX + 1],
                                     struct change_set *changes);
MUST_USE enum err sync_folder_update(struct db *db, struct account_id account, struct device_id device,
                                     struct slice key, struct mailbox_id id, struct mailbox_id parent,
                                     struct slice name, char new_key[SYNC_KEY_MAX + 1], struct change_set *changes);
MUST_USE enum err sync_folder_delete(struct db *db, struct account_id account, struct device_id device,
                                     struct slice key, struct mailbox_id id, const struct actor *by,
                                     char new_key[SYNC_KEY_MAX + 1], struct change_set *changes);

/* Remembers for 7 days that something was sent under this id, as submission_send does within its own transaction.
 * *fresh is false when it was remembered before. */
MUST_USE enum err sync_claim_client_id(struct db *db, struct account_id account, struct device_id device,
                                       struct slice client_id, bool *fresh);
MUST_USE enum err sync_client_id_known(struct db *db, struct account_id account, struct device_id device,
                                       struct slice client_id, bool *known);
