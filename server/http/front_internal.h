/* What the files of the HTTP front share. Everything here runs on the front loop's own thread
 * unless it says otherwise.
 *
 *   listen.c    accepts, hands clients out to the loops
 *   client.c    a client socket: its slot, timers, what epoll watches for it, its end
 *   relay.c     bytes between a client and its pair, with back-pressure
 *   exchange.c  libmicrohttpd's callbacks and the jobs of a request: head, body, run
 *   request.c   what an app sees of a request
 *   answer.c    answers: by libmicrohttpd, or whole by the front itself
 *   park.c      waiting clients
 *   front.c     the loop round, start and stop */
#pragma once

#include <event2/event.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/http/frame.h"
#include "server/http/front.h"
#include "server/http/proxy.h"
#include "server/http/spool.h"
#include "server/net/stream.h"

#define CLIENT_READ_BYTES 16384u // of a client at once
#define PAIR_READ_BYTES 65536u   // of a pair at once
#define TURN_BYTES 65536u        // for one client before the next has its turn
#define POOL_BYTES 32768u        // of libmicrohttpd, a connection: the longest head is about 30 KB
#define ACCEPT_BATCH 64
#define EVENT_BATCH 128
#define BODY_MAX_DEFAULT 65536u
#define STREAM_BLOCK_BYTES 65536u

#define WINDOW_BYTES 1024u // at least, while a body or an answer moves, in each window_s
#define RETRY_S 1  // after accept or socketpair failed for want of descriptors
#define RETRY_AFTER_MAX_S 60

struct front_loop;

struct http_listener {
    struct http_front *front;
    struct http_listener *next;
    uint32_t number;
    int fd; // -1: closed
    struct tls *tls;
    const struct http_app *const *apps;
    size_t app_count;
    struct loop_timer retry;
    bool full; // no descriptors for further clients
};

struct client_id {
    uint32_t slot, generation;
};

/* What exists only while a client has bytes or a pair. */
struct wire {
    int pair;             // our end; -1: none
    uint32_t pair_events; // 0: not in epoll
    uint32_t window_bytes;
    struct buf in, out; // from and to the client
    size_t approved;    // bytes at the front of `in` that belong to the request before the parser
    struct frame frame;
    struct http_request *req; // that libmicrohttpd works on
};

enum client_state {
    CLIENT_OPEN,
    CLIENT_PARKED,
    CLIENT_RERUN, // a parked request runs again; the front will write its answer
    CLIENT_LINGER,
};

enum client_timing {
    TIMING_NONE,
    TIMING_FIRST,
    TIMING_IDLE,
    TIMING_PAIR_IDLE,
    TIMING_HEAD,
    TIMING_BODY,
    TIMING_ANSWER,
    TIMING_PARK,
    TIMING_LINGER,
};

struct client_list {
    struct http_client *first, *last;
};

/* A client. Small, since many thousand wait. */
struct http_client {
    struct front_loop *fl;
    struct http_listener *listener;
    struct client_list *list; // the one it is in: fl->idle, fl->queue or none
    struct http_client *prev, *next;
    struct wire *wire;
    struct http_park *park;
    struct http_request *rerun;
    struct stream stream;
    struct loop_timer timer;
    uint64_t number;
    struct in6_addr address;
    struct client_id id;
    uint32_t events; // in epoll
    uint8_t state, timing;
    bool finish;     // close when `out` is empty
    bool due;        // in fl->due
    bool want_write; // TLS wants to write before it can read
    bool served;     // had a request before
};

struct http_park {
    struct http_client *client;
    const struct park_ops *ops;
    void *ctx;
    struct http_request *kept; // NULL: http_keep_request was not called
    uint32_t serial;
    bool close; // the client asked for it
};

struct client_slot {
    struct http_client *client; // NULL: free
    uint32_t generation;
    uint32_t next_free;
};

struct front_loop {
    struct http_front *front;
    struct loop *loop;
    struct front_loop *next_here; // other fronts on this thread
    uint32_t index;               // among them: upper bits of park_id.slot
    int epoll;                    // all clients and pairs
    struct event *epoll_event, *mhd_event, *kick_event, *mhd_timer;
    struct MHD_Daemon *mhd;
    bool mhd_due; // MHD_run has something to do
    bool in_turn;
    bool stopping;

    struct client_slot *slots;
    uint32_t slot_count, slot_free;
    struct client_list idle;  // have a pair and no request, longest idle first
    struct client_list queue; // wait for a pair
    struct client_id *due;    // to be pumped in this round
    size_t due_count, due_room;
    struct loop_timer retry;
    uint32_t park_serial;
    uint32_t mhd_conns, requests_alive, client_count;
    char scratch[PAIR_READ_BYTES];

    atomic_uint_fast64_t stat_clients, stat_active, stat_parked, stat_requests;
};

struct http_front {
    struct loops *loops;
    struct workers *workers;
    const struct http_app **apps;
    size_t app_count, loop_count;
    struct proxies *proxies;
    // Descriptors are shared out when the front opens: a client takes one, an active one two more.
    uint32_t clients_max;
    atomic_uint clients;
    uint32_t active_max, first_s, idle_s, pair_idle_s, head_max_s, window_s, linger_s;
    char *spool_dir;
    atomic_size_t next_loop;
    atomic_uint_fast64_t next_number;
    struct http_listener *listeners;
    bool stopped;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t acks, drained; // guarded by lock: loops that did what they were asked; that are empty
    uint64_t emptied;     // guarded by lock: how often a loop became empty
    struct front_loop *fls[];
};

