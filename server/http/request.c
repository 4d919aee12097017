#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/http/front_internal.h"

struct http_request *request_open(struct front_loop *fl, struct client_id client,
                                  const char *target)
{
    struct http_request *req = mem_new(struct http_request);
    req->fl = fl;
    req->client = client;
    req->refs = 1;
    req->arena = arena_open();
    req->target = arena_copy(req->arena, slice_of(target));
    req->fields_end = &req->fields;
    req->answer_end = &req->answer_fields;
    req->body_max = BODY_MAX_DEFAULT;
    spool_init(&req->body);
    fl->requests_alive++;
    atomic_fetch_add_explicit(&fl->stat_requests, 1, memory_order_relaxed);
    return req;
}

void request_ref(struct http_request *req)
{
    req->refs++;
}

void request_unref(struct http_request *req)
{
    if (--req->refs)
        return;
    struct front_loop *fl = req->fl;
    if (req->head_seen && req->app->dropped)
        req->app->dropped(req);
    if (req->stream_free)
        req->stream_free(req->stream_ctx);
    buf_free(&req->answer);
    spool_fini(&req->body);
    arena_close(&req->arena);
    free(req);
    fl->requests_alive--;
    front_check_drained(fl);
}

/* ---- what libmicrohttpd read ---- */

static enum MHD_Result add_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct http_request *req = ctx;
    struct http_field *field = arena_new(req->arena, struct http_field, 1);
    struct slice copy = arena_copy(req->arena, slice_of(value ? value : ""));
    field->name = arena_text(req->arena, slice_of(name));
    field->value = copy.at;
    field->value_len = copy.len;
    *req->fields_end = field;
    req->fields_end = &field->next;
    return MHD_YES;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* RFC 3986 2.1 (Percent-Encoding); a "%" that begins none stands for itself. */
