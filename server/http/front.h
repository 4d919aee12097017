/* The HTTP front: owns client sockets and TLS, hands active requests to libmicrohttpd over a socket pair, and keeps
 * waiting requests itself (notes in docs/decisions: why requests do not wait inside libmicrohttpd). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "server/net/conn.h"
#include "server/net/worker.h"

struct http_front;
struct http_request;

enum http_head_result {
    HTTP_READ_BODY,   // go on: read the body (up to http_set_body_max), then run
    HTTP_NEED_WORKER, // only when worker is NULL: call me again on a worker
    HTTP_ANSWERED,    // http_answer was called: do not read the body (the client is closed after the answer)
};

/* An application: a path (prefix) and what to do. One of these answers each request; the longest path wins. */
struct http_app {
    const char *path; // "/Microsoft-Server-ActiveSync"; compared without ASCII case
    bool prefix;      // also everything below it
    void *ctx;
    /* After the headers, before the body: authentication, method, limits (hard case 28). On the loop with worker NULL,
     * or on a worker after HTTP_NEED_WORKER. */
    enum http_head_result (*head)(struct http_request *req, struct worker *worker);
    /* On a worker, with the whole body: must end in http_answer, http_answer_stream or http_park. */
    void (*run)(struct http_request *req, struct worker *worker);
    /* Which account queue the run job belongs to; may be NULL. */
    struct account_id (*account)(struct http_request *req, bool *writes);
    /* When the request is dropped for whatever reason: free http_data. On the loop; may be NULL. */
    void (*dropped)(struct http_request *req);
};

/* What a request is. All slices live as long as the request. */
const struct http_app *http_app_of(const struct http_request *req);
struct arena *http_arena(struct http_request *req);
struct slice http_method(const struct http_request *req);
struct slice http_path(const struct http_request *req);         // decoded
struct slice http_query(const struct http_request *req);        // raw, what follows "?"
struct slice http_query_arg(const struct http_request *req, const char *name); // decoded; at NULL when absent
struct slice http_header(const struct http_request *req, const char *name);    // at NULL when absent
struct slice http_body(const struct http_request *req);         // whole; memory or a mapped spool file
/* The client's address: of the socket, or, from http.trusted_proxies only, the forwarded one. */
const char *http_peer(const struct http_request *req);
/* Whether the client's own hop was TLS (X-Forwarded-Proto: https counts from trusted proxies) or a direct loopback
 * client: credentials may be taken. */
bool http_peer_is_secure(const struct http_request *req);
uint64_t http_number(const struct http_request *req); // "session" in logs
bool http_cancelled(const struct http_request *req);  // the client hung up: long work stops
void http_set_body_max(struct http_request *req, uint64_t octets); // in head; default 64 KiB
/* The app's own data for this request. */
void http_set_data(struct http_request *req, void *data);
void *http_data(const struct http_request *req);

void http_answer_header(struct http_request *req, const char *name, const char *value); // copied; before the answer
/* Answers; body is moved (NULL: empty). Content-Length is set. */
void http_answer(struct http_request *req, int status, const char *content_type, struct buf *body);
/* A long answer of known size, produced in pieces on workers: read appends up to about 256 KiB from offset on. An error
 * closes the connection. */
typedef enum err (*http_read_fn)(void *ctx, struct worker *worker, uint64_t offset, struct buf *out);
void http_answer_stream(struct http_request *req, int status, const char *content_type, uint64_t size,
                        http_read_fn read, void (*free_ctx)(void *ctx), void *ctx);

/* ---- waiting ---- */

enum park_end { PARK_TIMEOUT, PARK_STOPPING };
struct http_park; // a waiting client: one descriptor, 0.4 KB; on its loop

struct park_ops {
    /* On the loop, once the client is parked: register with the hub, look again. */
    void (*parked)(struct http_park *park, void *ctx);
    /* The heartbeat ended, or the server stops (default then: 503 with Retry-After spread over a minute, made by the
     * front; PARK_STOPPING is not delivered). Answer with http_unpark. */
    void (*ended)(struct http_park *park, void *ctx, enum park_end why);
    /* The park is over (answered, client gone, stopping): unwatch, free ctx. A job may still run: it must hold no
     * pointer to park but its id. */
    void (*freed)(void *ctx);
};
struct park_id {
    struct loop *loop;
    uint32_t slot, generation;
};
/* From run, instead of an answer. ctx belongs to the park from here on. */
void http_park(struct http_request *req, const struct park_ops *ops, void *ctx, uint32_t heartbeat_s);
struct park_id park_id(const struct http_park *park);
struct http_park *park_find(struct park_id id); // on its loop; NULL when gone
struct loop *park_loop(const struct http_park *park);
/* Writes the whole HTTP answer and ends the park; the client may send its next request. On the loop. headers: whole
 * lines with CRLF, may be empty. */
void http_unpark(struct http_park *park, int status, const char *content_type, struct slice headers,
                 struct slice body);
/* Ends the park by running the request again through `run` (hanging Sync): its head and body were kept because
 * http_keep_request was called before http_park. On the loop. */
void http_unpark_rerun(struct http_park *park);
void http_keep_request(struct http_request *req);
/* Whether this run is such a second one. */
bool http_is_rerun(const struct http_request *req);

/* ---- the front itself ---- */

struct http_front_settings {
    struct loops *loops;
    struct workers *workers;
    const struct http_app *const *apps;
    size_t app_count;
    const char *trusted_proxies; // addresses and networks, separated by commas or blanks
    uint32_t active_max;         // active requests per loop (768): further clients wait unread
    uint32_t first_s;            // from accept to the first byte of a request (60)
    uint32_t idle_s;             // keep-alive of a client without a request (default 3,700: phones keep theirs)
    uint32_t pair_idle_s;        // a socket pair is dropped after so many idle seconds (5)
    uint32_t head_max_s;         // from the first byte of a request to the end of its head (30)
    uint32_t window_s;           // in each such time a body, or a client that reads an answer, moves 1 KiB (60)
    uint32_t linger_s;           // reading what a refused client still sends, so that it can read the answer (5)
    const char *spool_dir;       // for bodies over 1 MiB
};
MUST_USE enum err http_front_open(const struct http_front_settings *settings, struct http_front **front);
/* Listeners share one front; apps lists which of the front's apps answer there (NULL: all). */
MUST_USE enum err http_listen(struct http_front *front, const char *address, struct tls *tls_or_null,
                              const struct http_app *const *apps, size_t app_count, struct trace *trace,
                              uint32_t *port);
void http_front_stop(struct http_front *front);  // no new clients; parked ones get 503
void http_front_close(struct http_front **front, int timeout_ms);
struct http_stats {
    uint64_t clients, active, parked, requests;
};
void http_front_stats(struct http_front *front, struct http_stats *stats);