enum request_phase {
    REQUEST_NEW,
    REQUEST_HEAD_JOB,
    REQUEST_HEAD_DONE,
    REQUEST_BODY,
    REQUEST_RUN_JOB,
    REQUEST_RUN_DONE,
    REQUEST_ANSWERING,
};

enum outcome { OUTCOME_NONE, OUTCOME_ANSWER, OUTCOME_STREAM, OUTCOME_PARK };

struct http_field { // a header, asked or answered
    struct http_field *next;
    const char *name, *value;
    size_t value_len;
};

/* A request. Held by libmicrohttpd from its request line to its completion, by a job, by a park. */
struct http_request {
    struct front_loop *fl;
    struct client_id client;
    uint64_t number;
    unsigned refs;
    enum request_phase phase;
    struct MHD_Connection *mhd;
    bool left_mhd; // libmicrohttpd shall forget it: answered or parked by the front
    bool job_running;
    bool head_seen; // the app knows of it
    bool keep_alive, keep, rerun, secure;
    atomic_bool cancelled;
    struct job job;
    enum http_head_result head_result;

    struct arena *arena;
    const struct http_app *app;
    struct slice method, target, path, query;
    struct http_field *fields, **fields_end;
    char peer[INET6_ADDRSTRLEN];
    uint64_t body_max;
    struct spool body;
    void *data;

    enum outcome outcome;
    int status;
    const char *content_type; // NULL: none
    struct http_field *answer_fields, **answer_end;
    struct buf answer; // the body, or the piece of a stream in flight
    uint64_t stream_size, stream_made;
    http_read_fn stream_read;
    void (*stream_free)(void *ctx);
    void *stream_ctx;
    enum err stream_err;
    const struct park_ops *park_ops;
    void *park_ctx;
    uint32_t heartbeat_s;
};

/* ---- listen.c ---- */
void listen_accept(struct http_listener *listener); // on the first loop, as the next
void listen_end(struct http_listener *listener);

/* ---- client.c ---- */
void client_open(struct front_loop *fl, struct http_listener *listener, int fd,
                 const struct in6_addr *address);
struct http_client *client_find(struct front_loop *fl, struct client_id id);
/* Closes it: cancels its job, ends its park. */
void client_drop(struct http_client *client);
struct wire *client_wire(struct http_client *client); // made when missing
void client_later(struct http_client *client);        // pump it in this or the next round
/* After anything changed: lists, timer, epoll, the end. May drop the client. */
void client_settle(struct http_client *client);
bool client_pair_open(struct http_client *client); // false: no descriptors now
void client_pair_close(struct http_client *client);
void client_enqueue(struct http_client *client);
void queue_next(struct front_loop *fl); // a pair became free
bool pair_available(const struct front_loop *fl);
void client_request_ends(struct http_client *client); // restarts timers
void client_linger_input(struct http_client *client);

/* ---- relay.c ---- */
void client_pump(struct http_client *client);
/* Sends or buffers; false: the socket is broken, drop the client. */
bool client_write(struct http_client *client, struct slice bytes);
bool client_flush(struct http_client *client);
/* All that the parser's side wrote so far goes to `out`: before a pair is closed from this side. */
void client_drain_pair(struct http_client *client);

/* ---- exchange.c ---- */
struct MHD_Daemon *exchange_daemon(struct front_loop *fl, uint32_t conns_max);
enum job_owner { // whose share of the workers it takes
    JOB_OF_NOBODY,
    JOB_OF_LOGINS,
    JOB_OF_ACCOUNT,
};
void exchange_job(struct http_request *req, void (*run)(struct job *job, struct worker *worker),
                  void (*done)(struct job *job), enum job_owner owner);
void exchange_cancel(struct http_request *req); // its client is gone
void exchange_rerun(struct http_client *client, struct http_request *req);

/* ---- request.c ---- */
struct http_request *request_open(struct front_loop *fl, struct client_id client,
                                  const char *target);
void request_ref(struct http_request *req);
void request_unref(struct http_request *req);
void request_fill(struct http_request *req, struct http_client *client, const char *method,
                  const char *version);

/* ---- answer.c ---- */
enum MHD_Result answer_queue(struct http_request *req, bool close);
void answer_plain(struct http_request *req, int status); // a front's own answer: the reason as text
void answer_render_stream(struct http_request *req,
                          struct worker *worker); // on a worker: all of it
/* The head of an answer that the front writes itself. */
void answer_head(struct buf *out, int status, const char *content_type, struct slice headers,
                 bool close, size_t body_len);
void answer_fields_print(const struct http_request *req, struct buf *out);
/* Answers in place of libmicrohttpd and closes the client; it may be dropped at once. */
void answer_refuse(struct http_client *client, int status);

/* ---- park.c ---- */
void park_begin(struct http_client *client, struct http_request *req);
void park_drop(struct http_client *client); // the client goes
void park_stop(struct http_client *client, uint32_t retry_after_s);
void park_timeout(struct http_client *client);

/* ---- front.c ---- */
void front_kick(struct front_loop *fl); // run a round soon
void front_retry(void *fl);             // RETRY_S after descriptors ran out
void front_check_drained(struct front_loop *fl);
struct front_loop *front_here(uint32_t index);

static inline uint64_t epoll_key(struct client_id id, bool pair)
{
    return (uint64_t)pair << 63 | (uint64_t)(id.generation & 0x3fffffffu) << 32 | id.slot;
}
#define EPOLL_KEY_LISTENER (UINT64_C(1) << 62) // and its number
#define PARK_SLOT_BITS 24
