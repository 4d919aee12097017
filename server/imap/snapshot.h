/* Mailbox snapshots: what FETCH FLAGS, SEARCH and sequence numbers need of a mailbox, in memory, shared by all sessions.
 * A snapshot is one immutable version: a base array shared with its neighbours and a small overlay. A session holds a
 * pointer to the version it was last told, nothing else (hard case 17). The newest version is brought forward by the
 * store's "changes since", once per change however many sessions ask. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "server/push/hub.h"
#include "storage/message.h"

struct snapshots; // the cache
struct snapshot;  // one version; use the functions below, any thread

/* Unheld snapshots are dropped, least recently used first, when all take more than bytes_max. */
MUST_USE enum err snapshots_open(size_t bytes_max, struct hub *hub, struct snapshots **snapshots);
void snapshots_close(struct snapshots **snapshots);

/* The newest version without asking the store; NULL when it is unknown or known to be behind. The caller releases it. */
struct snapshot *snapshots_peek(struct snapshots *snapshots, struct account_id account, struct mailbox_id mailbox);
/* The newest version, loaded or brought forward. On a worker. errors: ERR_NOT_FOUND (mailbox gone), ERR_UNAVAILABLE */
MUST_USE enum err snapshots_get(struct snapshots *snapshots, struct db *db, struct account_id account,
                                struct mailbox_id mailbox, struct snapshot **snapshot);
/* Something in the mailbox changed: the next peek finds nothing, the next get asks the store. */
void snapshots_touch(struct snapshots *snapshots, struct account_id account, struct mailbox_id mailbox);

/* Which mailbox a path was, while no hierarchy change of the account is known since. Any thread. */
bool snapshots_name_get(struct snapshots *snapshots, struct account_id account, struct slice path,
                        struct mailbox_id *mailbox);
/* generation: from snapshots_name_generation before the store was asked, so that a change meanwhile is not missed. */
uint64_t snapshots_name_generation(struct snapshots *snapshots);
void snapshots_name_put(struct snapshots *snapshots, struct account_id account, struct slice path,
                        struct mailbox_id mailbox, uint64_t generation);
void snapshots_name_drop(struct snapshots *snapshots, struct account_id account);

struct snapshot *snapshot_hold(struct snapshot *snapshot);
void snapshot_release(struct snapshot **snapshot);

struct snapshot_facts {
    uint32_t uidvalidity, uidnext, recent_uid;
    int64_t highest_modseq, clock;
    const char *const *keywords; // live as long as the version
    size_t keyword_count;
};
const struct snapshot_facts *snapshot_facts(const struct snapshot *snapshot);
uint32_t snapshot_count(const struct snapshot *snapshot);
/* The row of a message number, 1..count. */
const struct placement *snapshot_row(const struct snapshot *snapshot, uint32_t number);
/* The message number of a uid; 0 when it is not in this version. */
uint32_t snapshot_number(const struct snapshot *snapshot, uint32_t uid);
const struct placement *snapshot_find(const struct snapshot *snapshot, uint32_t uid);
/* The number of the first message whose uid is at least this one; count + 1 when there is none. */
uint32_t snapshot_first_from(const struct snapshot *snapshot, uint32_t uid);

struct snapshot_news {
    uint32_t *removed; // uids of `old` that are not in `now`, ascending; malloc'ed
    size_t removed_count;
    uint32_t *changed; // uids in both whose modseq differs, ascending; malloc'ed
    size_t changed_count;
    uint32_t added; // rows of `now` that `old` did not have
};
/* What became of `old`; in proportion to the change while both share a base. */
void snapshot_compare(const struct snapshot *old, const struct snapshot *now, struct snapshot_news *news);
/* Whether that is little work: they share a base, or are small. */
bool snapshot_is_near(const struct snapshot *old, const struct snapshot *now);
void snapshot_news_free(struct snapshot_news *news);
