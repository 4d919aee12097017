#include "server/eas/device_info.h"
#include "server/eas/oof.h"

/* MS-ASCMD 2.2.3.177.15 (Status, Settings) */
enum {
    SETTINGS_OK = 1,
    SETTINGS_PROTOCOL_ERROR = 2,
    SETTINGS_DENIED = 3,
    SETTINGS_UNAVAILABLE = 4,
    SETTINGS_BY_POLICY = 7,
};

static void write_status(struct eas_request *req, uint16_t tag, int status)
{
    wbxml_start(&req->writer, tag);
    wbxml_u64(&req->writer, WB_Settings_Status, (uint64_t)status);
    wbxml_end(&req->writer, tag);
}

static void set_device_information(struct eas_request *req, const struct wbxml_node *node)
{
    enum err err = eas_device_information(req, node);
    int status = err == ERR_OK ? SETTINGS_OK : err == ERR_SYNTAX ? SETTINGS_PROTOCOL_ERROR : SETTINGS_UNAVAILABLE;
    write_status(req, WB_Settings_DeviceInformation, status);
}

static void get_user_information(struct eas_request *req, const struct wbxml_node *node)
{
    struct wbxml_writer *writer = &req->writer;
    if (!wbxml_child(node, WB_Settings_Get)) {
        write_status(req, WB_Settings_UserInformation, SETTINGS_PROTOCOL_ERROR);
        return;
    }
    bool accounts = req->version >= 141;
    wbxml_start(writer, WB_Settings_UserInformation);
    wbxml_u64(writer, WB_Settings_Status, SETTINGS_OK);
    wbxml_start(writer, WB_Settings_Get);
    if (accounts) {
        wbxml_start(writer, WB_Settings_Accounts);
        wbxml_start(writer, WB_Settings_Account);
        wbxml_cstr(writer, WB_Settings_SendDisabled, "0");
    }
    wbxml_start(writer, WB_Settings_EmailAddresses);
    wbxml_cstr(writer, WB_Settings_SMTPAddress, req->login.login);
    if (accounts)
        wbxml_cstr(writer, WB_Settings_PrimarySmtpAddress, req->login.login);
    wbxml_end(writer, WB_Settings_EmailAddresses);
    if (accounts) {
        wbxml_end(writer, WB_Settings_Account);
        wbxml_end(writer, WB_Settings_Accounts);
    }
    wbxml_end(writer, WB_Settings_Get);
    wbxml_end(writer, WB_Settings_UserInformation);
}

static void settings_run(struct eas_request *req)
{
    if (!req->root->child) {
        eas_answer_status(req, SETTINGS_PROTOCOL_ERROR);
        return;
    }
    eas_begin(req, WB_Settings_Settings);
    wbxml_u64(&req->writer, WB_Settings_Status, SETTINGS_OK);
    for (const struct wbxml_node *node = req->root->child; node; node = node->next) {
        switch (node->tag) {
        case WB_Settings_DeviceInformation:
            set_device_information(req, node);
            break;
        case WB_Settings_UserInformation:
            get_user_information(req, node);
            break;
        case WB_Settings_Oof:
            eas_oof(req, node);
            break;
        case WB_Settings_DevicePassword:
            write_status(req, WB_Settings_DevicePassword, SETTINGS_BY_POLICY);
            break;
        case WB_Settings_RightsManagementInformation:
            write_status(req, WB_Settings_RightsManagementInformation, SETTINGS_DENIED);
            break;
        default:
            break;
        }
    }
    wbxml_end(&req->writer, WB_Settings_Settings);
    req->status = SETTINGS_OK;
    eas_answer(req);
}

const struct eas_command eas_settings = {
    .name = "Settings",
    .source = "MS-ASCMD 2.2.1.18",
    .root = WB_Settings_Settings,
    .status = WB_Settings_Status,
    .flags = EAS_WRITES,
    .run = settings_run,
};
