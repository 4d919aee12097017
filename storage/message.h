/* Messages and where they stand: delivery, append, copy, move, flags, removal, reading.
 * Every write is one VOLATILE PL/pgSQL function in one round trip that locks the account row first; every changed row
 * takes its own modseq, numbered in uid order (hard cases 2, 3). A write that changes nothing raises no clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "storage/blob.h"
#include "storage/change.h"
#include "storage/db.h"
#include "storage/mailbox.h"

#define WRITE_ROWS_MAX 1000u // rows per transaction for STORE, EXPUNGE, restore; COPY and MOVE are all or nothing

/* What is immutable about a message, as protocol/mime describes it. Storage keeps `meta` as it is given. */
struct message_new {
    struct octets octets;  // the raw message, CRLF lines, without `prefix`; ignored when blob.n is set
    struct blob_id blob;   // octets that are stored already (copies, recipients of one delivery)
    struct slice prefix;   // per-recipient header lines in front of the blob (Return-Path, Delivered-To, Received)
    struct slice meta;     // packed description: envelope, bodystructure, part map, preview, keys (mime/meta.h)
    int64_t thread;        // conversation: hash of the root Message-ID
    int64_t sent_us;       // Date header, 0 if none
};

struct uid_range {
    uint32_t first, last; // inclusive, first <= last
};

/* ---- delivery (LMTP, submission to local recipients) ---- */

struct delivery_target {
    struct account_id account;
    struct mailbox_id mailbox; // 0: INBOX
    struct slice prefix;       // this recipient's prefix lines
    enum err result;           // out: ERR_OK, ERR_QUOTA, ERR_NOT_FOUND (account or mailbox gone), ERR_UNAVAILABLE
    uint32_t uid;              // out
    int64_t modseq;            // out
    bool auto_reply;           // out: the account may want to answer (storage/vacation.h)
};

struct delivery {
    struct message_new message; // its prefix is ignored
    int64_t delivery_id;        // random; a commit whose answer was lost is looked up by it (hard case 16)
    int64_t internal_date_us;
    uint64_t flags;
    struct delivery_target *targets;
    size_t target_count;
};

/* Commits several deliveries together: octets first, then recipients in account id order, one transaction per batch;
 * if the batch fails its recipients are tried one by one. Over quota and gone are results of a target, not errors.
 * Returns ERR_OK when every target has its result; ERR_UNAVAILABLE only when none was stored. */
MUST_USE enum err message_deliver(struct db *db, struct delivery *const *deliveries, size_t count,
                                  struct change_set *changes);

/* ---- one account's writes ---- */

struct append_item {
    struct message_new message;
    int64_t internal_date_us;
    uint64_t flags;               // FLAG_* system bits
    const struct slice *keywords; // names
    size_t keyword_count;
    struct device_id born_by; // EAS Sync Add: the device is told the id
    uint32_t uid;             // out
    uint32_t item;            // out
};

/* Appends all items to a mailbox or none (RFC 3502). errors: ERR_NOT_FOUND (mailbox gone), ERR_QUOTA, ERR_LIMIT
 * (keywords) */
MUST_USE enum err message_append(struct db *db, struct account_id account, struct mailbox_id mailbox,
                                 struct append_item *items, size_t count, const struct actor *by,
                                 uint32_t *uidvalidity, struct change_set *changes);

/* Replaces a message's content under the same item (drafts; hard case 10): removes `uid` as replaced and makes a new
 * row. Its internal date counts in the mailbox for drafts only: elsewhere the old one stays, so that no item crosses a
 * device's filter. errors: ERR_NOT_FOUND, ERR_QUOTA */
MUST_USE enum err message_replace(struct db *db, struct account_id account, struct mailbox_id mailbox, uint32_t uid,
                                  struct append_item *item, const struct actor *by, struct change_set *changes);

struct replaced {
    struct mailbox_id mailbox;
    uint32_t uid;
};
/* Appends the item to another mailbox and removes the old message, both or nothing; only the difference counts for the
 * quota. errors: ERR_NOT_FOUND, ERR_QUOTA, ERR_LIMIT (keywords) */
MUST_USE enum err message_replace_into(struct db *db, struct account_id account, const struct replaced *old,
                                       struct mailbox_id mailbox, struct append_item *item, const struct actor *by,
                                       uint32_t *uidvalidity, struct change_set *changes);

struct copied {
    uint32_t from, to; // uids in source and target, ascending by from
};

/* Copies or moves live messages, all or nothing. Flags and keywords go along; keywords that do not fit are dropped.
 * A move removes the source rows as `moved`, with moved_to. *copied is in the arena. errors: ERR_NOT_FOUND (target or
 * source mailbox gone), ERR_QUOTA (copy) */
