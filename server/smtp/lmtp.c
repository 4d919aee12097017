/* LMTP, RFC 2033: where the mail server delivers. A reply for each recipient, after the commit. */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/smtp/command.h"
#include "protocol/smtp/data.h"
#include "server/server.h"
#include "server/smtp/postman.h"
#include "server/smtp/recipients.h"

#define MEMORY_MAX 1048576u // of a message, before it goes to a spool file
#define BAD_MAX 20u         // bad commands in a row before the client is sent away

struct recipient {
    char *address;
    struct account_id account;
};

struct lmtp {
    struct server *server;
    struct conn *conn; // NULL once the client is gone
    struct arena *arena;
    char *helo, *sender;
    bool has_mail, smtputf8, stopping;
    unsigned bad_in_row;
    struct recipient *recipients;
    size_t count;
    /* RCPT being looked up */
    struct job job;
    bool job_active;
    char *looked_up;
    enum err found;
    struct account_id account;
    /* DATA */
    bool in_data, too_big, failed;
    struct smtp_data data;
    struct buf memory;
    int fd;
    int64_t size;
    int64_t start_us;
    struct parcel parcel;
    bool parcel_active;
    struct buf *prefixes;
    char peer[64];
    uint64_t number;
};

static void reply(struct lmtp *l, const char *text)
{
    conn_write_text(l->conn, text);
    conn_write_text(l->conn, "\r\n");
    // A dead recipient is no bad command: a list may have many of them in a row.
    bool bad = strncmp(text, "50", 2) == 0 || strncmp(text, "555", 3) == 0;
    l->bad_in_row = bad ? l->bad_in_row + 1 : 0;
    if (l->bad_in_row >= BAD_MAX) {
        conn_write_text(l->conn, "421 4.7.0 too many bad commands\r\n");
        conn_finish(l->conn);
    }
}

static void drop_data(struct lmtp *l)
{
    buf_free(&l->memory);
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->size = 0;
    l->in_data = l->too_big = l->failed = false;
    l->data = (struct smtp_data){ 0 };
}

/* Back to where MAIL may come. */
static void reset(struct lmtp *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->recipients[i].address);
        if (l->prefixes)
            buf_free(&l->prefixes[i]);
    }
    free(l->recipients);
    free(l->prefixes);
    free(l->parcel.delivery.targets);
    free(l->sender);
    l->recipients = NULL;
    l->prefixes = NULL;
    l->parcel = (struct parcel){ 0 };
    l->count = 0;
    l->sender = NULL;
    l->has_mail = l->smtputf8 = false;
    drop_data(l);
    arena_reset(l->arena);
}

static void session_free(struct lmtp *l)
{
    reset(l);
    free(l->helo);
    free(l->looked_up);
    arena_close(&l->arena);
    free(l);
}

static void stop_now(struct lmtp *l)
{
    conn_write_text(l->conn, "421 4.3.2 the server stops, come back soon\r\n");
    conn_finish(l->conn);
}

/* ---- commands ---- */

static void on_lhlo(struct lmtp *l, const struct smtp_command *c)
{
    struct buf text = { 0 };
    free(l->helo);
    l->helo = mem_text(arena_text(l->arena, c->argument));
    for (char *at = l->helo; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f) // it goes into a Received line
            *at = '?';
    reset(l);
    buf_printf(&text, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n",
               l->server->hostname);
    if (conn_tls(l->conn) && !conn_is_tls(l->conn))
        buf_add_text(&text, "250-STARTTLS\r\n");
    buf_printf(&text, "250 SIZE %lld\r\n", (long long)settings_int(l->server->settings, SETTING_LMTP_SIZE_MAX));
    l->bad_in_row = 0;
    conn_write_buf(l->conn, &text);
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] & 0x80)
            return false;
    return true;
}

static void on_mail(struct lmtp *l, const struct smtp_command *c)
{
    if (!l->helo) {
        reply(l, "503 5.5.1 say LHLO first");
    } else if (l->has_mail) {
        reply(l, "503 5.5.1 a mail is open already");
    } else if (c->size > (uint64_t)settings_int(l->server->settings, SETTING_LMTP_SIZE_MAX)) {
        reply(l, "552 5.3.4 the message is too big");
    } else if (!c->smtputf8 && !is_ascii(c->path)) {
        reply(l, "553 5.6.7 say SMTPUTF8 for such an address"); // RFC 6531 3.5
    } else {
        l->has_mail = true;
        l->smtputf8 = c->smtputf8;
        l->sender = mem_text(arena_text(l->arena, c->path));
        reply(l, "250 2.1.0 sender ok");
    }
}

