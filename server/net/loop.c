#include "server/net/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define WHEEL_SLOTS 4096 // seconds one turn of the wheel takes: longer than any heartbeat, so most timers pass once

struct loop {
    struct event_base *base;
    pthread_t thread;
    struct event *wake, *tick;
    int wake_fd;

    pthread_mutex_t lock;
    struct loop_task *first, *last; // guarded by lock
    bool ending;                    // guarded by lock

    struct loop_own own;
    int64_t started_us, now_tick;
    struct loop_timer wheel[WHEEL_SLOTS]; // list heads
};

struct loops {
    size_t count;
    atomic_size_t next;
    struct loop *at[];
};

/* ---- tasks ---- */

static void write_wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t sent;
    do
        sent = write(loop->wake_fd, &one, sizeof one);
    while (sent < 0 && errno == EINTR);
    assert(sent == sizeof one || errno == EAGAIN); // EAGAIN: the counter is full, the loop is woken anyway
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loop->lock);
    bool was_empty = !loop->first;
    if (was_empty)
        loop->first = task;
    else
        loop->last->next = task;
    loop->last = task;
    pthread_mutex_unlock(&loop->lock);
    if (was_empty)
        write_wake(loop);
}

struct made_task {
    struct loop_task task;
    void (*fn)(void *ctx);
    void *ctx;
};

static void run_made(void *ctx)
{
    struct made_task *made = ctx;
    void (*fn)(void *) = made->fn;
    void *inner = made->ctx;
    free(made);
    fn(inner);
}

void loop_call(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
    struct made_task *made = mem_new(struct made_task);
    made->fn = fn;
    made->ctx = ctx;
    made->task.fn = run_made;
    made->task.ctx = made;
    loop_post(loop, &made->task);
}

static void run_tasks(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct loop_task *task = loop->first;
    loop->first = loop->last = NULL;
    bool ending = loop->ending;
    pthread_mutex_unlock(&loop->lock);
    while (task) {
        struct loop_task *next = task->next; // the task may be freed or posted again by its own function
        task->fn(task->ctx);
        task = next;
    }
    if (ending)
        event_base_loopexit(loop->base, NULL);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    uint64_t count;
    (void)what;
    ssize_t got = read(fd, &count, sizeof count); // before the list is taken: a later post writes again
    (void)got;
    run_tasks(ctx);
}

/* ---- timers ---- */

static void timer_unlink(struct loop_timer *timer)
{
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->prev = timer->next = NULL;
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return timer->next != NULL;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    assert(loop_is_current(loop));
    if (loop_timer_armed(timer))
        timer_unlink(timer);
}

static int64_t tick_of_now(const struct loop *loop)
{
    return (clock_mono_us() - loop->started_us) / US_PER_S;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t seconds, void (*fn)(void *ctx), void *ctx)
{
    loop_timer_clear(loop, timer);
    timer->fn = fn;
    timer->ctx = ctx;
    // One tick more: never early by the part of the second that has passed.
    timer->due_tick = tick_of_now(loop) + (seconds < 0 ? 0 : seconds) + 1;
    struct loop_timer *head = &loop->wheel[timer->due_tick % WHEEL_SLOTS];
    timer->prev = head->prev;
    timer->next = head;
    head->prev->next = timer;
    head->prev = timer;
}

static void run_slot(struct loop *loop, int64_t tick)
{
    struct loop_timer *head = &loop->wheel[tick % WHEEL_SLOTS], due;
    // Taken out first: a function may set timers in this very slot, or clear its neighbours.
    due.next = due.prev = &due;
    for (struct loop_timer *timer = head->next, *next; timer != head; timer = next) {
        next = timer->next;
        if (timer->due_tick > tick)
            continue; // a later turn of the wheel
        timer_unlink(timer);
        timer->prev = due.prev;
        timer->next = &due;
        due.prev->next = timer;
        due.prev = timer;
    }
    while (due.next != &due) {
        struct loop_timer *timer = due.next;
        timer_unlink(timer);
        timer->fn(timer->ctx);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct loop *loop = ctx;
    (void)fd;
    (void)what;
    for (int64_t now = tick_of_now(loop); loop->now_tick < now;)
        run_slot(loop, ++loop->now_tick);
}

/* ---- life ---- */

static void *run_loop(void *ctx)
{
    struct loop *loop = ctx;
    event_base_dispatch(loop->base);
    return NULL;
}

static void loop_free(struct loop *loop)
{
    if (loop->own.free)
        loop->own.free(loop->own.ctx);
    if (loop->wake)
        event_free(loop->wake);
    if (loop->tick)
        event_free(loop->tick);
    if (loop->base)
        event_base_free(loop->base);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

static struct loop *loop_new(void)
{
    struct loop *loop = mem_new(struct loop);
    pthread_mutex_init(&loop->lock, NULL);
    loop->started_us = clock_mono_us();
    for (size_t i = 0; i < WHEEL_SLOTS; i++)
        loop->wheel[i].prev = loop->wheel[i].next = &loop->wheel[i];
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->base = event_base_new();
    if (loop->wake_fd >= 0 && loop->base) {
        loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
        loop->tick = event_new(loop->base, -1, EV_PERSIST, on_tick, loop);
    }
    static const struct timeval second = { 1, 0 };
    if (!loop->wake || !loop->tick || event_add(loop->wake, NULL) || event_add(loop->tick, &second)) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

enum err loops_open(size_t count, struct loops **loops)
{
    assert(count > 0);
    evthread_use_pthreads();
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes with write(2): a peer that went away must not end the process
    struct loops *all = mem_alloc(sizeof *all + count * sizeof *all->at);
    for (; all->count < count; all->count++) {
        struct loop *loop = loop_new();
        if (!loop)
            break;
        if (pthread_create(&loop->thread, NULL, run_loop, loop)) {
            loop_free(loop);
            break;
        }
        all->at[all->count] = loop;
    }
    *loops = all;
    if (all->count < count) {
        loops_close(loops);
        return ERR_UNAVAILABLE;
    }
    return ERR_OK;
}

void loops_close(struct loops **loops)
{
    if (!*loops)
        return;
    for (size_t i = 0; i < (*loops)->count; i++) {
        struct loop *loop = (*loops)->at[i];
        pthread_mutex_lock(&loop->lock);
        loop->ending = true;
        pthread_mutex_unlock(&loop->lock);
        write_wake(loop);
    }
    for (size_t i = 0; i < (*loops)->count; i++) {
        pthread_join((*loops)->at[i]->thread, NULL);
        loop_free((*loops)->at[i]);
    }
    free(*loops);
    *loops = NULL;
}

size_t loops_count(const struct loops *loops)
{
    return loops->count;
}

struct loop *loops_at(struct loops *loops, size_t i)
{
    assert(i < loops->count);
    return loops->at[i];
}

struct loop *loops_next(struct loops *loops)
{
    return loops->at[atomic_fetch_add(&loops->next, 1) % loops->count];
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

struct loop_own *loop_own(struct loop *loop)
{
    return &loop->own;
}

bool loop_is_current(const struct loop *loop)
{
    return pthread_equal(loop->thread, pthread_self());
}
