#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/http/front_internal.h"

#define ROUNDS_MAX 4 // of one turn, before other users of the loop have theirs

/* The fronts whose loop this thread is: park_id names one by number, and may outlive it. */
static _Thread_local struct front_loop *here;
static _Thread_local uint32_t here_next;

struct front_loop *front_here(uint32_t index)
{
    struct front_loop *fl = here;
    while (fl && fl->index != index)
        fl = fl->next_here;
    return fl;
}

/* ---- a turn: sockets, libmicrohttpd, what became due ---- */

void front_kick(struct front_loop *fl)
{
    if (!fl->in_turn)
        event_active(fl->kick_event, EV_TIMEOUT, 0);
}

void front_retry(void *ctx)
{
    front_kick(ctx);
}

static struct http_listener *listener_at(struct http_front *front, uint32_t number)
{
    struct http_listener *listener = front->listeners;
    while (listener && listener->number != number)
        listener = listener->next;
    return listener;
}

static void handle_event(struct front_loop *fl, const struct epoll_event *event)
{
    uint64_t key = event->data.u64;
    if ((key & EPOLL_KEY_LISTENER) != 0) {
        struct http_listener *listener = listener_at(fl->front, (uint32_t)key);
        if (listener)
            listen_accept(listener);
        return;
    }
    struct client_id id = { (uint32_t)key, (uint32_t)(key >> 32) & 0x3fffffffu };
    struct http_client *client = client_find(fl, id);
    if (!client)
        return; // an earlier event of this batch ended it
    bool of_pair = key >> 63;
    if (!of_pair && (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        client_drop(client);
    else
        client_pump(client);
}

static void pump_due(struct front_loop *fl)
{
    struct client_id *due = fl->due;
    size_t count = fl->due_count;
    fl->due = NULL;
    fl->due_count = fl->due_room = 0;
    for (size_t i = 0; i < count; i++) {
        struct http_client *client = client_find(fl, due[i]);
        if (!client)
            continue;
        client->due = false;
        client_pump(client);
    }
    if (fl->due_count == 0) { // keep the memory
        free(fl->due);
        fl->due = due;
        fl->due_room = count;
        if (count > 1024) {
            free(due);
            fl->due = NULL;
            fl->due_room = 0;
        }
    } else {
        free(due);
    }
}

static void run_mhd(struct front_loop *fl)
{
    fl->mhd_due = false;
    MHD_run(fl->mhd);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(fl->mhd, &wait_ms) != MHD_YES)
        return;
    if (wait_ms == 0) {
        fl->mhd_due = true;
        return;
    }
    struct timeval wait = { (time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000) };
    event_add(fl->mhd_timer, &wait);
}

static void front_turn(struct front_loop *fl)
{
    fl->in_turn = true;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct epoll_event events[EVENT_BATCH];
        int count = epoll_wait(fl->epoll, events, EVENT_BATCH, 0);
        for (int i = 0; i < count; i++)
            handle_event(fl, &events[i]);
        if (count <= 0 && !fl->mhd_due && fl->due_count == 0)
            break;
        if (fl->mhd_due)
            run_mhd(fl);
        pump_due(fl);
        // Whoever was called from the queue may have had nothing to say: the next one's turn.
        for (uint32_t room = fl->front->active_max - fl->mhd_conns; room > 0 && fl->queue.first;
             room--)
            queue_next(fl);
    }
    fl->in_turn = false;
    if (fl->mhd_due || fl->due_count)
        front_kick(fl);
}

static void on_turn(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    front_turn(ctx);
}

static void on_mhd(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct front_loop *fl = ctx;
    fl->mhd_due = true;
    front_turn(fl);
}

/* ---- the same on every loop ---- */

struct errand {
    struct front_loop *fl;
    void (*fn)(struct front_loop *fl);
};

static void do_errand(void *ctx)
{
    struct errand *errand = ctx;
    struct http_front *front = errand->fl->front;
    errand->fn(errand->fl);
    pthread_mutex_lock(&front->lock);
    front->acks++;
    pthread_cond_broadcast(&front->changed);
    pthread_mutex_unlock(&front->lock);
}

static void on_each_loop(struct http_front *front, void (*fn)(struct front_loop *fl))
{
    struct errand *errands = mem_alloc(front->loop_count * sizeof *errands);
    front->acks = 0;
    for (size_t i = 0; i < front->loop_count; i++) {
        errands[i] = (struct errand){ front->fls[i], fn };
        loop_call(front->fls[i]->loop, do_errand, &errands[i]);
    }
    pthread_mutex_lock(&front->lock);
    while (front->acks < front->loop_count)
        pthread_cond_wait(&front->changed, &front->lock);
    pthread_mutex_unlock(&front->lock);
    free(errands);
}

