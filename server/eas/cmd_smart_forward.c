#include "server/eas/send.h"

static void smart_forward_run(struct eas_request *req)
{
    eas_smart_run(req, true);
}

const struct eas_command eas_smart_forward = {
    .name = "SmartForward",
    .source = "MS-ASCMD 2.2.1.19",
    .root = WB_ComposeMail_SmartForward,
    .status = WB_ComposeMail_Status,
    .flags = EAS_WRITES | EAS_BIG_BODY | EAS_RAW_AT_12,
    .run = smart_forward_run,
};
