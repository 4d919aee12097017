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

static bool in_alternative(const struct mime_meta *meta, size_t index)
{
    const struct mime_part *parent = &meta->parts[meta->parts[index].parent];
    return index && parent->is_multipart && slice_eq(parent->subtype, SLICE_LIT("alternative"));
}

static bool is_text(const struct mime_part *part)
{
    return slice_eq(part->type, SLICE_LIT("text")) &&
           (slice_eq(part->subtype, SLICE_LIT("plain")) || slice_eq(part->subtype, SLICE_LIT("html")));
}

enum kept { KEPT_ALL, KEPT_SHOWN }; // everything, or only what the HTML shows by its Content-ID

/* What a message carries beside its shown body: attachments, further texts, calendars, and parts that its HTML shows. */
static void keep_attachments(struct quoter *q, struct slice raw, const struct mime_meta *meta, enum kept kept)
{
    size_t text = mime_body_part(meta, MIME_BODY_TEXT), html = mime_body_part(meta, MIME_BODY_HTML);
    for (size_t i = 0; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        bool shown = part->content_id.len && !part->is_attachment;
        bool body = i == text || i == html || (is_text(part) && in_alternative(meta, i));
        if (part->is_multipart || (body && !part->is_attachment) || (kept == KEPT_SHOWN && !shown))
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
            .type = slice_of(arena_printf(q->arena, "%.*s/%.*s%s%.*s", SLICE_ARG(part->type), SLICE_ARG(part->subtype),
                                          part->charset.len ? "; charset=" : "", SLICE_ARG(part->charset))),
            .content_id = part->content_id,
            .octets = arena_copy(q->arena, buf_slice(&octets)),
            .is_inline = shown,
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

/* meta NULL: the original is not quoted. */
static void quote_body(struct slice reply, const struct mime_meta *reply_meta, struct slice original,
                       const struct mime_meta *meta, bool html, struct arena *arena, struct buf *out)
{
    enum mime_body_kind kind = html ? MIME_BODY_HTML : MIME_BODY_TEXT;
    struct buf own = { 0 }, old = { 0 };
    mime_render_body(reply, reply_meta, kind, &own);
    size_t end = html ? html_end(buf_slice(&own)) : buf_len(&own);
    buf_add(out, slice_head(buf_slice(&own), end));
    if (meta) {
        mime_render_body(original, meta, kind, &old);
        add_heading(original, meta, html, arena, out);
        buf_add(out, buf_slice(&old));
    }
    buf_add(out, slice_tail(buf_slice(&own), end));
    buf_free(&own);
    buf_free(&old);
}

/* The client's own header stays as it is but for what describes the body, and gets what a reply needs. */
static void splice_header(struct slice reply, const struct mime_meta *reply_meta, struct slice composed,
                          struct slice in_reply_to, struct slice references, struct buf *out)
{
    struct slice rest = slice_head(reply, reply_meta->header_len), name, value, line;
    while (mime_field_next(&rest, &name, &value, &line)) {
        if (slice_starts_nocase(name, SLICE_LIT("Content-")) || slice_eq_nocase(name, SLICE_LIT("MIME-Version")))
            continue;
        buf_add(out, line);
        if (!line.len || line.at[line.len - 1] != '\n')
            buf_add_text(out, "\r\n");
    }
    if (in_reply_to.len)
        buf_printf(out, "In-Reply-To: %.*s\r\n", SLICE_ARG(in_reply_to));
    if (references.len)
        buf_printf(out, "References: %.*s\r\n", SLICE_ARG(references));
    buf_add_text(out, "MIME-Version: 1.0\r\n");
    rest = composed;
    while (rest.len && !slice_starts(rest, SLICE_LIT("\r\n")) && mime_field_next(&rest, &name, &value, &line))
        if (slice_starts_nocase(name, SLICE_LIT("Content-")))
            buf_add(out, line);
    buf_add(out, slice_tail(composed, slice_find_slice(composed, SLICE_LIT("\r\n\r\n")) + 2));
}

static bool has_part(const struct mime_meta *meta, enum mime_body_kind kind)
{
    return mime_body_part(meta, kind) != SIZE_MAX;
}

void mime_quote_original(struct slice reply, struct slice original, enum mime_quote how, struct buf *out)
{
    struct arena *arena = arena_open();
    struct mime_meta reply_meta, meta;
    struct mime_fields fields;
    struct buf text = { 0 }, html = { 0 }, composed = { 0 };
    mime_describe(reply, arena, &reply_meta);
    mime_describe(original, arena, &meta);
    mime_fields_read(slice_head(reply, reply_meta.header_len), arena, &fields);

    // The client's text decides on the form; of two alternatives each is extended.
    bool wants_html = has_part(&reply_meta, MIME_BODY_HTML);
    bool wants_text = !wants_html || has_part(&reply_meta, MIME_BODY_TEXT);
    if (wants_text)
        quote_body(reply, &reply_meta, original, how == MIME_ATTACH_ORIGINAL ? NULL : &meta, false, arena, &text);
    if (wants_html)
        quote_body(reply, &reply_meta, original, how == MIME_ATTACH_ORIGINAL ? NULL : &meta, true, arena, &html);

    struct quoter q = { .arena = arena };
    q.attachments = arena_new(arena, struct mime_attachment, reply_meta.part_count + meta.part_count + 1);
    keep_attachments(&q, reply, &reply_meta, KEPT_ALL);
    if (how == MIME_QUOTE_WITH_ATTACHMENTS)
        keep_attachments(&q, original, &meta, KEPT_ALL);
    if (how == MIME_QUOTE_INLINE && wants_html)
        keep_attachments(&q, original, &meta, KEPT_SHOWN);
    if (how == MIME_ATTACH_ORIGINAL)
        add_original(&q, original, &meta);

    bool own_thread = fields.value[FIELD_REFERENCES].len || fields.value[FIELD_IN_REPLY_TO].len || !meta.message_id.len;
    struct slice references = meta.references.len ? slice_of(arena_printf(arena, "%.*s %.*s", SLICE_ARG(meta.references),
                                                                          SLICE_ARG(meta.message_id)))
                                                  : meta.message_id;
    struct mime_draft draft = {
        .text = buf_slice(&text),
        .html = buf_slice(&html),
        .importance = 1,
        .attachments = q.attachments,
        .attachment_count = q.count,
    };
    mime_compose(&draft, &composed);
    splice_header(reply, &reply_meta, buf_slice(&composed), own_thread ? SLICE_LIT("") : meta.message_id,
                  own_thread ? SLICE_LIT("") : references, out);
    buf_free(&text);
    buf_free(&html);
    buf_free(&composed);
    arena_close(&arena);
}
