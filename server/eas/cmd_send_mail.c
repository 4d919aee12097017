#include "server/eas/send.h"

static void send_mail_run(struct eas_request *req)
{
    struct eas_compose compose;
    int status = eas_compose_parse(req, &compose);
    if (status)
        eas_answer_error(req, status);
    else
        eas_compose_send(req, &compose, compose.mime, NULL, 0, NULL);
}

const struct eas_command eas_send_mail = {
    .name = "SendMail",
    .source = "MS-ASCMD 2.2.1.17",
    .root = WB_ComposeMail_SendMail,
    .status = WB_ComposeMail_Status,
    .flags = EAS_WRITES | EAS_BIG_BODY | EAS_RAW_AT_12,
    .run = send_mail_run,
};
