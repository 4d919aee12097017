#include "server/eas/send.h"

static void smart_reply_run(struct eas_request *req)
{
    eas_smart_run(req, false);
}

const struct eas_command eas_smart_reply = {
    .name = "SmartReply",
    .source = "MS-ASCMD 2.2.1.20",
    .root = WB_ComposeMail_SmartReply,
    .status = WB_ComposeMail_Status,
    .flags = EAS_WRITES | EAS_BIG_BODY | EAS_RAW_AT_12,
    .run = smart_reply_run,
};
