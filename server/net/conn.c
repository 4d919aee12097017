#include "server/net/conn.h"

#include <assert.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/net/conn_internal.h"

#define READ_BYTES 16384u   // one read
#define TURN_BYTES 65536u   // read or written for one connection before the next has its turn
#define LINGER_S 5          // how long an ended connection waits for the peer's end

static _Atomic uint64_t conn_numbers; // "session" in the logs: unique in this process

/* ---- slots ---- */

static void table_free(void *ctx)
{
    struct conn_table *table = ctx;
    free(table->slots);
    free(table);
}

static struct conn_table *table_of(struct loop *loop)
{
    struct loop_own *own = loop_own(loop);
    if (!own->ctx) {
        struct conn_table *table = mem_new(struct conn_table);
        table->free_head = UINT32_MAX;
        *own = (struct loop_own){ table, table_free };
    }
    return own->ctx;
}

static void slot_take(struct conn *conn)
{
    struct conn_table *table = table_of(conn->loop);
    uint32_t slot = table->free_head;
    if (slot == UINT32_MAX) {
        slot = table->count++;
        table->slots = mem_realloc(table->slots, table->count * sizeof *table->slots);
        table->slots[slot] = (struct conn_slot){ .generation = 1 };
    } else {
        table->free_head = table->slots[slot].next_free;
    }
    table->slots[slot].conn = conn;
    conn->slot = slot;
    conn->generation = table->slots[slot].generation;
}

static void slot_give_back(struct conn *conn)
{
    struct conn_table *table = table_of(conn->loop);
    struct conn_slot *slot = &table->slots[conn->slot];
    slot->conn = NULL;
    slot->generation++;
    slot->next_free = table->free_head;
    table->free_head = conn->slot;
}

struct conn_id conn_id(const struct conn *conn)
{
    return (struct conn_id){ conn->loop, conn->slot, conn->generation };
}

struct conn *conn_find(struct conn_id id)
{
    assert(loop_is_current(id.loop));
    struct conn_table *table = table_of(id.loop);
    if (id.slot >= table->count || table->slots[id.slot].generation != id.generation)
        return NULL;
    return table->slots[id.slot].conn;
}

void conn_each(struct loop *loop, struct listener *listener, void (*fn)(struct conn *conn))
{
    struct conn_table *table = table_of(loop);
    for (uint32_t i = 0; i < table->count; i++)
        if (table->slots[i].conn && table->slots[i].conn->listener == listener)
            fn(table->slots[i].conn);
}

/* ---- facts ---- */

struct loop *conn_loop(const struct conn *conn)
{
    return conn->loop;
}

const char *conn_peer(const struct conn *conn)
{
    return conn->peer;
}

bool conn_peer_is_loopback(const struct conn *conn)
{
    return conn->loopback;
}

bool conn_is_tls(const struct conn *conn)
{
    return stream_is_tls(&conn->stream) || conn->starting_tls;
}

struct tls *conn_tls(const struct conn *conn)
{
    return conn->listener->tls;
}

uint64_t conn_number(const struct conn *conn)
{
    return conn->number;
}

struct slice conn_in(const struct conn *conn)
{
    // Nothing behind a goodbye is answered, and nothing behind STARTTLS is heard before the handshake (RFC 3207 6), not
    // even by a session that loops over what it has.
    if (conn->finishing || conn->starting_tls)
        return SLICE_LIT("");
    return buf_slice(&conn->in);
}

void conn_consume(struct conn *conn, size_t n)
{
    buf_consume(&conn->in, n);
}

/* ---- the machine ---- */

/* Another turn, after the other connections that are ready now. */
static void queue_turn(struct conn *conn)
{
    if (conn->queued)
        return;
    conn->queued = true;
    event_active(&conn->event, EV_WRITE, 0);
}

void conn_drop(struct conn *conn)
{
    assert(!conn->busy);
    conn->busy = true; // what `closed` still writes goes nowhere
    event_del(&conn->event);
    loop_timer_clear(conn->loop, &conn->timer);
    slot_give_back(conn);
    if (conn->session)
        conn->proto->closed(conn, conn->session);
    stream_fini(&conn->stream);
    buf_free(&conn->in);
    buf_free(&conn->out);
    zip_close(&conn->zip);
    listener_forget(conn->listener, conn->peer);
    free(conn);
}

static bool in_full(const struct conn *conn)
{
    return buf_len(&conn->in) >= conn->proto->in_high;
}

static void note(struct conn *conn, enum stream_result result)
{
    conn->readable = false;
    conn->eof = conn->eof || result == STREAM_EOF || result == STREAM_BROKEN;
    conn->broken = conn->broken || result == STREAM_BROKEN;
}

static bool has_more(const struct conn *conn)
{
    return conn->readable || (conn->zip && zip_has_more(conn->zip));
}

