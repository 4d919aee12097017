#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/net/conn.h"
#include "server/net/conn_internal.h"

#define BACKLOG 4096
#define ACCEPT_BATCH 64 // clients taken in one turn of the loop

/* ---- counting ---- */

static unsigned bucket_of(const char *address)
{
    unsigned hash = 2166136261u;
    for (; *address; address++)
        hash = (hash ^ (unsigned char)*address) * 16777619u;
    return hash % ADDRESS_BUCKETS;
}

/* Counts a client in, or says which limit stands against it. */
static const char *count_in(struct listener *l, const char *peer)
{
    const char *limit = NULL;
    pthread_mutex_lock(&l->lock);
    struct address_count **at = &l->buckets[bucket_of(peer)];
    while (*at && strcmp((*at)->address, peer) != 0)
        at = &(*at)->next;
    if (l->conns_max && l->count >= l->conns_max) {
        limit = "conns_max";
    } else if (l->per_address_max && *at && (*at)->count >= l->per_address_max) {
        limit = "conns_per_address_max";
    } else {
        if (!*at) {
            *at = mem_new(struct address_count);
            memcpy((*at)->address, peer, strlen(peer) + 1);
        }
        (*at)->count++;
        l->count++;
    }
    pthread_mutex_unlock(&l->lock);
    return limit;
}

void listener_forget(struct listener *l, const char *peer)
{
    pthread_mutex_lock(&l->lock);
    struct address_count **at = &l->buckets[bucket_of(peer)];
    while (*at && strcmp((*at)->address, peer) != 0)
        at = &(*at)->next;
    assert(*at && (*at)->count && l->count);
    if (--(*at)->count == 0) {
        struct address_count *gone = *at;
        *at = gone->next;
        free(gone);
    }
    if (--l->count == 0)
        pthread_cond_broadcast(&l->empty);
    pthread_mutex_unlock(&l->lock);
}

/* ---- accepting ---- */

struct newcomer {
    struct listener *listener;
    struct loop *loop;
    int fd;
    bool loopback;
    char peer[INET6_ADDRSTRLEN];
};

static void on_newcomer(void *ctx)
{
    struct newcomer *n = ctx;
    conn_adopt(n->listener, n->loop, n->fd, n->peer, n->loopback);
    free(n);
}

static bool describe_peer(const struct sockaddr_storage *address, char peer[INET6_ADDRSTRLEN])
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, peer, INET6_ADDRSTRLEN);
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) { // one client, one name, whichever socket it came by
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], peer, INET6_ADDRSTRLEN);
        return in6->sin6_addr.s6_addr[12] == 127;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, peer, INET6_ADDRSTRLEN);
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static void on_accept(evutil_socket_t fd, short what, void *ctx)
{
    struct listener *l = ctx;
    (void)what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address = { 0 };
        socklen_t len = sizeof address;
        int client = accept4(fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                log_event(LOG_ERROR, "accept", LOG_T("proto", l->proto->name), LOG_T("error", strerror(errno)));
            return;
        }
        struct newcomer *n = mem_new(struct newcomer);
        n->listener = l;
        n->fd = client;
        n->loopback = describe_peer(&address, n->peer);
        const char *limit = count_in(l, n->peer);
        if (limit) {
            log_event(LOG_WARN, "refused", LOG_T("proto", l->proto->name), LOG_T("peer", n->peer), LOG_T("limit", limit));
            close(client);
            free(n);
            continue;
        }
        n->loop = loops_next(l->loops);
        loop_call(n->loop, on_newcomer, n);
    }
}

/* ---- binding ---- */

/* "127.0.0.1:1143", "[::1]:1143", ":1143" */
static enum err resolve(const char *text, struct trace *trace, struct addrinfo **found)
{
    const char *colon = strrchr(text, ':');
    if (!colon || !colon[1])
        return fail(trace, ERR_SYNTAX, "%s is no address: write host:port", text);
    char host[256];
    size_t len = (size_t)(colon - text);
    if (len >= sizeof host)
        return fail(trace, ERR_SYNTAX, "%s is no address: the host is too long", text);
    memcpy(host, text, len);
    host[len] = '\0';
    char *name = host;
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        name++;
    }
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    int code = getaddrinfo(*name ? name : NULL, colon + 1, &hints, found);
    if (code)
        return fail(trace, ERR_SYNTAX, "cannot listen on %s: %s", text, gai_strerror(code));
    return ERR_OK;
}

