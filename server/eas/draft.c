/* Drafts that phones write at 16.x (MS-ASEMAIL 3.1.5; hard cases 10, 11): a Sync Add makes one, a Change replaces its
 * content under the same item, Send sends it. */
#include <stdio.h>

#include "base/clock.h"
#include "protocol/eas/email.h"
#include "protocol/mime/compose.h"
#include "protocol/mime/normal.h"
#include "server/eas/attachment.h"
#include "server/eas/send.h"
#include "server/eas/sync_internal.h"

#define ATTACHMENTS_MAX 200u
#define PARTS_MAX MIME_PARTS_MAX
#define NO_PART UINT32_MAX

struct draft {
    struct eas_request *req;
    struct mime_draft mime;
    struct mime_attachment attachments[ATTACHMENTS_MAX];
    struct slice client_ids[ATTACHMENTS_MAX]; // of added ones, as the phone calls them
    uint32_t was[ATTACHMENTS_MAX];            // part index in the old message; NO_PART: added
    uint32_t is[ATTACHMENTS_MAX];             // part index in the new one
    bool *removed;           // by part index of the old message
    struct slice whole;      // Body of type MIME: the message as it is
    struct buf text, html;   // of the old message
    struct buf octets[ATTACHMENTS_MAX]; // of kept attachments
    size_t octets_count;
    bool is_cut; // the old text was too long to be read
};

static void draft_fini(struct draft *draft)
{
    buf_free(&draft->text);
    buf_free(&draft->html);
    for (size_t i = 0; i < draft->octets_count; i++)
        buf_free(&draft->octets[i]);
}

static enum err add_attachment(struct draft *draft, const struct mime_attachment *attachment, struct slice client_id,
                               uint32_t was)
{
    size_t at = draft->mime.attachment_count;
    if (at == ATTACHMENTS_MAX)
        return ERR_LIMIT;
    draft->attachments[at] = *attachment;
    draft->client_ids[at] = client_id;
    draft->was[at] = was;
    draft->mime.attachment_count++;
    return ERR_OK;
}

/* ---- what the old message gives ---- */

static enum err keep_attachment(struct draft *draft, const struct message_row *row, const struct mime_meta *meta,
                                size_t index)
{
    const struct mime_part *part = &meta->parts[index];
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
        .is_inline = part->inline_disposition || (part->content_id.len && !part->is_attachment),
        .is_message = part->is_message,
    };
    return err ? err : add_attachment(draft, &attachment, SLICE_LIT(""), (uint32_t)index);
}

