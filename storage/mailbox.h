/* Mailboxes: a tree per account, each with a role, its own uids and counters.
 * A mailbox row has modseq_items (last change of its contents: IMAP HIGHESTMODSEQ) and modseq_hierarchy (name, parent,
 * role, deletion: EAS FolderSync); neither moves for the other's reason (hard case 9). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/change.h"
#include "storage/db.h"

#define MAILBOX_NAME_MAX 255u   // octets of one level's name, UTF-8
#define MAILBOX_DEPTH_MAX 32u   // levels
#define MAILBOXES_MAX 5000u     // live mailboxes of an account
#define KEYWORDS_MAX 56u        // named bits 8..63 of flags, per mailbox
#define KEYWORD_LEN_MAX 255u

enum mailbox_role { // SPECIAL-USE, RFC 6154 2
    ROLE_NONE,
    ROLE_INBOX,
    ROLE_DRAFTS,
    ROLE_SENT,
    ROLE_TRASH,
    ROLE_JUNK,
    ROLE_ARCHIVE,
    ROLE_ALL,
    ROLE_FLAGGED,
};

enum message_flag { // bits of placement.flags; bits 8..63 are the mailbox's keywords
    FLAG_SEEN = 1,
    FLAG_ANSWERED = 2,
    FLAG_FLAGGED = 4,
    FLAG_DELETED = 8,
    FLAG_DRAFT = 16,
};
#define FLAG_KEYWORD_SHIFT 8u

struct mailbox {
    struct mailbox_id id, parent; // parent 0: top level
    const char *name;             // its own level, UTF-8 (NFC), without the "/" delimiter
    const char *path;             // all levels joined by "/"
    enum mailbox_role role;
    bool subscribed, has_children;
    uint32_t uidvalidity, uidnext;
    int64_t modseq_items;
    int64_t modseq_hierarchy;
    int64_t modseq_born;   // hierarchy clock when it was created or last undeleted
    int64_t purged_modseq; // tombstones up to here are gone
    uint32_t recent_uid;   // \Recent mark: uids at or above it were in no read-write SELECT yet
    int64_t total, unseen, deleted, bytes;
    const char *const *keywords; // [i] names flag bit 8+i
    size_t keyword_count;
    int64_t deleted_us; // 0: live
};

/* All live mailboxes, in path order (INBOX first), from one statement; *modseq is the account clock of that snapshot.
 * Everything lives in the arena. */
MUST_USE enum err mailbox_list(struct db *db, struct arena *arena, struct account_id account,
                               struct mailbox **mailboxes, size_t *count, int64_t *modseq);
/* One mailbox by id; errors: ERR_NOT_FOUND (also when deleted). */
MUST_USE enum err mailbox_get(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id id,
                              struct mailbox *mailbox);
/* Paths use "/" and UTF-8; "inbox" in any case as the first level is INBOX. errors: ERR_NOT_FOUND */
MUST_USE enum err mailbox_find(struct db *db, struct arena *arena, struct account_id account, struct slice path,
                               struct mailbox *mailbox);
/* Creates the mailbox and missing parents. errors: ERR_EXISTS, ERR_SYNTAX (empty level, control characters, too long),
 * ERR_LIMIT, ERR_STATE (another mailbox has the role). A given device repeats safely: with `device` set and the same parent and name created by it under the same
 * hierarchy key, the same id comes back (hard case 9c) - see sync.h. */
MUST_USE enum err mailbox_create(struct db *db, struct account_id account, struct slice path, enum mailbox_role role,
                                 struct mailbox_id *id, struct change_set *changes);
/* Renames and moves within the tree; children follow; missing parents of `path` are made. INBOX: its messages move into
 * a new mailbox (hard case 23). errors: ERR_NOT_FOUND, ERR_EXISTS, ERR_SYNTAX, ERR_STATE (into its own child) */
MUST_USE enum err mailbox_rename(struct db *db, struct account_id account, struct mailbox_id id, struct slice path,
                                 const struct actor *by, struct change_set *changes);
/* Deletes a mailbox with its messages (all restorable). errors: ERR_NOT_FOUND, ERR_STATE (INBOX, or it has children and
 * `recursive` is false) */
MUST_USE enum err mailbox_delete(struct db *db, struct account_id account, struct mailbox_id id, bool recursive,
                                 const struct actor *by, struct change_set *changes);
/* Octets of the live messages that carry \Deleted, of each mailbox; reads them. */
MUST_USE enum err mailbox_deleted_bytes(struct db *db, struct account_id account, const struct mailbox *mailboxes,
                                        size_t count, int64_t *bytes);
MUST_USE enum err mailbox_subscribe(struct db *db, struct account_id account, struct slice path, bool on,
                                    struct change_set *changes);
/* Raises the \Recent mark to uidnext and returns what it was; called only when uidnext is past it. */
MUST_USE enum err mailbox_take_recent(struct db *db, struct account_id account, struct mailbox_id id,
                                      uint32_t *first_recent);
