#include <stdlib.h>

#include "api/api_internal.h"
#include "storage/directory.h"
#include "storage/retention.h"

static json_t *account_json(const struct account *account)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:o}", "login", account->login, "name", account->name,
                     "status", account->status == ACCOUNT_ACTIVE ? "active" : "disabled", "eas_enabled", account->eas_enabled,
                     "used_bytes", (json_int_t)account->used_bytes, "used_count", (json_int_t)account->used_count,
                     "quota_bytes", (json_int_t)account->quota_bytes, "created", api_time(account->created_us));
}

void api_list_accounts(struct api_call *call)
{
    struct account *accounts;
    size_t count;
    enum err err = account_list(call->db, call->arena, &accounts, &count);
    if (err) {
        api_error(call, err, "accounts");
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (api_may_see(call, slice_of(accounts[i].login)))
            json_array_append_new(list, account_json(&accounts[i]));
    api_json(call, 200, json_pack("{s:o}", "accounts", list));
}

/* The hash of body.password, malloc'ed; NULL after answering. */
static char *take_password(struct api_call *call, const json_t *body)
{
    const json_t *password = json_object_get(body, "password");
    struct slice text = { json_string_value(password), json_string_length(password) };
    char *hash = text.len ? call->env->hash_password(text) : NULL;
    if (!hash)
        api_problem(call->reply, 422, "password: a text of 1 to 1024 octets without NUL");
    return hash;
}

void api_create_account(struct api_call *call)
{
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *login = json_object_get(body, "login");
    struct slice name = { json_string_value(login), json_string_length(login) };
    json_int_t quota = json_integer_value(json_object_get(body, "quota_bytes"));
    struct account_id id;
    struct account account;
    char *hash = NULL;
    enum err err;
    if (name.len == 0 || quota < 0)
        api_problem(call->reply, 422, "login: name@domain; quota_bytes: 0 or more");
    else if (!api_may_see(call, name))
        api_error(call, ERR_DENIED, "domain");
    else if ((hash = take_password(call, body))) {
        err = account_create(call->db, name, hash, quota, &id);
        if (!err)
            err = audit_write(call->db, id, &call->by, "account_add", NULL);
        if (!err)
            err = account_get(call->db, call->arena, id, &account);
        if (err)
            api_error(call, err, "login");
        else
            api_json(call, 201, account_json(&account));
    }
    free(hash);
    json_decref(body);
}

void api_set_password(struct api_call *call)
{
    struct account account;
    struct change_set changes = { 0 };
    if (!api_account(call, &account))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    char *hash = take_password(call, body);
    if (hash) {
        enum err err = account_set_password(call->db, account.id, hash, &changes);
        api_finish(call, err, &changes, account.id, "account", "account_password", NULL);
    }
    free(hash);
    json_decref(body);
}

void api_delete_account(struct api_call *call)
{
    struct account account;
    struct change_set changes = { 0 };
    if (!api_account(call, &account))
        return;
    enum err err = account_delete(call->db, account.id, &call->by, &changes);
    api_finish(call, err, &changes, account.id, "account", "account_delete", account.login);
}

void api_set_eas(struct api_call *call)
{
    struct account account;
    struct change_set changes = { 0 };
    if (!api_account(call, &account))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *on = json_object_get(body, "enabled");
    if (!json_is_boolean(on)) {
        api_problem(call->reply, 422, "enabled: true or false");
    } else {
        enum err err = account_set_eas(call->db, account.id, json_is_true(on), &changes);
        api_finish(call, err, &changes, account.id, "account", "account_eas", json_is_true(on) ? "on" : "off");
    }
    json_decref(body);
}

void api_set_name(struct api_call *call)
{
    struct account account;
    if (!api_account(call, &account))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *text = json_object_get(body, "name");
    struct slice name = { json_string_value(text), json_string_length(text) };
    if (!json_is_string(text) || !directory_name_is_good(name)) {
        api_problem(call->reply, 422, "name: at most 256 octets without control characters; \"\" takes it away");
    } else {
        enum err err = directory_set_name(call->db, account.id, name);
        api_finish(call, err, NULL, account.id, "account", "account_name", account.login);
    }
    json_decref(body);
}