static enum err take_old(struct draft *draft, const struct sync_item *item)
{
    struct mime_meta *meta = arena_new(draft->req->arena, struct mime_meta, 1);
    struct mime_draft *mime = &draft->mime;
    bool whole = true;
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
    draft->is_cut = !whole;
    mime->html = buf_slice(&draft->html);
    mime->text = buf_slice(&draft->text);
    for (size_t i = 0; !err && i < meta->part_count; i++) {
        if (eas_part_is_attachment(meta, i) && !(i < PARTS_MAX && draft->removed[i]))
            err = keep_attachment(draft, &item->message, meta, i);
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
    return add_attachment(draft, &attachment, wbxml_child_text(add, WB_AirSyncBase_ClientId), NO_PART);
}

static void take_removed(struct draft *draft, struct eas_item_id item, const struct wbxml_node *attachments)
{
    draft->removed = arena_new(draft->req->arena, bool, PARTS_MAX);
    for (const struct wbxml_node *node = wbxml_child(attachments, WB_AirSyncBase_Delete); node; node = wbxml_same(node)) {
        struct eas_attachment_id id;
        bool good = eas_attachment_id_parse(wbxml_child_text(node, WB_AirSyncBase_FileReference), &id);
        if (good && id.item.mailbox == item.mailbox && id.item.item == item.item && id.part < PARTS_MAX)
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

/* A message that the phone wrote whole stays as it is, to the octet; what it has itself is not put beside it once more. */
static void attach_to_whole(struct draft *draft, struct slice raw, struct buf *out)
{
    struct mime_meta meta;
    size_t kept = 0;
    mime_describe(raw, draft->req->arena, &meta);
    for (size_t i = 0; i < draft->mime.attachment_count; i++) {
        bool inside = false;
        char name_room[32];
        for (size_t part = 0; part < meta.part_count && draft->was[i] != NO_PART; part++)
            inside |= eas_part_is_attachment(&meta, part) &&
                      slice_eq(eas_attachment_name(&meta.parts[part], name_room), draft->attachments[i].name);
        if (inside)
            continue;
        draft->attachments[kept] = draft->attachments[i];
        draft->client_ids[kept] = draft->client_ids[i];
        draft->was[kept++] = draft->was[i];
    }
    draft->mime.attachment_count = kept;
    if (kept)
        mime_attach(raw, draft->attachments, kept, out);
    else
        buf_add(out, raw);
}

static void compose(struct draft *draft, struct buf *out)
{
    if (draft->whole.len) {
        struct mime_normal normal = { 0 };
        struct buf raw = { 0 };
        mime_normal_add(&normal, draft->whole, &raw);
        mime_normal_end(&normal, &raw);
        attach_to_whole(draft, buf_slice(&raw), out);
        buf_free(&raw);
        return;
    }
    draft->mime.from = slice_of(draft->req->login.login);
    draft->mime.attachments = draft->attachments;
    mime_compose(&draft->mime, out);
}

/* Inline ones are written first, beside the text; in a message that the phone wrote, all stand behind its own. */
static void place_attachments(struct draft *draft, const struct mime_meta *meta)
{
    size_t count = draft->mime.attachment_count, listed = 0, passed = 0, at = 0;
    uint32_t *parts = arena_new(draft->req->arena, uint32_t, meta->part_count + 1);
    for (size_t part = 0; part < meta->part_count; part++) {
        if (eas_part_is_attachment(meta, part))
            parts[listed++] = (uint32_t)part;
    }
    passed = listed > count ? listed - count : 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            bool first = draft->whole.len || draft->attachments[i].is_inline;
            if (first != (pass == 0))
                continue;
            draft->is[i] = passed + at < listed ? parts[passed + at] : NO_PART;
            at++;
        }
    }
}

/* A FileReference is a part's number: when one that stays has another number now, the phone must be told. */
static bool moves_parts(const struct draft *draft)
{
    for (size_t i = 0; i < draft->mime.attachment_count; i++) {
        if (draft->was[i] != NO_PART && draft->was[i] != draft->is[i])
            return true;
    }
    return false;
}

/* ---- what is told ---- */

static void put_u64(struct buf *out, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_add_byte(out, (char)(number >> shift));
}

static bool take_u64(struct slice *in, uint64_t *number)
{
    if (in->len < 8)
        return false;
    *number = 0;
    for (size_t i = 0; i < 8; i++)
        *number = *number << 8 | (uint8_t)in->at[i];
    *in = slice_tail(*in, 8);
    return true;
}

/* Kept with the result, so that a repeat is told the same: thread, date, then part and ClientId of what was added. */
static struct slice pack_detail(const struct draft *draft, const struct mime_meta *meta)
{
    struct buf out = { 0 };
    put_u64(&out, (uint64_t)meta->thread);
    put_u64(&out, (uint64_t)meta->date_us);
    for (size_t i = 0; i < draft->mime.attachment_count; i++) {
        if (draft->client_ids[i].len == 0 || draft->is[i] == NO_PART)
            continue;
        put_u64(&out, draft->is[i]);
        put_u64(&out, draft->client_ids[i].len);
        buf_add(&out, draft->client_ids[i]);
    }
    struct slice detail = arena_copy(draft->req->arena, buf_slice(&out));
    buf_free(&out);
    return detail;
}

static bool take_added_part(struct slice *in, uint64_t *part, struct slice *client_id)
{
    uint64_t len;
    if (!take_u64(in, part) || !take_u64(in, &len) || len > in->len)
        return false;
    *client_id = slice_head(*in, (size_t)len);
    *in = slice_tail(*in, (size_t)len);
    return true;
}

void eas_draft_write_result(const struct sync_target *target, struct wbxml_writer *writer, const struct draft_result *result)
{
    struct slice in = result->detail, client_id;
    uint64_t thread, date, part;
    if (result->status != SYNC_OK || !take_u64(&in, &thread) || !take_u64(&in, &date))
        return;
    struct mime_meta meta = { .thread = (int64_t)thread, .date_us = (int64_t)date };
    wbxml_start(writer, WB_AirSync_ApplicationData);
    eas_email_write_conversation(writer, &meta);
    bool begun = in.len > 0;
    if (begun)
        wbxml_start(writer, WB_AirSyncBase_Attachments);
    while (take_added_part(&in, &part, &client_id)) {
        struct eas_attachment_id id = { { target->mailbox.n, result->item }, (uint32_t)part };
        char reference[EAS_ID_SIZE];
        eas_attachment_id_format(id, reference);
        wbxml_start(writer, WB_AirSyncBase_Attachment);
        wbxml_text(writer, WB_AirSyncBase_ClientId, client_id);
        wbxml_cstr(writer, WB_AirSyncBase_FileReference, reference);
        wbxml_end(writer, WB_AirSyncBase_Attachment);
    }
    if (begun)
        wbxml_end(writer, WB_AirSyncBase_Attachments);
    wbxml_end(writer, WB_AirSync_ApplicationData);
}

/* ---- store and send ---- */

/* The composed message as storage takes it, and what the phone is to be told of it. */
static void describe(struct draft *draft, struct slice raw, struct buf *packed, struct append_item *item,
                     struct sync_result *stored)
{
    struct mime_meta meta;
    mime_describe(raw, draft->req->arena, &meta);
    mime_meta_pack(&meta, packed);
    place_attachments(draft, &meta);
    stored->detail = pack_detail(draft, &meta);
    *item = (struct append_item){
        .message = { .octets = { raw, -1, (int64_t)raw.len }, .meta = buf_slice(packed), .thread = meta.thread,
                     .sent_us = meta.date_us },
        .internal_date_us = clock_wall_us(),
        .flags = FLAG_DRAFT | FLAG_SEEN,
        .born_by = draft->req->device.id,
    };
}

static bool temporary(enum err err)
{
    return err == ERR_UNAVAILABLE || err == ERR_CANCELLED;
}

/* What the store remembers of a draft that was sent with this key. */
static struct slice send_mark(const struct sync_target *target, uint32_t item)
{
    struct slice key = target->collection->key;
    return slice_of(arena_printf(target->run->req->arena, "%.*s:send:%u", SLICE_ARG(key), (unsigned)item));
}

static int send_status(int status)
{
    switch (status) {
    case 0:
    case EAS_PREVIOUSLY_SENT: // by this key, beside us: the reply was lost
        return SYNC_OK;
    case EAS_NO_RECIPIENT:
    case EAS_RECIPIENT_UNRESOLVED:
        return EAS_INVALID_RECIPIENTS;
    case EAS_ITEM_NOT_FOUND:
        return SYNC_NOT_FOUND;
    case EAS_QUOTA_EXCEEDED:
        return SYNC_NO_SPACE;
    default:
        return status;
    }
}

/* Sends a draft as it is stored and takes it out of Drafts, in one transaction that remembers the key: a repeat finds that
 * it has gone, or sends it. A failure leaves it there. */
static enum err send_stored(struct sync_target *target, const struct sync_item *item, struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct buf raw = { 0 };
    enum err err = message_read(req->db, &item->message, 0, item->message.size, &raw);
    if (!err) {
        struct eas_sending sending = { .raw = buf_slice(&raw), .save = true, .client_id = send_mark(target, item->item),
                                       .draft_mailbox = target->mailbox, .draft_item = item->item };
        int status = eas_send_once(req, &sending);
        err = status == EAS_SERVER_ERROR_RETRY ? ERR_UNAVAILABLE : ERR_OK;
        result->status = send_status(status);
    }
    buf_free(&raw);
    return err;
}

/* A draft that has gone was sent by this key, or deleted by somebody. */
static enum err send_gone(struct sync_target *target, uint32_t item, struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    bool sent = false;
    enum err err = sync_client_id_known(req->db, eas_account(req), req->device.id, send_mark(target, item), &sent);
    result->status = sent ? SYNC_OK : SYNC_NOT_FOUND;
    result->item = item;
    return err;
}

static enum err send_draft(struct sync_target *target, uint32_t number, struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct sync_item item;
    const char *const *keywords;
    size_t keyword_count;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), target->mailbox, number, &item, &keywords,
                                 &keyword_count);
    return err == ERR_NOT_FOUND ? send_gone(target, number, result) : err ? err : send_stored(target, &item, result);
}

