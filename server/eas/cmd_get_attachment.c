#include "server/eas/attachment.h"
#include "server/eas/extents.h"

static void get_attachment_run(struct eas_request *req)
{
    struct eas_attachment attachment;
    enum err err = eas_attachment_find(req, req->query.attachment_name, &attachment);
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED) {
        eas_answer_unavailable(req);
        return;
    }
    if (err) {
        eas_answer_http(req, err == ERR_SYNTAX ? 400 : 404);
        return;
    }
    struct eas_extents *extents = eas_extents_open();
    eas_extents_add_part(extents, &attachment.row, &attachment.part, 0, attachment.size, false);
    eas_extents_answer(&extents, req, attachment.content_type);
}

const struct eas_command eas_get_attachment = {
    .name = "GetAttachment",
    .source = "MS-ASCMD 2.2.1.7",
    .until = 121,
    .flags = EAS_EMPTY_BODY,
    .run = get_attachment_run,
};
