#include "server/eas/send.h"

const struct eas_command eas_send_mail = {
    .name = "SendMail",
    .source = "MS-ASCMD 2.2.1.17",
    .root = WB_ComposeMail_SendMail,
    .status = WB_ComposeMail_Status,
    .flags = EAS_WRITES | EAS_BIG_BODY | EAS_RAW_AT_12,
    .run = eas_send_mail_run,
};
