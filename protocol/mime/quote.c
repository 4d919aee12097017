/* SmartReply and SmartForward: the client's new message with the original in it (MS-ASCMD 2.2.1.18, 2.2.1.19). */
#include "protocol/mime/compose.h"
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

static struct slice body_of(struct slice raw, const struct mime_part *part)
{
    if (part->body_at > raw.len)
        return SLICE_LIT("");
    uint64_t len = raw.len - part->body_at;
    return slice_make(raw.at + part->body_at, part->body_len < len ? part->body_len : len);
}

static void add_line(const char *label, struct slice value, bool html, struct buf *out)
{
    if (!value.len)
        return;
    buf_add_text(out, html ? "<b>" : "");
    buf_add_text(out, label);
    buf_add_text(out, html ? ":</b> " : ": ");
    for (size_t i = 0; i < value.len; i++) {
        if (html && value.at[i] == '<')
            buf_add_text(out, "&lt;");
        else if (html && value.at[i] == '>')
            buf_add_text(out, "&gt;");
        else if (html && value.at[i] == '&')
            buf_add_text(out, "&amp;");
        else
            buf_add_byte(out, value.at[i]);
    }
    buf_add_text(out, html ? "<br>\r\n" : "\r\n");
}

/* "From, Sent, To, Cc, Subject" of the original, as Exchange puts it between the two. */
static void add_heading(struct slice original, const struct mime_meta *meta, bool html, struct arena *arena, struct buf *out)
{
    struct mime_fields fields;
    mime_fields_read(slice_head(original, meta->header_len), arena, &fields);
    buf_add_text(out, html ? "<br><hr><div>\r\n" : "\r\n\r\n-----Original Message-----\r\n");
    add_line("From", meta->from, html, out);
    add_line("Sent", fields.value[FIELD_DATE].len ? mime_decode_text(fields.value[FIELD_DATE], arena) : SLICE_LIT(""), html, out);
    add_line("To", meta->to, html, out);
    add_line("Cc", meta->cc, html, out);
    add_line("Subject", meta->subject, html, out);
    buf_add_text(out, html ? "</div><br>\r\n" : "\r\n");
}

/* Where the reply's HTML can take more: before </body>, else at its end. */
static size_t html_end(struct slice html)
{
    for (size_t i = html.len; i-- > 0;)
        if (html.at[i] == '<' && slice_starts_nocase(slice_tail(html, i), SLICE_LIT("</body")))
            return i;
    return html.len;
}

struct quoter {
    struct arena *arena;
    struct mime_attachment *attachments;
    size_t count;
};

static bool in_subtree(const struct mime_meta *meta, size_t index, size_t root)
{
    while (index > root)
        index = meta->parts[index].parent;
    return index == root;
}

/* What a message carries beside its shown body: attachments, and parts that its HTML shows by their Content-ID. */
static void keep_attachments(struct quoter *q, struct slice raw, const struct mime_meta *meta)
{
    for (size_t i = 0; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        if (part->is_multipart || (slice_eq(part->type, SLICE_LIT("text")) && !part->is_attachment))
            continue;
        bool inner = false;
        for (size_t k = 0; k < i && !inner; k++)
            inner = meta->parts[k].is_message && in_subtree(meta, i, k);
        if (inner)
            continue;
        struct buf octets = { 0 };
        mime_decode_part(part, body_of(raw, part), &octets);
        q->attachments[q->count++] = (struct mime_attachment){
            .name = part->filename,
            .type = slice_of(arena_printf(q->arena, "%.*s/%.*s", SLICE_ARG(part->type), SLICE_ARG(part->subtype))),
            .content_id = part->content_id,
            .octets = arena_copy(q->arena, buf_slice(&octets)),
            .is_inline = part->content_id.len && !part->is_attachment,
            .is_message = part->is_message,
        };
        buf_free(&octets);
    }
}