static void add_recipient(struct lmtp *l, const char *address, struct account_id account)
{
    if ((l->count & (l->count - 1)) == 0) // room grows at powers of two
        l->recipients = mem_realloc(l->recipients, (l->count ? l->count * 2 : 1) * sizeof *l->recipients);
    l->recipients[l->count++] = (struct recipient){ mem_text(address), account };
    reply(l, "250 2.1.5 recipient ok");
}

static void look_up(struct job *job, struct worker *worker)
{
    struct lmtp *l = job->ctx;
    struct db *db = worker_db(worker);
    struct arena *arena = arena_open();
    struct account account;
    l->found = db ? account_find_recipient(db, arena, slice_of(l->looked_up), &account) : ERR_UNAVAILABLE;
    if (!l->found)
        l->account = account.id;
    arena_close(&arena);
}

static void looked_up(struct job *job)
{
    struct lmtp *l = job->ctx;
    l->job_active = false;
    if (!l->conn) {
        session_free(l);
        return;
    }
    if (l->found == ERR_OK) {
        recipients_put(postman_recipients(l->server->postman), slice_of(l->looked_up), l->account);
        add_recipient(l, l->looked_up, l->account);
    } else if (l->found == ERR_NOT_FOUND || l->found == ERR_SYNTAX) {
        reply(l, "550 5.1.1 no such user here");
        log_event(LOG_INFO, "recipient_refused", LOG_I("session", l->number), LOG_T("peer", l->peer), LOG_T("sender", l->sender),
                  LOG_T("recipient", l->looked_up), LOG_T("result", err_name(l->found)));
    } else {
        reply(l, "451 4.3.0 the store is not there at the moment");
    }
    if (l->stopping)
        stop_now(l);
    conn_resume_input(l->conn);
}

static void on_rcpt(struct lmtp *l, const struct smtp_command *c)
{
    struct account_id account;
    if (!l->has_mail) {
        reply(l, "503 5.5.1 say MAIL first");
        return;
    }
    if (l->count >= (size_t)settings_int(l->server->settings, SETTING_LMTP_RECIPIENTS_MAX)) {
        reply(l, "452 4.5.3 too many recipients");
        return;
    }
    if (!l->smtputf8 && !is_ascii(c->path)) {
        reply(l, "553 5.6.7 say SMTPUTF8 for such an address"); // RFC 6531 3.5
        return;
    }
    free(l->looked_up);
    l->looked_up = mem_text(arena_text(l->arena, c->path));
    if (recipients_find(postman_recipients(l->server->postman), c->path, &account)) {
        add_recipient(l, l->looked_up, account);
        return;
    }
    l->job = (struct job){ .run = look_up, .done = looked_up, .ctx = l, .home = conn_loop(l->conn) };
    l->job_active = true;
    conn_pause_input(l->conn);
    worker_submit(l->server->workers, &l->job);
}

static void on_data(struct lmtp *l)
{
    if (!l->has_mail) {
        reply(l, "503 5.5.1 say MAIL first");
    } else if (l->count == 0) {
        reply(l, "503 5.5.1 no valid recipients"); // RFC 2033 4.2
    } else {
        reply(l, "354 go on, end with a dot");
        l->in_data = true;
        l->start_us = clock_mono_us();
    }
}

static void on_starttls(struct lmtp *l)
{
    if (!conn_tls(l->conn) || conn_is_tls(l->conn)) {
        reply(l, "503 5.5.1 TLS is not offered here");
        return;
    }
    reset(l);
    free(l->helo); // what was said before the handshake is forgotten (RFC 3207 4.2)
    l->helo = NULL;
    reply(l, "220 2.0.0 begin TLS now");
    conn_start_tls(l->conn);
}

