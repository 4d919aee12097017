#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/http/front_internal.h"

/* ---- lists and slots ---- */

static void list_remove(struct http_client *client)
{
    struct client_list *list = client->list;
    if (!list)
        return;
    *(client->prev ? &client->prev->next : &list->first) = client->next;
    *(client->next ? &client->next->prev : &list->last) = client->prev;
    client->prev = client->next = NULL;
    client->list = NULL;
}

static void list_append(struct client_list *list, struct http_client *client)
{
    assert(!client->list);
    client->list = list;
    client->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = client;
    list->last = client;
}

static uint32_t slot_take(struct front_loop *fl, struct http_client *client)
{
    if (fl->slot_free == UINT32_MAX) {
        uint32_t count = fl->slot_count ? fl->slot_count * 2 : 64;
        assert(count <= 1u << PARK_SLOT_BITS);
        fl->slots = mem_realloc(fl->slots, count * sizeof *fl->slots);
        for (uint32_t i = count; i-- > fl->slot_count;) {
            fl->slots[i] = (struct client_slot){ .generation = 1, .next_free = fl->slot_free };
            fl->slot_free = i;
        }
        fl->slot_count = count;
    }
    uint32_t slot = fl->slot_free;
    fl->slot_free = fl->slots[slot].next_free;
    fl->slots[slot].client = client;
    return slot;
}

static void slot_release(struct front_loop *fl, uint32_t slot)
{
    fl->slots[slot].client = NULL;
    fl->slots[slot].generation = (fl->slots[slot].generation + 1) & 0x3fffffffu;
    fl->slots[slot].next_free = fl->slot_free;
    fl->slot_free = slot;
}

struct http_client *client_find(struct front_loop *fl, struct client_id id)
{
    if (id.slot >= fl->slot_count || fl->slots[id.slot].generation != id.generation)
        return NULL;
    return fl->slots[id.slot].client;
}

/* ---- open and close ---- */

