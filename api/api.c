#include "api/api_internal.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "storage/mailbox.h"
#include "storage/retention.h"

static const struct route {
    const char *method, *path;
    unsigned scope;
    void (*run)(struct api_call *call);
} routes[] = {
#define X(id, method, path, scope, function) { method, path, scope, function },
    API_ROUTES(X)
#undef X
};

/* ---- answers ---- */

static const char *title_of(int status)
{
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
    }
}

static void put_json(struct api_reply *reply, int status, const char *type, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    buf_clear(&reply->body);
    buf_add_text(&reply->body, text ? text : "{}");
    free(text);
    reply->status = status;
    reply->content_type = type;
}

void api_problem(struct api_reply *reply, int status, const char *detail)
{
    put_json(reply, status, "application/problem+json",
             json_pack("{s:s, s:i, s:s}", "title", title_of(status), "status", status, "detail", detail));
}

void api_json(struct api_call *call, int status, json_t *value)
{
    put_json(call->reply, status, "application/json", value);
}

void api_empty(struct api_call *call)
{
    call->reply->status = 204;
    call->reply->content_type = NULL;
}

void api_error(struct api_call *call, enum err err, const char *what)
{
    static const int statuses[ERR_COUNT] = {
        [ERR_SYNTAX] = 422, [ERR_STATE] = 409,    [ERR_DENIED] = 403,      [ERR_NOT_FOUND] = 404,   [ERR_EXISTS] = 409,
        [ERR_CONFLICT] = 409, [ERR_LIMIT] = 422, [ERR_QUOTA] = 409, [ERR_UNAVAILABLE] = 503, [ERR_CANCELLED] = 503,
    };
    int status = statuses[err] ? statuses[err] : 500;
    api_problem(call->reply, status, arena_printf(call->arena, "%s: %s", what, err_name(err)));
}

void api_finish(struct api_call *call, enum err err, const struct change_set *changes, struct account_id account,
                const char *what, const char *verb, const char *detail)
{
    if (changes)
        api_publish(call, changes);
    if (!err)
        err = audit_write(call->db, account, &call->by, verb, detail);
    if (err)
        api_error(call, err, what);
    else
        api_empty(call);
}

/* ---- reading ---- */

json_t *api_body(struct api_call *call)
{
    json_error_t error;
    json_t *body = json_loadb(call->request->body.at ? call->request->body.at : "", call->request->body.len,
                              JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(body))
        return body;
    json_decref(body);
    api_problem(call->reply, 400, "the body is no JSON object");
    return NULL;
}

bool api_may_see(const struct api_call *call, struct slice login)
{
    const char *domain = call->token->domain;
    size_t at = slice_find(login, '@');
    return !domain || (at != SIZE_MAX && slice_eq_nocase(slice_tail(login, at + 1), slice_of(domain)));
}

bool api_account(struct api_call *call, struct account *account)
{
    // Another tenant's account does not exist for this token (hard case 27).
    enum err err = api_may_see(call, call->params[0])
                       ? account_find(call->db, call->arena, call->params[0], account)
                       : ERR_NOT_FOUND;
    if (err)
        api_error(call, err, "account");
    return !err;
}

json_t *api_time(int64_t us)
{
    char text[32];
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    if (us == 0)
        return json_null();
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &t));
    return json_string(text);
}

json_t *api_text(struct slice text)
{
    json_t *value = json_stringn(text.len ? text.at : "", text.len);
    return value ? value : json_string("");
}

json_t *api_string(const char *text)
{
    return text ? api_text(slice_of(text)) : json_null();
}

void api_publish(struct api_call *call, const struct change_set *changes)
{
    if (changes->count || changes->overflow)
        call->env->committed(call->env->ctx, changes);
}

/* ---- finding the operation ---- */

/* Whether the path fits the template; what stands for {...} goes to params. */
static bool path_fits(struct slice path, const char *template, struct slice params[API_PARAMS_MAX])
{
    struct slice want = slice_of(template);
    size_t count = 0;
    while (want.len && path.len) {
        struct slice expected = slice_cut(&want, '/'), got = slice_cut(&path, '/');
        if (expected.len && expected.at[0] == '{') {
            if (got.len == 0)
                return false;
            params[count++] = got;
        } else if (!slice_eq(expected, got)) {
            return false;
        }
    }
    return want.len == 0 && path.len == 0;
}

static const struct route *find_route(const struct api_request *request, struct slice params[API_PARAMS_MAX],
                                      bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_fits(request->path, routes[i].path, params))
            continue;
        *path_known = true;
        if (slice_eq(request->method, slice_of(routes[i].method)))
            return &routes[i];
    }
    return NULL;
}

bool api_authorize(struct db *db, struct arena *arena, const struct api_request *request, struct admin_token *token,
                   struct api_reply *reply)
{
    struct slice params[API_PARAMS_MAX];
    bool path_known;
    const struct route *route = find_route(request, params, &path_known);
    if (route && route->scope == 0) {
        *token = (struct admin_token){ .name = "nobody" };
        return true;
    }
    static const struct slice scheme = { "Bearer ", 7 };
    if (!request->authorization.at || !slice_starts_nocase(request->authorization, scheme)) {
        api_problem(reply, 401, "send Authorization: Bearer TOKEN");
        return false;
    }
    enum err err = admin_token_verify(db, arena, slice_trim(slice_tail(request->authorization, scheme.len)), token);
    if (err)
        api_problem(reply, err == ERR_DENIED ? 401 : 503, err == ERR_DENIED ? "unknown token" : "the store is not there");
    else if (!route)
        api_problem(reply, path_known ? 405 : 404, path_known ? "not with this method" : "no such path");
    else if (!(token->scopes & route->scope))
        api_problem(reply, 403, "the token's scopes do not allow this");
    else
        return true;
    return false;
}

void api_handle(const struct api_env *env, struct db *db, struct arena *arena, const struct admin_token *token,
                const struct api_request *request, struct api_reply *reply)
{
    struct api_call call = {
        .env = env,
        .db = db,
        .arena = arena,
        .token = token,
        .request = request,
        .reply = reply,
        .by = { .protocol = BY_ADMIN, .name = token->name },
    };
    bool path_known;
    const struct route *route = find_route(request, call.params, &path_known);
    if (route)
        route->run(&call);
    else
        api_problem(reply, 404, "no such path");
}
