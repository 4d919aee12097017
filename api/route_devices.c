#include "api/api_internal.h"
#include "storage/device.h"
#include "storage/retention.h"

static const char *const access_names[] = { "allowed", "blocked", "quarantined" };

void api_list_devices(struct api_call *call)
{
    struct account account;
    struct device *devices;
    size_t count;
    if (!api_account(call, &account))
        return;
    enum err err = device_list(call->db, call->arena, account.id, &devices, &count);
    if (err) {
        api_error(call, err, "devices");
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct device *d = &devices[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "device", api_string(d->key),
                                              "type", api_string(d->type), "user_agent", api_string(d->user_agent),
                                              "model", api_string(d->model), "os", api_string(d->os), "access",
                                              access_names[d->access], "first_seen", api_time(d->first_seen_us),
                                              "last_seen", api_time(d->last_seen_us)));
    }
    api_json(call, 200, json_pack("{s:o}", "devices", list));
}

/* The device of params[1]; false after answering. */
static bool find_device(struct api_call *call, struct account *account, struct device *device)
{
    struct device *devices;
    size_t count;
    if (!api_account(call, account))
        return false;
    enum err err = device_list(call->db, call->arena, account->id, &devices, &count);
    for (size_t i = 0; !err && i < count; i++)
        if (slice_eq(slice_of(devices[i].key), call->params[1])) {
            *device = devices[i];
            return true;
        }
    api_error(call, err ? err : ERR_NOT_FOUND, "device");
    return false;
}

void api_set_device_access(struct api_call *call)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    if (!find_device(call, &account, &device))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *access = json_object_get(body, "access");
    struct slice name = { json_string_value(access), json_string_length(access) };
    size_t wanted = 0, known = sizeof access_names / sizeof *access_names;
    while (wanted < known && !slice_eq(name, slice_of(access_names[wanted])))
        wanted++;
    if (wanted == known) {
        api_problem(call->reply, 422, "access: allowed, blocked or quarantined");
    } else {
        enum err err = device_set_access(call->db, account.id, device.id, (enum device_access)wanted, &changes);
        api_publish(call, &changes);
        if (!err)
            err = audit_write(call->db, account.id, &call->by, "device_access", access_names[wanted]);
        if (err)
            api_error(call, err, "device");
        else
            api_empty(call);
    }
    json_decref(body);
}

void api_reset_device(struct api_call *call)
{
    struct account account;
    struct device device;
    if (!find_device(call, &account, &device))
        return;
    enum err err = device_reset(call->db, account.id, device.id);
    if (!err)
        err = audit_write(call->db, account.id, &call->by, "device_reset", device.key);
    if (err)
        api_error(call, err, "device");
    else
        api_empty(call);
}
