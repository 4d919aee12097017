/* What the files of api/ share. */
#pragma once

#include <jansson.h>

#include "api/api.h"
#include "api/routes.h"
#include "storage/account.h"

#define API_PARAMS_MAX 2 // {...} of a path template

struct api_call {
    const struct api_env *env;
    struct db *db;
    struct arena *arena;
    const struct admin_token *token;
    const struct api_request *request;
    struct api_reply *reply;
    struct slice params[API_PARAMS_MAX]; // in the order of the template
    struct actor by;
};

#define X(id, method, path, scope, function) void function(struct api_call *call);
API_ROUTES(X)
#undef X

/* Answers with JSON; takes the reference. */
void api_json(struct api_call *call, int status, json_t *value);
void api_empty(struct api_call *call);
/* Answers a storage error; `what` names the thing, such as "account". */
void api_error(struct api_call *call, enum err err, const char *what);
/* Ends a change of an account or of its `what`: publishes (changes NULL: nothing to), writes the audit, and answers 204 or
 * the error. */
void api_finish(struct api_call *call, enum err err, const struct change_set *changes, struct account_id account,
                const char *what, const char *verb, const char *detail);
/* The body as a JSON object; NULL after answering 400. Release with json_decref. */
json_t *api_body(struct api_call *call);
/* The account of params[0], if the token may see it; false after answering. */
bool api_account(struct api_call *call, struct account *account);
bool api_may_see(const struct api_call *call, struct slice login);
json_t *api_time(int64_t us);         // RFC 3339, UTC; null for 0
json_t *api_text(struct slice text);  // "" for what is no UTF-8
json_t *api_string(const char *text); // null for NULL
void api_publish(struct api_call *call, const struct change_set *changes);
