#include "protocol/eas/body.h"

#include "protocol/eas/base64.h"
#include "protocol/wbxml/utf8.h"

static const struct eas_body_preference *find(const struct eas_options *options, uint8_t type)
{
    for (uint8_t i = 0; i < options->preference_count; i++) {
        if (options->preferences[i].type == type)
            return &options->preferences[i];
    }
    return NULL;
}

size_t eas_body_choose(const struct eas_options *options, int version, bool native_html, bool is_smime,
                       struct eas_body_choice choices[EAS_PREFERENCES_MAX + 1])
{
    if (options->preference_count == 0) {
        choices[0] = (struct eas_body_choice){ version >= 140 ? EAS_BODY_NONE : EAS_BODY_TEXT, NULL };
        return 1;
    }
    size_t count = 0;
    const struct eas_body_preference *mime = find(options, EAS_BODY_MIME), *html = find(options, EAS_BODY_HTML),
                                     *text = find(options, EAS_BODY_TEXT), *rtf = find(options, EAS_BODY_RTF);
    if (mime && (options->mime_support == 2 || (options->mime_support == 1 && is_smime)))
        choices[count++] = (struct eas_body_choice){ EAS_BODY_MIME, mime };
    if (native_html && html)
        choices[count++] = (struct eas_body_choice){ EAS_BODY_HTML, html };
    if (!native_html && text)
        choices[count++] = (struct eas_body_choice){ EAS_BODY_TEXT, text };
    if (!native_html && html)
        choices[count++] = (struct eas_body_choice){ EAS_BODY_HTML, html };
    if (native_html && text)
        choices[count++] = (struct eas_body_choice){ EAS_BODY_TEXT, text };
    if (count == 0) // only RTF, or MIME that is not allowed: something readable within the size they asked for
        choices[count++] = (struct eas_body_choice){ rtf ? EAS_BODY_TEXT : native_html ? EAS_BODY_HTML : EAS_BODY_TEXT,
                                                     rtf ? rtf : mime };
    return count;
}

static void write_content(struct wbxml_writer *writer, const struct eas_body *body)
{
    wbxml_u64(writer, WB_AirSyncBase_Type, body->type);
    wbxml_u64(writer, WB_AirSyncBase_EstimatedDataSize, body->size);
    if (body->truncated)
        wbxml_cstr(writer, WB_AirSyncBase_Truncated, "1");
    if (body->part)
        wbxml_u64(writer, WB_ItemOperations_Part, body->part);
    else if (body->data.len)
        wbxml_text(writer, WB_AirSyncBase_Data, body->data);
    if (body->has_preview)
        wbxml_text(writer, WB_AirSyncBase_Preview, body->preview);
}

void eas_body_write(struct wbxml_writer *writer, const struct eas_body *body)
{
    wbxml_start(writer, WB_AirSyncBase_Body);
    write_content(writer, body);
    wbxml_end(writer, WB_AirSyncBase_Body);
}

void eas_body_part_write(struct wbxml_writer *writer, const struct eas_body *body)
{
    wbxml_start(writer, WB_AirSyncBase_BodyPart);
    wbxml_cstr(writer, WB_AirSyncBase_Status, "1");
    write_content(writer, body);
    wbxml_end(writer, WB_AirSyncBase_BodyPart);
}

struct slice eas_preview(struct slice text, uint32_t characters)
{
    struct slice rest = text;
    uint32_t character;
    while (rest.len && characters--) {
        size_t len = utf8_take(rest, &character);
        rest = slice_tail(rest, len ? len : 1);
    }
    return slice_head(text, text.len - rest.len);
}

struct slice eas_body_cut(struct slice data, uint64_t max, bool html)
{
    if (data.len <= max)
        return data;
    size_t len = (size_t)max;
    while (len && ((uint8_t)data.at[len] & 0xC0) == 0x80)
        len--;
    if (!html)
        return slice_head(data, len);
    for (size_t i = len; i-- > 0;) {
        if (data.at[i] == '>')
            break;
        if (data.at[i] == '<')
            return slice_head(data, i);
    }
    return slice_head(data, len);
}