static void tell(struct draft_result *result, enum err err, const struct sync_result *stored)
{
    result->status = eas_sync_item_status(err ? err : stored->err);
    result->item = stored->item;
    result->detail = stored->detail;
    result->has_added = stored->detail.len > 16;
}

/* The item's status, its flags, and off it goes when the phone says so. */
static enum err finish(struct sync_target *target, const struct eas_sync_command *command, enum err err,
                       const struct sync_result *stored, struct draft_result *result)
{
    struct eas_change change;
    if (temporary(err))
        return err;
    tell(result, err, stored);
    if (err || stored->err)
        return ERR_OK;
    err = eas_change_parse(command->data, target->run->req->version, target->run->req->arena, &change);
    if (!err && (change.read >= 0 || change.has_flag || change.has_categories))
        err = eas_sync_change_flags(target, &change, stored->item);
    if (temporary(err))
        return err;
    return command->send ? send_draft(target, stored->item, result) : ERR_OK;
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
    struct eas_change change;
    draft->req = req;
    draft->mime.importance = 1;
    enum err err = command->data ? eas_change_parse(command->data, req->version, req->arena, &change) : ERR_SYNTAX;
    if (!err)
        err = take_new(draft, command->data);
    if (!err)
        compose(draft, &raw);
    if (!err && !done_before(target, command->client_id, &stored, &err) && !err) {
        describe(draft, buf_slice(&raw), &packed, &item, &stored);
        err = sync_add_draft(req->db, req->arena, eas_account(req), req->device.id, target->mailbox, target->collection->key,
                             command->client_id, &item, &stored, &changes);
        eas_publish(req, &changes);
    }
    err = finish(target, command, err, &stored, result);
    draft_fini(draft);
    buf_free(&raw);
    buf_free(&packed);
    return err;
}

