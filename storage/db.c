#include "storage/db.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/db_internal.h"

#define REPEATS_MAX 3        // of what the server undid as a deadlock or serialization failure
#define CONNECT_TIMEOUT "10" // seconds
#define TCP_TIMEOUT "30000"  // milliseconds without an acknowledgement
#define SNAPSHOT_MAX 8
#define NOTIFY_PAYLOAD_MAX 7900u

static atomic_uint_fast64_t statements_sent;

uint64_t db_statements_sent(void)
{
    return atomic_load(&statements_sent);
}

static void count_round_trip(void)
{
    atomic_fetch_add_explicit(&statements_sent, 1, memory_order_relaxed);
}

struct trace *db_trace(struct db *db)
{
    return &db->trace;
}

/* ---- connection ---- */

static void drop_connection(struct db *db)
{
    pthread_mutex_lock(&db->cancel_lock);
    if (db->cancel)
        PQfreeCancel(db->cancel);
    db->cancel = NULL;
    pthread_mutex_unlock(&db->cancel_lock);
    if (db->notify)
        PQfreemem(db->notify);
    db->notify = NULL;
    if (db->conn)
        PQfinish(db->conn);
    db->conn = NULL;
    free(db->prepared);
    db->prepared = NULL;
    db->prepared_count = db->prepared_room = 0;
}

/* One line of the server's or libpq's words. */
static enum err fail_text(struct db *db, enum err err, const char *what, const char *text)
{
    size_t len = strcspn(text, "\n");
    if (strncmp(text, "ERROR:  ", 8) == 0) {
        text += 8;
        len -= 8;
    }
    return fail(&db->trace, err, "%s: %.*s", what, (int)(len > 240 ? 240 : len), text);
}

static void ignore_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

static enum err setup_session(struct db *db)
{
    char sql[1024];
    snprintf(sql, sizeof sql,
             "set statement_timeout = %d; set lock_timeout = %d; set synchronous_commit = on; set jit = off;"
             // Every statement looks up by keys. A plan made anew for the values at hand is no better and costs more than
             // the statement; and what is changed is found row by row, never by reading a whole table, which looks cheap
             // to a planner that guesses (docs/decisions/0007-query-plans.md).
             "set plan_cache_mode = force_generic_plan;"
             "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;"
             "set idle_in_transaction_session_timeout = '60s'; set timezone = 'UTC'; set client_min_messages = warning;"
             "set default_transaction_isolation = 'read committed'",
             db->statement_timeout_ms, db->lock_timeout_ms);
    count_round_trip();
    PGresult *result = PQexec(db->conn, sql);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    enum err err = good ? ERR_OK : fail_text(db, ERR_UNAVAILABLE, "session", PQerrorMessage(db->conn));
    PQclear(result);
    return err;
}

/* Whether an idle connection still stands: the server's last words or its end may have arrived meanwhile. */
static bool is_alive(struct db *db)
{
    struct pollfd word = { .fd = PQsocket(db->conn), .events = POLLIN };
    for (int i = 0; i < 16 && PQstatus(db->conn) == CONNECTION_OK && poll(&word, 1, 0) > 0; i++)
        if (!PQconsumeInput(db->conn))
            return false;
    return PQstatus(db->conn) == CONNECTION_OK;
}

enum err db_ensure(struct db *db)
{
    if (db->conn && (db->in_transaction ? PQstatus(db->conn) == CONNECTION_OK : is_alive(db)))
        return ERR_OK;
    if (db->in_transaction)
        return fail(&db->trace, ERR_UNAVAILABLE, "connection lost in a transaction");
    drop_connection(db);

    const char *const keys[] = { "dbname", "application_name", "connect_timeout", "tcp_user_timeout",
                                 "client_encoding", NULL };
    const char *const values[] = { db->url, db->name, CONNECT_TIMEOUT, TCP_TIMEOUT, "UTF8", NULL };
    db->conn = PQconnectdbParams(keys, values, 1);
    if (!db->conn)
        mem_exhausted(0);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        enum err err = fail_text(db, ERR_UNAVAILABLE, "connect", PQerrorMessage(db->conn));
        drop_connection(db);
        return err;
    }
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    pthread_mutex_lock(&db->cancel_lock);
    db->cancel = PQgetCancel(db->conn);
    pthread_mutex_unlock(&db->cancel_lock);
    enum err err = setup_session(db);
    if (err)
        drop_connection(db);
    return err;
}

