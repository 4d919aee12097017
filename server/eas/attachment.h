/* Finding an attachment by its FileReference. */
#pragma once

#include "protocol/mime/meta.h"
#include "server/eas/eas_internal.h"

struct eas_attachment {
    struct message_row row;
    struct mime_part part;
    uint64_t size;     // decoded
    char content_type[128];
};

/* The reference is looked up in the caller's account only. errors: ERR_SYNTAX (no reference of ours), ERR_NOT_FOUND,
 * ERR_UNAVAILABLE */
MUST_USE enum err eas_attachment_find(struct eas_request *req, struct slice reference,
                                      struct eas_attachment *attachment);