static void on_command(struct lmtp *l, struct slice line)
{
    struct smtp_command c;
    enum err err = smtp_parse(line, l->arena, &c);
    if (err) {
        reply(l, err == ERR_NOT_FOUND ? "555 5.5.4 this parameter is not known" : "501 5.5.4 arguments not understood");
        return;
    }
    switch (c.verb) {
    case SMTP_LHLO:
        on_lhlo(l, &c);
        break;
    case SMTP_MAIL:
        on_mail(l, &c);
        break;
    case SMTP_RCPT:
        on_rcpt(l, &c);
        break;
    case SMTP_DATA:
        on_data(l);
        break;
    case SMTP_RSET:
        reset(l);
        reply(l, "250 2.0.0 forgotten");
        break;
    case SMTP_NOOP:
        reply(l, "250 2.0.0 ok");
        break;
    case SMTP_VRFY:
        reply(l, "252 2.5.0 try to deliver");
        break;
    case SMTP_QUIT:
        reply(l, "221 2.0.0 goodbye");
        conn_finish(l->conn);
        break;
    case SMTP_STARTTLS:
        on_starttls(l);
        break;
    case SMTP_HELO:
    case SMTP_EHLO:
        reply(l, "500 5.5.1 this is LMTP: say LHLO"); // RFC 2033 4.1
        break;
    case SMTP_UNKNOWN:
        reply(l, "500 5.5.2 unknown command");
        break;
    }
}

/* ---- the message ---- */

static void spool(struct lmtp *l)
{
    if (l->fd < 0) {
        char path[4200];
        snprintf(path, sizeof path, "%s/spool/lmtp-XXXXXX", settings_text(l->server->settings, SETTING_DATA_DIR));
        l->fd = mkostemp(path, O_CLOEXEC);
        l->failed = l->failed || l->fd < 0;
        if (l->fd >= 0)
            unlink(path); // nobody else needs its name, and it goes with us
    }
    struct slice bytes = buf_slice(&l->memory);
    while (bytes.len && !l->failed) {
        ssize_t n = write(l->fd, bytes.at, bytes.len);
        l->failed = n <= 0;
        bytes = slice_tail(bytes, n > 0 ? (size_t)n : 0);
    }
    buf_clear(&l->memory);
}

static void write_prefix(struct lmtp *l, const struct recipient *r, struct buf *out)
{
    char date[64];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &utc);
    buf_printf(out, "Return-Path: <%s>\r\nDelivered-To: %s\r\n", l->sender, r->address);
    buf_printf(out, "Received: from %.255s ([%s])\r\n\tby %s (Godwit) with %s id %" PRIx64 "\r\n\tfor <%s>; %s\r\n",
               l->helo, l->peer, l->server->hostname, conn_is_tls(l->conn) ? "LMTPS" : "LMTP", l->number, r->address, date);
}

static void log_target(const struct lmtp *l, const struct delivery_target *t, const struct recipient *r)
{
    log_event(t->result ? LOG_WARN : LOG_INFO, "delivery", LOG_I("session", l->number), LOG_T("peer", l->peer),
              LOG_T("sender", l->sender), LOG_T("recipient", r->address), LOG_I("account", t->account.n),
              LOG_I("uid", t->uid), LOG_I("octets", l->size), LOG_MS("ms", (double)(clock_mono_us() - l->start_us) / 1000.0),
              LOG_T("result", err_name(t->result)));
}

static const char *verdict(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "250 2.1.5 delivered";
    case ERR_QUOTA:
        return "552 5.2.2 the mailbox is full";
    case ERR_NOT_FOUND: // it was there at RCPT: when the sender asks again, RCPT knows for certain
        return "450 4.2.1 the mailbox went away";
    case ERR_LIMIT:
        return "552 5.3.4 the message is too big";
    default:
        return "451 4.3.0 the store is not there at the moment";
    }
}

static void delivered(struct parcel *parcel)
{
    struct lmtp *l = parcel->ctx;
    l->parcel_active = false;
    for (size_t i = 0; i < l->count; i++) {
        const struct delivery_target *target = &parcel->delivery.targets[i];
        log_target(l, target, &l->recipients[i]);
        if (target->result == ERR_NOT_FOUND)
            recipients_forget(postman_recipients(l->server->postman), slice_of(l->recipients[i].address));
    }
    if (!l->conn) { // committed all the same: the sender will try again, and there will be two
        session_free(l);
        return;
    }
    for (size_t i = 0; i < l->count; i++) {
        conn_write_text(l->conn, verdict(parcel->delivery.targets[i].result));
        conn_write_text(l->conn, "\r\n");
    }
    reset(l);
    if (l->stopping)
        stop_now(l);
    conn_resume_input(l->conn);
}

static void refuse_all(struct lmtp *l, enum err why, const char *text)
{
    for (size_t i = 0; i < l->count; i++) {
        struct delivery_target none = { .account = l->recipients[i].account, .result = why };
        log_target(l, &none, &l->recipients[i]);
        conn_write_text(l->conn, text);
        conn_write_text(l->conn, "\r\n");
    }
    reset(l);
}