/* Inflates what has come, as far as there is room: however much a few octets become, no more than that is held. */
static void inflate_input(struct conn *conn)
{
    while (conn->zip && zip_has_more(conn->zip) && !in_full(conn) && !conn->lingering && !conn->broken) {
        size_t before = buf_len(&conn->in);
        if (!zip_inflate(conn->zip, READ_BYTES, &conn->in))
            conn->eof = conn->broken = true;
        conn->new_input = conn->new_input || buf_len(&conn->in) > before;
    }
}

/* Reads what is there, up to a turn's worth. */
static void fill(struct conn *conn)
{
    size_t total = 0;
    inflate_input(conn);
    while (conn->readable && !in_full(conn) && !conn->starting_tls && total < TURN_BYTES) {
        size_t got;
        struct buf *into = conn->zip ? zip_waiting(conn->zip) : &conn->in;
        char *to = buf_reserve(into, READ_BYTES);
        enum stream_result result = stream_read(&conn->stream, to, READ_BYTES, &got);
        if (result != STREAM_OK) {
            note(conn, result);
            break;
        }
        total += got;
        if (conn->lingering)
            continue; // nobody reads it any more: overwritten
        buf_commit(into, got);
        conn->new_input = conn->new_input || !conn->zip;
        inflate_input(conn);
    }
    if (buf_len(&conn->in) == 0)
        buf_free(&conn->in); // an idle connection holds no buffer
    if (total)
        conn->last_input_us = clock_mono_us();
    if (conn->readable && in_full(conn)) {
        // No room to read on, so a reset would go unseen: ask.
        struct pollfd poll_fd = { .fd = conn->stream.fd, .events = 0 };
        if (poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLERR | POLLHUP)))
            conn->eof = conn->broken = true;
    }
}

static void hand_input(struct conn *conn)
{
    while (conn->new_input && !conn->paused && !conn->finishing && !conn->starting_tls && buf_len(&conn->in)) {
        conn->new_input = false;
        conn->proto->input(conn, conn->session);
    }
}

static size_t out_len(const struct conn *conn)
{
    return buf_len(&conn->out) + (conn->zip ? buf_len(zip_out(conn->zip)) : 0);
}

/* The next octets for the wire. */
static struct buf *wire_out(struct conn *conn)
{
    if (!conn->zip)
        return &conn->out;
    while (buf_len(zip_out(conn->zip)) == 0 && buf_len(&conn->out)) {
        size_t all = buf_len(&conn->out);
        struct slice plain = slice_head(buf_slice(&conn->out), all < TURN_BYTES ? all : TURN_BYTES);
        zip_deflate(conn->zip, plain, plain.len == all);
        buf_consume(&conn->out, plain.len);
    }
    return zip_out(conn->zip);
}

static void flush(struct conn *conn)
{
    size_t total = 0;
    while (out_len(conn) && !conn->broken) {
        struct buf *from = wire_out(conn);
        if (total >= TURN_BYTES) {
            queue_turn(conn);
            return;
        }
        struct slice bytes = buf_slice(from);
        size_t sent;
        if (bytes.len > TURN_BYTES)
            bytes.len = TURN_BYTES;
        enum stream_result result = stream_write(&conn->stream, bytes, &sent);
        if (result == STREAM_AGAIN || result == STREAM_WANT_WRITE)
            return;
        if (result != STREAM_OK) {
            conn->eof = conn->broken = true;
            return;
        }
        buf_consume(from, sent);
        total += sent;
    }
    if (buf_len(&conn->out) == 0)
        buf_free(&conn->out);
    if (conn->zip && out_len(conn) == 0) {
        buf_free(zip_out(conn->zip));
        zip_rest(conn->zip);
        if (buf_len(&conn->in) == 0)
            buf_free(&conn->in);
    }
}

static void begin_tls(struct conn *conn)
{
    // What came before the handshake was said in the clear: an attacker may have put it there (RFC 3207 6).
    buf_free(&conn->in);
    conn->new_input = false;
    conn->starting_tls = false;
    stream_start_tls(&conn->stream, conn->listener->tls);
    conn->readable = true;
}

static bool is_over(const struct conn *conn)
{
    if (conn->broken)
        return true;
    if (conn->finishing)
        return conn->lingering && conn->eof;
    // The peer ended writing: what it sent before is still answered, but a job that runs for nobody is called off.
    return conn->eof && !has_more(conn) && (!conn->paused || buf_len(&conn->in) == 0) && out_len(conn) == 0;
}

static void on_linger_end(void *ctx)
{
    conn_drop(ctx);
}

