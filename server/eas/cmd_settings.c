#include "server/eas/device_info.h"
#include "server/eas/oof.h"

/* MS-ASCMD 2.2.3.177.15 (Status, Settings) */
enum {
    SETTINGS_OK = 1,
    SETTINGS_PROTOCOL_ERROR = 2,
    SETTINGS_UNAVAILABLE = 4,
    SETTINGS_BAD_ARGUMENTS = 5,
    SETTINGS_BY_POLICY = 7,
};

#define DEVICE_PASSWORD_MAX 255u

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
    struct account account = { .name = "" };
    if (accounts && account_get(req->db, req->arena, eas_account(req), &account)) {
        write_status(req, WB_Settings_UserInformation, SETTINGS_UNAVAILABLE);
        return;
    }
    wbxml_start(writer, WB_Settings_UserInformation);
    wbxml_u64(writer, WB_Settings_Status, SETTINGS_OK);
    wbxml_start(writer, WB_Settings_Get);
    if (accounts) {
        wbxml_start(writer, WB_Settings_Accounts);
        wbxml_start(writer, WB_Settings_Account); // the primary one: it has no AccountId
        wbxml_cstr(writer, WB_Settings_AccountName, req->login.login);
        wbxml_cstr(writer, WB_Settings_UserDisplayName, *account.name ? account.name : req->login.login);
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

/* Nobody could read a recovery password here again, so none is kept: what a phone is told must be true. */
static int set_device_password(const struct wbxml_node *node)
{
    const struct wbxml_node *set = wbxml_child(node, WB_Settings_Set);
    const struct wbxml_node *password = wbxml_child(set, WB_Settings_Password);
    if (!password)
        return SETTINGS_PROTOCOL_ERROR;
    return password->text.len > DEVICE_PASSWORD_MAX ? SETTINGS_BAD_ARGUMENTS : SETTINGS_BY_POLICY;
}

/* There is no rights management: 14.1 has it and is told that, older versions do not know it. */
static void get_rights_management(struct eas_request *req, const struct wbxml_node *node)
{
    bool asked = req->version >= 141 && wbxml_child(node, WB_Settings_Get);
    write_status(req, WB_Settings_RightsManagementInformation, asked ? EAS_RIGHTS_DISABLED : SETTINGS_PROTOCOL_ERROR);
}

/* Each part once, and none that a Settings command does not have. */
static bool is_good(const struct wbxml_node *root)
{
    if (!root->child)
        return false;
    for (const struct wbxml_node *node = root->child; node; node = node->next) {
        bool known = node->tag == WB_Settings_DeviceInformation || node->tag == WB_Settings_UserInformation ||
                     node->tag == WB_Settings_Oof || node->tag == WB_Settings_DevicePassword ||
                     node->tag == WB_Settings_RightsManagementInformation;
        if (!known || wbxml_same(node))
            return false;
    }
    return true;
}

static void settings_run(struct eas_request *req)
{
    if (!is_good(req->root)) {
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
            write_status(req, WB_Settings_DevicePassword, set_device_password(node));
            break;
        case WB_Settings_RightsManagementInformation:
            get_rights_management(req, node);
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
