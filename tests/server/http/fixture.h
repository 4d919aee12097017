/* A front on loopback with a small app behind it, and clients that speak bytes. */
#pragma once

#define ERR_STATE OPENSSL_ERR_STATE // openssl has a type of that name
#include <openssl/ssl.h>
#undef ERR_STATE

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "server/http/front.h"
#include "server/net/tls.h"

#define WAIT_S 30 // no event takes longer, even under a sanitizer

/* ---- the server ---- */

struct world {
    struct loops *loops;
    struct workers *workers;
    struct http_front *front;
    struct tls *tls;
    uint32_t port, tls_port;
    char dir[32];
};

static inline void make_certificate(struct world *world)
{
    char command[512], cert[64], key[64];
    snprintf(cert, sizeof cert, "%s/cert.pem", world->dir);
    snprintf(key, sizeof key, "%s/key.pem", world->dir);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -keyout %s -out %s 2>/dev/null",
             key, cert);
    cr_assert_eq(system(command), 0);
    struct tls_settings settings = { .cert = cert, .key = key, .min_version = "1.2" };
    struct trace trace = { 0 };
    cr_assert_eq(tls_open(&settings, &trace, &world->tls), ERR_OK, "%s", trace.text);
}

static inline void world_open(struct world *world, const struct http_app *app,
                              struct http_front_settings settings)
{
    *world = (struct world){ .dir = "/tmp/http-test-XXXXXX" };
    cr_assert(mkdtemp(world->dir));
    make_certificate(world);
    cr_assert_eq(loops_open(2, &world->loops), ERR_OK);
    struct db_settings db = { .url = "" };
    cr_assert_eq(workers_open(8, &db, &world->workers), ERR_OK);
    const struct http_app *apps[] = { app };
    settings.loops = world->loops;
    settings.workers = world->workers;
    settings.apps = apps;
    settings.app_count = 1;
    settings.spool_dir = world->dir;
    cr_assert_eq(http_front_open(&settings, &world->front), ERR_OK);
    struct trace trace = { 0 };
    cr_assert_eq(http_listen(world->front, "127.0.0.1:0", NULL, NULL, 0, &trace, &world->port),
                 ERR_OK, "%s", trace.text);
    cr_assert_eq(
        http_listen(world->front, "127.0.0.1:0", world->tls, NULL, 0, &trace, &world->tls_port),
        ERR_OK, "%s", trace.text);
}

static inline void world_close(struct world *world)
{
    char command[64];
    http_front_close(&world->front, WAIT_S * 1000);
    workers_close(&world->workers);
    loops_close(&world->loops);
    tls_close(&world->tls);
    snprintf(command, sizeof command, "rm -r %s", world->dir);
    cr_assert_eq(system(command), 0);
}

/* ---- events ---- */

