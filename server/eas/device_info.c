#include "server/eas/device_info.h"

#define VALUE_MAX 1024u // MS-ASCMD: strings of DeviceInformation

enum err eas_device_information(struct eas_request *req, const struct wbxml_node *node)
{
    const struct wbxml_node *set = wbxml_child(node, WB_Settings_Set);
    if (!set)
        return ERR_SYNTAX;
    struct device info = { 0 };
    const struct {
        uint16_t tag;
        const char **to;
    } values[] = {
        { WB_Settings_Model, &info.model },
        { WB_Settings_OS, &info.os },
        { WB_Settings_FriendlyName, &info.friendly_name },
        { WB_Settings_PhoneNumber, &info.phone_number },
        { WB_Settings_UserAgent, &info.user_agent },
        { WB_Settings_IMEI, &info.imei },
        { WB_Settings_OSLanguage, &info.os_language },
        { WB_Settings_MobileOperator, &info.mobile_operator },
    };
    bool any = false;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct slice value = wbxml_child_text(set, values[i].tag);
        if (value.len > VALUE_MAX)
            return ERR_SYNTAX;
        if (!value.len)
            continue;
        *values[i].to = arena_text(req->arena, value);
        any = true;
    }
    return any ? device_set_information(req->db, eas_account(req), req->device.id, &info) : ERR_OK;
}
