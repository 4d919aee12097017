/* Mail to relay: written by submission_send, taken by the relay. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/message.h"

struct outbox_row {
    int64_t id, created_us, next_try_us, size;
    struct account_id account;
    const char *login;  // of the account; "" when it is gone
    const char *sender; // envelope; empty: the null path
    const char *const *recipients;
    size_t recipient_count;
    int32_t attempts;
    const char *last_reply; // may be NULL
    bool claimed;           // a relay is at it
};
/* Entries in the order they came, from behind `after` (0: the first) on, at most `max`. Texts live in the arena. */
MUST_USE enum err outbox_list(struct db *db, struct arena *arena, int64_t after, uint32_t max, struct outbox_row **rows,
                              size_t *count);
/* Takes an entry out unsent. errors: ERR_NOT_FOUND; ERR_STATE: a relay is at it */
MUST_USE enum err outbox_drop(struct db *db, int64_t outbox_id, struct account_id *account);