/* ---- open ---- */

static void set_up(struct front_loop *fl)
{
    struct event_base *base = loop_base(fl->loop);
    fl->index = here_next++ & 0xff;
    fl->next_here = here;
    here = fl;
    fl->slot_free = UINT32_MAX;
    fl->epoll = epoll_create1(EPOLL_CLOEXEC);
    // Connections that end count until libmicrohttpd has let go of them, so it needs no limit of
    // its own.
    fl->mhd = exchange_daemon(fl, fl->front->active_max * 2 + 1024);
    if (fl->epoll < 0 || !fl->mhd)
        return;
    fl->kick_event = event_new(base, -1, EV_PERSIST, on_turn, fl);
    fl->mhd_timer = event_new(base, -1, 0, on_mhd, fl);
    fl->epoll_event = event_new(base, fl->epoll, EV_READ | EV_PERSIST, on_turn, fl);
    int mhd_fd = MHD_get_daemon_info(fl->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    fl->mhd_event = event_new(base, mhd_fd, EV_READ | EV_PERSIST, on_mhd, fl);
    event_add(fl->epoll_event, NULL);
    event_add(fl->mhd_event, NULL);
}

static void free_event(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

static void tear_down(struct front_loop *fl)
{
    assert(fl->client_count == 0 && fl->requests_alive == 0);
    free_event(&fl->mhd_event);
    free_event(&fl->epoll_event);
    free_event(&fl->kick_event);
    free_event(&fl->mhd_timer);
    loop_timer_clear(fl->loop, &fl->retry);
    if (fl->mhd)
        MHD_stop_daemon(fl->mhd);
    if (fl->epoll >= 0)
        close(fl->epoll);
    struct front_loop **at = &here;
    while (*at != fl)
        at = &(*at)->next_here;
    *at = fl->next_here;
    free(fl->slots);
    free(fl->due);
}

static void free_front(struct http_front *front)
{
    on_each_loop(front, tear_down);
    for (size_t i = 0; i < front->loop_count; i++)
        free(front->fls[i]);
    while (front->listeners) {
        struct http_listener *listener = front->listeners;
        front->listeners = listener->next;
        free((void *)listener->apps);
        free(listener);
    }
    proxies_close(&front->proxies);
    pthread_mutex_destroy(&front->lock);
    pthread_cond_destroy(&front->changed);
    free(front->apps);
    free(front->spool_dir);
    free(front);
}

/* Clients that took every descriptor would wait for pairs that can never be made. A quarter at most
 * is for pairs, an eighth for all else: other listeners, database connections, files. */
static void share_descriptors(struct http_front *front)
{
    struct rlimit limit = { .rlim_cur = 1024 };
    getrlimit(RLIMIT_NOFILE, &limit);
    uint32_t all = limit.rlim_cur < 1u << 24 ? (uint32_t)limit.rlim_cur : 1u << 24;
    uint32_t most = all / 8 / (uint32_t)front->loop_count;
    if (front->active_max > most)
        front->active_max = most ? most : 1;
    front->clients_max = all - all / 8 - 2 * front->active_max * (uint32_t)front->loop_count;
}

enum err http_front_open(const struct http_front_settings *settings, struct http_front **made)
{
    struct proxies *proxies = NULL;
    struct trace trace = { 0 };
    enum err err = proxies_open(settings->trusted_proxies, &trace, &proxies);
    if (err) {
        log_event(LOG_ERROR, "http_front", LOG_T("error", trace.text));
        return err;
    }
    size_t loops = loops_count(settings->loops);
    struct http_front *front = mem_alloc(sizeof *front + loops * sizeof front->fls[0]);
    front->loops = settings->loops;
    front->workers = settings->workers;
    front->proxies = proxies;
    front->active_max = settings->active_max ? settings->active_max : 768;
    front->first_s = settings->first_s ? settings->first_s : 60;
    front->linger_s = settings->linger_s ? settings->linger_s : 5;
    front->idle_s = settings->idle_s ? settings->idle_s : 3700;
    front->pair_idle_s = settings->pair_idle_s ? settings->pair_idle_s : 5;
    front->head_max_s = settings->head_max_s ? settings->head_max_s : 30;
    front->window_s = settings->window_s ? settings->window_s : 60;
    front->spool_dir = mem_text(settings->spool_dir ? settings->spool_dir : "/tmp");
    front->app_count = settings->app_count;
    front->apps = mem_alloc((settings->app_count + 1) * sizeof *front->apps);
    for (size_t i = 0; i < settings->app_count; i++)
        front->apps[i] = settings->apps[i];
    pthread_mutex_init(&front->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&front->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    front->loop_count = loops;
    share_descriptors(front);
    for (size_t i = 0; i < loops; i++) {
        front->fls[i] = mem_new(struct front_loop);
        front->fls[i]->front = front;
        front->fls[i]->loop = loops_at(settings->loops, i);
    }
    on_each_loop(front, set_up);
    for (size_t i = 0; i < loops; i++) {
        if (front->fls[i]->mhd_event)
            continue;
        log_event(LOG_ERROR, "http_front", LOG_T("error", "libmicrohttpd or epoll does not start"));
        free_front(front);
        return ERR_UNAVAILABLE;
    }
    *made = front;
    return ERR_OK;
}

/* ---- stop and close ---- */

static void stop_here(struct front_loop *fl)
{
    struct http_front *front = fl->front;
    if (fl == front->fls[0]) {
        for (struct http_listener *listener = front->listeners; listener; listener = listener->next)
            listen_end(listener);
    }
    fl->stopping = true;
    uint32_t parked = 0;
    for (uint32_t i = 0; i < fl->slot_count; i++) {
        struct http_client *client = fl->slots[i].client;
        if (!client)
            continue;
        if (client->park) // the step spreads any number evenly over the minute
            park_stop(client, 1 + parked++ * 7 % RETRY_AFTER_MAX_S);
        else
            client_settle(client); // an idle one is closed
    }
}

static void drop_here(struct front_loop *fl)
{
    for (uint32_t i = 0; i < fl->slot_count; i++) {
        if (fl->slots[i].client)
            client_drop(fl->slots[i].client);
    }
    front_kick(fl);
}

static bool is_drained(const struct front_loop *fl)
{
    return fl->stopping && fl->client_count == 0 && fl->requests_alive == 0 && fl->mhd_conns == 0;
}

void front_check_drained(struct front_loop *fl)
{
    if (!is_drained(fl))
        return;
    struct http_front *front = fl->front;
    pthread_mutex_lock(&front->lock);
    front->emptied++;
    pthread_cond_broadcast(&front->changed);
    pthread_mutex_unlock(&front->lock);
}

static void count_drained(struct front_loop *fl)
{
    pthread_mutex_lock(&fl->front->lock);
    fl->front->drained += is_drained(fl);
    pthread_mutex_unlock(&fl->front->lock);
}

/* Each change of a loop to "empty" wakes the wait, which then asks all of them. */
static bool wait_drained(struct http_front *front, const struct timespec *until)
{
    for (;;) {
        pthread_mutex_lock(&front->lock);
        uint64_t seen = front->emptied;
        front->drained = 0;
        pthread_mutex_unlock(&front->lock);
        on_each_loop(front, count_drained);
        int result = 0;
        pthread_mutex_lock(&front->lock);
        bool all = front->drained == front->loop_count;
        while (!all && front->emptied == seen && result != ETIMEDOUT)
            result = until ? pthread_cond_timedwait(&front->changed, &front->lock, until)
                           : pthread_cond_wait(&front->changed, &front->lock);
        pthread_mutex_unlock(&front->lock);
        if (all || result == ETIMEDOUT)
            return all;
    }
}

void http_front_stop(struct http_front *front)
{
    if (front->stopped)
        return;
    front->stopped = true;
    on_each_loop(front, stop_here);
}

void http_front_close(struct http_front **front, int timeout_ms)
{
    if (!*front)
        return;
    http_front_stop(*front);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (!wait_drained(*front, &until)) {
        on_each_loop(*front, drop_here);
        wait_drained(*front, NULL); // jobs were cancelled: what they hold must come back first
    }
    free_front(*front);
    *front = NULL;
}

void http_front_stats(struct http_front *front, struct http_stats *stats)
{
    *stats = (struct http_stats){ 0 };
    for (size_t i = 0; i < front->loop_count; i++) {
        struct front_loop *fl = front->fls[i];
        stats->clients += atomic_load_explicit(&fl->stat_clients, memory_order_relaxed);
        stats->active += atomic_load_explicit(&fl->stat_active, memory_order_relaxed);
        stats->parked += atomic_load_explicit(&fl->stat_parked, memory_order_relaxed);
        stats->requests += atomic_load_explicit(&fl->stat_requests, memory_order_relaxed);
    }
}