static size_t find_nocase(struct slice s, struct slice needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (slice_eq_nocase(slice_head(slice_tail(s, i), needle.len), needle))
            return i;
    }
    return SIZE_MAX;
}

#define HTML_HEAD_MAX 65536u // a charset is declared near the front or not at all

void eas_html_declare_utf8(struct slice html, struct buf *out)
{
    static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:.";
    size_t looked = 0;
    while (looked < HTML_HEAD_MAX) {
        struct slice window = slice_head(html, html.len < HTML_HEAD_MAX ? html.len : HTML_HEAD_MAX);
        size_t meta = find_nocase(window, SLICE_LIT("<meta"));
        if (meta == SIZE_MAX)
            break;
        struct slice tag = slice_tail(window, meta);
        size_t end = slice_find(tag, '>');
        if (end == SIZE_MAX)
            break;
        size_t charset = find_nocase(slice_head(tag, end), SLICE_LIT("charset="));
        size_t taken = meta + end + 1;
        if (charset != SIZE_MAX) {
            size_t value = meta + charset + sizeof "charset=" - 1;
            value += slice_span(slice_tail(html, value), " \"'");
            buf_add(out, slice_head(html, value));
            buf_add_text(out, "utf-8");
            taken = value + slice_span(slice_tail(html, value), name_letters);
        } else {
            buf_add(out, slice_head(html, taken));
        }
        html = slice_tail(html, taken);
        looked += taken;
    }
    buf_add(out, html);
}

static bool is_xml_text(struct slice s)
{
    uint32_t character;
    while (s.len) {
        size_t len = utf8_take(s, &character);
        if (len == 0 || !utf8_in_xml(character))
            return false;
        s = slice_tail(s, len);
    }
    return true;
}

/* A header block with its Content-Transfer-Encoding replaced. */
static void add_base64_header(struct slice header, struct buf *out)
{
    bool dropping = false;
    while (header.len) {
        size_t end = slice_find(header, '\n');
        struct slice line = slice_head(header, end == SIZE_MAX ? header.len : end + 1);
        header = slice_tail(header, line.len);
        if (line.at[0] == ' ' || line.at[0] == '\t') {
            if (!dropping)
                buf_add(out, line);
            continue;
        }
        dropping = slice_starts_nocase(line, SLICE_LIT("Content-Transfer-Encoding:"));
        if (slice_trim(line).len == 0)
            break;
        if (!dropping)
            buf_add(out, line);
    }
    buf_add_text(out, "Content-Transfer-Encoding: base64\r\n\r\n");
}

#define BASE64_LINE_OCTETS 57u // 76 characters

static void add_base64_lines(struct slice body, struct buf *out)
{
    while (body.len) {
        size_t n = body.len < BASE64_LINE_OCTETS ? body.len : BASE64_LINE_OCTETS;
        base64_add(out, slice_head(body, n));
        buf_add_text(out, "\r\n");
        body = slice_tail(body, n);
    }
}

void eas_mime_to_text(struct slice raw, const struct mime_meta *meta, struct buf *out)
{
    if (is_xml_text(raw)) {
        buf_add(out, raw);
        return;
    }
    size_t at = 0;
    for (size_t i = 0; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        size_t end = (size_t)(part->body_at + part->body_len);
        if (part->is_multipart || part->is_message || part->header_at < at || end > raw.len || end < part->body_at ||
            part->body_at < part->header_at)
            continue;
        struct slice body = slice_head(slice_tail(raw, (size_t)part->body_at), (size_t)part->body_len);
        if (is_xml_text(body))
            continue;
        buf_add(out, slice_head(slice_tail(raw, at), (size_t)part->header_at - at));
        add_base64_header(slice_head(slice_tail(raw, (size_t)part->header_at), (size_t)(part->body_at - part->header_at)),
                          out);
        add_base64_lines(body, out);
        at = end;
    }
    buf_add(out, slice_tail(raw, at)); // headers at fault are cleaned by the writer
}