static enum err bind_socket(const char *text, struct trace *trace, int *fd, uint32_t *port)
{
    struct addrinfo *found;
    enum err err = resolve(text, trace, &found);
    if (err)
        return err;
    int one = 1, sock = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof bound;
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(sock, found->ai_addr, found->ai_addrlen) || listen(sock, BACKLOG) ||
        getsockname(sock, (struct sockaddr *)&bound, &len)) {
        int error = errno;
        if (sock >= 0)
            close(sock);
        freeaddrinfo(found);
        if (error == EADDRINUSE)
            return fail(trace, ERR_EXISTS, "%s is in use: another program listens there", text);
        if (error == EACCES)
            return fail(trace, ERR_DENIED, "%s: ports below 1024 need root", text);
        return fail(trace, ERR_UNAVAILABLE, "cannot listen on %s: %s", text, strerror(error));
    }
    freeaddrinfo(found);
    *fd = sock;
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                              : ((struct sockaddr_in *)&bound)->sin_port);
    return ERR_OK;
}

enum err listener_open(struct loops *loops, const struct listener_settings *settings, struct trace *trace,
                       struct listener **listener)
{
    int fd;
    uint32_t port;
    enum err err = bind_socket(settings->address, trace, &fd, &port);
    if (err)
        return err;
    struct listener *l = mem_new(struct listener);
    l->loops = loops;
    l->proto = settings->proto;
    l->ctx = settings->ctx;
    l->tls = settings->tls;
    l->implicit_tls = settings->implicit_tls;
    l->conns_max = settings->conns_max;
    l->per_address_max = settings->conns_per_address_max;
    l->fd = fd;
    l->port = port;
    l->address = mem_text(settings->address);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->empty, &attributes);
    pthread_condattr_destroy(&attributes);
    l->event = event_new(loop_base(loops_at(loops, 0)), fd, EV_READ | EV_PERSIST, on_accept, l);
    event_add(l->event, NULL);
    *listener = l;
    return ERR_OK;
}

uint32_t listener_port(const struct listener *listener)
{
    return listener->port;
}

/* ---- stopping ---- */

struct round { // one call on each loop, and the wait for all of them
    struct listener *listener;
    struct loop *loop;
    void (*fn)(struct conn *conn);
    pthread_mutex_t *lock;
    pthread_cond_t *done;
    size_t *left;
};

static void run_round(void *ctx)
{
    struct round *r = ctx;
    if (r->loop == loops_at(r->listener->loops, 0) && r->listener->event) { // the event is that loop's
        event_free(r->listener->event);
        r->listener->event = NULL;
        close(r->listener->fd);
    }
    conn_each(r->loop, r->listener, r->fn);
    pthread_mutex_lock(r->lock);
    if (--*r->left == 0)
        pthread_cond_signal(r->done);
    pthread_mutex_unlock(r->lock);
}

static void on_every_loop(struct listener *l, void (*fn)(struct conn *conn))
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t done = PTHREAD_COND_INITIALIZER;
    size_t count = loops_count(l->loops), left = count;
    struct round *rounds = mem_alloc(count * sizeof *rounds);
    for (size_t i = 0; i < count; i++) {
        rounds[i] = (struct round){ l, loops_at(l->loops, i), fn, &lock, &done, &left };
        loop_call(rounds[i].loop, run_round, &rounds[i]);
    }
    pthread_mutex_lock(&lock);
    while (left)
        pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
    free(rounds);
}

void listener_stop(struct listener *listener)
{
    on_every_loop(listener, conn_ask_stop);
}

/* Newcomers that were handed to a loop just before the stop are counted but not yet conns: the wait covers them. */
static bool wait_empty(struct listener *l, int timeout_ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_ms / 1000;
    end.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&l->lock);
    int code = 0;
    while (l->count && code == 0)
        code = pthread_cond_timedwait(&l->empty, &l->lock, &end);
    bool empty = l->count == 0;
    pthread_mutex_unlock(&l->lock);
    return empty;
}

void listener_close(struct listener **listener, int timeout_ms)
{
    struct listener *l = *listener;
    if (!l)
        return;
    on_every_loop(l, conn_ask_stop);
    while (!wait_empty(l, timeout_ms)) {
        on_every_loop(l, conn_drop);
        timeout_ms = 100;
    }
    pthread_cond_destroy(&l->empty);
    pthread_mutex_destroy(&l->lock);
    free(l->address);
    free(l);
    *listener = NULL;
}