MUST_USE enum err message_copy(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id from,
                               const struct uid_range *ranges, size_t range_count, struct mailbox_id to, bool move,
                               const struct actor *by, struct copied **copied, size_t *copied_count,
                               uint32_t *uidvalidity, struct change_set *changes);

enum flags_mode { FLAGS_ADD, FLAGS_REMOVE, FLAGS_REPLACE };

struct flags_change {
    enum flags_mode mode;
    uint64_t flags;               // FLAG_* system bits
    const struct slice *keywords; // names
    size_t keyword_count;
    bool create_keywords;     // false: unknown names are an ERR_LIMIT when they would need a new bit
    int64_t unchanged_since;  // -1: no condition; rows with a higher modseq are left and reported (RFC 7162 3.1.3)
};

struct flags_result {
    uint32_t uid;
    uint64_t flags; // after the change
    int64_t modseq;
    bool conflict; // left alone because of unchanged_since
};

/* Changes flags of live messages in the ranges; call it with at most WRITE_ROWS_MAX rows in reach. Results, in uid
 * order, hold every row that was changed or is in conflict. errors: ERR_NOT_FOUND (mailbox), ERR_LIMIT (keywords) */
MUST_USE enum err message_store_flags(struct db *db, struct arena *arena, struct account_id account,
                                      struct mailbox_id mailbox, const struct uid_range *ranges, size_t range_count,
                                      const struct flags_change *change, const struct actor *by,
                                      struct flags_result **results, size_t *count, struct change_set *changes);

/* Removes live messages in the ranges (only those with \Deleted when `only_deleted`), restorable for the retention
 * time. *uids, in the arena, ascending. */
MUST_USE enum err message_expunge(struct db *db, struct arena *arena, struct account_id account,
                                  struct mailbox_id mailbox, const struct uid_range *ranges, size_t range_count,
                                  bool only_deleted, const struct actor *by, uint32_t **uids, size_t *count,
                                  struct change_set *changes);

/* ---- reading ---- */

struct placement { // about 40 bytes: a snapshot row
    uint32_t uid;
    uint32_t size;        // octets of the whole message, prefix included
    uint64_t flags;       // FLAG_* and keyword bits
    int64_t modseq;
    int64_t internal_us;
    struct message_id message;
};

struct mailbox_look { // one database snapshot
    uint32_t uidvalidity, uidnext, recent_uid;
    int64_t highest_modseq; // modseq_items
    int64_t clock;          // the account clock
    int64_t purged_modseq;
    const char *const *keywords;
    size_t keyword_count;
    struct placement *rows; // load: all live rows; changes: live rows that are new or changed since
    size_t row_count;
    uint32_t *removed; // changes: uids removed since, ascending
    size_t removed_count;
};

/* All live rows in uid order. rows are malloc'ed (free them), the rest lives in the arena. errors: ERR_NOT_FOUND */
MUST_USE enum err message_load(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                               struct mailbox_look *look);
/* What changed since a known clock and uidnext, from the change log and the new uids, in one snapshot. Everything in
 * the arena. errors: ERR_NOT_FOUND (mailbox gone), ERR_CONFLICT (since < purged_modseq: load anew) */
MUST_USE enum err message_changes(struct db *db, struct arena *arena, struct account_id account,
                                  struct mailbox_id mailbox, int64_t since_modseq, uint32_t since_uidnext,
                                  struct mailbox_look *look);
/* Uids removed with modseq > since, ascending, for VANISHED (EARLIER). errors: ERR_NOT_FOUND, ERR_CONFLICT (not all of
 * them are remembered) */
MUST_USE enum err message_vanished(struct db *db, struct arena *arena, struct account_id account,
                                   struct mailbox_id mailbox, int64_t since_modseq, uint32_t **uids, size_t *count);

/* When the messages came into this mailbox (RFC 8514), in the order of uids; 0 for those that are gone from the store. */
MUST_USE enum err message_save_dates(struct db *db, struct account_id account, struct mailbox_id mailbox,
                                     const uint32_t *uids, size_t count, int64_t *dates_us);

struct message_row {
    struct message_id id;
    struct blob_id blob;
    struct slice prefix, meta; // in the arena; a damaged meta is empty
    int64_t thread, sent_us, size;
};

/* Immutable rows by id, in ascending id order, missing ones left out. Reads by id array or range, never by a join. */
MUST_USE enum err message_get(struct db *db, struct arena *arena, struct account_id account,
                              const struct message_id *ids, size_t count, struct message_row **rows, size_t *row_count);

/* Appends octets [offset, offset+len) of the whole message (prefix, then blob) to out. */
MUST_USE enum err message_read(struct db *db, const struct message_row *row, int64_t offset, int64_t len,
                               struct buf *out);
