#include "protocol/mime/compose.h"

#include <gmime/gmime.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

#define NAME_MAX_OCTETS 255u

static char *text_of(struct slice s)
{
    char *copy = mem_alloc(s.len + 1);
    if (s.len)
        memcpy(copy, s.at, s.len);
    for (size_t i = 0; i < s.len; i++)
        // A line break in a header value would let its writer add headers.
        if (copy[i] == '\0' || copy[i] == '\r' || copy[i] == '\n')
            copy[i] = ' ';
    return copy;
}

static GMimeFormatOptions *crlf_format(void)
{
    GMimeFormatOptions *format = g_mime_format_options_new();
    g_mime_format_options_set_newline_format(format, GMIME_NEWLINE_FORMAT_DOS);
    return format;
}

static void write_object(GMimeObject *object, struct buf *out)
{
    GMimeFormatOptions *format = crlf_format();
    GMimeStream *stream = g_mime_stream_mem_new();
    g_mime_object_write_to_stream(object, format, stream);
    GByteArray *bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    buf_add(out, slice_make(bytes->data, bytes->len));
    g_object_unref(stream);
    g_mime_format_options_free(format);
}

static GMimeObject *text_part(struct slice utf8, const char *subtype)
{
    GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);
    char *text = mem_alloc(utf8.len + 1);
    if (utf8.len)
        memcpy(text, utf8.at, utf8.len);
    for (size_t i = 0; i < utf8.len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    g_mime_text_part_set_charset(part, "utf-8");
    g_mime_text_part_set_text(part, text);
    // Long or 8-bit lines must survive every relay.
    g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    free(text);
    return GMIME_OBJECT(part);
}

static GMimeObject *octets_part(const struct mime_attachment *attachment)
{
    struct slice named = attachment->type.len ? attachment->type : SLICE_LIT("application/octet-stream");
    char *type = text_of(attachment->is_message ? SLICE_LIT("message/rfc822") : named);
    GMimeContentType *content_type = g_mime_content_type_parse(NULL, type);
    GMimePart *part = g_mime_part_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(attachment->octets.at, attachment->octets.len);
    GMimeDataWrapper *content = g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);
    g_mime_object_set_content_type(GMIME_OBJECT(part), content_type);
    g_mime_part_set_content(part, content);
    // RFC 2046 5.2.1: a message may not be encoded; and it stays as it is to the octet, or its signature breaks.
    g_mime_part_set_content_encoding(part, attachment->is_message ? GMIME_CONTENT_ENCODING_8BIT
                                                                  : GMIME_CONTENT_ENCODING_BASE64);
    g_object_unref(content);
    g_object_unref(stream);
    g_object_unref(content_type);
    free(type);
    return GMIME_OBJECT(part);
}

static GMimeObject *attachment_part(const struct mime_attachment *attachment)
{
    GMimeObject *part = octets_part(attachment);
    g_mime_object_set_disposition(part, attachment->is_inline ? "inline" : "attachment");
    if (attachment->name.len) {
        char *name = text_of(mime_cut_utf8(attachment->name, NAME_MAX_OCTETS));
        g_mime_object_set_content_disposition_parameter(part, "filename", name);
        g_mime_object_set_content_type_parameter(part, "name", name);
        free(name);
    }
    if (attachment->content_id.len) {
        char *id = text_of(attachment->content_id);
        g_mime_object_set_content_id(part, id);
        free(id);
    }
    return part;
}

static GMimeObject *wrap(GMimeObject *first, const char *subtype)
{
    GMimeMultipart *multipart = g_mime_multipart_new_with_subtype(subtype);
    g_mime_multipart_add(multipart, first);
    g_object_unref(first);
    return GMIME_OBJECT(multipart);
}

static void add_to(GMimeObject *multipart, GMimeObject *part)
{
    g_mime_multipart_add(GMIME_MULTIPART(multipart), part);
    g_object_unref(part);
}

/* text, html or alternative; inline attachments are related to it, the others mixed behind it. */
static GMimeObject *build_body(const struct mime_draft *draft)
{
    GMimeObject *body;
    if (draft->html.len && draft->text.len) {
        body = wrap(text_part(draft->text, "plain"), "alternative");
        add_to(body, text_part(draft->html, "html"));
    } else if (draft->html.len) {
        body = text_part(draft->html, "html");
    } else {
        body = text_part(draft->text, "plain");
    }
    if (draft->calendar.len) {
        body = wrap(body, "alternative");
        GMimeObject *calendar = text_part(draft->calendar, "calendar");
        g_mime_object_set_content_type_parameter(calendar, "method", draft->method);
        add_to(body, calendar);
    }
    for (int pass = 0; pass < 2; pass++) {
        bool want_inline = pass == 0, wrapped = false;
        for (size_t i = 0; i < draft->attachment_count; i++) {
            if (draft->attachments[i].is_inline != want_inline)
                continue;
            if (!wrapped)
                body = wrap(body, want_inline ? "related" : "mixed");
            wrapped = true;
            add_to(body, attachment_part(&draft->attachments[i]));
        }
    }
    return body;
}

