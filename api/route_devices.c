#include "api/api_internal.h"
#include "base/clock.h"
#include "storage/device.h"
#include "storage/retention.h"

#define TRACE_MINUTES_MAX 1440 // a day

static const char *const access_names[] = { "allowed", "blocked", "quarantined" };
static const char *const access_verbs[] = { "device_allow", "device_block", "device_quarantine" }; // in the audit

static const char *const wipe_names[] = { "none", "ordered", "sent", "done", "refused" };
static const char *const kind_names[] = { "account", "device" };

static json_t *wipe_json(const struct device *d)
{
    if (d->wipe == WIPE_NONE)
        return json_null();
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "state", wipe_names[d->wipe], "kind", kind_names[d->wipe_kind],
                     "by", api_string(d->wipe_by), "ordered", api_time(d->wipe_ordered_us), "sent",
                     api_time(d->wipe_sent_us), "answered", api_time(d->wipe_answered_us));
}

static json_t *loops_json(const struct device *d)
{
    return json_pack("{s:i, s:o, s:o}", "count", (int)d->loops, "what", api_string(d->loop_what), "last",
                     api_time(d->loop_us));
}

static json_t *device_json(const struct device *d)
{
    bool traced = d->trace_until_us > clock_wall_us();
    json_t *made = json_pack("{s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "device", api_string(d->key), "type",
                             api_string(d->type), "user_agent", api_string(d->user_agent), "model",
                             api_string(d->model), "os", api_string(d->os), "access", access_names[d->access],
                             "first_seen", api_time(d->first_seen_us), "last_seen", api_time(d->last_seen_us));
    json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "name",
                             api_string(d->friendly_name), "language", api_string(d->os_language), "imei",
                             api_string(d->imei), "phone_number", api_string(d->phone_number), "operator",
                             api_string(d->mobile_operator), "version", api_string(d->protocol_version), "decided",
                             d->decided, "provisioned", d->policy_key != 0, "wipe", wipe_json(d), "loops",
                             loops_json(d), "traced_until", api_time(traced ? d->trace_until_us : 0));
    json_object_update(made, more);
    json_decref(more);
    return made;
}

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
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, device_json(&devices[i]));
    api_json(call, 200, json_pack("{s:o}", "devices", list));
}

/* The device of params[1]; false after answering. */
static bool find_device(struct api_call *call, struct account *account, struct device *device)
{
    if (!api_account(call, account))
        return false;
    enum err err = device_find(call->db, call->arena, account->id, call->params[1], device);
    if (err)
        api_error(call, err, "device");
    return err == ERR_OK;
}

/* The body of a change of the device; NULL after answering. Release with json_decref. */
static json_t *open_change(struct api_call *call, struct account *account, struct device *device)
{
    return find_device(call, account, device) ? api_body(call) : NULL;
}

void api_get_device(struct api_call *call)
{
    struct account account;
    struct device device;
    if (find_device(call, &account, &device))
        api_json(call, 200, device_json(&device));
}

void api_wipe_device(struct api_call *call)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    json_t *body = open_change(call, &account, &device);
    if (!body)
        return;
    const json_t *kind = json_object_get(body, "kind");
    struct slice name = { json_string_value(kind), json_string_length(kind) };
    bool whole = slice_eq(name, slice_of(kind_names[WIPE_DEVICE]));
    if (!call->env->remote_wipe) {
        api_problem(call->reply, 409, "remote wipe is off: eas.remote_wipe");
    } else if (!whole && !slice_eq(name, slice_of(kind_names[WIPE_ACCOUNT]))) {
        api_problem(call->reply, 422, "kind: account or device");
    } else {
        enum err err = device_order_wipe(call->db, account.id, device.id, whole ? WIPE_DEVICE : WIPE_ACCOUNT,
                                         call->by.name, &changes);
        api_finish(call, err, &changes, account.id, "device", whole ? "device_wipe_whole" : "device_wipe", device.key);
    }
    json_decref(body);
}

void api_trace_device(struct api_call *call)
{
    struct account account;
    struct device device;
    json_t *body = open_change(call, &account, &device);
    if (!body)
        return;
    const json_t *minutes = json_object_get(body, "minutes"), *content = json_object_get(body, "content");
    json_int_t n = json_integer_value(minutes);
    if (!json_is_integer(minutes) || n < 0 || n > TRACE_MINUTES_MAX || (content && !json_is_boolean(content))) {
        api_problem(call->reply, 422, "minutes: 0 (off) to 1440; content: true or false");
    } else {
        int64_t until_us = n ? clock_wall_us() + n * 60 * US_PER_S : 0;
        struct change_set changes = { 0 };
        enum err err = device_set_trace(call->db, account.id, device.id, until_us, n && json_is_true(content), &changes);
        api_finish(call, err, &changes, account.id, "device", n ? "device_trace_on" : "device_trace_off", device.key);
    }
    json_decref(body);
}

void api_set_device_access(struct api_call *call)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    json_t *body = open_change(call, &account, &device);
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
        api_finish(call, err, &changes, account.id, "device", access_verbs[wanted], device.key);
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
    api_finish(call, err, NULL, account.id, "device", "device_reset", device.key);
}