enum err db_open(const struct db_settings *settings, struct trace *trace, struct db **out)
{
    struct db *db = mem_new(struct db);
    db->url = mem_text(settings->url);
    db->name = mem_text(settings->name ? settings->name : "godwit");
    db->statement_timeout_ms = settings->statement_timeout_ms ? settings->statement_timeout_ms : 60000;
    db->lock_timeout_ms = settings->lock_timeout_ms ? settings->lock_timeout_ms : 20000;
    pthread_mutex_init(&db->cancel_lock, NULL);
    enum err err = db_ensure(db);
    if (err) {
        if (trace)
            *trace = db->trace;
        db_close(&db);
        return err;
    }
    *out = db;
    return ERR_OK;
}

void db_close(struct db **handle)
{
    struct db *db = *handle;
    if (!db)
        return;
    *handle = NULL;
    drop_connection(db);
    pthread_mutex_destroy(&db->cancel_lock);
    ZSTD_freeCCtx(db->compressor);
    ZSTD_freeDCtx(db->expander);
    free(db->url);
    free(db->name);
    free(db);
}

void db_cancel(struct db *db)
{
    char why[256];
    atomic_store(&db->was_cancelled, true);
    pthread_mutex_lock(&db->cancel_lock);
    if (db->cancel)
        PQcancel(db->cancel, why, sizeof why); // when it fails the statement simply runs to its end
    pthread_mutex_unlock(&db->cancel_lock);
}

int db_backend_pid(struct db *db)
{
    return db->conn ? PQbackendPID(db->conn) : 0;
}

/* ---- errors ---- */

static const struct {
    char prefix[6]; // a whole SQLSTATE or its class
    enum err err;
} states[] = {
    { "GWSYN", ERR_SYNTAX },    { "GWSTA", ERR_STATE },    { "GWNFD", ERR_NOT_FOUND },
    { "GWEXS", ERR_EXISTS },    { "GWCON", ERR_CONFLICT }, { "GWLIM", ERR_LIMIT },
    { "GWQUO", ERR_QUOTA },     { "23505", ERR_EXISTS }, // unique_violation
    { "22021", ERR_SYNTAX },                             // octets that are no UTF-8
    { "22P05", ERR_SYNTAX },                             // a character the database cannot hold
    { "54", ERR_LIMIT },                                 // program limit exceeded
};

static enum err translate(struct db *db, const char *state)
{
    if (strcmp(state, "57014") == 0) // query_canceled: by us, or by statement_timeout
        return atomic_load(&db->was_cancelled) ? ERR_CANCELLED : ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strncmp(state, states[i].prefix, strlen(states[i].prefix)) == 0)
            return states[i].err;
    return ERR_UNAVAILABLE;
}

static bool is_undone(const struct db *db)
{
    return strcmp(db->sqlstate, "40001") == 0 || strcmp(db->sqlstate, "40P01") == 0;
}

/* The failure behind a result (or the lack of one) of the statement `sql`. */
static enum err take_failure(struct db *db, const PGresult *result, const char *sql)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    snprintf(db->sqlstate, sizeof db->sqlstate, "%s", state ? state : "");
    if (PQstatus(db->conn) != CONNECTION_OK)
        db->in_doubt = true;
    char what[48];
    snprintf(what, sizeof what, "%s \"%.30s\"", state ? state : "lost", sql + strspn(sql, " \n"));
    return fail_text(db, state ? translate(db, state) : ERR_UNAVAILABLE, what,
                     message ? message : PQerrorMessage(db->conn));
}

/* ---- prepared statements ---- */

static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

static uint64_t *prepared_slot(uint64_t *slots, size_t room, uint64_t hash)
{
    size_t i = hash & (room - 1);
    while (slots[i] && slots[i] != hash)
        i = (i + 1) & (room - 1);
    return &slots[i];
}

static void note_prepared(struct db *db, uint64_t hash)
{
    if (2 * db->prepared_count >= db->prepared_room) {
        size_t room = db->prepared_room ? 2 * db->prepared_room : 64;
        uint64_t *slots = mem_alloc(room * sizeof *slots);
        for (size_t i = 0; i < db->prepared_room; i++)
            if (db->prepared[i])
                *prepared_slot(slots, room, db->prepared[i]) = db->prepared[i];
        free(db->prepared);
        db->prepared = slots;
        db->prepared_room = room;
    }
    *prepared_slot(db->prepared, db->prepared_room, hash) = hash;
    db->prepared_count++;
}

#define STATEMENT_NAME_ROOM 24

