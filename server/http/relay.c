#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "server/http/front_internal.h"

/* What a step did: how many bytes moved, or that the client is gone. */
#define GONE (-1)

/* Sends what it can; the rest stays in *bytes. */
static bool send_some(struct http_client *client, struct slice *bytes)
{
    while (bytes->len) {
        size_t sent = 0;
        enum stream_result result = stream_write(&client->stream, *bytes, &sent);
        *bytes = slice_tail(*bytes, sent);
        if (client->wire)
            client->wire->window_bytes += (uint32_t)sent;
        if (result == STREAM_BROKEN || result == STREAM_EOF)
            return false;
        if (result != STREAM_OK)
            return true;
    }
    return true;
}

bool client_write(struct http_client *client, struct slice bytes)
{
    bool waiting = client->wire && buf_len(&client->wire->out);
    if (!waiting && !send_some(client, &bytes))
        return false;
    if (bytes.len)
        buf_add(&client_wire(client)->out, bytes);
    return true;
}

bool client_flush(struct http_client *client)
{
    struct wire *wire = client->wire;
    if (!wire || buf_len(&wire->out) == 0)
        return true;
    struct slice rest = buf_slice(&wire->out);
    size_t before = rest.len;
    if (!send_some(client, &rest))
        return false;
    buf_consume(&wire->out, before - rest.len);
    return true;
}

/* libmicrohttpd's side to the client. */
static ssize_t pair_to_client(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    struct wire *wire = client->wire;
    if (!wire || wire->pair < 0 || buf_len(&wire->out))
        return 0;
    ssize_t n = recv(wire->pair, fl->scratch, sizeof fl->scratch, MSG_DONTWAIT);
    if (n > 0) {
        if (client_write(client, slice_make(fl->scratch, (size_t)n)))
            return n;
        client_drop(client);
        return GONE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    client_pair_close(client);
    client->finish = true;
    return 0;
}

void client_drain_pair(struct http_client *client)
{
    struct wire *wire = client->wire;
    for (;;) {
        ssize_t n = recv(wire->pair, client->fl->scratch, sizeof client->fl->scratch, MSG_DONTWAIT);
        if (n <= 0)
            return;
        buf_add(&wire->out, slice_make(client->fl->scratch, (size_t)n));
    }
}

/* Hands over what belongs to the request. */
static ssize_t forward(struct http_client *client)
{
    struct wire *wire = client->wire;
    wire->approved += frame_take(&wire->frame, slice_tail(buf_slice(&wire->in), wire->approved));
    if (wire->approved == 0)
        return 0;
    ssize_t n =
        send(wire->pair, buf_slice(&wire->in).at, wire->approved, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    client->fl->mhd_due = true;
    if (n < 0) { // it has stopped reading; its answer and its end are still to come
        buf_clear(&wire->in);
        wire->approved = 0;
        wire->frame.at = FRAME_WHOLE;
        return 0;
    }
    buf_consume(&wire->in, (size_t)n);
    wire->approved -= (size_t)n;
    return n;
}

/* Bytes of the client into `in`. */
static ssize_t read_client(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    size_t got = 0;
    enum stream_result result = stream_read(&client->stream, fl->scratch, CLIENT_READ_BYTES, &got);
    client->want_write = result == STREAM_WANT_WRITE;
    if (result == STREAM_EOF || result == STREAM_BROKEN) {
        client_drop(client);
        return GONE;
    }
    if (result != STREAM_OK || got == 0)
        return 0;
    struct wire *wire = client_wire(client);
    buf_add(&wire->in, slice_make(fl->scratch, got));
    wire->window_bytes += (uint32_t)got;
    return (ssize_t)got;
}

static ssize_t client_to_pair(struct http_client *client)
{
    struct front_loop *fl = client->fl;
    struct wire *wire = client->wire;
    if (client->finish || client->list == &fl->queue)
        return 0;
    ssize_t got = 0;
    bool has_pair = wire && wire->pair >= 0;
    if (!wire || buf_len(&wire->in) == 0) {
        if (has_pair && !frame_wants(&wire->frame))
            return 0;
        // Above the limit the bytes stay where they are; a TLS handshake may go on.
        if (!has_pair && !pair_available(fl) && !client->stream.handshaking) {
            client_enqueue(client);
            return 0;
        }
        got = read_client(client);
        if (got <= 0)
            return got;
        wire = client->wire;
    }
    if (wire->pair < 0 && (!pair_available(fl) || !client_pair_open(client))) {
        client_enqueue(client);
        return 0;
    }
    ssize_t sent = forward(client);
    return got > sent ? got : sent;
}

void client_pump(struct http_client *client)
{
    if (client->state == CLIENT_LINGER) {
        client_linger_input(client);
        return;
    }
    size_t moved = 0;
    for (;;) {
        if (!client_flush(client)) {
            client_drop(client);
            return;
        }
        if (client->state != CLIENT_OPEN)
            break;
        ssize_t down = pair_to_client(client);
        ssize_t up = down == GONE ? GONE : client_to_pair(client);
        if (up == GONE)
            return;
        if (up + down == 0)
            break;
        moved += (size_t)(up + down);
        if (moved >= TURN_BYTES) {
            client_later(client);
            break;
        }
    }
    client_settle(client);
}