void client_open(struct front_loop *fl, struct http_listener *listener, int fd,
                 const struct in6_addr *address)
{
    struct http_client *client = mem_new(struct http_client);
    client->fl = fl;
    client->listener = listener;
    client->address = *address;
    client->number = atomic_fetch_add(&fl->front->next_number, 1) + 1;
    client->id.slot = slot_take(fl, client);
    client->id.generation = fl->slots[client->id.slot].generation;
    stream_init(&client->stream, fd, listener->tls);
    fl->client_count++;
    atomic_fetch_add_explicit(&fl->stat_clients, 1, memory_order_relaxed);

    client->events = EPOLLIN | EPOLLRDHUP;
    struct epoll_event event = { .events = client->events,
                                 .data.u64 = epoll_key(client->id, false) };
    if (epoll_ctl(fl->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        log_event(LOG_ERROR, "http_client_lost", LOG_I("errno", errno));
        client_drop(client);
        return;
    }
    client_settle(client);
}

void client_drop(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    list_remove(client);
    loop_timer_clear(fl->loop, &client->timer);
    if (client->park)
        log_event(LOG_DEBUG, "http_parked_client_gone", LOG_I("session", client->number));
    park_drop(client);
    if (client->rerun)
        exchange_cancel(client->rerun);
    client->rerun = NULL;
    client_pair_close(client);
    if (client->wire) {
        buf_free(&client->wire->in);
        buf_free(&client->wire->out);
        free(client->wire);
    }
    // A child between fork and exec would keep a closed socket in the set.
    epoll_ctl(fl->epoll, EPOLL_CTL_DEL, client->stream.fd, NULL);
    stream_fini(&client->stream);
    slot_release(fl, client->id.slot);
    free(client);
    fl->client_count--;
    atomic_fetch_sub(&fl->front->clients, 1);
    atomic_fetch_sub_explicit(&fl->stat_clients, 1, memory_order_relaxed);
    front_check_drained(fl);
}

struct wire *client_wire(struct http_client *client)
{
    if (!client->wire) {
        client->wire = mem_new(struct wire);
        client->wire->pair = -1;
    }
    return client->wire;
}

static void trim_wire(struct http_client *client)
{
    struct wire *wire = client->wire;
    if (!wire || wire->pair >= 0 || buf_len(&wire->in) || buf_len(&wire->out))
        return;
    buf_free(&wire->in);
    buf_free(&wire->out);
    free(wire);
    client->wire = NULL;
}

void client_later(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    if (client->due)
        return;
    client->due = true;
    if (fl->due_count == fl->due_room) {
        fl->due_room = fl->due_room ? fl->due_room * 2 : 64;
        fl->due = mem_realloc(fl->due, fl->due_room * sizeof *fl->due);
    }
    fl->due[fl->due_count++] = client->id;
    front_kick(fl);
}

/* ---- pairs ---- */

struct pair_address { // libmicrohttpd copies and returns it: the peer's address, then whose pair it
                      // is
    struct sockaddr_in6 peer;
    struct client_id id;
};

bool pair_available(const struct front_loop *fl)
{
    return fl->mhd_conns < fl->front->active_max;
}

bool client_pair_open(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    struct wire *wire = client_wire(client);
    assert(wire->pair < 0);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    struct pair_address address = {
        .peer = { .sin6_family = AF_INET6, .sin6_addr = client->address }, .id = client->id
    };
    if (MHD_add_connection(fl->mhd, ends[1], (const struct sockaddr *)&address, sizeof address) !=
        MHD_YES) {
        close(ends[0]); // the other end was closed by libmicrohttpd
        return false;
    }
    list_remove(client);
    wire->pair = ends[0];
    wire->pair_events = 0;
    wire->frame = (struct frame){ 0 };
    wire->approved = 0;
    fl->mhd_due = true;
    return true;
}

void client_pair_close(struct http_client *client)
{
    struct wire *wire = client->wire;
    if (!wire || wire->pair < 0)
        return;
    if (wire->req)
        exchange_cancel(wire->req);
    wire->req = NULL;
    if (wire->pair_events)
        epoll_ctl(client->fl->epoll, EPOLL_CTL_DEL, wire->pair, NULL);
    close(wire->pair);
    wire->pair = -1;
    wire->pair_events = 0;
    wire->approved = 0;
    if (client->list == &client->fl->idle)
        list_remove(client);
    client->fl->mhd_due = true;
    front_kick(client->fl);
}

static bool pair_is_quiet(const struct http_client *client)
{
    const struct wire *wire = client->wire;
    int unread = 0;
    return client->state == CLIENT_OPEN && wire && wire->pair >= 0 && !wire->req &&
           wire->frame.at == FRAME_HEAD && !wire->frame.begun && buf_len(&wire->in) == 0 &&
           buf_len(&wire->out) == 0 && ioctl(wire->pair, FIONREAD, &unread) == 0 && unread == 0;
}

void client_enqueue(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    if (client->list == &fl->queue)
        return;
    list_remove(client);
    list_append(&fl->queue, client);
    if (pair_available(fl) && !loop_timer_armed(&fl->retry)) // there was no descriptor
        loop_timer_set(fl->loop, &fl->retry, RETRY_S, front_retry, fl);
    struct http_client *oldest = fl->idle.first; // its pair serves somebody who has a request
    if (!oldest)
        return;
    list_remove(oldest);
    if (pair_is_quiet(oldest))
        client_pair_close(oldest);
    client_later(oldest);
}

void queue_next(struct front_loop *fl)
{
    struct http_client *client = fl->queue.first;
    if (!client || !pair_available(fl) || loop_timer_armed(&fl->retry))
        return;
    list_remove(client);
    client_later(client);
}

/* ---- time ---- */

static enum client_timing timing_of(const struct http_client *client)
{
    const struct wire *wire = client->wire;
    if (client->state == CLIENT_LINGER)
        return TIMING_LINGER;
    if (client->state == CLIENT_PARKED)
        return TIMING_PARK;
    if (wire && buf_len(&wire->out))
        return TIMING_ANSWER;
    if (client->state == CLIENT_RERUN || client->list == &client->fl->queue)
        return TIMING_NONE;
    if (!wire || wire->pair < 0)
        return client->served ? TIMING_IDLE : TIMING_FIRST;
    switch (wire->frame.at) {
    case FRAME_HEAD:
        return wire->frame.begun ? TIMING_HEAD : TIMING_PAIR_IDLE;
    case FRAME_HEAD_SENT:
        return wire->req ? TIMING_NONE : TIMING_HEAD;
    case FRAME_BODY:
    case FRAME_CHUNKED:
        return TIMING_BODY;
    case FRAME_PASS:
    case FRAME_WHOLE:
        break;
    }
    return TIMING_NONE;
}

static void client_timeout(void *ctx);

static void set_timer(struct http_client *client)
{
    const struct http_front *front = client->fl->front;
    const uint32_t seconds[] = {
        [TIMING_FIRST] = front->first_s,
        [TIMING_IDLE] = front->idle_s,
        [TIMING_PAIR_IDLE] = front->pair_idle_s,
        [TIMING_HEAD] = front->head_max_s,
        [TIMING_BODY] = front->window_s,
        [TIMING_ANSWER] = front->window_s,
        [TIMING_PARK] = 0,
        [TIMING_LINGER] = front->linger_s,
    };
    if (client->timing == TIMING_PARK)
        return; // park_begin set it
    if (client->wire)
        client->wire->window_bytes = 0;
    if (client->timing == TIMING_NONE)
        loop_timer_clear(client->fl->loop, &client->timer);
    else
        loop_timer_set(client->fl->loop, &client->timer, seconds[client->timing], client_timeout,
                       client);
}

static void client_timeout(void *ctx)
{
    struct http_client *client = ctx;
    struct wire *wire = client->wire;
    switch ((enum client_timing)client->timing) {
    case TIMING_PAIR_IDLE:
        if (pair_is_quiet(client))
            client_pair_close(client);
        client->timing = TIMING_NONE;
        client_settle(client);
        break;
    case TIMING_BODY:
        if (wire->window_bytes >= WINDOW_BYTES) {
            set_timer(client);
            break;
        }
        answer_refuse(client, MHD_HTTP_REQUEST_TIMEOUT);
        break;
    case TIMING_HEAD:
        answer_refuse(client, MHD_HTTP_REQUEST_TIMEOUT);
        break;
    case TIMING_ANSWER:
        if (wire->window_bytes >= WINDOW_BYTES)
            set_timer(client);
        else
            client_drop(client);
        break;
    case TIMING_PARK:
        park_timeout(client);
        break;
    case TIMING_NONE:
    case TIMING_FIRST:
    case TIMING_IDLE:
    case TIMING_LINGER:
        client_drop(client);
        break;
    }
}

void client_request_ends(struct http_client *client)
{
    client->served = true;
    client->timing = TIMING_NONE;
    loop_timer_clear(client->fl->loop, &client->timer);
}

/* ---- what epoll watches ---- */

static bool wants_input(const struct http_client *client)
{
    const struct wire *wire = client->wire;
    if (client->state == CLIENT_LINGER)
        return true;
    if (client->state != CLIENT_OPEN || client->finish || client->list == &client->fl->queue)
        return false;
    if (!wire)
        return true;
    return buf_len(&wire->in) == 0 && (wire->pair < 0 || frame_wants(&wire->frame));
}

static void watch_client(struct http_client *client)
{
    uint32_t events = EPOLLRDHUP;
    if (wants_input(client))
        events |= EPOLLIN;
    if (client->state != CLIENT_LINGER &&
        (client->want_write || (client->wire && buf_len(&client->wire->out))))
        events |= EPOLLOUT;
    if (events == client->events)
        return;
    struct epoll_event event = { .events = events, .data.u64 = epoll_key(client->id, false) };
    epoll_ctl(client->fl->epoll, EPOLL_CTL_MOD, client->stream.fd, &event);
    client->events = events;
}

/* A pair that nothing is wanted of leaves the set: its hang-up would be reported without end. */
static void watch_pair(struct http_client *client)
{
    struct wire *wire = client->wire;
    if (!wire || wire->pair < 0)
        return;
    uint32_t events = 0;
    if (buf_len(&wire->out) == 0)
        events |= EPOLLIN;
    if (wire->approved)
        events |= EPOLLOUT;
    if (events == wire->pair_events)
        return;
    int how = !events ? EPOLL_CTL_DEL : wire->pair_events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    struct epoll_event event = { .events = events, .data.u64 = epoll_key(client->id, true) };
    epoll_ctl(client->fl->epoll, how, wire->pair, &event);
    wire->pair_events = events;
}

/* ---- the end ---- */

/* Closing over unread bytes sends a reset, and a reset destroys the answer on its way. */
static void finish(struct http_client *client)
{
    int unread = 0;
    struct wire *wire = client->wire;
    bool partial = wire && (buf_len(&wire->in) ||
                            (wire->frame.at != FRAME_WHOLE && wire->frame.at != FRAME_HEAD) ||
                            wire->frame.begun);
    ioctl(client->stream.fd, FIONREAD, &unread);
    if (!partial && unread == 0) {
        client_drop(client);
        return;
    }
    if (wire)
        buf_free(&wire->in);
    trim_wire(client);
    client->state = CLIENT_LINGER;
    stream_end_writing(&client->stream);
    client_settle(client);
}

void client_linger_input(struct http_client *client)
{
    for (size_t got = 0; got < TURN_BYTES;) {
        ssize_t n = recv(client->stream.fd, client->fl->scratch, sizeof client->fl->scratch, 0);
        if (n > 0) {
            got += (size_t)n;
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            client_drop(client);
        return;
    }
}

static bool idle_at_stop(const struct http_client *client)
{
    const struct wire *wire = client->wire;
    int unread = 0;
    if (client->state != CLIENT_OPEN || client->list == &client->fl->queue || client->rerun)
        return false;
    if (wire && wire->pair >= 0)
        return pair_is_quiet(client) && ioctl(client->stream.fd, FIONREAD, &unread) == 0 &&
               unread == 0;
    return !wire && ioctl(client->stream.fd, FIONREAD, &unread) == 0 && unread == 0;
}

void client_settle(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    bool flushed = !client->wire || buf_len(&client->wire->out) == 0;
    if (client->finish && flushed && client->state == CLIENT_OPEN) {
        client_pair_close(client);
        finish(client);
        return;
    }
    trim_wire(client);
    if (fl->stopping && idle_at_stop(client)) {
        client_drop(client);
        return;
    }
    if (!pair_is_quiet(client)) {
        if (client->list == &fl->idle)
            list_remove(client);
    } else if (fl->queue.first) {
        client_pair_close(client);
        trim_wire(client);
    } else if (!client->list) {
        list_append(&fl->idle, client);
    }
    enum client_timing timing = timing_of(client);
    if (timing != client->timing) {
        client->timing = timing;
        set_timer(client);
    }
    watch_client(client);
    watch_pair(client);
}
