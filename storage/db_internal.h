/* What the files of storage/ share: running statements, building parameters, reading results, transactions.
 * All parameters and results are binary. SQL text is a constant: statements are prepared once per connection, by text.
 *
 * A PL/pgSQL function refuses with `raise sqlstate 'GWNFD' using message = '...'`; these states become enum err:
 *   GWSYN syntax, GWSTA state, GWNFD not_found, GWEXS exists, GWCON conflict, GWLIM limit, GWQUO quota
 *
 *     struct db_args args = { 0 };
 *     args_i64(&args, account.n);
 *     PGresult *result = NULL;
 *     enum err err = db_run(db, "select modseq from account where account_id = $1", &args, &result);
 *     if (!err && PQntuples(result) == 0)
 *         err = fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, account.n);
 *     if (!err)
 *         *modseq = res_i64(result, 0, 0);
 *     PQclear(result);
 *     return err;
 */
#pragma once

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/change.h"
#include "storage/db.h"

#define DB_ARGS_MAX 40

typedef struct ZSTD_CCtx_s ZSTD_CCtx;
typedef struct ZSTD_DCtx_s ZSTD_DCtx;

struct db {
    PGconn *conn; // NULL or broken: opened again by the next call outside of a transaction
    char *url, *name;
    int statement_timeout_ms, lock_timeout_ms;
    struct trace trace;
    char sqlstate[6];       // of the last failure, "" when the server said nothing
    bool in_doubt;          // the connection went away while the last statement ran: it may have been committed
    bool in_transaction;    // between db_begin and db_end
    uint64_t *prepared;     // open addressing: hashes of the statements prepared on conn; 0 is free
    size_t prepared_count, prepared_room;
    PGnotify *notify;       // the last one given out
    ZSTD_CCtx *compressor;  // made when first needed, reused
    ZSTD_DCtx *expander;
    pthread_mutex_t cancel_lock;
    PGcancel *cancel;          // guarded by cancel_lock
    atomic_bool was_cancelled; // db_cancel was called since the last statement began
};

/* ---- parameters: zero-initialise, add in order $1, $2 ...; db_run releases them, whatever comes out ---- */

struct db_args {
    int count;
    Oid types[DB_ARGS_MAX];
    const char *values[DB_ARGS_MAX];
    int lengths[DB_ARGS_MAX];
    char room[DB_ARGS_MAX][8];
    struct arena *arena; // for arrays; NULL until one is added
};

void args_i64(struct db_args *args, int64_t n);
void args_i64_or_null(struct db_args *args, int64_t n); // 0 is null
void args_i32(struct db_args *args, int32_t n);
void args_i16(struct db_args *args, int16_t n);
void args_bool(struct db_args *args, bool on);
void args_time(struct db_args *args, int64_t us); // timestamptz from the Unix epoch; 0 is null
void args_text(struct db_args *args, const char *text); // NULL is null; not copied
void args_slice(struct db_args *args, struct slice text); // as text; not copied
void args_bytes(struct db_args *args, struct slice bytes); // as bytea; not copied; NULL `at` is empty
void args_json(struct db_args *args, struct slice json);   // as jsonb; empty is null
/* Arrays are copied. */
void args_i64_array(struct db_args *args, const int64_t *n, size_t count);
void args_i32_array(struct db_args *args, const int32_t *n, size_t count);
void args_time_array(struct db_args *args, const int64_t *us, size_t count); // 0 is null
void args_text_array(struct db_args *args, const struct slice *texts, size_t count); // NULL `at` is null
void args_bytes_array(struct db_args *args, const struct slice *bytes, size_t count);
/* Ranges of uids, inclusive, as int8multirange; any order, may overlap. */
struct uid_range;
void args_ranges(struct db_args *args, const struct uid_range *ranges, size_t count);
void args_release(struct db_args *args); // only when db_run is not reached

/* ---- running ---- */

/* Runs one statement as a round trip. Outside of a transaction a lost connection is opened again first, and what the
 * server undid as a deadlock or serialization failure is repeated. *result (PQclear it) is NULL on failure.
 * errors: by SQLSTATE, with the story in db->trace; ERR_UNAVAILABLE for all that is worth a retry */
MUST_USE enum err db_run(struct db *db, const char *sql, struct db_args *args, PGresult **result);
/* The same when only success matters; *rows (may be NULL) is the number of rows written. */
MUST_USE enum err db_run_only(struct db *db, const char *sql, struct db_args *args, int64_t *rows);
/* Several statements in one round trip (pipeline) and one REPEATABLE READ READ ONLY snapshot.
 * results[i]: PQclear them; all NULL on failure. At most 8. */
struct db_statement {
    const char *sql;
    struct db_args *args;
};
MUST_USE enum err db_run_snapshot(struct db *db, const struct db_statement *statements, size_t count,
                                  PGresult **results);
/* Text that needs no parameters and gives no rows, such as "begin"; may hold several statements. Not prepared. */
MUST_USE enum err db_exec(struct db *db, const char *sql);

/* A transaction over several db_run: `out: return db_end(db, err);` commits only on ERR_OK, else rolls back and returns
 * err. isolation: "read committed", "repeatable read, read only". */
MUST_USE enum err db_begin(struct db *db, const char *isolation);
MUST_USE enum err db_end(struct db *db, enum err err);

/* Connects when there is no live connection. */
MUST_USE enum err db_ensure(struct db *db);

/* ---- reading binary results ---- */

static inline bool res_null(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column);
}
int64_t res_i64(const PGresult *result, int row, int column); // int2, int4 or int8; null is 0
bool res_bool(const PGresult *result, int row, int column);   // null is false
int64_t res_time(const PGresult *result, int row, int column); // microseconds since the Unix epoch; null is 0
struct slice res_slice(const PGresult *result, int row, int column); // text or bytea, lives as long as the result
char *res_text(struct arena *arena, const PGresult *result, int row, int column); // null is NULL
struct slice res_json(const PGresult *result, int row, int column); // jsonb; null is empty
/* text[] into the arena; null elements are "". */
const char *const *res_text_array(struct arena *arena, const PGresult *result, int row, int column, size_t *count);
/* int8[] into the arena. */
int64_t *res_i64_array(struct arena *arena, const PGresult *result, int row, int column, size_t *count);

/* ---- small things shared ---- */

/* A time-ordered id of 63 bits (milliseconds, node, counter), for blobs, audit, jobs. */
int64_t id_new(void);

/* compressed: zstd with the leading dictionary byte of message.meta. */
void meta_pack(struct db *db, struct slice meta, struct buf *out);
MUST_USE enum err meta_unpack(struct db *db, struct arena *arena, struct slice packed, struct slice *meta);
/* One that is damaged is empty: the rows around it are of use. */
void meta_unpack_or_none(struct db *db, struct arena *arena, struct slice packed, struct slice *meta);
