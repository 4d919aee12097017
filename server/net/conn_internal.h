/* What conn.c (one connection) and listener.c (accepting, counting, stopping) share. */
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <pthread.h>

#include "server/net/conn.h"
#include "server/net/stream.h"
#include "server/net/zip.h"

struct conn {
    struct stream stream;
    struct loop *loop;
    struct listener *listener;
    const struct conn_proto *proto;
    void *session;
    uint64_t number;
    uint32_t slot, generation;
    struct event event; // edge-triggered, never changed: what is ready is remembered below
    struct buf in, out;
    struct zip *zip; // NULL: not compressed
    struct loop_timer timer;
    int64_t timeout_s, last_input_us;
    char peer[INET6_ADDRSTRLEN];
    bool loopback;
    bool readable;     // the kernel may have more for us
    bool paused;       // conn_pause_input
    bool busy;         // inside a callback or process(): no flush, no drop
    bool queued;       // event_active was called
    bool was_full;     // above out_high since the last `drained`
    bool eof, broken;  // the peer ended writing; the socket is dead
    bool finishing;    // conn_finish
    bool lingering;    // everything is out, waiting for the peer's end
    bool starting_tls; // the handshake begins when `out` is empty
    bool new_input;    // `in` grew since proto->input saw it
};

struct conn_table { // one per loop; its thread only
    struct conn_slot {
        struct conn *conn;
        uint32_t generation, next_free;
    } *slots;
    uint32_t count, free_head; // UINT32_MAX: none
};

#define ADDRESS_BUCKETS 1024u

struct address_count {
    struct address_count *next;
    uint32_t count;
    char address[INET6_ADDRSTRLEN];
};

struct listener {
    struct loops *loops;
    struct conn_proto const *proto;
    void *ctx;
    struct tls *tls;
    bool implicit_tls;
    uint32_t conns_max, per_address_max, port;
    int fd;
    struct event *event; // on loops_at(0)
    char *address;
    pthread_mutex_t lock;
    pthread_cond_t empty;
    uint32_t count;                                  // guarded by lock
    struct address_count *buckets[ADDRESS_BUCKETS];  // guarded by lock
};

/* Takes a counted client over on its loop. */
void conn_adopt(struct listener *listener, struct loop *loop, int fd, const char *peer, bool loopback);
/* Calls fn for every conn of the listener on this loop; fn may drop the conn. */
void conn_each(struct loop *loop, struct listener *listener, void (*fn)(struct conn *conn));
void conn_ask_stop(struct conn *conn);
void conn_drop(struct conn *conn);
/* A client of the listener is gone. */
void listener_forget(struct listener *listener, const char *peer);
