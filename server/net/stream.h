/* A client socket, plain or TLS, behind one type: non-blocking reads and writes. Owned by one loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/slice.h"
#include "server/net/tls.h"

enum stream_result { STREAM_OK, STREAM_AGAIN, STREAM_WANT_WRITE, STREAM_EOF, STREAM_BROKEN };

struct stream {
    int fd;
    struct ssl_st *ssl; // NULL: plain
    bool handshaking;
};

/* Sets the socket options: non-blocking, TCP_NODELAY, keepalive, TCP_USER_TIMEOUT. */
void stream_init(struct stream *s, int fd, struct tls *tls_or_null);
void stream_start_tls(struct stream *s, struct tls *tls); // STARTTLS: the next bytes are a ClientHello
/* Reads up to room bytes; drives the handshake. */
enum stream_result stream_read(struct stream *s, char *to, size_t room, size_t *got);
enum stream_result stream_write(struct stream *s, struct slice bytes, size_t *sent);
bool stream_is_tls(const struct stream *s); // established or handshaking
/* TLS bytes already decrypted inside the SSL object, which no poll will announce. */
bool stream_pending(const struct stream *s);
/* Says that nothing more will be written: close_notify, then shutdown(SHUT_WR). Reading goes on. */
void stream_end_writing(struct stream *s);
void stream_fini(struct stream *s); // closes, with a best-effort close_notify
