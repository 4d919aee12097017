/* Drafts that phones write at 16.x (MS-ASEMAIL 3.1.5; hard cases 10, 11): a Sync Add makes one, a Change replaces its
 * content under the same item, Send sends it. */
#include <stdio.h>

#include "base/clock.h"
#include "protocol/mime/compose.h"
#include "protocol/mime/normal.h"
#include "server/eas/attachment.h"
#include "server/eas/send.h"
#include "server/eas/sync_internal.h"

#define ATTACHMENTS_MAX 200u

struct draft {
    struct eas_request *req;
    struct mime_draft mime;
    struct mime_attachment attachments[ATTACHMENTS_MAX];
    bool *removed;           // by part index of the old message
    struct slice whole;      // Body of type MIME: the message as it is
    struct buf text, html;   // of the old message
    struct buf octets[ATTACHMENTS_MAX]; // of kept attachments
    size_t octets_count;
};

static void draft_fini(struct draft *draft)
{
    buf_free(&draft->text);
    buf_free(&draft->html);
    for (size_t i = 0; i < draft->octets_count; i++)
        buf_free(&draft->octets[i]);
}

static enum err add_attachment(struct draft *draft, const struct mime_attachment *attachment)
{
    if (draft->mime.attachment_count == ATTACHMENTS_MAX)
        return ERR_LIMIT;
    draft->attachments[draft->mime.attachment_count++] = *attachment;
    return ERR_OK;
}

/* ---- what the old message gives ---- */

static enum err keep_attachment(struct draft *draft, const struct message_row *row, const struct mime_part *part)
{
    if (draft->octets_count == ATTACHMENTS_MAX)
        return ERR_LIMIT;
    struct buf *octets = &draft->octets[draft->octets_count++];
    enum err err = eas_part_read(draft->req->db, row, part, (int64_t)part->body_len, octets);
    char name_room[32];
    struct mime_attachment attachment = {
        .name = arena_copy(draft->req->arena, eas_attachment_name(part, name_room)),
        .type = slice_of(arena_printf(draft->req->arena, "%.*s/%.*s", SLICE_ARG(part->type), SLICE_ARG(part->subtype))),
        .content_id = part->content_id,
        .octets = buf_slice(octets),
        .is_inline = part->inline_disposition,
        .is_message = part->is_message,
    };
    return err ? err : add_attachment(draft, &attachment);
}

static enum err take_old(struct draft *draft, const struct sync_item *item)
{
    struct mime_meta *meta = arena_new(draft->req->arena, struct mime_meta, 1);
    struct mime_draft *mime = &draft->mime;
    bool whole;
    enum err err = eas_item_meta(draft->req->arena, &item->message, meta);
    if (err)
        return err == ERR_SYNTAX ? ERR_OK : err; // cannot be read: what the phone sends is all there is
    mime->to = meta->to;
    mime->cc = meta->cc;
    mime->bcc = meta->bcc;
    mime->reply_to = meta->reply_to;
    mime->subject = meta->subject;
    mime->importance = meta->importance;
    mime->message_id = meta->message_id;
    mime->in_reply_to = meta->in_reply_to;
    mime->references = meta->references;
    bool html = meta->part_count && slice_eq(meta->parts[0].type, SLICE_LIT("text"))
                    ? slice_eq(meta->parts[0].subtype, SLICE_LIT("html"))
                    : true;
    err = eas_body_read(draft->req->db, &item->message, meta, html, html ? &draft->html : &draft->text, &whole);
    mime->html = buf_slice(&draft->html);
    mime->text = buf_slice(&draft->text);
    for (size_t i = 0; !err && i < meta->part_count; i++) {
        if (eas_part_is_attachment(meta, i) && !(draft->removed && i < ATTACHMENTS_MAX && draft->removed[i]))
            err = keep_attachment(draft, &item->message, &meta->parts[i]);
    }
    return err;
}

/* ---- what the phone gives ---- */

static enum err take_added(struct draft *draft, const struct wbxml_node *add)
{
    struct slice method = wbxml_child_text(add, WB_AirSyncBase_Method);
    struct mime_attachment attachment = {
        .name = wbxml_child_text(add, WB_AirSyncBase_DisplayName),
        .type = wbxml_child_text(add, WB_AirSyncBase_ContentType),
        .content_id = wbxml_child_text(add, WB_AirSyncBase_ContentId),
        .octets = wbxml_child_text(add, WB_AirSyncBase_Content),
        .is_inline = wbxml_bool(wbxml_child(add, WB_AirSyncBase_IsInline), false),
        .is_message = slice_eq(method, SLICE_LIT("5")),
    };
    if (!attachment.octets.at || attachment.name.len == 0)
        return ERR_SYNTAX;
    return add_attachment(draft, &attachment);
}