static enum err prepare(struct db *db, const char *sql, const struct db_args *args, char name[STATEMENT_NAME_ROOM])
{
    uint64_t hash = hash_text(sql);
    snprintf(name, STATEMENT_NAME_ROOM, "g%016" PRIx64, hash);
    if (db->prepared_room && *prepared_slot(db->prepared, db->prepared_room, hash) == hash)
        return ERR_OK;
    count_round_trip();
    PGresult *result = PQprepare(db->conn, name, sql, args ? args->count : 0, args ? args->types : NULL);
    enum err err = ERR_OK;
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        note_prepared(db, hash);
    } else {
        err = take_failure(db, result, sql);
        db->in_doubt = false; // nothing was run
    }
    PQclear(result);
    return err;
}

/* ---- running ---- */

static void begin_statement(struct db *db)
{
    db->in_doubt = false;
    db->sqlstate[0] = 0;
    atomic_store(&db->was_cancelled, false);
}

static bool is_success(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static enum err run_once(struct db *db, const char *sql, const struct db_args *args, PGresult **out)
{
    static const int binary[DB_ARGS_MAX] = { [0 ... DB_ARGS_MAX - 1] = 1 };
    char name[STATEMENT_NAME_ROOM];
    enum err err = prepare(db, sql, args, name);
    if (err)
        return err;
    count_round_trip();
    PGresult *result = args ? PQexecPrepared(db->conn, name, args->count, args->values, args->lengths, binary, 1)
                            : PQexecPrepared(db->conn, name, 0, NULL, NULL, NULL, 1);
    if (is_success(result)) {
        *out = result;
        return ERR_OK;
    }
    err = take_failure(db, result, sql);
    PQclear(result);
    return err;
}

enum err db_run(struct db *db, const char *sql, struct db_args *args, PGresult **result)
{
    begin_statement(db);
    *result = NULL;
    enum err err = db_ensure(db);
    if (!err)
        err = run_once(db, sql, args, result);
    // An idle connection may have died unnoticed: when the server cannot have run anything, ask once more.
    if (err == ERR_UNAVAILABLE && !db->in_transaction && PQstatus(db->conn) != CONNECTION_OK && !db->in_doubt) {
        err = db_ensure(db);
        if (!err)
            err = run_once(db, sql, args, result);
    }
    for (int i = 0; err && i < REPEATS_MAX && is_undone(db) && !db->in_transaction; i++)
        err = run_once(db, sql, args, result);
    if (args)
        args_release(args);
    return err;
}

enum err db_run_only(struct db *db, const char *sql, struct db_args *args, int64_t *rows)
{
    PGresult *result = NULL;
    enum err err = db_run(db, sql, args, &result);
    if (!err && rows)
        *rows = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return err;
}

enum err db_exec(struct db *db, const char *sql)
{
    begin_statement(db);
    enum err err = db_ensure(db);
    if (err)
        return err;
    count_round_trip();
    PGresult *result = PQexec(db->conn, sql);
    if (!is_success(result))
        err = take_failure(db, result, sql);
    PQclear(result);
    return err;
}

/* ---- a read-only snapshot in one pipeline ---- */

#define SNAPSHOT_BEGIN "begin isolation level repeatable read read only"

static bool send_snapshot(struct db *db, const struct db_statement *statements, size_t count,
                          char names[][STATEMENT_NAME_ROOM])
{
    static const int binary[DB_ARGS_MAX] = { [0 ... DB_ARGS_MAX - 1] = 1 };
    bool sent = PQsendQueryParams(db->conn, SNAPSHOT_BEGIN, 0, NULL, NULL, NULL, NULL, 1);
    for (size_t i = 0; sent && i < count; i++) {
        struct db_args *args = statements[i].args;
        sent = PQsendQueryPrepared(db->conn, names[i], args ? args->count : 0, args ? args->values : NULL,
                                   args ? args->lengths : NULL, binary, 1);
    }
    return sent && PQsendQueryParams(db->conn, "commit", 0, NULL, NULL, NULL, NULL, 1) && PQpipelineSync(db->conn);
}

/* Reads the answers up to the sync; the first failure is the one that is told. */
static enum err read_snapshot(struct db *db, const struct db_statement *statements, size_t count, PGresult **results)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < count + 2; i++) {
        bool ours = i > 0 && i <= count;
        PGresult *result = PQgetResult(db->conn);
        if (!is_success(result) && !err)
            err = take_failure(db, result, ours ? statements[i - 1].sql : "snapshot");
        if (ours)
            results[i - 1] = result;
        else
            PQclear(result);
        if (!result)
            return err ? err : fail(&db->trace, ERR_UNAVAILABLE, "pipeline ended early");
        PQclear(PQgetResult(db->conn)); // the NULL behind each answer
    }
    PGresult *sync = PQgetResult(db->conn);
    if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC && !err)
        err = take_failure(db, sync, "sync");
    PQclear(sync);
    return err;
}

