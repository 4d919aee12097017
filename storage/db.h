/* One PostgreSQL connection, used by one thread at a time, and the schema behind it.
 * All calls block. A lost connection gives ERR_UNAVAILABLE and is opened again by the next call.
 * Sessions set statement_timeout, lock_timeout, tcp_user_timeout and synchronous_commit = on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct db;

struct db_settings {
    const char *url;          // libpq connection string; copied
    const char *name;         // application_name, such as "godwit-worker"
    int statement_timeout_ms; // 0: 60,000
    int lock_timeout_ms;      // 0: 20,000
};

/* Opens a connection. errors: ERR_UNAVAILABLE (story in trace, which may be NULL). */
MUST_USE enum err db_open(const struct db_settings *settings, struct trace *trace, struct db **db);
void db_close(struct db **db);

/* The story of the last failure on this connection. Owned by db. */
struct trace *db_trace(struct db *db);

/* Cancels the statement that runs now, if any. Any thread; the caller makes sure that db is not closed meanwhile. */
void db_cancel(struct db *db);

/* Statements (round trips) that this process has sent so far, over all connections. Any thread: tests prove with it
 * that a warm SELECT asks nothing. */
uint64_t db_statements_sent(void);

/* Brings the schema up to this program's version under an advisory lock: numbered migrations, then the functions.
 * errors: ERR_UNAVAILABLE; ERR_STATE when the store was made by a newer program (story says so). */
MUST_USE enum err db_migrate(struct db *db);

/* Raises the epoch when the store runs on another timeline or cluster than when last seen (hard case 6): every clock
 * and uidnext jumps by 1,000,000. Run by `serve` after db_migrate. */
MUST_USE enum err db_check_epoch(struct db *db);

/* NOTIFY of a batch on the channel "godwit", from a connection that delivers nothing (postgres-store.md rule 10).
 * payload: at most 7,900 bytes of printable text. */
MUST_USE enum err db_notify(struct db *db, const char *payload);
/* LISTEN, then db_wait_notify. fd: readable when something may have come. */
MUST_USE enum err db_listen(struct db *db);
/* Waits up to timeout_ms for one notification. *payload (owned by db until the next call) is NULL when none came.
 * *pid is the sender's backend, to tell one's own. errors: ERR_UNAVAILABLE: connection lost, listen again. */
MUST_USE enum err db_wait_notify(struct db *db, int timeout_ms, const char **payload, int *pid);
int db_backend_pid(struct db *db);
