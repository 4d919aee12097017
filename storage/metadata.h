/* Annotations of mailboxes and of the server (RFC 5464). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/change.h"
#include "storage/db.h"

#define METADATA_ENTRIES_MAX 256u // of a mailbox, and of the server

struct metadata_row {
    struct slice entry; // lower case
    struct slice value; // at NULL, when set: delete
};

/* All of a mailbox (0: the server), in the order of their names. In the arena. */
MUST_USE enum err metadata_list(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                                struct metadata_row **rows, size_t *count);
/* All or none. errors: ERR_NOT_FOUND (mailbox gone), ERR_LIMIT (more than METADATA_ENTRIES_MAX) */
MUST_USE enum err metadata_set(struct db *db, struct account_id account, struct mailbox_id mailbox,
                               const struct metadata_row *rows, size_t count, struct change_set *changes);