static void add_original(struct quoter *q, struct slice original, const struct mime_meta *meta)
{
    struct slice name = meta->subject.len ? mime_cut_utf8(meta->subject, 100) : SLICE_LIT("message");
    q->attachments[q->count++] = (struct mime_attachment){
        .name = slice_of(arena_printf(q->arena, "%.*s.eml", SLICE_ARG(name))),
        .octets = original,
        .is_message = true,
    };
}

static void quote_body(struct slice reply, const struct mime_meta *reply_meta, struct slice original,
                       const struct mime_meta *meta, bool html, struct arena *arena, struct buf *out)
{
    enum mime_body_kind kind = html ? MIME_BODY_HTML : MIME_BODY_TEXT;
    struct buf own = { 0 }, old = { 0 };
    mime_render_body(reply, reply_meta, kind, &own);
    mime_render_body(original, meta, kind, &old);
    size_t end = html ? html_end(buf_slice(&own)) : buf_len(&own);
    buf_add(out, slice_head(buf_slice(&own), end));
    add_heading(original, meta, html, arena, out);
    buf_add(out, buf_slice(&old));
    buf_add(out, slice_tail(buf_slice(&own), end));
    buf_free(&own);
    buf_free(&old);
}

void mime_quote_original(struct slice reply, struct slice original, enum mime_quote how, struct buf *out)
{
    struct arena *arena = arena_open();
    struct mime_meta reply_meta, meta;
    struct mime_fields fields;
    mime_describe(reply, arena, &reply_meta);
    mime_describe(original, arena, &meta);
    mime_fields_read(slice_head(reply, reply_meta.header_len), arena, &fields);

    struct buf text = { 0 };
    bool html = mime_native_kind(&reply_meta) == MIME_BODY_HTML;
    // A plain reply to an HTML message becomes HTML, or the original would lose its look.
    if (how != MIME_ATTACH_ORIGINAL && mime_native_kind(&meta) == MIME_BODY_HTML)
        html = true;
    if (how == MIME_ATTACH_ORIGINAL)
        mime_render_body(reply, &reply_meta, html ? MIME_BODY_HTML : MIME_BODY_TEXT, &text);
    else
        quote_body(reply, &reply_meta, original, &meta, html, arena, &text);

    struct quoter q = { .arena = arena };
    q.attachments = arena_new(arena, struct mime_attachment, reply_meta.part_count + meta.part_count + 1);
    keep_attachments(&q, reply, &reply_meta);
    if (how == MIME_QUOTE_WITH_ATTACHMENTS)
        keep_attachments(&q, original, &meta);
    if (how == MIME_ATTACH_ORIGINAL)
        add_original(&q, original, &meta);

    struct slice id[1];
    bool own_thread = fields.value[FIELD_REFERENCES].len || fields.value[FIELD_IN_REPLY_TO].len || !meta.message_id.len;
    struct slice references = meta.references.len ? slice_of(arena_printf(arena, "%.*s %.*s", SLICE_ARG(meta.references),
                                                                          SLICE_ARG(meta.message_id)))
                                                  : meta.message_id;
    struct mime_draft draft = {
        .from = reply_meta.from,
        .to = reply_meta.to,
        .cc = reply_meta.cc,
        .bcc = reply_meta.bcc,
        .reply_to = reply_meta.reply_to,
        .subject = reply_meta.subject,
        .message_id = mime_message_ids(fields.value[FIELD_MESSAGE_ID], id, 1) ? reply_meta.message_id : SLICE_LIT(""),
        .in_reply_to = own_thread ? reply_meta.in_reply_to : meta.message_id,
        .references = own_thread ? reply_meta.references : references,
        .date = fields.value[FIELD_DATE],
        .text = html ? SLICE_LIT("") : buf_slice(&text),
        .html = html ? buf_slice(&text) : SLICE_LIT(""),
        .importance = reply_meta.importance,
        .attachments = q.attachments,
        .attachment_count = q.count,
    };
    mime_compose(&draft, out);
    buf_free(&text);
    arena_close(&arena);
}
