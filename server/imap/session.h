/* One IMAP client: its state, the command in progress, and what commands use to answer.
 * A command is a baton: it runs on the loop as long as it needs no SQL, and is carried to a worker when it says so; its
 * struct is held by one of the two, never both. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "protocol/imap/scan.h"
#include "protocol/imap/uidset.h"
#include "protocol/mime/normal.h"
#include "server/imap/snapshot.h"
#include "server/server.h"
#include "storage/message.h"

#define IMAP_LINE_MAX 65536u        // octets of a command, its literals but APPEND's included, after login
#define IMAP_LINE_LOGIN_MAX 8192u   // before login
#define IMAP_LITERAL_PLUS_MAX 4096u // of "{n+}" (LITERAL-, RFC 7888 5), except for APPEND: as imap.literal_max
#define IMAP_BAD_MAX 20u            // BAD answers in a row before the client is sent away
#define IMAP_BAD_LOGIN_MAX 10u      // before login
#define IMAP_LOGIN_TIMEOUT_S 120
#define IMAP_OUT_HIGH 262144u
#define IMAP_OUT_LOW 65536u
#define IMAP_TURN_US 500            // of pipelined commands on the loop, before other connections have their turn
#define IMAP_OWN_MAX 64u            // runs of own changes remembered to not tell them twice

enum imap_state { IMAP_GREETED = 1, IMAP_LOGGED_IN = 2, IMAP_SELECTED = 4, IMAP_ENDED = 8 };
#define IMAP_ANY (IMAP_GREETED | IMAP_LOGGED_IN | IMAP_SELECTED)
#define IMAP_INSIDE (IMAP_LOGGED_IN | IMAP_SELECTED)

enum imap_result {
    IMAP_DONE,        // the reply is set
    IMAP_WAIT,        // enough is written: call me again when it is out
    IMAP_NEED_WORKER, // only without a worker: call me again with one
    IMAP_STAY,        // a reply will come later (IDLE, SASL, a delayed refusal)
};

enum imap_flag {
    IMAP_TAKES_UID = 1,    // "UID FETCH" exists
    IMAP_NO_EXPUNGE = 2,   // no untagged EXPUNGE for its message-number form, so no sync at all
    IMAP_NO_SYNC = 4,      // never tells news before its tagged reply
    IMAP_WRITES = 8,       // its job queues with the account's writes
};

struct imap_session;

struct imap_command {
    const char *name;
    const char *source;     // the document that says so
    unsigned states;        // enum imap_state bits
    unsigned flags;         // enum imap_flag bits
    const char *capability; // what CAPABILITY lists for it; NULL: nothing of its own
    /* Arguments to *args in the arena, from the space behind the name to the end. NULL: takes none.
     * errors: ERR_SYNTAX, ERR_LIMIT */
    enum err (*parse)(struct slice *in, struct arena *arena, void **args);
    /* In the place of parse, where what the session enabled decides how the arguments read: mailbox names. */
    enum err (*parse_in)(struct imap_session *s, struct slice *in, void **args);
    enum imap_result (*run)(struct imap_session *s, struct worker *worker);
};

struct own_changes { // modseqs of changes this session made and was told of
    int64_t first, last;
};

struct append_upload { // the literals of APPEND's messages, one behind the other
    bool active;       // octets of a literal, or what stands behind it, have to come
    uint64_t left;     // of the literal
    int64_t piece_at;  // where its octets begin
    bool to_url, binary, has_nul;
    struct buf url;    // a literal that is an URL of CATENATE
    struct mime_normal normal;
    struct buf memory;
    int fd; // spool file once the message is over 1 MiB; -1: none
    int64_t size;
    bool failed;
};

struct imap_session {
    struct server *server;
    struct conn *conn; // NULL once the client is gone; loop
    struct loop *loop;
    uint64_t number;
    char peer[64];
    enum imap_state state;

    /* login */
    struct account_id account;
    int64_t auth_version; // of the login
    char login[LOGIN_MAX + 1];
    struct hub_watcher *watcher;
    bool ended_by_auth; // password or status changed

    /* selected mailbox */
    struct mailbox_id mailbox;
    char *mailbox_path;
    bool read_only;
    uint32_t first_recent;  // uids from here on are \Recent in this session
    struct snapshot *view;  // what this client was told last: its message numbers
    struct snapshot *fresh; // newest known, for flags; may be ahead of view
    struct own_changes *own; // IMAP_OWN_MAX of them, from the first change to the next sync
    size_t own_count;
    bool condstore;
    bool rev2; // ENABLE IMAP4rev2: SEARCH answers by ESEARCH alone
    struct uid_range *saved; // "$", the result of the last SEARCH RETURN (SAVE); ascending; NULL: empty
    size_t saved_count;
    bool utf8; // ENABLE UTF8=ACCEPT (RFC 6855)
    bool qresync; // ENABLE QRESYNC: removals are told as VANISHED
    size_t told_keywords; // how many keywords of the mailbox the client was told in FLAGS