/* Whether a Change says something of the text; Send may stand alone, or beside flags. */
static bool has_content(const struct eas_request *req, const struct eas_sync_command *command)
{
    struct eas_change change;
    return eas_change_parse(command->data, req->version, req->arena, &change) == ERR_OK && change.has_content;
}

/* The old text with what the phone says in its place. */
static enum err rewrite(struct draft *draft, const struct sync_target *target, const struct eas_sync_command *command,
                        const struct sync_item *old, struct buf *raw, struct sync_result *stored)
{
    struct eas_request *req = draft->req;
    struct draft_edit edit = { .item = stored->item, .since = target->options.conflict ? target->state.at.s : -1 };
    struct buf packed = { 0 };
    struct append_item item;
    struct change_set changes = { .count = 0 };
    enum err err = take_old(draft, old);
    if (!err)
        err = take_new(draft, command->data);
    if (!err && draft->is_cut && !wbxml_child(command->data, WB_AirSyncBase_Body))
        err = ERR_LIMIT; // half of its text would be lost
    if (err)
        return err;
    compose(draft, raw);
    describe(draft, buf_slice(raw), &packed, &item, stored);
    edit.echo = moves_parts(draft);
    err = sync_change_draft(req->db, req->arena, eas_account(req), req->device.id, target->mailbox, target->collection->key,
                            &edit, &item, stored, &changes);
    eas_publish(req, &changes);
    buf_free(&packed);
    return err;
}

enum err eas_draft_change(struct sync_target *target, const struct eas_sync_command *command, uint32_t number,
                          struct draft_result *result)
{
    struct eas_request *req = target->run->req;
    struct draft *draft = arena_new(req->arena, struct draft, 1);
    struct buf raw = { 0 };
    struct sync_result stored = { .item = number };
    struct sync_item old;
    const char *const *keywords;
    size_t keyword_count;
    draft->req = req;
    draft->mime.importance = 1;
    take_removed(draft, (struct eas_item_id){ target->mailbox.n, number },
                 wbxml_child(command->data, WB_AirSyncBase_Attachments));
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), target->mailbox, number, &old, &keywords,
                                 &keyword_count);
    enum err known = ERR_OK;
    bool repeat = done_before(target, slice_of(arena_printf(req->arena, "%u", (unsigned)number)), &stored, &known);
    if (known) {
        err = known;
    } else if (err == ERR_NOT_FOUND && command->send) {
        err = send_gone(target, number, result);
    } else if (err == ERR_NOT_FOUND && repeat) {
        tell(result, ERR_OK, &stored); // what came between is told like any other change
        err = ERR_OK;
    } else {
        if (!err && !repeat && has_content(req, command))
            err = rewrite(draft, target, command, &old, &raw, &stored);
        err = finish(target, command, err, &stored, result);
    }
    draft_fini(draft);
    buf_free(&raw);
    return err;
}
