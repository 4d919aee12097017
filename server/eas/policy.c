#include "server/eas/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define FAILED_ATTEMPTS_MIN 4 // fewer the protocol does not know
#define HOUR_US (INT64_C(3600) * US_PER_S)

enum kind { SWITCH, NUMBER, NAMES, HASHES };

static const struct element {
    enum setting_id setting;
    uint16_t tag;
    int since;
    enum kind kind;
    const char *preset;
} elements[] = {
#define P(X, id, element, since, kind, key, type, def, min, max, doc) \
    { SETTING_POLICY_##id, WB_Provision_##element, since, kind, def },
    POLICY_ROWS(, P)
#undef P
};
#define ELEMENT_COUNT (sizeof elements / sizeof *elements)

static bool is_password_row(uint16_t tag)
{
    switch (tag) {
    case WB_Provision_AlphanumericDevicePasswordRequired:
    case WB_Provision_PasswordRecoveryEnabled:
    case WB_Provision_MinDevicePasswordLength:
    case WB_Provision_MaxInactivityTimeDeviceLock:
    case WB_Provision_MaxDevicePasswordFailedAttempts:
    case WB_Provision_AllowSimpleDevicePassword:
    case WB_Provision_DevicePasswordExpiration:
    case WB_Provision_DevicePasswordHistory:
    case WB_Provision_MinDevicePasswordComplexCharacters:
        return true;
    default:
        return false;
    }
}

static const char *value_of(const struct element *element, const struct settings *settings, char room[24])
{
    switch (element->kind) {
    case SWITCH:
        return settings_bool(settings, element->setting) ? "1" : "0";
    case NUMBER: {
        int64_t number = settings_int(settings, element->setting);
        if (element->tag == WB_Provision_MaxDevicePasswordFailedAttempts && number > 0 && number < FAILED_ATTEMPTS_MIN)
            number = FAILED_ATTEMPTS_MIN;
        snprintf(room, 24, "%lld", (long long)number);
        return room;
    }
    default:
        return settings_text(settings, element->setting);
    }
}

static bool is_asked(const struct element *element, const struct settings *settings)
{
    char room[24];
    const char *preset = element->kind == SWITCH ? (strcmp(element->preset, "true") == 0 ? "1" : "0") : element->preset;
    if (is_password_row(element->tag) && !settings_bool(settings, SETTING_POLICY_DEVICE_PASSWORD_ENABLED))
        return false; // some phones enforce them all the same
    return strcmp(value_of(element, settings, room), preset) != 0;
}

uint64_t eas_policy_hash(const struct settings *settings)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < ELEMENT_COUNT; i++) {
        char room[24];
        if (!is_asked(&elements[i], settings))
            continue;
        hash = (hash ^ elements[i].tag) * UINT64_C(1099511628211);
        for (const char *c = value_of(&elements[i], settings, room); *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    }
    return hash ? hash : 1;
}

bool eas_policy_fits(const struct settings *settings, int version)
{
    for (size_t i = 0; i < ELEMENT_COUNT; i++) {
        if (elements[i].since > version && is_asked(&elements[i], settings))
            return false;
    }
    return true;
}

static void write_list(struct wbxml_writer *writer, uint16_t list, uint16_t item, struct slice text)
{
    wbxml_start(writer, list);
    while (text.len) {
        struct slice name = slice_trim(slice_cut(&text, ','));
        if (name.len)
            wbxml_text(writer, item, name);
    }
    wbxml_end(writer, list);
}

void eas_policy_write(struct wbxml_writer *writer, const struct settings *settings, int version)
{
    wbxml_start(writer, WB_Provision_EASProvisionDoc);
    if (!settings_bool(settings, SETTING_POLICY_DEVICE_PASSWORD_ENABLED))
        wbxml_cstr(writer, WB_Provision_DevicePasswordEnabled, "0"); // phones want at least one element
    for (size_t i = 0; i < ELEMENT_COUNT; i++) {
        const struct element *element = &elements[i];
        char room[24];
        if (element->since > version || !is_asked(element, settings))
            continue;
        struct slice value = slice_of(value_of(element, settings, room));
        if (element->kind == NAMES)
            write_list(writer, element->tag, WB_Provision_ApplicationName, value);
        else if (element->kind == HASHES)
            write_list(writer, element->tag, WB_Provision_Hash, value);
        else
            wbxml_text(writer, element->tag, value);
    }
    wbxml_end(writer, WB_Provision_EASProvisionDoc);
}

/* Some phones send no key with Ping: what they have acknowledged counts then. */
static bool may_lack_key(const struct eas_request *req)
{
    return req->command == &eas_ping;
}

int eas_policy_check(const struct eas_request *req)
{
    const struct device *device = &req->device;
    const struct settings *settings = req->app->server->settings;
    if (!settings_bool(settings, SETTING_EAS_PROVISION))
        return 0;
    if (!settings_bool(settings, SETTING_POLICY_ALLOW_PARTIAL) && !eas_policy_fits(settings, req->version))
        return EAS_NOT_FULLY_PROVISIONABLE;
    if (device->policy_key == 0)
        return EAS_DEVICE_NOT_PROVISIONED;
    if (device->policy_hash != req->app->policy_hash)
        return EAS_INVALID_POLICY_KEY;
    if (!req->has_policy_key && !may_lack_key(req))
        return EAS_DEVICE_NOT_PROVISIONED;
    if (req->has_policy_key && req->policy_key != device->policy_key)
        return EAS_INVALID_POLICY_KEY;
    int64_t refresh_us = settings_int(settings, SETTING_POLICY_REFRESH_HOURS) * HOUR_US;
    return refresh_us && device->policy_us + refresh_us < clock_wall_us() ? EAS_POLICY_REFRESH : 0;
}

int eas_wipe_check(const struct eas_request *req)
{
    const struct device *device = &req->device;
    if (device->wipe == WIPE_NONE)
        return 0;
    if (device->wipe == WIPE_DONE || device->wipe == WIPE_REFUSED)
        return EAS_DEVICE_BLOCKED; // until it is reset
    if (!settings_bool(req->app->server->settings, SETTING_EAS_REMOTE_WIPE))
        return EAS_DEVICE_BLOCKED;
    return device->wipe_kind == WIPE_ACCOUNT && req->version < 161 ? EAS_DEVICE_BLOCKED : EAS_WIPE_REQUESTED;
}
