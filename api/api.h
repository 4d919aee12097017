/* The admin HTTP API (openapi.yaml is the contract): a request in, a reply out. No sockets here; server/http/admin.c
 * joins it to the HTTP front. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "storage/admin.h"

struct api_env { // what the API needs of the process around it
    /* Told of every committed change, so that watchers and other processes hear of it. */
    void (*committed)(void *ctx, const struct change_set *changes);
    /* crypt(3) form, malloc'ed; NULL: this password cannot be used. */
    char *(*hash_password)(struct slice password);
    void *ctx;
    bool remote_wipe; // phones may be wiped (eas.remote_wipe)
};

struct api_request {
    struct slice method, path, body;
    struct slice authorization; // the header; at NULL when absent
    /* A decoded query argument; at NULL when absent. */
    struct slice (*query)(void *ctx, const char *name);
    void *query_ctx;
};

struct api_reply {
    int status;
    const char *content_type; // NULL: no body
    struct buf body;          // the caller's to free
};

/* Whether the request's token lets it go on, before its body is read. false: *reply says why not (401, 403, 404, 405,
 * 503). On true *token is what handling it needs; it lives in the arena. */
MUST_USE bool api_authorize(struct db *db, struct arena *arena, const struct api_request *request,
                            struct admin_token *token, struct api_reply *reply);
/* Handles an authorized request. Blocks on SQL only. */
void api_handle(const struct api_env *env, struct db *db, struct arena *arena, const struct admin_token *token,
                const struct api_request *request, struct api_reply *reply);
/* For trouble outside of the API: an RFC 9457 (Problem Details) body. */
void api_problem(struct api_reply *reply, int status, const char *detail);