static void set_header(GMimeMessage *message, const char *name, struct slice value)
{
    if (!value.len)
        return;
    char *text = text_of(value);
    g_mime_object_set_header(GMIME_OBJECT(message), name, text, NULL);
    free(text);
}

static void set_addresses(GMimeMessage *message, GMimeAddressType type, struct slice value)
{
    if (!value.len)
        return;
    char *text = text_of(value);
    InternetAddressList *list = internet_address_list_parse(NULL, text);
    if (list) {
        internet_address_list_append(g_mime_message_get_addresses(message, type), list);
        g_object_unref(list);
    }
    free(text);
}

/* The domain of a user's first address, for message ids. */
static char *domain_of(struct slice from)
{
    struct arena *arena = arena_open();
    struct mime_addresses list;
    struct slice domain = SLICE_LIT("localhost");
    mime_addresses_read(from, arena, &list);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].kind == ADDRESS_MAILBOX && list.items[i].host.len) {
            domain = list.items[i].host;
            break;
        }
    char *text = text_of(domain);
    arena_close(&arena);
    return text;
}

static void set_date(GMimeMessage *message, struct slice date)
{
    if (date.len) {
        set_header(message, "Date", date);
        return;
    }
    GDateTime *now = g_date_time_new_now_utc();
    g_mime_message_set_date(message, now);
    g_date_time_unref(now);
}

static void set_message_id(GMimeMessage *message, struct slice id, struct slice from)
{
    if (id.len) {
        set_header(message, "Message-ID", id);
        return;
    }
    char *domain = domain_of(from);
    char *made = g_mime_utils_generate_message_id(domain);
    g_mime_message_set_message_id(message, made);
    g_free(made);
    free(domain);
}

void mime_compose(const struct mime_draft *draft, struct buf *out)
{
    mime_library();
    GMimeMessage *message = g_mime_message_new(TRUE);
    set_addresses(message, GMIME_ADDRESS_TYPE_FROM, draft->from);
    set_addresses(message, GMIME_ADDRESS_TYPE_REPLY_TO, draft->reply_to);
    set_addresses(message, GMIME_ADDRESS_TYPE_TO, draft->to);
    set_addresses(message, GMIME_ADDRESS_TYPE_CC, draft->cc);
    set_addresses(message, GMIME_ADDRESS_TYPE_BCC, draft->bcc);
    char *subject = text_of(draft->subject);
    g_mime_message_set_subject(message, subject, "utf-8");
    free(subject);
    set_date(message, draft->date);
    set_message_id(message, draft->message_id, draft->from);
    set_header(message, "In-Reply-To", draft->in_reply_to);
    set_header(message, "References", draft->references);
    if (draft->importance != 1)
        set_header(message, "Importance", draft->importance == 2 ? SLICE_LIT("high") : SLICE_LIT("low"));
    set_header(message, "MIME-Version", SLICE_LIT("1.0"));
    GMimeObject *body = build_body(draft);
    g_mime_message_set_mime_part(message, body);
    g_object_unref(body);
    write_object(GMIME_OBJECT(message), out);
    g_object_unref(message);
}

/* ---- sending ---- */

static struct slice header_of(struct slice raw)
{
    struct slice rest = raw;
    while (rest.len) {
        size_t lf = slice_find(rest, '\n');
        size_t width = lf == SIZE_MAX ? rest.len : lf + 1;
        bool blank = width <= 2 && (rest.at[0] == '\n' || (width == 2 && rest.at[0] == '\r'));
        rest = slice_tail(rest, width);
        if (blank)
            break;
    }
    return slice_head(raw, raw.len - rest.len);
}

