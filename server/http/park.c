#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/http/front_internal.h"

static void park_free(struct http_park *park)
{
    struct http_client *client = park->client;
    client->park = NULL;
    atomic_fetch_sub_explicit(&client->fl->stat_parked, 1, memory_order_relaxed);
    loop_timer_clear(client->fl->loop, &client->timer);
    client->timing = TIMING_NONE;
    if (park->ops->freed)
        park->ops->freed(park->ctx);
    if (park->kept)
        request_unref(park->kept);
    free(park);
}

static void heartbeat_ended(void *ctx)
{
    park_timeout(ctx);
}

/* libmicrohttpd forgets the request; what it wrote so far (an earlier answer, 100 Continue) is
 * still the client's. */
static void leave_pair(struct http_client *client, struct http_request *req)
{
    struct wire *wire = client->wire;
    if (req->left_mhd)
        return; // a second wait of a request that ran again
    req->left_mhd = true;
    if (wire->frame.at !=
        FRAME_WHOLE) { // where the next request begins is not known: there will be none
        req->keep_alive = false;
        buf_clear(&wire->in);
    }
    client_drain_pair(client);
    wire->req = NULL;
    client_pair_close(client);
}

void park_begin(struct http_client *client, struct http_request *req)
{
    struct front_loop *fl = client->fl;
    struct http_park *park = mem_new(struct http_park);
    park->client = client;
    park->ops = req->park_ops;
    park->ctx = req->park_ctx;
    park->serial = ++fl->park_serial;
    if (req->keep) {
        request_ref(req);
        park->kept = req;
    }
    leave_pair(client, req);
    park->close = !req->keep_alive;
    client->park = park;
    client->state = CLIENT_PARKED;
    client->served = true;
    client->timing = TIMING_PARK;
    atomic_fetch_add_explicit(&fl->stat_parked, 1, memory_order_relaxed);
    loop_timer_set(fl->loop, &client->timer, req->heartbeat_s, heartbeat_ended, client);
    if (fl->stopping) {
        park_stop(client, 1 + park->serial % RETRY_AFTER_MAX_S);
        return;
    }
    if (!client_flush(client)) {
        client_drop(client);
        return;
    }
    client_settle(client);
    if (park->ops->parked)
        park->ops->parked(park, park->ctx); // may end the park
}

void park_drop(struct http_client *client)
{
    if (client->park)
        park_free(client->park);
}

void park_timeout(struct http_client *client)
{
    struct http_park *park = client->park;
    park->ops->ended(park, park->ctx, PARK_TIMEOUT);
}

void park_stop(struct http_client *client, uint32_t retry_after_s)
{
    struct buf headers = { 0 };
    buf_printf(&headers, "Retry-After: %u\r\n", (unsigned)retry_after_s);
    client->park->close = true;
    http_unpark(client->park, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, buf_slice(&headers),
                SLICE_LIT(""));
    buf_free(&headers);
}

struct park_id park_id(const struct http_park *park)
{
    const struct http_client *client = park->client;
    return (struct park_id){ client->fl->loop,
                             client->fl->index << PARK_SLOT_BITS | client->id.slot, park->serial };
}

struct http_park *park_find(struct park_id id)
{
    assert(loop_is_current(id.loop));
    struct front_loop *fl = front_here(id.slot >> PARK_SLOT_BITS);
    uint32_t slot = id.slot & ((1u << PARK_SLOT_BITS) - 1);
    if (!fl || slot >= fl->slot_count || !fl->slots[slot].client)
        return NULL;
    struct http_park *park = fl->slots[slot].client->park;
    return park && park->serial == id.generation ? park : NULL;
}

struct loop *park_loop(const struct http_park *park)
{
    return park->client->fl->loop;
}

void http_unpark(struct http_park *park, int status, const char *content_type, struct slice headers,
                 struct slice body)
{
    struct http_client *client = park->client;
    bool close = park->close || client->fl->stopping;
    struct buf out = { 0 };
    answer_head(&out, status, content_type, headers, close, body.len);
    buf_add(&out, body);
    bool sent = client_write(client, buf_slice(&out));
    buf_free(&out);
    client->state = CLIENT_OPEN;
    client->finish = close;
    park_free(park);
    if (!sent) {
        client_drop(client);
        return;
    }
    if (client->wire)
        client_later(client); // it sent the next request already
    client_settle(client);
}

void http_unpark_rerun(struct http_park *park)
{
    struct http_client *client = park->client;
    struct http_request *req = park->kept;
    assert(req);
    request_ref(req);
    client->state = CLIENT_RERUN;
    park_free(park);
    exchange_rerun(client, req);
    request_unref(req);
}