    /* the command in progress */
    const struct imap_command *command; // NULL: none
    int64_t start_us, progress_us; // progress_us: when it last told how far it is; 0: not yet
    struct arena *arena;
    char *tag;
    bool uid;   // "UID ..." form
    void *args; // what parse made
    void *work; // what run keeps between its steps; in the arena
    void (*drop_work)(struct imap_session *s); // frees what work holds outside of the arena; may be NULL
    struct buf out, reply; // untagged lines; the tagged line without its tag
    enum { PHASE_RUN, PHASE_SYNC } phase;
    struct job job;
    bool job_active, want_drain;
    enum imap_result job_result;
    bool idling, woken; // in IDLE; the hub said something
    bool held_back;     // this command's reply must not tell news, though it is a "UID ..." form
    enum err sync_err;
    bool tell_modseq; // its tagged OK tells HIGHESTMODSEQ: it removed something, and QRESYNC is enabled
    bool broken; // an answer broke off in its middle: the connection must end

    /* framing */
    uint64_t skip;       // octets of a refused literal still to throw away
    bool skip_line;      // and then the rest of its command
    bool asked;          // "+ " was sent for the literal that comes
    unsigned bad_in_row;
    struct append_upload append;
    enum err (*sasl)(struct imap_session *s, struct slice line); // gets the next line; NULL: none
    struct loop_timer delay;
    int delayed_ms; // a login waits so long: to be looked at, or for its refusal
    bool compressed; // COMPRESS=DEFLATE is on
    bool tls, has_tls, loopback; // of the connection: workers must not look at conn
    bool stopping;               // the server stops: BYE behind the command that runs
    struct loop_task turn;       // goes on with the input after the other connections
    bool turn_posted, want_turn; // want_turn: posted once the client has read what it asked for
};

/* ---- for commands ---- */

/* Untagged text. */
void imap_write(struct imap_session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The tagged reply: "OK [CODE x] text". Returns IMAP_DONE. */
enum imap_result imap_reply(struct imap_session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The tagged reply for an error: one table turns enum err into NO, BAD and RFC 5530 codes. */
enum imap_result imap_reply_err(struct imap_session *s, enum err err, const char *what);
/* The worker's connection, or NULL after a NO [UNAVAILABLE]. */
struct db *imap_db(struct imap_session *s, struct worker *worker);
struct actor imap_actor(const struct imap_session *s);
void imap_publish(struct imap_session *s, const struct change_set *changes);
/* A reply that comes later than run (after IMAP_STAY). On the loop. */
void imap_finish_later(struct imap_session *s);
/* Runs the command's next step (SASL's next line came). On the loop. */
void imap_continue(struct imap_session *s);
/* A command that takes steps has done so much of its work: told once in a while (INPROGRESS, RFC 9585), so that the client
 * sees that it goes on. */
void imap_progress(struct imap_session *s, uint64_t done, uint64_t goal);
/* A refused literal of so many octets comes all the same: it and the rest of its command are thrown away. */
void imap_skip(struct imap_session *s, uint64_t octets);
void imap_capabilities(const struct imap_session *s, struct buf *out);

/* ---- cmd_login.c ---- */
void imap_logged_in(struct imap_session *s, const struct auth_result *who);
void imap_logged_out(struct imap_session *s); // on the loop
bool imap_may_login(const struct imap_session *s);
/* After delayed_ms the refusal that stands in `reply` is told; without one, the command goes on. On the loop. */
void imap_start_delay(struct imap_session *s);

/* ---- sync.c: the view ---- */
/* Brings `fresh` up to date. IMAP_DONE, IMAP_NEED_WORKER, or with s->sync_err set when it failed. */
enum imap_result imap_refresh(struct imap_session *s, struct worker *worker);
/* Tells the client what changed since its view. The same results; a vanished mailbox ends the session with BYE. */
enum imap_result imap_sync(struct imap_session *s, struct worker *worker);
/* Leaves the mailbox. */
void imap_deselect(struct imap_session *s);
void imap_own(struct imap_session *s, int64_t first, int64_t last);
/* Untagged FLAGS when the mailbox has keywords that the client was not told: before the FETCH that uses them. */
void imap_tell_keywords(struct imap_session *s);
/* A CONDSTORE enabling command (RFC 7162 3.1): from now on FETCH tells modseqs; the first one tells HIGHESTMODSEQ. */
void imap_enable_condstore(struct imap_session *s);
/* Message numbers or uids of a set to ascending uid ranges over the view (only messages in it).
 * errors: ERR_SYNTAX: a message number that is not there */
enum err imap_resolve(struct imap_session *s, const struct uidset *set, struct uid_range **ranges, size_t *count);
/* The flags of a row as "(\Seen ...)", with \Recent. */
void imap_write_flags(struct imap_session *s, struct buf *out, const struct placement *row);

/* ---- cmd_expunge.c ---- */
/* Removes messages with \Deleted in the ranges, in transactions of at most WRITE_ROWS_MAX rows. *uids in the arena. */
enum err imap_expunge_deleted(struct imap_session *s, struct db *db, const struct uid_range *ranges, size_t range_count,
                              const struct actor *by, uint32_t **uids, size_t *count, struct change_set *changes);

/* ---- cmd_append.c ---- */
/* Whether the text in front of a literal opens an APPEND's message; the upload begins. */
bool imap_append_begin(struct imap_session *s, struct slice line, const struct scan_announced *literal);
void imap_append_feed(struct imap_session *s, struct slice octets);
/* What stands behind a literal: up to the next one, or (literal NULL) to the end of the command. IMAP_DONE: refused, the
 * reply is set; IMAP_WAIT: the next literal comes; IMAP_NEED_WORKER: the command is whole. */
enum imap_result imap_append_more(struct imap_session *s, struct slice text, const struct scan_announced *literal);
void imap_append_drop(struct imap_session *s);
