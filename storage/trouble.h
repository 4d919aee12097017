/* Messages that could not be read when a client asked for them: kept for the admin, a bounded number for each account.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "storage/change.h"
#include "storage/db.h"

#define TROUBLE_MAX 100u // messages of an account that are kept; the oldest go first

struct trouble {
    struct account_id account;
    struct mailbox_id mailbox;
    uint32_t item;
    uint8_t protocol;   // enum actor_protocol
    const char *device; // who asked; NULL: not known
    const char *why;
    /* out, of a list */
    const char *login, *mailbox_name;
    int64_t first_us, last_us, times;
};
/* *fresh: the message was not in the list. */
MUST_USE enum err trouble_note(struct db *db, const struct trouble *trouble, bool *fresh);
/* Those that are still there, the latest first; account 0: of all accounts, at most `max`. */
MUST_USE enum err trouble_list(struct db *db, struct arena *arena, struct account_id account, size_t max,
                               struct trouble **list, size_t *count);