static struct slice percent_decode(struct arena *arena, struct slice text, bool plus_is_blank)
{
    char *to = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%' && i + 2 < text.len && hex_digit(text.at[i + 1]) >= 0 &&
            hex_digit(text.at[i + 2]) >= 0) {
            c = (char)(hex_digit(text.at[i + 1]) << 4 | hex_digit(text.at[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[len++] = c;
    }
    return slice_make(to, len);
}

/* origin-form or absolute-form, RFC 9112 3.2. */
static void split_target(struct http_request *req)
{
    struct slice rest = req->target;
    if (rest.len && rest.at[0] != '/') {
        size_t scheme = slice_find_slice(rest, SLICE_LIT("://"));
        if (scheme != SIZE_MAX) {
            rest = slice_tail(rest, scheme + 3);
            size_t path = slice_find(rest, '/');
            rest = slice_tail(rest, path == SIZE_MAX ? rest.len : path);
        }
    }
    struct slice path = slice_cut(&rest, '?');
    req->query = rest;
    req->path = path.len ? percent_decode(req->arena, path, false) : SLICE_LIT("/");
}

/* Whether a comma-separated header names the token. */
static bool header_lists(const struct http_request *req, const char *name, struct slice token)
{
    for (const struct http_field *f = req->fields; f; f = f->next) {
        if (!slice_eq_nocase(slice_of(f->name), slice_of(name)))
            continue;
        struct slice rest = slice_make(f->value, f->value_len);
        while (rest.len) {
            if (slice_eq_nocase(slice_trim(slice_cut(&rest, ',')), token))
                return true;
        }
    }
    return false;
}

static struct forwarding read_forwarding(const struct http_request *req)
{
    static const char *const names[] = { "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                         "X-Real-IP",       "Forwarded",         "Via" };
    struct forwarding forwarding = { .for_clients = SLICE_LIT(""), .proto = SLICE_LIT("") };
    for (const struct http_field *f = req->fields; f; f = f->next) {
        struct slice name = slice_of(f->name), value = slice_make(f->value, f->value_len);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            if (slice_eq_nocase(name, slice_of(names[i])))
                forwarding.any = true;
        }
        if (slice_eq_nocase(name, SLICE_LIT("X-Forwarded-Proto")))
            forwarding.proto = slice_trim(value);
        if (slice_eq_nocase(name, SLICE_LIT("X-Forwarded-For")))
            forwarding.for_clients =
                forwarding.for_clients.len == 0
                    ? value
                    : slice_of(arena_printf(req->arena, "%.*s,%.*s",
                                            SLICE_ARG(forwarding.for_clients), SLICE_ARG(value)));
    }
    return forwarding;
}

static bool app_answers(const struct http_app *app, struct slice path)
{
    struct slice own = slice_of(app->path);
    if (!slice_starts_nocase(path, own))
        return false;
    return path.len == own.len ||
           (app->prefix && (slice_ends_nocase(own, SLICE_LIT("/")) || path.at[own.len] == '/'));
}

static const struct http_app *find_app(const struct http_listener *listener, struct slice path)
{
    const struct http_app *best = NULL;
    for (size_t i = 0; i < listener->app_count; i++) {
        const struct http_app *app = listener->apps[i];
        if (app_answers(app, path) && (!best || strlen(app->path) > strlen(best->path)))
            best = app;
    }
    return best;
}

void request_fill(struct http_request *req, struct http_client *client, const char *method,
                  const char *version)
{
    req->number = client->number;
    req->method = arena_copy(req->arena, slice_of(method));
    MHD_get_connection_values(req->mhd, MHD_HEADER_KIND, add_field, req);
    split_target(req);
    bool v10 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    req->keep_alive = !header_lists(req, "Connection", SLICE_LIT("close")) &&
                      (!v10 || header_lists(req, "Connection", SLICE_LIT("keep-alive")));
    struct forwarding forwarding = read_forwarding(req);
    struct peer peer = proxies_peer(req->fl->front->proxies, &client->address,
                                    client->listener->tls != NULL, &forwarding);
    address_print(&peer.address, req->peer);
    req->secure = peer.secure;
    req->app = find_app(client->listener, req->path);
}

/* ---- what an app sees ---- */

const struct http_app *http_app_of(const struct http_request *req)
{
    return req->app;
}

struct arena *http_arena(struct http_request *req)
{
    return req->arena;
}

struct slice http_method(const struct http_request *req)
{
    return req->method;
}

struct slice http_path(const struct http_request *req)
{
    return req->path;
}

struct slice http_query(const struct http_request *req)
{
    return req->query;
}

struct slice http_query_arg(const struct http_request *req, const char *name)
{
    struct slice rest = req->query;
    while (rest.len) {
        struct slice value = slice_cut(&rest, '&');
        struct slice key = slice_cut(&value, '=');
        if (slice_eq_nocase(percent_decode(req->arena, key, true), slice_of(name)))
            return percent_decode(req->arena, value, true);
    }
    return (struct slice){ 0 };
}

struct slice http_header(const struct http_request *req, const char *name)
{
    for (const struct http_field *f = req->fields; f; f = f->next) {
        if (slice_eq_nocase(slice_of(f->name), slice_of(name)))
            return slice_make(f->value, f->value_len);
    }
    return (struct slice){ 0 };
}

struct slice http_body(const struct http_request *req)
{
    return spool_slice(&req->body);
}

const char *http_peer(const struct http_request *req)
{
    return req->peer;
}

bool http_peer_is_secure(const struct http_request *req)
{
    return req->secure;
}

uint64_t http_number(const struct http_request *req)
{
    return req->number;
}

bool http_cancelled(const struct http_request *req)
{
    return atomic_load(&req->cancelled);
}

void http_set_body_max(struct http_request *req, uint64_t octets)
{
    req->body_max = octets;
}

void http_set_data(struct http_request *req, void *data)
{
    req->data = data;
}

void *http_data(const struct http_request *req)
{
    return req->data;
}

void http_keep_request(struct http_request *req)
{
    req->keep = true;
}

bool http_is_rerun(const struct http_request *req)
{
    return req->rerun;
}

void http_answer_header(struct http_request *req, const char *name, const char *value)
{
    assert(!strpbrk(name, "\r\n:") &&
           !strpbrk(value, "\r\n")); // whoever echoes a client's text checks it first
    struct http_field *field = arena_new(req->arena, struct http_field, 1);
    field->name = arena_text(req->arena, slice_of(name));
    field->value = arena_text(req->arena, slice_of(value));
    field->value_len = strlen(value);
    *req->answer_end = field;
    req->answer_end = &field->next;
}

static void set_answer(struct http_request *req, enum outcome outcome, int status,
                       const char *content_type)
{
    assert(req->outcome == OUTCOME_NONE);
    req->outcome = outcome;
    req->status = status;
    req->content_type = content_type ? arena_text(req->arena, slice_of(content_type)) : NULL;
}

void http_answer(struct http_request *req, int status, const char *content_type, struct buf *body)
{
    set_answer(req, OUTCOME_ANSWER, status, content_type);
    if (body)
        buf_move(&req->answer, body);
}

void http_answer_stream(struct http_request *req, int status, const char *content_type,
                        uint64_t size, http_read_fn read, void (*free_ctx)(void *ctx), void *ctx)
{
    set_answer(req, OUTCOME_STREAM, status, content_type);
    req->stream_size = size;
    req->stream_made = 0;
    req->stream_read = read;
    req->stream_free = free_ctx;
    req->stream_ctx = ctx;
}

void http_park(struct http_request *req, const struct park_ops *ops, void *ctx,
               uint32_t heartbeat_s)
{
    set_answer(req, OUTCOME_PARK, 0, NULL);
    req->park_ops = ops;
    req->park_ctx = ctx;
    req->heartbeat_s = heartbeat_s;
}