void mime_recipients(struct slice raw, struct arena *arena, struct slice **recipients, size_t *count,
                     struct slice *from)
{
    static const uint8_t fields_to[] = { FIELD_TO, FIELD_CC, FIELD_BCC };
    struct mime_fields fields;
    struct mime_addresses lists[3] = { 0 }, senders = { 0 };
    size_t room = 0;
    mime_fields_read(header_of(raw), arena, &fields);
    for (size_t i = 0; i < 3; i++) {
        if (fields.value[fields_to[i]].len)
            mime_addresses_read(fields.value[fields_to[i]], arena, &lists[i]);
        room += lists[i].count;
    }
    *recipients = arena_new(arena, struct slice, room + 1);
    *count = 0;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < lists[i].count; k++)
            if (lists[i].items[k].kind == ADDRESS_MAILBOX && lists[i].items[k].mailbox.len)
                (*recipients)[(*count)++] = mime_address_spec(&lists[i].items[k], arena);
    *from = SLICE_LIT("");
    if (fields.value[FIELD_FROM].len)
        mime_addresses_read(fields.value[FIELD_FROM], arena, &senders);
    for (size_t k = 0; k < senders.count && !from->len; k++)
        if (senders.items[k].kind == ADDRESS_MAILBOX)
            *from = mime_address_spec(&senders.items[k], arena);
}

bool mime_says_when(struct slice raw)
{
    struct arena *arena = arena_open();
    struct mime_fields fields;
    mime_fields_read(header_of(raw), arena, &fields);
    bool says = fields.value[FIELD_MESSAGE_ID].len || fields.value[FIELD_DATE].len;
    arena_close(&arena);
    return says;
}

void mime_prepare_sending(struct slice raw, struct slice from, struct buf *out)
{
    struct arena *arena = arena_open();
    struct slice header = header_of(raw), rest = header, name, value, line;
    struct mime_fields fields;
    mime_fields_read(header, arena, &fields);
    if (!fields.value[FIELD_FROM].len)
        buf_printf(out, "From: %.*s\r\n", SLICE_ARG(mime_unfold(from, arena)));
    if (!fields.value[FIELD_DATE].len) {
        GDateTime *now = g_date_time_new_now_utc();
        char *date = g_mime_utils_header_format_date(now);
        buf_printf(out, "Date: %s\r\n", date);
        g_free(date);
        g_date_time_unref(now);
    }
    struct slice id[1];
    bool has_id = mime_message_ids(fields.value[FIELD_MESSAGE_ID], id, 1) > 0;
    if (!has_id) {
        mime_library();
        char *domain = domain_of(from);
        char *made = g_mime_utils_generate_message_id(domain);
        buf_printf(out, "Message-ID: <%s>\r\n", made);
        g_free(made);
        free(domain);
    }
    // Field by field, so that whatever stands between the fields stays as it is.
    const char *kept = header.at;
    while (mime_field_next(&rest, &name, &value, &line)) {
        // An empty one, or one that is no id, would hide the field made above from those who read the first.
        bool empty_made = (!slice_trim(value).len && (slice_eq_nocase(name, SLICE_LIT("from")) ||
                                                      slice_eq_nocase(name, SLICE_LIT("date")))) ||
                          (!has_id && slice_eq_nocase(name, SLICE_LIT("message-id")));
        bool hidden = slice_eq_nocase(name, SLICE_LIT("bcc")) || slice_eq_nocase(name, SLICE_LIT("resent-bcc"));
        if (!hidden && !empty_made)
            continue;
        buf_add(out, slice_make(kept, (size_t)(line.at - kept)));
        kept = line.at + line.len;
    }
    if (raw.len)
        buf_add(out, slice_make(kept, (size_t)(raw.at + raw.len - kept)));
    arena_close(&arena);
}

/* ---- attaching ---- */

static void make_boundary(char boundary[40])
{
    snprintf(boundary, 40, "=-%08" PRIx32 "%08" PRIx32 "%08" PRIx32 "%08" PRIx32, g_random_int(), g_random_int(),
             g_random_int(), g_random_int());
}

/* The fields that are the body's (inner) or the message's. */
static void copy_fields(struct slice header, bool inner, struct buf *out)
{
    struct slice name, value, line;
    while (mime_field_next(&header, &name, &value, &line)) {
        bool is_version = slice_eq_nocase(name, SLICE_LIT("mime-version"));
        if (slice_starts_nocase(name, SLICE_LIT("content-")) == inner && !is_version)
            buf_add(out, line);
    }
}

void mime_attach(struct slice raw, const struct mime_attachment *attachments, size_t count, struct buf *out)
{
    struct slice header = header_of(raw), body = slice_tail(raw, header.len);
    char boundary[40];
    mime_library();
    make_boundary(boundary);
    copy_fields(header, false, out);
    buf_printf(out, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", boundary,
               boundary);
    copy_fields(header, true, out);
    buf_add_text(out, "\r\n");
    buf_add(out, body);
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "\r\n--%s\r\n", boundary);
        GMimeObject *part = attachment_part(&attachments[i]);
        write_object(part, out);
        g_object_unref(part);
    }
    buf_printf(out, "\r\n--%s--\r\n", boundary);
}
