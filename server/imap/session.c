#include "server/imap/session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/imap/commands.h"

#define X(name) extern const struct imap_command imap_##name;
IMAP_COMMANDS(X)
#undef X

static const struct imap_command *const commands[] = {
#define X(name) &imap_##name,
    IMAP_COMMANDS(X)
#undef X
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

#define STOPPING "* BYE [UNAVAILABLE] the server stops, come back soon\r\n"
#define EXPIRED "* BYE [EXPIRED] the account changed, log in again\r\n"

static void run_command(struct imap_session *s);
static void watch_account(struct imap_session *s);

/* ---- answering ---- */

void imap_write(struct imap_session *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    vsnprintf(buf_reserve(&s->out, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buf_commit(&s->out, (size_t)len);
}

enum imap_result imap_reply(struct imap_session *s, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    buf_clear(&s->reply);
    vsnprintf(buf_reserve(&s->reply, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buf_commit(&s->reply, (size_t)len);
    return IMAP_DONE;
}

static const char *const refusals[ERR_COUNT] = { // RFC 5530 3
    [ERR_SYNTAX] = "BAD %s: malformed",
    [ERR_STATE] = "NO [CANNOT] %s: not possible here",
    [ERR_DENIED] = "NO [NOPERM] %s: not allowed",
    [ERR_NOT_FOUND] = "NO [NONEXISTENT] %s: no such mailbox",
    [ERR_EXISTS] = "NO [ALREADYEXISTS] %s: it exists already",
    [ERR_CONFLICT] = "NO [INUSE] %s: somebody else changed it first",
    [ERR_LIMIT] = "NO [LIMIT] %s: over a limit",
    [ERR_QUOTA] = "NO [OVERQUOTA] %s: the mailbox is over its quota",
    [ERR_UNAVAILABLE] = "NO [UNAVAILABLE] %s: the store is not there at the moment",
    [ERR_CANCELLED] = "NO [UNAVAILABLE] %s: called off",
};

enum imap_result imap_reply_err(struct imap_session *s, enum err err, const char *what)
{
    char text[128];
    assert(err != ERR_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, refusals[err], what);
#pragma GCC diagnostic pop
    if (err == ERR_UNAVAILABLE || err == ERR_LIMIT)
        log_event(LOG_WARN, "imap.refused", LOG_I("session", s->number), LOG_T("command", what),
                  LOG_T("result", err_name(err)));
    return imap_reply(s, "%s", text);
}

struct db *imap_db(struct imap_session *s, struct worker *worker)
{
    struct db *db = worker_db(worker);
    if (!db)
        imap_reply_err(s, ERR_UNAVAILABLE, s->command ? s->command->name : "sync");
    return db;
}

struct actor imap_actor(const struct imap_session *s)
{
    return (struct actor){ .protocol = BY_IMAP, .name = s->peer };
}

void imap_publish(struct imap_session *s, const struct change_set *changes)
{
    hub_publish(s->server->hub, changes);
}

void imap_progress(struct imap_session *s, uint64_t done, uint64_t goal)
{
    int64_t now = clock_mono_us(), last = s->progress_us ? s->progress_us : s->start_us;
    if (now - last < settings_int(s->server->settings, SETTING_IMAP_PROGRESS_S) * 1000000 || done >= goal)
        return;
    s->progress_us = now;
    bool plain = !strchr(s->tag, ']') && !strchr(s->tag, '"') && !strchr(s->tag, '\\');
    imap_write(s, "* OK [INPROGRESS (%s%s%s %llu %llu)] still at it\r\n", plain ? "\"" : "", plain ? s->tag : "NIL",
               plain ? "\"" : "", (unsigned long long)done, (unsigned long long)goal);
}

void imap_capabilities(const struct imap_session *s, struct buf *out)
{
    buf_add_text(out, "IMAP4rev1 IMAP4rev2 LITERAL- ENABLE ID IDLE SASL-IR");
    if (s->state == IMAP_GREETED) { // the rest is told at the login
        if (!s->tls && s->has_tls)
            buf_add_text(out, " STARTTLS");
        buf_add_text(out, imap_may_login(s) ? " AUTH=PLAIN" : " LOGINDISABLED");
        return;
    }
    buf_add_text(out, " UIDPLUS CHILDREN SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE QRESYNC UTF8=ACCEPT STATUS=SIZE INPROGRESS");
    buf_printf(out, " APPENDLIMIT=%lld", (long long)settings_int(s->server->settings, SETTING_IMAP_LITERAL_MAX));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (commands[i]->capability && !(commands[i] == &imap_compress && s->compressed)) {
            buf_add_byte(out, ' ');
            buf_add_text(out, commands[i]->capability);
        }
}

/* ---- the command in progress ---- */

static void flush_out(struct imap_session *s)
{
    if (s->conn && buf_len(&s->out))
        conn_write_buf(s->conn, &s->out);
    buf_free(&s->out);
}

static void end_command(struct imap_session *s)
{
    if (s->drop_work)
        s->drop_work(s);
    s->drop_work = NULL;
    s->work = s->args = NULL;
    s->command = NULL;
    s->tag = NULL;
    s->sasl = NULL;
    s->idling = s->held_back = s->tell_modseq = false;
    s->start_us = s->progress_us = 0;
    s->phase = PHASE_RUN;
    imap_append_drop(s);
    arena_reset(s->arena);
    buf_free(&s->reply);
}

static void session_free(struct imap_session *s)
{
    assert(!s->job_active);
    if (s->account.n)
        log_event(LOG_INFO, "imap.end", LOG_I("session", s->number), LOG_T("login", s->login), LOG_T("peer", s->peer));
    end_command(s);
    imap_deselect(s);
    hub_unwatch(s->server->hub, &s->watcher);
    loop_timer_clear(s->loop, &s->delay);
    buf_free(&s->out);
    buf_free(&s->reply);
    arena_close(&s->arena);
    free(s);
}

/* The connection is gone: the last that holds the session, a job or a posted turn, frees it. */
static void release(struct imap_session *s)
{
    if (!s->job_active && !s->turn_posted)
        session_free(s);
}

static void say_bye(struct imap_session *s, const char *text)
{
    if (!s->conn || s->state == IMAP_ENDED)
        return;
    s->state = IMAP_ENDED;
    conn_write_text(s->conn, text);
    conn_finish(s->conn);
}

/* A line for each login, and at debug one for every command. */
static void log_command(const struct imap_session *s)
{
    extern const struct imap_command imap_login, imap_authenticate;
    bool login = s->command == &imap_login || s->command == &imap_authenticate;
    struct slice reply = buf_slice(&s->reply);
    const char *result = slice_starts(reply, SLICE_LIT("OK"))   ? "ok"
                         : slice_starts(reply, SLICE_LIT("NO")) ? "no"
                                                                : "bad";
    log_event(login ? LOG_INFO : LOG_DEBUG, "imap", LOG_I("session", s->number),
              LOG_T("command", s->command ? s->command->name : ""), LOG_I("account", s->account.n), LOG_T("peer", s->peer),
              LOG_T("result", result), LOG_MS("ms", s->start_us ? (double)(clock_mono_us() - s->start_us) / 1000.0 : 0.0));
}

/* The reply with [HIGHESTMODSEQ n] when its command removed something (RFC 7162 3.2.7): what the client was told now. */
static struct slice with_modseq(struct imap_session *s, struct slice reply)
{
    if (!s->tell_modseq || !s->view || s->sync_err || !slice_starts(reply, SLICE_LIT("OK ")))
        return reply;
    struct slice text = slice_tail(reply, 3);
    return slice_of(arena_printf(s->arena, "OK [HIGHESTMODSEQ %lld] %.*s",
                                 (long long)snapshot_facts(s->view)->highest_modseq, SLICE_ARG(text)));
}

/* Writes what the command left and gives the session back to the input. */
static void complete(struct imap_session *s)
{
    log_command(s);
    bool bad = slice_starts(buf_slice(&s->reply), SLICE_LIT("BAD"));
    if (buf_len(&s->reply)) {
        buf_add_text(&s->out, s->tag ? s->tag : "*");
        buf_add_byte(&s->out, ' ');
        buf_add(&s->out, with_modseq(s, buf_slice(&s->reply)));
        buf_add_text(&s->out, "\r\n");
    }
    bool logout = s->command == &imap_logout, starttls = s->command == &imap_starttls && !bad &&
                                                         slice_starts(buf_slice(&s->reply), SLICE_LIT("OK"));
    bool compress = s->command == &imap_compress && slice_starts(buf_slice(&s->reply), SLICE_LIT("OK"));
    end_command(s);
    flush_out(s);
    if (!s->conn)
        return;
    if (s->broken) {
        s->state = IMAP_ENDED;
        conn_finish(s->conn);
        return;
    }
    s->bad_in_row = bad ? s->bad_in_row + 1 : 0;
    watch_account(s);
    if (starttls) {
        s->tls = true;
        conn_start_tls(s->conn);
    }
    if (compress) {
        s->compressed = true;
        conn_start_compress(s->conn);
    }
    if (logout || s->state == IMAP_ENDED) {
        s->state = IMAP_ENDED;
        conn_finish(s->conn);
    } else if (s->ended_by_auth) {
        say_bye(s, EXPIRED);
    } else if (s->stopping) {
        say_bye(s, STOPPING);
    } else if (s->bad_in_row >= (s->state == IMAP_GREETED ? IMAP_BAD_LOGIN_MAX : IMAP_BAD_MAX)) {
        say_bye(s, "* BYE too many bad commands\r\n");
    }
}

static bool syncs(const struct imap_session *s)
{
    if (s->state != IMAP_SELECTED || !s->view || (s->command->flags & IMAP_NO_SYNC))
        return false;
    return (s->uid && !s->held_back) || !(s->command->flags & IMAP_NO_EXPUNGE);
}

/* Runs steps until one waits; worker NULL: on the loop. */
static enum imap_result step(struct imap_session *s, struct worker *worker)
{
    if (s->phase == PHASE_RUN) {
        enum imap_result result = s->command->run(s, worker);
        if (result != IMAP_DONE)
            return result;
        s->phase = PHASE_SYNC;
    }
    return syncs(s) ? imap_sync(s, worker) : IMAP_DONE;
}

static void on_job_done(struct job *job);

static void on_job(struct job *job, struct worker *worker)
{
    struct imap_session *s = job->ctx;
    s->job_result = s->idling && s->command->flags & IMAP_NO_SYNC ? imap_sync(s, worker) : step(s, worker);
    assert(s->job_result != IMAP_NEED_WORKER);
}

static void submit(struct imap_session *s)
{
    s->job = (struct job){ .run = on_job,
                           .done = on_job_done,
                           .ctx = s,
                           .home = s->loop,
                           .account = s->account.n ? s->account : ACCOUNT_LOGINS,
                           .writes = s->command->flags & IMAP_WRITES };
    s->job_active = true;
    conn_pause_input(s->conn);
    worker_submit(s->server->workers, &s->job);
}

static void idle_news(struct imap_session *s);

/* What follows a step, on the loop. */
static void after_step(struct imap_session *s, enum imap_result result)
{
    switch (result) {
    case IMAP_NEED_WORKER:
        submit(s);
        return;
    case IMAP_WAIT:
        flush_out(s);
        if (conn_out_full(s->conn)) {
            s->want_drain = true;
            conn_pause_input(s->conn);
        } else {
            submit(s);
        }
        return;
    case IMAP_STAY:
        flush_out(s);
        if (s->delayed_ms)
            imap_start_delay(s);
        if (s->idling && s->woken)
            idle_news(s);
        return;
    case IMAP_DONE:
        complete(s);
        return;
    }
}

static void on_job_done(struct job *job)
{
    struct imap_session *s = job->ctx;
    s->job_active = false;
    if (!s->conn) {
        release(s);
        return;
    }
    bool idle = s->idling;
    if (idle && s->job_result == IMAP_DONE) {
        flush_out(s);
        if (s->state == IMAP_ENDED) {
            conn_finish(s->conn);
        } else if (s->ended_by_auth || s->stopping) {
            say_bye(s, s->stopping ? STOPPING : EXPIRED);
        } else if (s->woken) {
            idle_news(s);
        }
    } else {
        after_step(s, s->job_result);
    }
    if (s->conn && !s->job_active && !s->want_drain)
        conn_resume_input(s->conn);
}

/* News while in IDLE: told at once. */
static void idle_news(struct imap_session *s)
{
    if (s->job_active || conn_out_full(s->conn))
        return; // told when that one is done, or when the client has read what it was told so far
    s->woken = false;
    if (imap_sync(s, NULL) == IMAP_NEED_WORKER) {
        submit(s);
        return;
    }
    flush_out(s);
    if (s->state == IMAP_ENDED)
        conn_finish(s->conn);
}

static void on_hub(void *ctx, const struct change *change)
{
    struct imap_session *s = ctx;
    s->ended_by_auth = s->ended_by_auth || (change->kinds & CHANGE_AUTH);
    s->woken = true;
    if (s->job_active || s->state == IMAP_ENDED)
        return; // a worker has the session: looked at when it comes back
    if (s->ended_by_auth) {
        if (!s->command || s->idling)
            say_bye(s, EXPIRED);
        return;
    }
    if (!s->idling || !s->view || (change->mailbox.n && change->mailbox.n != s->mailbox.n))
        return;
    idle_news(s);
}

static void run_command(struct imap_session *s)
{
    s->phase = PHASE_RUN;
    after_step(s, step(s, NULL));
}

void imap_continue(struct imap_session *s)
{
    run_command(s);
}

void imap_finish_later(struct imap_session *s)
{
    complete(s);
    if (s->conn)
        conn_resume_input(s->conn);
}

void imap_logged_in(struct imap_session *s, const struct auth_result *who)
{
    s->account = who->account;
    s->auth_version = who->auth_version;
    memcpy(s->login, who->login, sizeof s->login);
    s->state = IMAP_LOGGED_IN;
}

void imap_logged_out(struct imap_session *s)
{
    log_event(LOG_INFO, "imap.end", LOG_I("session", s->number), LOG_T("login", s->login), LOG_T("peer", s->peer));
    hub_unwatch(s->server->hub, &s->watcher);
    s->account = (struct account_id){ 0 };
    s->login[0] = '\0';
    s->auth_version = 0;
    s->condstore = s->rev2 = s->utf8 = s->qresync = false;
    s->woken = s->ended_by_auth = false;
    s->state = IMAP_GREETED;
    conn_set_timeout(s->conn, IMAP_LOGIN_TIMEOUT_S);
}

/* Loop part of a login: the hub can end the session from here on. */
static void watch_account(struct imap_session *s)
{
    if ((s->state & IMAP_INSIDE) && !s->watcher) {
        s->watcher = hub_watch(s->server->hub, s->loop, s->account, s->auth_version,
                               CHANGE_NEW | CHANGE_FLAGS | CHANGE_REMOVED | CHANGE_HIERARCHY | CHANGE_AUTH, on_hub, s);
        conn_set_timeout(s->conn, settings_int(s->server->settings, SETTING_IMAP_IDLE_TIMEOUT_S));
    }
}

/* ---- framing ---- */

static const struct imap_command *find_command(struct slice name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (slice_eq_nocase(name, slice_of(commands[i]->name)))
            return commands[i];
    return NULL;
}

/* A refusal that needs no command. */
static void refuse(struct imap_session *s, struct slice tag, const char *text)
{
    s->tag = tag.len ? arena_text(s->arena, tag) : NULL;
    imap_reply(s, "%s", text);
    complete(s);
}

/* Takes the tag and name off a command; NULL after a refusal. */
static const struct imap_command *open_command(struct imap_session *s, struct slice *in)
{
    struct slice tag = { 0 }, name;
    if (!scan_tag(in, &tag) || !scan_sp(in)) {
        refuse(s, (struct slice){ 0 }, "BAD a command begins with a tag and a space");
        return NULL;
    }
    if (!scan_atom(in, &name)) {
        refuse(s, tag, "BAD no command");
        return NULL;
    }
    s->uid = slice_eq_nocase(name, SLICE_LIT("UID"));
    if (s->uid && (!scan_sp(in) || !scan_atom(in, &name))) {
        refuse(s, tag, "BAD UID needs a command");
        return NULL;
    }
    const struct imap_command *command = find_command(name);
    if (!command || (s->uid && !(command->flags & IMAP_TAKES_UID))) {
        refuse(s, tag, "BAD unknown command");
        return NULL;
    }
    if (!(command->states & s->state)) {
        refuse(s, tag,
               s->state == IMAP_GREETED             ? "BAD log in first"
               : command->states == IMAP_GREETED    ? "BAD already logged in"
                                                    : "BAD select a mailbox first");
        return NULL;
    }
    s->tag = arena_text(s->arena, tag);
    return command;
}

static void start_command(struct imap_session *s, struct slice text)
{
    struct slice in = text;
    const struct imap_command *command = open_command(s, &in);
    if (!command)
        return;
    enum err err = ERR_OK;
    // Arguments live in the arena: the in-buffer moves on while a worker has them.
    in = arena_copy(s->arena, in);
    if (command->parse)
        err = command->parse(&in, s->arena, &s->args);
    else if (command->parse_in)
        err = command->parse_in(s, &in, &s->args);
    if (!err && in.len)
        err = ERR_SYNTAX;
    if (err) {
        char *tag = s->tag;
        refuse(s, slice_of(tag), err == ERR_LIMIT ? "BAD [LIMIT] too much in one command" : "BAD arguments not understood");
        return;
    }
    s->command = command;
    s->start_us = clock_mono_us();
    run_command(s);
}

static size_t line_max(const struct imap_session *s)
{
    return s->state == IMAP_GREETED ? IMAP_LINE_LOGIN_MAX : IMAP_LINE_MAX;
}

/* A literal was announced at the end of `line`. true: go on reading the command behind it. */
static bool meet_literal(struct imap_session *s, struct slice line, size_t line_end, const struct scan_announced *literal,
                         size_t *from)
{
    struct slice in = conn_in(s->conn);
    if (imap_append_begin(s, line, literal)) {
        conn_consume(s->conn, line_end);
        if (!literal->non_sync && s->append.active)
            conn_write_text(s->conn, "+ OK\r\n");
        return false;
    }
    bool too_big = literal->size > line_max(s) - (line_end < line_max(s) ? line_end : line_max(s)) ||
                   (literal->non_sync && literal->size > IMAP_LITERAL_PLUS_MAX);
    if (too_big) {
        struct slice tag = { 0 }, rest = line;
        (void)scan_tag(&rest, &tag);
        if (literal->non_sync)
            imap_skip(s, literal->size); // it comes anyway
        tag = arena_copy(s->arena, tag);
        conn_consume(s->conn, line_end);
        s->asked = false;
        refuse(s, tag, "BAD [TOOBIG] the literal is too big");
        return false;
    }
    if (!literal->non_sync && !s->asked && in.len <= line_end) {
        s->asked = true;
        conn_write_text(s->conn, "+ OK\r\n");
    }
    if (in.len < line_end + literal->size)
        return false; // more has to come; scanned again from the start: commands are short
    s->asked = false;
    *from = line_end + (size_t)literal->size;
    return true;
}

/* Finds one whole command at the front of the input and runs it. false: more input is needed. */
static bool take_command(struct imap_session *s)
{
    struct slice in = conn_in(s->conn);
    size_t from = 0;
    for (;;) {
        size_t newline = slice_find(slice_tail(in, from), '\n');
        size_t line_end = newline == SIZE_MAX ? in.len : from + newline + 1;
        if (line_end > line_max(s)) {
            say_bye(s, "* BYE [TOOBIG] the command line is too long\r\n");
            return false;
        }
        if (newline == SIZE_MAX)
            return false;
        size_t text_len = line_end - 1 - (newline && in.at[line_end - 2] == '\r');
        struct slice text = slice_head(in, text_len);
        struct scan_announced literal;
        if (s->sasl) {
            struct slice line = arena_copy(s->arena, text);
            conn_consume(s->conn, line_end);
            s->sasl(s, line);
            return true;
        }
        if (scan_announced_literal(slice_tail(text, from), &literal)) {
            if (!meet_literal(s, text, line_end, &literal, &from))
                return s->skip_line || s->append.active || conn_in(s->conn).len < in.len;
            continue;
        }
        if (text.len == 0) { // a stray line end
            conn_consume(s->conn, line_end);
            return true;
        }
        text = arena_copy(s->arena, text);
        conn_consume(s->conn, line_end);
        start_command(s, text);
        return true;
    }
}

static bool take_idle_line(struct imap_session *s)
{
    struct slice in = conn_in(s->conn);
    size_t newline = slice_find(in, '\n');
    if (newline == SIZE_MAX) {
        if (in.len > IMAP_LINE_LOGIN_MAX)
            say_bye(s, "* BYE [TOOBIG] the line is too long\r\n");
        return false;
    }
    bool done = slice_eq_nocase(slice_trim(slice_head(in, newline)), SLICE_LIT("DONE"));
    conn_consume(s->conn, newline + 1);
    imap_reply(s, done ? "OK IDLE completed" : "BAD only DONE ends IDLE");
    complete(s);
    return true;
}

void imap_skip(struct imap_session *s, uint64_t octets)
{
    s->skip = octets;
    s->skip_line = true;
}

/* A refused literal and the rest of its command, further literals included: none of it may be taken for commands. */
static bool skip_refused(struct imap_session *s)
{
    size_t have = conn_in(s->conn).len, take = s->skip < have ? (size_t)s->skip : have;
    conn_consume(s->conn, take);
    s->skip -= take;
    struct slice in = conn_in(s->conn);
    size_t newline = slice_find(in, '\n');
    if (s->skip || newline == SIZE_MAX) {
        if (!s->skip && in.len > line_max(s))
            say_bye(s, "* BYE [TOOBIG] the command line is too long\r\n");
        return false;
    }
    struct scan_announced literal;
    struct slice line = slice_head(in, newline - (newline && in.at[newline - 1] == '\r'));
    // One that waits for "+" does not come: its client has seen the refusal.
    s->skip_line = scan_announced_literal(line, &literal) && literal.non_sync;
    if (s->skip_line)
        s->skip = literal.size;
    conn_consume(s->conn, newline + 1);
    return true;
}

/* The octets of APPEND's messages and what stands between them. */
static bool take_upload(struct imap_session *s)
{
    struct slice in = conn_in(s->conn);
    size_t take = s->append.left < in.len ? (size_t)s->append.left : in.len;
    if (take) {
        imap_append_feed(s, slice_head(in, take));
        conn_consume(s->conn, take);
        in = conn_in(s->conn);
    }
    if (s->append.left)
        return false;
    size_t newline = slice_find(in, '\n');
    if (newline == SIZE_MAX) {
        if (in.len > line_max(s))
            say_bye(s, "* BYE [TOOBIG] the command line is too long\r\n");
        return false;
    }
    struct scan_announced literal;
    struct slice text = slice_head(in, newline - (newline && in.at[newline - 1] == '\r'));
    bool announced = scan_announced_literal(text, &literal);
    enum imap_result result = imap_append_more(s, text, announced ? &literal : NULL);
    conn_consume(s->conn, newline + 1);
    if (result == IMAP_WAIT) {
        if (!literal.non_sync)
            conn_write_text(s->conn, "+ OK\r\n");
    } else if (result == IMAP_NEED_WORKER) {
        run_command(s);
    } else {
        complete(s);
    }
    return true;
}

static void on_turn(void *ctx)
{
    struct imap_session *s = ctx;
    s->turn_posted = false;
    if (!s->conn)
        release(s);
    else if (!s->job_active && !s->want_drain)
        conn_resume_input(s->conn);
}

static void post_turn(struct imap_session *s)
{
    s->want_turn = false;
    if (s->turn_posted)
        return;
    s->turn_posted = true;
    s->turn = (struct loop_task){ .fn = on_turn, .ctx = s };
    loop_post(s->loop, &s->turn);
}

static void on_input(struct conn *conn, void *session)
{
    struct imap_session *s = session;
    int64_t start_us = clock_mono_us();
    bool more = true;
    // job_active first: while a worker has the session, nothing else of it may be looked at.
    while (more && !s->job_active && s->conn && s->state != IMAP_ENDED && !s->want_drain && conn_in(conn).len) {
        if (conn_out_full(conn)) { // it asks more than it reads
            s->want_turn = true;
            conn_pause_input(conn);
            return;
        }
        if (clock_mono_us() - start_us > IMAP_TURN_US) {
            conn_pause_input(conn);
            post_turn(s);
            return;
        }
        if (s->skip_line)
            more = skip_refused(s);
        else if (s->append.active)
            more = take_upload(s);
        else if (s->idling)
            more = take_idle_line(s);
        else if (s->command && !s->sasl)
            more = false; // a delayed refusal is on its way
        else
            more = take_command(s);
    }
}

/* ---- the connection ---- */

static void *on_opened(struct conn *conn, void *listener_ctx)
{
    struct imap_session *s = mem_new(struct imap_session);
    s->server = listener_ctx;
    s->conn = conn;
    s->loop = conn_loop(conn);
    s->number = conn_number(conn);
    s->state = IMAP_GREETED;
    s->arena = arena_open();
    s->append.fd = -1;
    s->tls = conn_is_tls(conn);
    s->has_tls = conn_tls(conn) != NULL;
    s->loopback = conn_peer_is_loopback(conn);
    snprintf(s->peer, sizeof s->peer, "%s", conn_peer(conn));
    struct buf greeting = { 0 };
    buf_add_text(&greeting, "* OK [CAPABILITY ");
    imap_capabilities(s, &greeting);
    buf_printf(&greeting, "] %s Godwit ready\r\n", s->server->hostname);
    conn_write_buf(conn, &greeting);
    conn_set_timeout(conn, IMAP_LOGIN_TIMEOUT_S);
    return s;
}

static void on_drained(struct conn *conn, void *session)
{
    struct imap_session *s = session;
    (void)conn;
    if (s->want_turn)
        post_turn(s);
    if (s->idling && s->woken)
        idle_news(s);
    if (!s->want_drain)
        return;
    s->want_drain = false;
    submit(s);
}

static void on_timeout(struct conn *conn, void *session)
{
    (void)conn;
    say_bye(session, "* BYE [UNAVAILABLE] idle for too long\r\n");
}

static void on_stopping(struct conn *conn, void *session)
{
    struct imap_session *s = session;
    (void)conn;
    s->stopping = true;
    if (!s->job_active) // its commit may be under way: it is answered first
        say_bye(s, STOPPING);
}

static void on_closed(struct conn *conn, void *session)
{
    struct imap_session *s = session;
    (void)conn;
    s->conn = NULL;
    hub_unwatch(s->server->hub, &s->watcher);
    if (s->job_active)
        job_cancel(s->server->workers, &s->job);
    else
        release(s);
}

const struct conn_proto imap_proto = {
    .name = "imap",
    .in_high = 2 * IMAP_LINE_MAX,
    .out_high = IMAP_OUT_HIGH,
    .out_low = IMAP_OUT_LOW,
    .opened = on_opened,
    .input = on_input,
    .drained = on_drained,
    .timeout = on_timeout,
    .stopping = on_stopping,
    .closed = on_closed,
};