/* One turn: read, hand on, write; then see what became of the connection. */
static void process(struct conn *conn)
{
    conn->busy = true;
    conn->queued = false;
    fill(conn);
    hand_input(conn);
    flush(conn);
    if (conn->starting_tls && buf_len(&conn->out) == 0 && !conn->broken) {
        begin_tls(conn);
        fill(conn);
    }
    if (conn->was_full && buf_len(&conn->out) <= conn->proto->out_low && !conn->broken) {
        conn->was_full = false;
        if (conn->proto->drained && !conn->finishing)
            conn->proto->drained(conn, conn->session);
        flush(conn);
    }
    if (conn->finishing && !conn->lingering && out_len(conn) == 0 && !conn->broken) {
        conn->lingering = true;
        conn->readable = true;
        buf_free(&conn->in);
        stream_end_writing(&conn->stream);
        loop_timer_set(conn->loop, &conn->timer, LINGER_S, on_linger_end, conn);
        fill(conn);
    }
    conn->busy = false;
    if (is_over(conn))
        conn_drop(conn);
    else if (has_more(conn) && !in_full(conn))
        queue_turn(conn);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
    struct conn *conn = ctx;
    (void)fd;
    if (what & (EV_READ | EV_CLOSED))
        conn->readable = true;
    process(conn);
}

void conn_pause_input(struct conn *conn)
{
    conn->paused = true;
}

void conn_resume_input(struct conn *conn)
{
    conn->paused = false;
    conn->new_input = buf_len(&conn->in) > 0;
    if (!conn->busy)
        process(conn);
}

/* ---- writing ---- */

static void after_write(struct conn *conn)
{
    if (buf_len(&conn->out) > conn->proto->out_high)
        conn->was_full = true;
    if (!conn->busy)
        queue_turn(conn);
}

void conn_write(struct conn *conn, struct slice bytes)
{
    buf_add(&conn->out, bytes);
    after_write(conn);
}

void conn_write_text(struct conn *conn, const char *text)
{
    conn_write(conn, slice_of(text));
}

void conn_write_buf(struct conn *conn, struct buf *from)
{
    buf_move(&conn->out, from);
    after_write(conn);
}

bool conn_out_full(const struct conn *conn)
{
    return buf_len(&conn->out) > conn->proto->out_high;
}

void conn_start_tls(struct conn *conn)
{
    assert(conn->listener->tls && !stream_is_tls(&conn->stream));
    conn->starting_tls = true;
    if (!conn->busy)
        queue_turn(conn);
}

void conn_start_compress(struct conn *conn)
{
    assert(!conn->zip);
    conn->zip = zip_open();
    buf_move(zip_out(conn->zip), &conn->out); // said before: goes as it is
    buf_move(zip_waiting(conn->zip), &conn->in);
    if (!conn->busy)
        queue_turn(conn);
}

static void on_timeout(void *ctx)
{
    struct conn *conn = ctx;
    if (conn->finishing) { // it does not even read our last words
        conn_drop(conn);
        return;
    }
    int64_t idle_s = (clock_mono_us() - conn->last_input_us) / US_PER_S;
    if (conn->paused || idle_s < conn->timeout_s) { // a running command is not idle
        loop_timer_set(conn->loop, &conn->timer, conn->paused ? conn->timeout_s : conn->timeout_s - idle_s, on_timeout,
                       conn);
        return;
    }
    conn->last_input_us = clock_mono_us();
    loop_timer_set(conn->loop, &conn->timer, conn->timeout_s, on_timeout, conn);
    conn->proto->timeout(conn, conn->session);
}

void conn_set_timeout(struct conn *conn, int64_t seconds)
{
    if (conn->finishing)
        return;
    conn->timeout_s = seconds;
    conn->last_input_us = clock_mono_us();
    if (seconds > 0)
        loop_timer_set(conn->loop, &conn->timer, seconds, on_timeout, conn);
    else
        loop_timer_clear(conn->loop, &conn->timer);
}

void conn_finish(struct conn *conn)
{
    conn->finishing = true;
    if (!conn->busy)
        queue_turn(conn);
}

void conn_ask_stop(struct conn *conn)
{
    if (conn->session && !conn->finishing)
        conn->proto->stopping(conn, conn->session);
}

/* ---- birth ---- */

void conn_adopt(struct listener *listener, struct loop *loop, int fd, const char *peer, bool loopback)
{
    struct conn *conn = mem_new(struct conn);
    conn->loop = loop;
    conn->listener = listener;
    conn->proto = listener->proto;
    conn->number = atomic_fetch_add(&conn_numbers, 1) + 1;
    conn->loopback = loopback;
    conn->readable = true;
    memcpy(conn->peer, peer, strlen(peer) + 1);
    stream_init(&conn->stream, fd, listener->implicit_tls ? listener->tls : NULL);
    slot_take(conn);
    event_assign(&conn->event, loop_base(loop), fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, conn);
    event_add(&conn->event, NULL);
    conn->busy = true;
    conn->session = conn->proto->opened(conn, listener->ctx);
    conn->busy = false;
    if (!conn->session)
        conn->finishing = true;
    queue_turn(conn);
}
