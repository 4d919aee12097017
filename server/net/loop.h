/* Loop threads: libevent, one per core; they own every socket and TLS object and never block.
 * Callbacks below run on the loop's own thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct event_base;
struct loop;
struct loops; // all loop threads of the process

MUST_USE enum err loops_open(size_t count, struct loops **loops); // starts the threads
/* Asks every loop to end and joins the threads. All conns and parks must be closed before. */
void loops_close(struct loops **loops);
size_t loops_count(const struct loops *loops);
struct loop *loops_at(struct loops *loops, size_t i);
struct loop *loops_next(struct loops *loops); // round robin

struct event_base *loop_base(struct loop *loop);
bool loop_is_current(const struct loop *loop); // for asserts
/* conn.c keeps its table of this loop here; `free` is called when the loop is closed. */
struct loop_own {
    void *ctx;
    void (*free)(void *ctx);
};
struct loop_own *loop_own(struct loop *loop);

/* Runs fn(ctx) on the loop, soon. Any thread; cheap; order per posting thread is kept. The eventfd is written only
 * when the queue was empty. */
struct loop_task { // embed it; it may not be posted again before it ran
    struct loop_task *next;
    void (*fn)(void *ctx);
    void *ctx;
};
void loop_post(struct loop *loop, struct loop_task *task);
/* The same with a task made for it. */
void loop_call(struct loop *loop, void (*fn)(void *ctx), void *ctx);

/* Timers with 1 s ticks in a wheel: heartbeats, idle timeouts. Owned by the caller, embedded; loop thread only.
 * Zero-initialised is "not armed". */
struct loop_timer {
    struct loop_timer *prev, *next;
    int64_t due_tick;
    void (*fn)(void *ctx);
    void *ctx;
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t seconds, void (*fn)(void *ctx), void *ctx);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);