static enum err snapshot_once(struct db *db, const struct db_statement *statements, size_t count, PGresult **results)
{
    char names[SNAPSHOT_MAX][STATEMENT_NAME_ROOM];
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < count; i++)
        err = prepare(db, statements[i].sql, statements[i].args, names[i]);
    if (err)
        return err;
    count_round_trip();
    if (!PQenterPipelineMode(db->conn) || !send_snapshot(db, statements, count, names))
        err = take_failure(db, NULL, "snapshot");
    else
        err = read_snapshot(db, statements, count, results);
    bool clean = PQstatus(db->conn) == CONNECTION_OK && PQexitPipelineMode(db->conn);
    if (clean && PQtransactionStatus(db->conn) != PQTRANS_IDLE) {
        // A failure inside skipped the commit too.
        PGresult *rolled = PQexec(db->conn, "rollback");
        clean = is_success(rolled);
        PQclear(rolled);
    }
    if (!clean)
        drop_connection(db);
    if (err) {
        for (size_t i = 0; i < count; i++) {
            PQclear(results[i]);
            results[i] = NULL;
        }
    }
    return err;
}

enum err db_run_snapshot(struct db *db, const struct db_statement *statements, size_t count, PGresult **results)
{
    assert(count <= SNAPSHOT_MAX && !db->in_transaction);
    begin_statement(db);
    memset(results, 0, count * sizeof *results);
    enum err err = db_ensure(db);
    if (!err)
        err = snapshot_once(db, statements, count, results);
    // It only reads: once more on a fresh connection costs nothing but the time.
    if (err == ERR_UNAVAILABLE && (!db->conn || PQstatus(db->conn) != CONNECTION_OK)) {
        err = db_ensure(db);
        if (!err)
            err = snapshot_once(db, statements, count, results);
    }
    for (size_t i = 0; i < count; i++)
        if (statements[i].args)
            args_release(statements[i].args);
    return err;
}

/* ---- transactions ---- */

enum err db_begin(struct db *db, const char *isolation)
{
    assert(!db->in_transaction);
    char sql[96];
    snprintf(sql, sizeof sql, "begin isolation level %s", isolation);
    enum err err = db_exec(db, sql);
    if (err && PQstatus(db->conn) != CONNECTION_OK)
        err = db_exec(db, sql);
    db->in_transaction = !err;
    return err;
}

enum err db_end(struct db *db, enum err err)
{
    if (!db->in_transaction)
        return err;
    struct trace story = db->trace;
    char state[sizeof db->sqlstate];
    memcpy(state, db->sqlstate, sizeof state);
    enum err ended = db_exec(db, err ? "rollback" : "commit");
    db->in_transaction = false;
    if (err) {
        db->trace = story;
        memcpy(db->sqlstate, state, sizeof state);
        if (ended)
            drop_connection(db); // whatever was begun there must not go on
        return err;
    }
    return ended;
}

/* ---- notifications ---- */

enum err db_notify(struct db *db, const char *payload)
{
    if (strlen(payload) > NOTIFY_PAYLOAD_MAX)
        return fail(&db->trace, ERR_LIMIT, "payload of %zu bytes", strlen(payload));
    struct db_args args = { 0 };
    args_text(&args, payload);
    return db_run_only(db, "select pg_notify('godwit', $1)", &args, NULL);
}

enum err db_listen(struct db *db)
{
    enum err err = db_exec(db, "listen godwit");
    if (err && db->conn && PQstatus(db->conn) != CONNECTION_OK)
        err = db_exec(db, "listen godwit");
    return err;
}

enum err db_wait_notify(struct db *db, int timeout_ms, const char **payload, int *pid)
{
    *payload = NULL;
    if (db->notify)
        PQfreemem(db->notify);
    db->notify = NULL;
    int64_t until_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        if (!db->conn || PQstatus(db->conn) != CONNECTION_OK)
            return fail(&db->trace, ERR_UNAVAILABLE, "listening connection lost");
        db->notify = PQnotifies(db->conn);
        if (db->notify) {
            *payload = db->notify->extra;
            *pid = db->notify->be_pid;
            return ERR_OK;
        }
        int64_t left_us = until_us - clock_mono_us();
        struct pollfd wait = { .fd = PQsocket(db->conn), .events = POLLIN };
        int ready = poll(&wait, 1, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        if (ready == 0)
            return ERR_OK;
        if (ready < 0 && errno != EINTR)
            return fail(&db->trace, ERR_UNAVAILABLE, "poll: %s", strerror(errno));
        if (ready > 0 && !PQconsumeInput(db->conn)) {
            enum err err = fail_text(db, ERR_UNAVAILABLE, "listen", PQerrorMessage(db->conn));
            drop_connection(db);
            return err;
        }
    }
}
