#include "server/eas/attachment.h"

#include <stdio.h>

#include "protocol/eas/ids.h"
#include "server/eas/extents.h"
#include "server/eas/item.h"

static bool is_token(struct slice s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+";
    return s.len && s.len < 60 && slice_span(s, letters) == s.len;
}

enum err eas_attachment_find(struct eas_request *req, struct slice reference, struct eas_attachment *attachment)
{
    struct eas_attachment_id id;
    struct sync_item item;
    struct mime_meta meta;
    const char *const *keywords;
    size_t keyword_count;
    if (!eas_attachment_id_parse(reference, &id))
        return ERR_SYNTAX;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), (struct mailbox_id){ id.item.mailbox },
                                 id.item.item, &item, &keywords, &keyword_count);
    if (!err)
        err = eas_item_meta(req->arena, &item.message, &meta);
    if (err)
        return err == ERR_SYNTAX ? ERR_NOT_FOUND : err;
    if (id.part >= meta.part_count || meta.parts[id.part].is_multipart)
        return ERR_NOT_FOUND;
    attachment->row = item.message;
    attachment->part = meta.parts[id.part];
    const struct mime_part *part = &attachment->part;
    bool named = is_token(part->type) && is_token(part->subtype);
    snprintf(attachment->content_type, sizeof attachment->content_type, "%.*s/%.*s",
             SLICE_ARG(named ? part->type : SLICE_LIT("application")),
             SLICE_ARG(named ? part->subtype : SLICE_LIT("octet-stream")));
    return eas_part_size(req->db, &attachment->row, part, &attachment->size);
}