static void end_of_data(struct lmtp *l)
{
    if (l->too_big || l->failed) {
        refuse_all(l, l->too_big ? ERR_LIMIT : ERR_UNAVAILABLE,
                   l->too_big ? verdict(ERR_LIMIT) : "451 4.3.0 the message could not be spooled");
        return;
    }
    struct delivery_target *targets = mem_alloc(l->count * sizeof *targets);
    l->prefixes = mem_alloc(l->count * sizeof *l->prefixes);
    for (size_t i = 0; i < l->count; i++) {
        write_prefix(l, &l->recipients[i], &l->prefixes[i]);
        targets[i] = (struct delivery_target){ .account = l->recipients[i].account, .prefix = buf_slice(&l->prefixes[i]) };
    }
    l->parcel = (struct parcel){
        .delivery = { .message = { .octets = { .memory = buf_slice(&l->memory), .fd = l->fd, .size = l->size } },
                      .targets = targets,
                      .target_count = l->count },
        .done = delivered,
        .home = conn_loop(l->conn),
        .ctx = l,
    };
    l->in_data = false;
    l->parcel_active = true;
    conn_pause_input(l->conn);
    postman_send(l->server->postman, &l->parcel);
}

static void take_data(struct lmtp *l)
{
    struct slice in = conn_in(l->conn), rest = in;
    size_t before = buf_len(&l->memory);
    bool end = smtp_data_take(&l->data, &rest, &l->memory);
    l->size += (int64_t)(buf_len(&l->memory) - before);
    conn_consume(l->conn, in.len - rest.len);
    l->too_big = l->too_big || l->size > settings_int(l->server->settings, SETTING_LMTP_SIZE_MAX);
    if (l->too_big)
        buf_clear(&l->memory); // the rest is read and thrown away
    else if (buf_len(&l->memory) > MEMORY_MAX || l->fd >= 0)
        spool(l);
    if (end)
        end_of_data(l);
}

/* ---- the connection ---- */

static void *on_opened(struct conn *conn, void *listener_ctx)
{
    struct lmtp *l = mem_new(struct lmtp);
    l->server = listener_ctx;
    l->conn = conn;
    l->arena = arena_open();
    l->fd = -1;
    l->number = conn_number(conn);
    snprintf(l->peer, sizeof l->peer, "%s", conn_peer(conn));
    conn_write_text(conn, "220 ");
    conn_write_text(conn, l->server->hostname);
    conn_write_text(conn, " LMTP Godwit\r\n");
    conn_set_timeout(conn, settings_int(l->server->settings, SETTING_LMTP_TIMEOUT_S));
    return l;
}

static bool take_line(struct lmtp *l)
{
    arena_reset(l->arena); // what outlives its command is copied
    struct slice in = conn_in(l->conn);
    size_t newline = slice_find(in, '\n');
    if (newline == SIZE_MAX || newline > SMTP_LINE_MAX) {
        if (in.len > SMTP_LINE_MAX) {
            conn_write_text(l->conn, "500 5.5.6 the line is too long\r\n");
            conn_finish(l->conn);
            conn_consume(l->conn, in.len);
        }
        return false;
    }
    size_t len = newline && in.at[newline - 1] == '\r' ? newline - 1 : newline;
    struct slice line = arena_copy(l->arena, slice_head(in, len));
    conn_consume(l->conn, newline + 1);
    on_command(l, line);
    return true;
}

static void on_input(struct conn *conn, void *session)
{
    struct lmtp *l = session;
    while (!l->job_active && !l->parcel_active && conn_in(conn).len) {
        if (l->in_data)
            take_data(l);
        else if (!take_line(l))
            break;
    }
}

static void on_timeout(struct conn *conn, void *session)
{
    (void)session;
    conn_write_text(conn, "421 4.4.2 idle for too long\r\n");
    conn_finish(conn);
}

static void on_stopping(struct conn *conn, void *session)
{
    struct lmtp *l = session;
    (void)conn;
    l->stopping = true;
    if (!l->job_active && !l->parcel_active) // a delivery in flight is finished first
        stop_now(l);
}

static void on_closed(struct conn *conn, void *session)
{
    struct lmtp *l = session;
    (void)conn;
    l->conn = NULL;
    if (!l->job_active && !l->parcel_active)
        session_free(l);
}

const struct conn_proto lmtp_proto = {
    .name = "lmtp",
    .in_high = 262144,
    .out_high = 65536,
    .out_low = 16384,
    .opened = on_opened,
    .input = on_input,
    .timeout = on_timeout,
    .stopping = on_stopping,
    .closed = on_closed,
};
