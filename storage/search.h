/* Searching mail: which of some messages meet conditions on their rows, their header lines and their text.
 * Storage knows no MIME: how a message reads is told by the caller's search_reader (server/search_reader.h has the one of
 * this server). Texts compare as octets after folding, by the same function on both sides: a needle that the caller
 * gives is folded already, and so are the texts that the reader gives back.
 *
 * Packed: 256 messages of an account in a row of search_pack, by message id, with their folded header lines and a
 * signature of their text (postgres-store.md, Search). A background job writes them (search_pack_*); what is not packed
 * yet is read and compared directly, so the answer never depends on the packing.
 *
 * Work is done in steps: between two of them a search holds no transaction, no lock and no connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "storage/mailbox.h"
#include "storage/message.h"

#define SEARCH_ROWS_MAX 2048u      // rows of one search_take
#define SEARCH_SCOPE_MAX 1000000u  // messages that one search_find brings into order
#define SEARCH_STEP_US 10000       // after about so long a step ends
#define SEARCH_TEXT_MAX 16777216u  // octets of one message's folded text that are looked at
#define SEARCH_DEPTH_NODES_MAX 64u // nesting of a query; deeper ones are a fault of the caller

/* ---- what is asked ---- */

enum search_test {
    SEARCH_IS_ALL,
    SEARCH_IS_AND, // of its children
    SEARCH_IS_OR,
    SEARCH_IS_NOT,     // its one child is not met
    SEARCH_IS_FLAGGED, // all bits of `number` are set in the flags; number 0: always
    SEARCH_IS_UID,     // in `uids`
    SEARCH_IS_LARGER,  // size > number
    SEARCH_IS_SMALLER,
    SEARCH_IS_SINCE,      // internal date >= number, microseconds
    SEARCH_IS_BEFORE,     // internal date < number
    SEARCH_IS_SAVED_SINCE, // the same for the save date
    SEARCH_IS_SAVED_BEFORE,
    SEARCH_IS_SENT_SINCE, // the Date field's own day >= number, days since 1970; without a Date nothing is met
    SEARCH_IS_SENT_BEFORE,
    SEARCH_IS_MODSEQ,  // modseq >= number
    SEARCH_IS_MESSAGE, // message id = number
    SEARCH_IS_THREAD,  // conversation = number
    SEARCH_IS_TEXT,    // one of the texts `where` contains `text`; an empty text is everywhere
    SEARCH_IS_FIELD,   // the message's own header has a field `field` (folded) that contains `text`; "": has it
};

enum search_where { // bits
    SEARCH_IN_FROM = 1,
    SEARCH_IN_TO = 2,
    SEARCH_IN_CC = 4,
    SEARCH_IN_BCC = 8,
    SEARCH_IN_SUBJECT = 16,
    SEARCH_IN_HEADER = 32, // every header field of the message and of its parts
    SEARCH_IN_BODY = 64,   // every text part
};
#define SEARCH_LINES 5u // From, To, Cc, Bcc, Subject: the first five bits

struct search_node {
    enum search_test test;
    struct search_node *children, *next; // children are linked by next
    int64_t number;
    const struct uid_range *uids; // ascending, not overlapping
    size_t uid_count;
    unsigned where;
    struct slice field, text; // folded
};

/* ---- how a message reads ---- */

struct search_texts { // folded; in the arena
    struct slice lines[SEARCH_LINES]; // addresses as "Name <a@b>, ..."; where the field is written otherwise, that as well
    bool has_sent_day;
    int32_t sent_day;     // days since 1970 as the Date field says it, whatever its zone
    struct slice header;  // "name: value" LF for every field, unfolded and decoded: the message's own first
    size_t own_len;       // of the message's own fields in it
    struct slice body;    // the decoded text parts
};

struct search_octets; // a message's octets, read as they are needed
/* Octets [at, at + len) of the message, less at its end; live until the next call. */
MUST_USE enum err search_octets_read(struct search_octets *octets, uint64_t at, uint64_t len, struct slice *out);

struct search_reader {
    /* Fills texts, as far as they are wanted: the lines and the day always, header and body when `whole`. */
    enum err (*read)(const struct message_row *row, struct search_octets *octets, bool whole, struct arena *arena,
                     struct search_texts *texts);
};

/* ---- judging rows that the caller knows (IMAP: its view) ---- */

struct search_row {
    struct mailbox_id mailbox;
    struct placement at;
};

struct search; // one search that runs; used by one thread at a time

/* The query and the reader must outlive the search. */
struct search *search_open(struct account_id account, const struct search_node *query, const struct search_reader *reader);
void search_close(struct search **search);
/* Whether something has to be read: else search_step needs no db. */
bool search_needs_store(const struct search *search);
/* The rows to judge next, at most SEARCH_ROWS_MAX; they stay the caller's, unchanged until the next call. */
void search_take(struct search *search, const struct search_row *rows, size_t count);
/* Goes on judging; *done when all rows taken are judged. errors: ERR_UNAVAILABLE, ERR_CANCELLED (db_cancel) */
MUST_USE enum err search_step(struct search *search, struct db *db, bool *done);
bool search_hit(const struct search *search, size_t row);

/* ---- finding in whole mailboxes (ActiveSync Search and Find) ---- */

struct search_found {
    struct mailbox_id mailbox;
    uint32_t uid, item; // item: the EAS item id
    struct message_id message;
    uint64_t flags;
    int64_t internal_us;
};

struct search_scope {
    const struct mailbox_id *mailboxes; // which; live ones alone are looked at
    size_t mailbox_count;               // 0: every live mailbox
    bool by_uid;                        // by mailbox and uid, ascending; else newest internal date first
    struct search_found after;          // paging: what is behind this one; uid 0: from the start
    uint32_t limit;                     // hits at most; 0: 1,000
    uint32_t rows_max;                  // messages in reach; 0: SEARCH_SCOPE_MAX
};

struct search_find;

/* Scope, query and reader must outlive it. */
struct search_find *search_find_open(struct account_id account, const struct search_scope *scope,
                                     const struct search_node *query, const struct search_reader *reader);
void search_find_close(struct search_find **find);
/* One bounded step; call it again until *done. errors: ERR_LIMIT (over rows_max that flags, dates and sizes do not rule out), ERR_UNAVAILABLE,
 * ERR_CANCELLED */
MUST_USE enum err search_find_step(struct search_find *find, struct db *db, bool *done);
/* After the last step: the hits in order, owned by `find`. *more: there are further ones behind them. */
const struct search_found *search_find_hits(const struct search_find *find, size_t *count, bool *more);

/* ---- packing, behind the deliveries ---- */

/* Packs the next messages of an account, 256 at most. *more: there may be further ones, call it again. Messages that are
 * too few to be worth it wait for others. errors: ERR_NOT_FOUND (account gone), ERR_UNAVAILABLE */
MUST_USE enum err search_pack_step(struct db *db, struct account_id account, const struct search_reader *reader, bool *more);
/* Takes purged content out of the packs of an account (0: of all). retention_purge does it. */
MUST_USE enum err search_clean(struct db *db, struct account_id account);
/* Accounts behind `after` with something to pack, ascending, at most limit. */
MUST_USE enum err search_behind(struct db *db, struct arena *arena, struct account_id after, uint32_t limit,
                                struct account_id **accounts, size_t *count);
