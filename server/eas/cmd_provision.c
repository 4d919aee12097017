#include <sys/random.h>

#include "base/log.h"

#include "server/eas/device_info.h"
#include "server/eas/policy.h"

#define POLICY_TYPE "MS-EAS-Provisioning-WBXML"

/* MS-ASPROV 2.2.2.54 (Status) */
enum { PROVISION_OK = 1, PROVISION_PROTOCOL_ERROR = 2, PROVISION_SERVER_ERROR = 3 };
enum { POLICY_OK = 1, POLICY_UNKNOWN_TYPE = 3, POLICY_WRONG_KEY = 5 };
/* What a phone says of a policy (MS-ASPROV 2.2.2.54) */
enum { ACK_APPLIED = 1, ACK_PARTLY = 2, ACK_REFUSED = 3, ACK_EXTERNAL = 4 };
enum { WIPE_SUCCEEDED = 1, WIPE_FAILED = 2 }; // what a phone says of a wipe

static bool is_demanded(const struct eas_request *req)
{
    return settings_bool(req->app->server->settings, SETTING_EAS_PROVISION);
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
static uint32_t final_key(const struct eas_request *req, uint32_t temporary)
{
    const struct device *device = &req->device;
    if (device->policy_key && device->policy_hash == req->app->policy_hash)
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
                          req->device.policy_hash, false) != ERR_OK) {
        eas_answer_status(req, PROVISION_SERVER_ERROR);
        return;
    }
    req->worked = true;
    begin_policy(req, told_information, POLICY_OK);
    wbxml_u64(&req->writer, WB_Provision_PolicyKey, temporary);
    wbxml_start(&req->writer, WB_Provision_Data);
    eas_policy_write(&req->writer, req->app->server->settings, req->version);
    wbxml_end(&req->writer, WB_Provision_Data);
    end_policy(req);
}

/* 0, or why an acknowledgement is not good enough. */
static int refusal_of(const struct eas_request *req, int status)
{
    const struct settings *settings = req->app->server->settings;
    if (!is_demanded(req) || status == ACK_APPLIED)
        return 0;
    if (status == ACK_EXTERNAL)
        return settings_bool(settings, SETTING_POLICY_ALLOW_EXTERNAL) ? 0 : EAS_EXTERNALLY_MANAGED;
    return settings_bool(settings, SETTING_POLICY_ALLOW_PARTIAL) ? 0 : EAS_NOT_FULLY_PROVISIONABLE;
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
    int refusal = refusal_of(req, (int)status);
    if (refusal) {
        eas_answer_status(req, refusal);
        return;
    }
    uint32_t final = final_key(req, (uint32_t)key);
    if (device_set_policy(req->db, eas_account(req), req->device.id, final, (uint32_t)key, req->app->policy_hash,
                          true) != ERR_OK) {
        eas_answer_status(req, PROVISION_SERVER_ERROR);
        return;
    }
    begin_policy(req, false, POLICY_OK);
    wbxml_u64(&req->writer, WB_Provision_PolicyKey, final);
    end_policy(req);
}

static void hand_out_wipe(struct eas_request *req)
{
    if (device_step_wipe(req->db, eas_account(req), req->device.id, WIPE_SENT) != ERR_OK) {
        eas_answer_status(req, PROVISION_SERVER_ERROR);
        return;
    }
    log_event(LOG_WARN, "eas_wipe_sent", LOG_I("account", eas_account(req).n), LOG_T("device", req->device.key),
              LOG_T("kind", req->device.wipe_kind == WIPE_ACCOUNT ? "account" : "device"));
    req->status = PROVISION_OK;
    eas_begin(req, WB_Provision_Provision);
    wbxml_u64(&req->writer, WB_Provision_Status, PROVISION_OK); // before the wipe: iOS 5 wants it so
    wbxml_empty(&req->writer,
                req->device.wipe_kind == WIPE_ACCOUNT ? WB_Provision_AccountOnlyRemoteWipe : WB_Provision_RemoteWipe);
    wbxml_end(&req->writer, WB_Provision_Provision);
    eas_answer(req);
}

/* The phone's answer to a wipe; one that nobody ordered changes nothing. */
static void take_wipe_answer(struct eas_request *req, const struct wbxml_node *wipe)
{
    uint64_t status;
    if (!wbxml_number(wbxml_child(wipe, WB_Provision_Status), WIPE_FAILED, &status) || status == 0) {
        eas_answer_status(req, PROVISION_PROTOCOL_ERROR);
        return;
    }
    enum device_wipe step = status == WIPE_SUCCEEDED ? WIPE_DONE : WIPE_REFUSED;
    if (req->device.wipe == WIPE_SENT) {
        if (device_step_wipe(req->db, eas_account(req), req->device.id, step) != ERR_OK) {
            eas_answer_status(req, PROVISION_SERVER_ERROR);
            return;
        }
        log_event(LOG_WARN, "eas_wipe_answered", LOG_I("account", eas_account(req).n),
                  LOG_T("device", req->device.key), LOG_T("result", step == WIPE_DONE ? "done" : "refused"));
    }
    eas_answer_status(req, PROVISION_OK);
}

static void provision_run(struct eas_request *req)
{
    const struct wbxml_node *wipe = wbxml_child(req->root, WB_Provision_RemoteWipe);
    if (!wipe)
        wipe = wbxml_child(req->root, WB_Provision_AccountOnlyRemoteWipe);
    if (wipe) { // first: some phones send Policies along
        take_wipe_answer(req, wipe);
        return;
    }
    if (eas_wipe_check(req) == EAS_WIPE_REQUESTED) {
        hand_out_wipe(req);
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
    } else if (is_demanded(req) && eas_policy_check(req) == EAS_NOT_FULLY_PROVISIONABLE) {
        eas_answer_status(req, EAS_NOT_FULLY_PROVISIONABLE);
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
    .flags = EAS_NO_POLICY | EAS_EMPTY_BODY,
    .run = provision_run,
};
