/* Deleted mail: finding it, bringing it back, and in the end letting it go (hard cases 4, 7, 22). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "storage/message.h"

struct deleted_row {
    struct mailbox_id mailbox;
    const char *mailbox_path; // as it is or was
    bool mailbox_deleted;
    uint32_t uid;
    int64_t removed_us, internal_us;
    enum actor_protocol protocol;
    const char *removed_by; // device, address, admin
    uint64_t flags;
    struct message_row message; // meta decoded by the caller for subject and sender
};

struct deleted_id { // on the command line and in JSON: "mailbox:uid"
    struct mailbox_id mailbox;
    uint32_t uid;
};

struct deleted_filter {
    struct mailbox_id mailbox; // 0: all
    int64_t since_us;          // removed at or after; 0: all kept
    int64_t behind_removed_us; // paging: the last row of the page before, its removed_us
    struct deleted_id behind;  // and its place; removed_us 0: from the newest
    uint32_t limit;            // rows at most; 0: 1,000
};

/* Newest removal first. Rows removed as moved or replaced are no deletions; neither are those restored already, as long
 * as that copy lives, wherever it was moved to, or is a deletion itself. */
MUST_USE enum err deleted_list(struct db *db, struct arena *arena, struct account_id account,
                               const struct deleted_filter *filter, struct deleted_row **rows, size_t *count);

struct restored {
    struct deleted_id from;
    enum err err;              // ERR_OK, ERR_NOT_FOUND (not a deletion or content gone), ERR_EXISTS (restored before)
    struct mailbox_id mailbox; // where it is now
    uint32_t uid;
};

/* Brings messages back with flags and internal date: into `to`, else their own mailbox, which is undeleted with those
 * above it or, when its name is taken again by another, replaced by that one. A new uid and modseq each. Audited. May
 * exceed the quota. */
MUST_USE enum err deleted_restore(struct db *db, struct arena *arena, struct account_id account,
                                  const struct deleted_id *ids, size_t count, struct mailbox_id to,
                                  const struct actor *by, struct restored *results, struct change_set *changes);

struct purge_report {
    int64_t messages, tombstones, blobs_condemned, blobs_deleted, octets;
};
/* One pass in batches of WRITE_ROWS_MAX: content of what was removed before content_before_us, tombstones removed
 * before tombstone_before_us; 0: none. */
MUST_USE enum err retention_purge(struct db *db, int64_t content_before_us, int64_t tombstone_before_us,
                                  struct purge_report *report);
/* Condemns blobs that nothing refers to, deletes those condemned before condemned_before_us, untouched since and still
 * unreferenced. */
MUST_USE enum err blob_collect(struct db *db, int64_t condemned_before_us, struct purge_report *report);

MUST_USE enum err audit_write(struct db *db, struct account_id account, const struct actor *by, const char *what,
                              const char *detail);
