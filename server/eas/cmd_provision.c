#include <sys/random.h>

#include "server/eas/device_info.h"

#define POLICY_TYPE "MS-EAS-Provisioning-WBXML"

/* MS-ASPROV 2.2.2.54 (Status) */
enum { PROVISION_OK = 1, PROVISION_PROTOCOL_ERROR = 2, PROVISION_SERVER_ERROR = 3 };
enum { POLICY_OK = 1, POLICY_UNKNOWN_TYPE = 3, POLICY_WRONG_KEY = 5 };
enum { ACK_REFUSED = 3 }; // what a phone says of a policy: applied, partly, not, managed elsewhere
enum { NOT_FULLY_PROVISIONABLE = 139 };

/* A policy that asks for nothing: whoever provisions is let in. Its hash rises with its text. */
static void write_policy(struct wbxml_writer *writer)
{
    wbxml_start(writer, WB_Provision_EASProvisionDoc);
    wbxml_cstr(writer, WB_Provision_DevicePasswordEnabled, "0");
    wbxml_cstr(writer, WB_Provision_AttachmentsEnabled, "1");
    wbxml_end(writer, WB_Provision_EASProvisionDoc);
}

uint64_t eas_policy_hash(void)
{
    return 1; // of the policy above
}

int eas_policy_check(const struct eas_request *req)
{
    const struct device *device = &req->device;
    if (!settings_bool(req->app->server->settings, SETTING_EAS_PROVISION))
        return 0;
    if (device->policy_key == 0)
        return EAS_DEVICE_NOT_PROVISIONED;
    if (device->policy_hash != eas_policy_hash())
        return EAS_INVALID_POLICY_KEY;
    if (!req->has_policy_key) // some phones send none with Ping
        return req->command == &eas_ping ? 0 : EAS_DEVICE_NOT_PROVISIONED;
    return req->policy_key == device->policy_key ? 0 : EAS_INVALID_POLICY_KEY;
}

static uint32_t random_key(void)
{
    uint32_t key = 0;
    while (key == 0) {
        if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
            key = 0;
    }
    return key;
}

/* A phone that has acknowledged this policy keeps its key: requests of its other connections go on meanwhile. Else it
 * follows from the temporary one, so that a repeated acknowledgement gets the same answer. */
static uint32_t final_key(const struct device *device, uint32_t temporary)
{
    if (device->policy_key && device->policy_hash == eas_policy_hash())
        return device->policy_key;
    uint32_t key = temporary * 2654435761u ^ 0x5bd1e995u;
    return key && key != temporary ? key : temporary ^ 1u;
}

static void begin_policy(struct eas_request *req, bool told_information, int status)
{
    eas_begin(req, WB_Provision_Provision);
    if (told_information) {
        wbxml_start(&req->writer, WB_Settings_DeviceInformation);
        wbxml_cstr(&req->writer, WB_Settings_Status, "1");
        wbxml_end(&req->writer, WB_Settings_DeviceInformation);
    }
    wbxml_cstr(&req->writer, WB_Provision_Status, "1");
    wbxml_start(&req->writer, WB_Provision_Policies);
    wbxml_start(&req->writer, WB_Provision_Policy);
    wbxml_cstr(&req->writer, WB_Provision_PolicyType, POLICY_TYPE);
    wbxml_u64(&req->writer, WB_Provision_Status, (uint64_t)status);
    req->status = status;
}

static void end_policy(struct eas_request *req)
{
    wbxml_end(&req->writer, WB_Provision_Policy);
    wbxml_end(&req->writer, WB_Provision_Policies);
    wbxml_end(&req->writer, WB_Provision_Provision);
    eas_answer(req);
}

static void hand_out(struct eas_request *req, bool told_information)
{
    uint32_t temporary = random_key();
    while (temporary == req->device.policy_key)
        temporary = random_key();
    if (device_set_policy(req->db, eas_account(req), req->device.id, req->device.policy_key, temporary,
                          req->device.policy_hash) != ERR_OK) {
        eas_answer_status(req, PROVISION_SERVER_ERROR);
        return;
    }
    begin_policy(req, told_information, POLICY_OK);
    wbxml_u64(&req->writer, WB_Provision_PolicyKey, temporary);
    wbxml_start(&req->writer, WB_Provision_Data);
    write_policy(&req->writer);
    wbxml_end(&req->writer, WB_Provision_Data);
    end_policy(req);
}

static void acknowledge(struct eas_request *req, const struct wbxml_node *policy)
{
    uint64_t key, status;
    if (!wbxml_number(wbxml_child(policy, WB_Provision_PolicyKey), UINT32_MAX, &key) ||
        !wbxml_number(wbxml_child(policy, WB_Provision_Status), 4, &status) || status == 0) {
        eas_answer_status(req, PROVISION_PROTOCOL_ERROR);
        return;
    }
    if (key == 0 || key != req->device.policy_key_pending) {
        begin_policy(req, false, POLICY_WRONG_KEY);
        end_policy(req);
        return;
    }
    if (status == ACK_REFUSED && settings_bool(req->app->server->settings, SETTING_EAS_PROVISION)) {
        eas_answer_status(req, NOT_FULLY_PROVISIONABLE);
        return;
    }
    uint32_t final = final_key(&req->device, (uint32_t)key);
    if (device_set_policy(req->db, eas_account(req), req->device.id, final, (uint32_t)key, eas_policy_hash()) != ERR_OK) {
        eas_answer_status(req, PROVISION_SERVER_ERROR);
        return;
    }
    begin_policy(req, false, POLICY_OK);
    wbxml_u64(&req->writer, WB_Provision_PolicyKey, final);
    end_policy(req);
}

static void provision_run(struct eas_request *req)
{
    if (wbxml_child(req->root, WB_Provision_RemoteWipe)) { // the answer to a wipe: nothing is pending here
        eas_answer_status(req, PROVISION_OK);
        return;
    }
    const struct wbxml_node *information = wbxml_child(req->root, WB_Settings_DeviceInformation);
    const struct wbxml_node *policy = wbxml_child(wbxml_child(req->root, WB_Provision_Policies), WB_Provision_Policy);
    if (!policy) {
        eas_answer_status(req, PROVISION_PROTOCOL_ERROR);
        return;
    }
    enum err err = information ? eas_device_information(req, information) : ERR_OK;
    if (err) {
        eas_answer_status(req, err == ERR_SYNTAX ? PROVISION_PROTOCOL_ERROR : PROVISION_SERVER_ERROR);
        return;
    }
    struct slice type = wbxml_child_text(policy, WB_Provision_PolicyType);
    bool acknowledges = wbxml_child(policy, WB_Provision_PolicyKey) != NULL;
    if (!slice_eq(type, SLICE_LIT(POLICY_TYPE))) {
        begin_policy(req, information != NULL, POLICY_UNKNOWN_TYPE);
        end_policy(req);
    } else if (acknowledges) {
        acknowledge(req, policy);
    } else if (!information && req->version >= 141 && (!req->device.model || !*req->device.model)) {
        eas_answer_status(req, EAS_DEVICE_INFORMATION_REQUIRED);
    } else {
        hand_out(req, information != NULL);
    }
}

const struct eas_command eas_provision = {
    .name = "Provision",
    .source = "MS-ASPROV 2.2.2.44",
    .root = WB_Provision_Provision,
    .status = WB_Provision_Status,
    .flags = EAS_NO_POLICY,
    .run = provision_run,
};