static void take_removed(struct draft *draft, const struct wbxml_node *attachments)
{
    draft->removed = arena_new(draft->req->arena, bool, ATTACHMENTS_MAX);
    for (const struct wbxml_node *node = wbxml_child(attachments, WB_AirSyncBase_Delete); node; node = wbxml_same(node)) {
        struct eas_attachment_id id;
        if (eas_attachment_id_parse(wbxml_child_text(node, WB_AirSyncBase_FileReference), &id) && id.part < ATTACHMENTS_MAX)
            draft->removed[id.part] = true;
    }
}

static enum err take_body(struct draft *draft, const struct wbxml_node *body)
{
    struct slice data = wbxml_child_text(body, WB_AirSyncBase_Data);
    uint64_t type;
    if (!wbxml_number(wbxml_child(body, WB_AirSyncBase_Type), EAS_BODY_MIME, &type))
        return ERR_SYNTAX;
    if (!data.at)
        data = SLICE_LIT("");
    if (type == EAS_BODY_MIME)
        draft->whole = data;
    draft->mime.text = type == EAS_BODY_TEXT ? data : SLICE_LIT("");
    draft->mime.html = type == EAS_BODY_HTML ? data : SLICE_LIT("");
    return type == EAS_BODY_RTF ? ERR_SYNTAX : ERR_OK;
}

static enum err take_new(struct draft *draft, const struct wbxml_node *data)
{
    enum err err = ERR_OK;
    for (const struct wbxml_node *node = data ? data->child : NULL; node && !err; node = node->next) {
        const struct {
            uint16_t tag;
            struct slice *to;
        } texts[] = {
            { WB_Email_To, &draft->mime.to },           { WB_Email_Cc, &draft->mime.cc },
            { WB_Email2_Bcc, &draft->mime.bcc },        { WB_Email_Subject, &draft->mime.subject },
            { WB_Email_ReplyTo, &draft->mime.reply_to },
        };
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            if (node->tag == texts[i].tag)
                *texts[i].to = node->text;
        }
        uint64_t importance;
        if (node->tag == WB_Email_Importance && wbxml_number(node, 2, &importance))
            draft->mime.importance = (uint8_t)importance;
        if (node->tag == WB_AirSyncBase_Body)
            err = take_body(draft, node);
        if (node->tag != WB_AirSyncBase_Attachments)
            continue;
        for (const struct wbxml_node *add = wbxml_child(node, WB_AirSyncBase_Add); add && !err; add = wbxml_same(add))
            err = take_added(draft, add);
    }
    return err;
}

static void compose(struct draft *draft, struct buf *out)
{
    if (draft->whole.len) {
        struct mime_normal normal = { 0 };
        mime_normal_add(&normal, draft->whole, out);
        mime_normal_end(&normal, out);
        return;
    }
    draft->mime.from = slice_of(draft->req->login.login);
    draft->mime.attachments = draft->attachments;
    mime_compose(&draft->mime, out);
}

/* ---- store and send ---- */

static void describe(struct eas_request *req, struct slice raw, struct buf *packed, struct append_item *item)
{
    struct mime_meta meta;
    mime_describe(raw, req->arena, &meta);
    mime_meta_pack(&meta, packed);
    *item = (struct append_item){
        .message = { .octets = { raw, -1, (int64_t)raw.len }, .meta = buf_slice(packed), .thread = meta.thread,
                     .sent_us = meta.date_us },
        .internal_date_us = clock_wall_us(),
        .flags = FLAG_DRAFT | FLAG_SEEN,
        .born_by = req->device.id,
    };
}

/* Sends a stored draft and takes it out of Drafts; a failure leaves it there. */
static enum err send_draft(struct sync_target *target, struct slice raw, struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct actor by = eas_actor(req, false); // the phone learns by a Delete
    struct change_set changes = { .count = 0 };
    int status = eas_send(req, raw, true);
    if (status) {
        result->status = status == EAS_NO_RECIPIENT || status == EAS_RECIPIENT_UNRESOLVED ? EAS_INVALID_RECIPIENTS : status;
        return ERR_OK;
    }
    enum err err = sync_delete(req->db, eas_account(req), (struct device_id){ 0 }, target->mailbox, &result->item, 1, false,
                               &by, &changes);
    eas_publish(req, &changes);
    return err;
}

