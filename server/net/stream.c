#include "server/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

// OpenSSL's async API uses this name for something else.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#define KEEPALIVE_IDLE_S 600      // phones pay for every probe with battery
#define KEEPALIVE_INTERVAL_S 60
#define KEEPALIVE_PROBES 5
#define USER_TIMEOUT_MS 120000    // unacknowledged bytes: the client is gone

static void set_option(int fd, int level, int name, int value)
{
    // Refused for sockets that are not TCP (tests use socket pairs), which is no harm.
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void stream_init(struct stream *s, int fd, struct tls *tls_or_null)
{
    *s = (struct stream){ .fd = fd };
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    if (tls_or_null)
        stream_start_tls(s, tls_or_null);
}

void stream_start_tls(struct stream *s, struct tls *tls)
{
    assert(!s->ssl);
    s->ssl = tls_new(tls);
    s->handshaking = true;
    SSL_set_fd(s->ssl, s->fd);
}

bool stream_is_tls(const struct stream *s)
{
    return s->ssl != NULL;
}

bool stream_pending(const struct stream *s)
{
    return s->ssl && SSL_pending(s->ssl) > 0;
}

static enum stream_result ssl_result(struct stream *s, int ret)
{
    int saved = errno;
    enum stream_result result = STREAM_BROKEN;
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        result = STREAM_AGAIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        result = STREAM_WANT_WRITE;
        break;
    case SSL_ERROR_ZERO_RETURN:
        result = STREAM_EOF;
        break;
    case SSL_ERROR_SYSCALL:
        result = saved == 0 ? STREAM_EOF : STREAM_BROKEN;
        break;
    default:
        break;
    }
    ERR_clear_error(); // the queue is the thread's: what stays would be blamed on the next connection
    return result;
}

static enum stream_result handshake(struct stream *s)
{
    errno = 0;
    int ret = SSL_do_handshake(s->ssl);
    if (ret != 1)
        return ssl_result(s, ret);
    s->handshaking = false;
    return STREAM_OK;
}

enum stream_result stream_read(struct stream *s, char *to, size_t room, size_t *got)
{
    *got = 0;
    if (s->handshaking) {
        enum stream_result result = handshake(s);
        if (result != STREAM_OK)
            return result;
    }
    if (s->ssl) {
        errno = 0;
        int ret = SSL_read(s->ssl, to, room > INT_MAX ? INT_MAX : (int)room);
        if (ret <= 0)
            return ssl_result(s, ret);
        *got = (size_t)ret;
        return STREAM_OK;
    }
    ssize_t n;
    do
        n = recv(s->fd, to, room, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return STREAM_EOF;
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_BROKEN;
    *got = (size_t)n;
    return STREAM_OK;
}

enum stream_result stream_write(struct stream *s, struct slice bytes, size_t *sent)
{
    *sent = 0;
    if (bytes.len == 0)
        return STREAM_OK;
    if (s->handshaking) {
        enum stream_result result = handshake(s);
        if (result != STREAM_OK)
            return result;
    }
    if (s->ssl) {
        errno = 0;
        int ret = SSL_write(s->ssl, bytes.at, bytes.len > INT_MAX ? INT_MAX : (int)bytes.len);
        if (ret <= 0)
            return ssl_result(s, ret);
        *sent = (size_t)ret;
        return STREAM_OK;
    }
    ssize_t n;
    do
        n = send(s->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_WANT_WRITE : STREAM_BROKEN;
    *sent = (size_t)n;
    return STREAM_OK;
}

void stream_end_writing(struct stream *s)
{
    if (s->ssl && !s->handshaking) {
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    if (s->fd >= 0)
        (void)shutdown(s->fd, SHUT_WR);
}

void stream_fini(struct stream *s)
{
    if (s->ssl) {
        if (!s->handshaking) {
            (void)SSL_shutdown(s->ssl); // best effort: one close_notify, no waiting for the peer's
            ERR_clear_error();
        }
        SSL_free(s->ssl);
        s->ssl = NULL;
    }
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
