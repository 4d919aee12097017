#include "api/api_internal.h"
#include "storage/app_password.h"

void api_list_app_passwords(struct api_call *call)
{
    struct account account;
    struct app_password *found;
    size_t count;
    if (!api_account(call, &account))
        return;
    enum err err = app_password_list(call->db, call->arena, account.id, &found, &count);
    if (err) {
        api_error(call, err, "app passwords");
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", found[i].name, "created",
                                              api_time(found[i].created_us), "last_used",
                                              api_time(found[i].last_used_us)));
    api_json(call, 200, json_pack("{s:o}", "app_passwords", list));
}

void api_create_app_password(struct api_call *call)
{
    struct account account;
    char text[APP_PASSWORD_LEN + 1];
    if (!api_account(call, &account))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *value = json_object_get(body, "name");
    struct slice name = { json_string_value(value), json_string_length(value) };
    enum err err = app_password_create(call->db, account.id, name, &call->by, text);
    if (err == ERR_SYNTAX)
        api_problem(call->reply, 422, "name: 1 to 64 printable characters of ASCII without blanks and /?#%");
    else if (err == ERR_LIMIT)
        api_problem(call->reply, 422, "the account has 100 app passwords: revoke one first");
    else if (err)
        api_error(call, err, "name");
    else
        api_json(call, 201, json_pack("{s:o, s:s}", "name", api_text(name), "password", text));
    json_decref(body);
}

void api_revoke_app_password(struct api_call *call)
{
    struct account account;
    struct change_set changes = { 0 };
    if (!api_account(call, &account))
        return;
    enum err err = app_password_revoke(call->db, account.id, call->params[1], &call->by, &changes);
    api_publish(call, &changes);
    if (err)
        api_error(call, err, "app password");
    else
        api_empty(call);
}
