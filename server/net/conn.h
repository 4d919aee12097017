/* Connections of the line protocols (IMAP, LMTP, POP3, submission): a stream, an in-buffer, an out-buffer and a
 * protocol. Everything here runs on the conn's own loop, except conn_id and what says "any thread".
 * A command is a baton: while a job of the session runs on a worker, callbacks other than `closed`/`woken` do not touch what the
 * job works on; input keeps being watched for hang-up but is not delivered until conn_resume_input. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "server/net/loop.h"
#include "server/net/tls.h"

struct conn;

struct conn_id { // any thread may hold it; the conn may be gone at any moment
    struct loop *loop;
    uint32_t slot, generation;
};

struct conn_proto {
    const char *name;      // for logs: "imap"
    size_t in_high;        // stop reading when so many bytes wait unparsed
    size_t out_high, out_low; // conn_out_full above high; `drained` is called when it falls to low
    /* A client came. Returns the session, NULL to refuse (the conn is closed once what was written is out).
     * listener_ctx: as given to listener_open. */
    void *(*opened)(struct conn *conn, void *listener_ctx);
    /* Bytes are in conn_in. Consume what is whole; called again when more came. Pipelined input: loop inside until no
     * whole command is left or a job was started. */
    void (*input)(struct conn *conn, void *session);
    void (*drained)(struct conn *conn, void *session); // may be NULL
    void (*timeout)(struct conn *conn, void *session); // conn_set_timeout ran out
    void (*stopping)(struct conn *conn, void *session); // the server stops: say goodbye and conn_finish
    /* The peer is gone or conn_finish is done; the last call. If a job runs, cancel it and free the session when it is
     * done: the session is then its own owner. */
    void (*closed)(struct conn *conn, void *session);
};

struct conn_id conn_id(const struct conn *conn);
struct conn *conn_find(struct conn_id id); // on its loop; NULL when gone
struct loop *conn_loop(const struct conn *conn);
/* Peer address as text, "192.0.2.1" or "::1", and whether it counts as loopback. */
const char *conn_peer(const struct conn *conn);
bool conn_peer_is_loopback(const struct conn *conn);
bool conn_is_tls(const struct conn *conn);
struct tls *conn_tls(const struct conn *conn); // certificates for STARTTLS; NULL when none are configured
uint64_t conn_number(const struct conn *conn); // unique in this process: "session" in logs

struct slice conn_in(const struct conn *conn);
void conn_consume(struct conn *conn, size_t n);
/* Stops delivering input (a job runs) and starts again (delivers what waits, before returning to the loop). */
void conn_pause_input(struct conn *conn);
void conn_resume_input(struct conn *conn);

/* Appends to the out-buffer. Flushed once, whole, when the callback returns to the loop. */
void conn_write(struct conn *conn, struct slice bytes);
void conn_write_text(struct conn *conn, const char *text);
void conn_write_buf(struct conn *conn, struct buf *from); // moves; from is left empty
bool conn_out_full(const struct conn *conn);              // above out_high
/* Flushes, then the TLS handshake; input that came before it is dropped (STARTTLS injection). */
void conn_start_tls(struct conn *conn);
/* What is written and read from here on is compressed (RFC 4978). Once. */
void conn_start_compress(struct conn *conn);
void conn_set_timeout(struct conn *conn, int64_t seconds); // 0: none; restarted by each input
/* Close when everything written is out. */
void conn_finish(struct conn *conn);

/* ---- listeners ---- */

struct listener;
struct listener_settings {
    const char *address; // "127.0.0.1:1143", "[::1]:1143"
    bool implicit_tls;
    struct tls *tls;     // NULL: plain only, no STARTTLS
    const struct conn_proto *proto;
    void *ctx;           // given to proto->opened
    uint32_t conns_max, conns_per_address_max; // further clients are accepted and closed at once (logged)
};
/* Binds and listens; accepts on all loops. errors: ERR_EXISTS (address in use; story names it), ERR_DENIED, ERR_SYNTAX */
MUST_USE enum err listener_open(struct loops *loops, const struct listener_settings *settings, struct trace *trace,
                                struct listener **listener);
/* Stops accepting, and asks every conn of it to stop (proto->stopping). */
void listener_stop(struct listener *listener);
/* Waits up to timeout_ms until all its conns are closed, closes the rest. */
void listener_close(struct listener **listener, int timeout_ms);
uint32_t listener_port(const struct listener *listener); // for "127.0.0.1:0"