static bool temporary(enum err err)
{
    return err == ERR_UNAVAILABLE || err == ERR_CANCELLED;
}

/* A ClientId for storage's memory of what this key did: adds by theirs, sends by the item. */
static struct slice send_mark(struct eas_request *req, uint32_t item)
{
    return slice_of(arena_printf(req->arena, "send:%u", (unsigned)item));
}

/* Claimed before it is sent, so that a replay does not send again. */
static enum err claim_send(struct sync_target *target, uint32_t item, bool *fresh)
{
    struct eas_request *req = target->run->req;
    struct slice mark = slice_of(arena_printf(req->arena, "%.*s:%.*s", SLICE_ARG(target->collection->key),
                                              SLICE_ARG(send_mark(req, item))));
    return sync_claim_client_id(req->db, eas_account(req), req->device.id, mark, fresh);
}

static enum err finish(struct sync_target *target, const struct eas_sync_command *command, struct slice raw, enum err err,
                       const struct sync_result *stored, struct draft_result *result)
{
    if (temporary(err))
        return err;
    result->status = eas_sync_item_status(err ? err : stored->err);
    result->item = stored->item;
    if (err || stored->err || !command->send)
        return ERR_OK;
    bool fresh = false;
    err = claim_send(target, stored->item, &fresh);
    return err || !fresh ? err : send_draft(target, raw, result);
}

/* What this key did already: the reply was lost and the phone repeats. false: nothing yet (or *err). */
static bool done_before(struct sync_target *target, struct slice client_id, struct sync_result *stored, enum err *err)
{
    struct eas_request *req = target->run->req;
    *err = sync_result_find(req->db, req->arena, eas_account(req), req->device.id, target->mailbox, target->collection->key,
                            client_id, stored);
    if (*err == ERR_OK)
        return true;
    if (*err == ERR_NOT_FOUND)
        *err = ERR_OK;
    return false;
}

enum err eas_draft_add(struct sync_target *target, const struct eas_sync_command *command, struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct draft *draft = arena_new(req->arena, struct draft, 1);
    struct buf raw = { 0 }, packed = { 0 };
    struct sync_result stored = { .err = ERR_OK };
    struct append_item item;
    struct change_set changes = { .count = 0 };
    draft->req = req;
    draft->mime.importance = 1;
    enum err err = take_new(draft, command->data);
    if (!err)
        compose(draft, &raw);
    if (!err && !done_before(target, command->client_id, &stored, &err) && !err) {
        describe(req, buf_slice(&raw), &packed, &item);
        err = sync_add_draft(req->db, eas_account(req), req->device.id, target->mailbox, target->collection->key,
                             command->client_id, &item, &stored, &changes);
        eas_publish(req, &changes);
    }
    err = finish(target, command, buf_slice(&raw), err, &stored, result);
    draft_fini(draft);
    buf_free(&raw);
    buf_free(&packed);
    return err;
}

enum err eas_draft_change(struct sync_target *target, const struct eas_sync_command *command, uint32_t number,
                          struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct draft *draft = arena_new(req->arena, struct draft, 1);
    struct buf raw = { 0 }, packed = { 0 };
    struct sync_result stored = { .item = number };
    struct sync_item old;
    struct append_item item;
    struct change_set changes = { .count = 0 };
    const char *const *keywords;
    size_t keyword_count;
    draft->req = req;
    draft->mime.importance = 1;
    take_removed(draft, wbxml_child(command->data, WB_AirSyncBase_Attachments));
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), target->mailbox, number, &old, &keywords,
                                 &keyword_count);
    enum err known = ERR_OK;
    bool repeat = done_before(target, slice_of(arena_printf(req->arena, "%u", (unsigned)number)), &stored, &known);
    if (known) {
        err = known;
    } else if (repeat && (!command->send || err == ERR_NOT_FOUND)) {
        result->status = SYNC_OK; // what came between is told like any other change
        result->item = number;
        err = ERR_OK;
    } else {
        if (!err)
            err = take_old(draft, &old);
        if (!err)
            err = take_new(draft, command->data);
        if (!err) {
            compose(draft, &raw);
            describe(req, buf_slice(&raw), &packed, &item);
            err = sync_change_draft(req->db, eas_account(req), req->device.id, target->mailbox, target->collection->key,
                                    number, &item, &stored, &changes);
            eas_publish(req, &changes);
        }
        err = finish(target, command, buf_slice(&raw), err, &stored, result);
    }
    draft_fini(draft);
    buf_free(&raw);
    buf_free(&packed);
    return err;
}
