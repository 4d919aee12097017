#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/http/front_internal.h"

#define BACKLOG 1024

/* ---- accept ---- */

static struct in6_addr address_of(const struct sockaddr_storage *from)
{
    struct in6_addr address = { 0 };
    if (from->ss_family == AF_INET6) {
        address = ((const struct sockaddr_in6 *)from)->sin6_addr;
    } else {
        address.s6_addr[10] = address.s6_addr[11] = 0xff;
        memcpy(&address.s6_addr[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
    }
    return address;
}

struct arrival {
    struct front_loop *fl;
    struct http_listener *listener;
    struct in6_addr address;
    int fd;
};

static void arrive(void *ctx)
{
    struct arrival *arrival = ctx;
    if (arrival->fl->stopping) {
        close(arrival->fd);
        atomic_fetch_sub(&arrival->fl->front->clients, 1);
    } else {
        client_open(arrival->fl, arrival->listener, arrival->fd, &arrival->address);
    }
    free(arrival);
}

static void watch(struct http_listener *listener, bool on)
{
    struct front_loop *fl = listener->front->fls[0];
    struct epoll_event event = { .events = on ? EPOLLIN : 0,
                                 .data.u64 = EPOLL_KEY_LISTENER | listener->number };
    epoll_ctl(fl->epoll, EPOLL_CTL_MOD, listener->fd, &event);
}

static void watch_again(void *ctx)
{
    watch(ctx, true);
}

/* Out of descriptors: the waiting client would be announced without end. */
static void pause_accepting(struct http_listener *listener, const char *why)
{
    if (!listener->full)
        log_event(LOG_ERROR, "http_accept", LOG_T("error", why));
    listener->full = true; // told once, until one is accepted again
    watch(listener, false);
    loop_timer_set(listener->front->fls[0]->loop, &listener->retry, RETRY_S, watch_again, listener);
}

void listen_accept(struct http_listener *listener)
{
    struct http_front *front = listener->front;
    for (int i = 0; i < ACCEPT_BATCH && listener->fd >= 0; i++) {
        if (atomic_load(&front->clients) >= front->clients_max) {
            pause_accepting(listener, "as many clients as descriptors allow");
            return;
        }
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(listener, strerror(errno));
            else if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        listener->full = false;
        atomic_fetch_add(&front->clients, 1);
        struct in6_addr address = address_of(&from);
        struct front_loop *fl =
            front->fls[atomic_fetch_add(&front->next_loop, 1) % front->loop_count];
        if (loop_is_current(fl->loop)) {
            client_open(fl, listener, fd, &address);
            continue;
        }
        struct arrival *arrival = mem_new(struct arrival);
        *arrival = (struct arrival){ fl, listener, address, fd };
        loop_call(fl->loop, arrive, arrival);
    }
}

void listen_end(struct http_listener *listener)
{
    struct front_loop *fl = listener->front->fls[0];
    if (listener->fd < 0)
        return;
    loop_timer_clear(fl->loop, &listener->retry);
    epoll_ctl(fl->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
    close(listener->fd);
    listener->fd = -1;
}

/* ---- open ---- */

/* "127.0.0.1:8080", "[::1]:8443" */
static enum err resolve(const char *text, struct trace *trace, struct sockaddr_storage *to,
                        socklen_t *len)
{
    const char *colon = strrchr(text, ':');
    char host[256];
    size_t host_len = colon ? (size_t)(colon - text) : 0;
    if (!colon || host_len >= sizeof host)
        return fail(trace, ERR_SYNTAX, "address '%s' is not HOST:PORT", text);
    const char *start = text;
    if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
        start++;
        host_len -= 2;
    }
    memcpy(host, start, host_len);
    host[host_len] = 0;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV },
                    *found = NULL;
    int result = getaddrinfo(host_len ? host : NULL, colon + 1, &hints, &found);
    if (result != 0)
        return fail(trace, ERR_SYNTAX, "address '%s': %s", text, gai_strerror(result));
    memcpy(to, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

static enum err bind_socket(const char *text, struct trace *trace, int *made)
{
    struct sockaddr_storage address;
    socklen_t len = 0;
    enum err err = resolve(text, trace, &address, &len);
    if (err)
        return err;
    int on = 1, fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(trace, ERR_UNAVAILABLE, "cannot make a socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, BACKLOG) == 0) {
        *made = fd;
        return ERR_OK;
    }
    int why = errno;
    close(fd);
    err = why == EADDRINUSE ? ERR_EXISTS : why == EACCES ? ERR_DENIED : ERR_UNAVAILABLE;
    return fail(trace, err, "cannot listen on %s: %s", text, strerror(why));
}

static uint32_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &len);
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static void add_listener(void *ctx)
{
    struct http_listener *listener = ctx;
    struct http_front *front = listener->front;
    listener->number = front->listeners ? front->listeners->number + 1 : 0;
    listener->next = front->listeners;
    front->listeners = listener;
    struct epoll_event event = { .events = EPOLLIN,
                                 .data.u64 = EPOLL_KEY_LISTENER | listener->number };
    epoll_ctl(front->fls[0]->epoll, EPOLL_CTL_ADD, listener->fd, &event);
}

enum err http_listen(struct http_front *front, const char *address, struct tls *tls_or_null,
                     const struct http_app *const *apps, size_t app_count, struct trace *trace,
                     uint32_t *port)
{
    int fd = -1;
    enum err err = bind_socket(address, trace, &fd);
    if (err)
        return err;
    struct http_listener *listener = mem_new(struct http_listener);
    listener->front = front;
    listener->fd = fd;
    listener->tls = tls_or_null;
    listener->app_count = apps ? app_count : front->app_count;
    const struct http_app **own = mem_alloc((listener->app_count + 1) * sizeof *own);
    memcpy(own, apps ? apps : front->apps, listener->app_count * sizeof *own);
    listener->apps = own;
    if (port)
        *port = port_of(fd);
    loop_call(front->fls[0]->loop, add_listener, listener);
    return ERR_OK;
}