static inline bool wait_for(sem_t *sem, int milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += milliseconds / 1000;
    until.tv_nsec += milliseconds % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    int result;
    do
        result = sem_timedwait(sem, &until);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

#define EXPECT_EVENT(sem) cr_assert(wait_for((sem), WAIT_S * 1000), "no event: %s", #sem)

/* ---- a client ---- */

struct guest {
    int fd;
    SSL *ssl;
    SSL_CTX *ctx;
    struct buf in;
};

struct reply {
    int status;
    struct buf head, body;
};

static inline struct guest guest_open(const struct world *world, bool tls)
{
    struct guest guest = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)(tls ? world->tls_port : world->port)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = WAIT_S };
    setsockopt(guest.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(guest.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    cr_assert_eq(connect(guest.fd, (struct sockaddr *)&to, sizeof to), 0);
    if (tls) {
        guest.ctx = SSL_CTX_new(TLS_client_method());
        guest.ssl = SSL_new(guest.ctx);
        SSL_set_fd(guest.ssl, guest.fd);
        cr_assert_eq(SSL_connect(guest.ssl), 1);
    }
    return guest;
}

static inline void guest_close(struct guest *guest)
{
    if (guest->ssl) {
        SSL_shutdown(guest->ssl);
        SSL_free(guest->ssl);
        SSL_CTX_free(guest->ctx);
    }
    close(guest->fd);
    buf_free(&guest->in);
}

/* With a reset instead of an orderly end. */
static inline void guest_reset(struct guest *guest)
{
    struct linger linger = { .l_onoff = 1 };
    setsockopt(guest->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(guest->fd);
    buf_free(&guest->in);
}

static inline void guest_send_bytes(struct guest *guest, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n =
            guest->ssl ? SSL_write(guest->ssl, bytes.at, bytes.len > 65536 ? 65536 : (int)bytes.len)
                       : send(guest->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        cr_assert(n > 0, "send: %s", strerror(errno));
        bytes = slice_tail(bytes, (size_t)n);
    }
}

static inline void guest_send(struct guest *guest, const char *text)
{
    guest_send_bytes(guest, slice_of(text));
}

/* 0 at the end of the stream, or a reset. */
static inline size_t guest_read(struct guest *guest, char *to, size_t room)
{
    ssize_t n = guest->ssl ? SSL_read(guest->ssl, to, (int)room) : recv(guest->fd, to, room, 0);
    cr_assert(n >= 0 || guest->ssl || errno == ECONNRESET, "read: %s", strerror(errno));
    return n > 0 ? (size_t)n : 0;
}

static inline bool guest_more(struct guest *guest)
{
    char *to = buf_reserve(&guest->in, 65536);
    size_t n = guest_read(guest, to, 65536);
    buf_commit(&guest->in, n);
    return n > 0;
}

static inline bool guest_at_end(struct guest *guest)
{
    return buf_len(&guest->in) == 0 && !guest_more(guest);
}

static inline void reply_free(struct reply *reply)
{
    buf_free(&reply->head);
    buf_free(&reply->body);
}

/* A header's value; empty when it is not there. */
static inline struct slice reply_header(const struct reply *reply, const char *name)
{
    struct slice rest = buf_slice(&reply->head);
    while (rest.len) {
        struct slice value = slice_cut(&rest, '\n');
        if (slice_eq_nocase(slice_trim(slice_cut(&value, ':')), slice_of(name)))
            return slice_trim(value);
    }
    return SLICE_LIT("");
}

/* Reads one answer; body_follows: false for HEAD. */
static inline void guest_head(struct guest *guest, struct reply *reply)
{
    size_t end;
    *reply = (struct reply){ 0 };
    while ((end = slice_find_slice(buf_slice(&guest->in), SLICE_LIT("\r\n\r\n"))) == SIZE_MAX)
        cr_assert(guest_more(guest), "closed before an answer");
    buf_add(&reply->head, slice_head(buf_slice(&guest->in), end + 4));
    buf_consume(&guest->in, end + 4);
    uint64_t status = 0;
    slice_to_u64(slice_head(slice_tail(buf_slice(&reply->head), 9), 3), 999, &status);
    reply->status = (int)status;
}

static inline void guest_answer(struct guest *guest, struct reply *reply)
{
    guest_head(guest, reply);
    uint64_t length = 0;
    slice_to_u64(reply_header(reply, "Content-Length"), UINT64_MAX, &length);
    while (buf_len(&guest->in) < length)
        cr_assert(guest_more(guest), "closed within an answer");
    buf_add(&reply->body, slice_head(buf_slice(&guest->in), length));
    buf_consume(&guest->in, length);
}

/* Reads an answer and compares; body NULL: any. */
static inline void guest_expect(struct guest *guest, int status, const char *body)
{
    struct reply reply;
    guest_answer(guest, &reply);
    cr_assert_eq(reply.status, status, "%d instead of %d", reply.status, status);
    if (body)
        cr_assert(slice_eq(buf_slice(&reply.body), slice_of(body)), "'%.*s' instead of '%s'",
                  SLICE_ARG(buf_slice(&reply.body)), body);
    reply_free(&reply);
}
