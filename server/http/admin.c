#include "server/http/admin.h"

#include <stdlib.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ADMIN_BODY_MAX (1u << 20)

struct admin_request { // in the request's arena
    struct admin_token token;
    int64_t started_us;
};

static struct slice query_arg(void *ctx, const char *name)
{
    return http_query_arg(ctx, name);
}

static struct api_request read_request(struct http_request *req)
{
    return (struct api_request){
        .method = http_method(req),
        .path = http_path(req),
        .authorization = http_header(req, "Authorization"),
        .query = query_arg,
        .query_ctx = req,
    };
}

static void answer(struct http_request *req, struct api_reply *reply, const struct admin_request *state)
{
    log_event(LOG_INFO, "admin", LOG_I("session", http_number(req)), LOG_S("method", http_method(req)),
              LOG_S("path", http_path(req)), LOG_T("token", state->token.name), LOG_I("http", reply->status),
              LOG_T("peer", http_peer(req)), LOG_MS("ms", (double)(clock_mono_us() - state->started_us) / 1000));
    if (reply->status == 401)
        http_answer_header(req, "WWW-Authenticate", "Bearer");
    if (reply->status == 503)
        http_answer_header(req, "Retry-After", "5");
    http_answer_header(req, "Cache-Control", "no-store");
    http_answer(req, reply->status, reply->content_type, reply->content_type ? &reply->body : NULL);
    buf_free(&reply->body);
}

static enum http_head_result admin_head(struct http_request *req, struct worker *worker)
{
    if (!worker)
        return HTTP_NEED_WORKER;
    struct api_request request = read_request(req);
    struct api_reply reply = { 0 };
    struct admin_request *state = arena_new(http_arena(req), struct admin_request, 1);
    state->started_us = clock_mono_us();
    struct db *db = worker_db(worker);
    if (!http_peer_is_secure(req))
        api_problem(&reply, 403, "tokens are taken over TLS or from this machine only");
    else if (!db)
        api_problem(&reply, 503, "the store is not there");
    else if (api_authorize(db, http_arena(req), &request, &state->token, &reply)) {
        http_set_data(req, state);
        http_set_body_max(req, ADMIN_BODY_MAX);
        return HTTP_READ_BODY;
    }
    answer(req, &reply, state);
    return HTTP_ANSWERED;
}

static void committed(void *ctx, const struct change_set *changes)
{
    const struct server *server = ctx;
    hub_publish(server->hub, changes);
}

static void admin_run(struct http_request *req, struct worker *worker)
{
    struct admin_request *state = http_data(req);
    struct api_request request = read_request(req);
    struct api_reply reply = { 0 };
    const struct api_env env = {
        .committed = committed,
        .hash_password = auth_hash_password,
        .ctx = http_app_of(req)->ctx,
        .remote_wipe = settings_bool(((const struct server *)http_app_of(req)->ctx)->settings, SETTING_EAS_REMOTE_WIPE),
    };
    struct db *db = worker_db(worker);
    request.body = http_body(req);
    if (db)
        api_handle(&env, db, http_arena(req), &state->token, &request, &reply);
    else
        api_problem(&reply, 503, "the store is not there");
    answer(req, &reply, state);
}

const struct http_app *admin_app_open(struct server *server)
{
    struct http_app *app = mem_new(struct http_app);
    app->path = "/api";
    app->prefix = true;
    app->ctx = server;
    app->head = admin_head;
    app->run = admin_run;
    return app;
}

void admin_app_close(const struct http_app **app)
{
    free((void *)*app);
    *app = NULL;
}
