/* ENVELOPE, BODYSTRUCTURE and BODY as they go over the wire: RFC 3501 7.4.2 and 9, RFC 9051 7.5.2.
 * Quoted strings only: text that a quoted string cannot hold becomes RFC 2047 words or RFC 2231 parameters. */
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

static void add_quoted(struct slice s, struct buf *out)
{
    buf_add_byte(out, '"');
    if (s.len > MIME_STRING_MAX)
        s.len = MIME_STRING_MAX;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '"' || c == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, c == '\0' || c == '\r' || c == '\n' || (c & 0x80) ? '?' : c);
    }
    buf_add_byte(out, '"');
}

/* Header text: as it stands while it is ASCII, else as words of RFC 2047. */
static void add_text(struct slice s, struct arena *arena, struct buf *out)
{
    if (mime_is_ascii(s)) {
        add_quoted(s, out);
        return;
    }
    struct buf words = { 0 };
    mime_encode_words(mime_cut_utf8(mime_decode_text(s, arena), MIME_STRING_MAX / 2), &words);
    add_quoted(buf_slice(&words), out);
    buf_free(&words);
}

static void add_ntext(struct slice s, struct arena *arena, struct buf *out)
{
    if (s.at)
        add_text(s, arena, out);
    else
        buf_add_text(out, "NIL");
}

static void add_text_or_nil(struct slice s, struct arena *arena, struct buf *out)
{
    add_ntext(s.len ? s : (struct slice){ 0 }, arena, out);
}

static void add_address(const struct mime_address *a, struct arena *arena, struct buf *out)
{
    switch (a->kind) {
    case ADDRESS_GROUP_START:
        buf_add_text(out, "(NIL NIL ");
        add_text(a->mailbox, arena, out);
        buf_add_text(out, " NIL)");
        break;
    case ADDRESS_GROUP_END:
        buf_add_text(out, "(NIL NIL NIL NIL)");
        break;
    case ADDRESS_MAILBOX:
        buf_add_byte(out, '(');
        add_text_or_nil(a->name, arena, out);
        buf_add_byte(out, ' ');
        add_text_or_nil(a->route, arena, out);
        buf_add_byte(out, ' ');
        add_text(a->mailbox, arena, out);
        buf_add_byte(out, ' ');
        // Never NIL, which would make it a group.
        add_text(a->host, arena, out);
        buf_add_byte(out, ')');
        break;
    }
}

static bool add_addresses(struct slice value, struct arena *arena, struct buf *out)
{
    struct mime_addresses list = { 0 };
    if (value.len)
        mime_addresses_read(value, arena, &list);
    if (!list.count)
        return false;
    buf_add_byte(out, '(');
    for (size_t i = 0; i < list.count; i++)
        add_address(&list.items[i], arena, out);
    buf_add_byte(out, ')');
    return true;
}

struct slice mime_wire_envelope(const struct mime_fields *fields, struct arena *arena)
{
    static const uint8_t lists[] = { FIELD_FROM, FIELD_SENDER, FIELD_REPLY_TO, FIELD_TO, FIELD_CC, FIELD_BCC };
    struct buf out = { 0 };
    buf_add_byte(&out, '(');
    add_ntext(fields->value[FIELD_DATE], arena, &out);
    buf_add_byte(&out, ' ');
    add_ntext(fields->value[FIELD_SUBJECT], arena, &out);
    size_t from_at = 0, from_len = 0;
    for (size_t i = 0; i < sizeof lists; i++) {
        buf_add_byte(&out, ' ');
        size_t at = buf_len(&out);
        bool any = add_addresses(fields->value[lists[i]], arena, &out);
        if (lists[i] == FIELD_FROM && any) {
            from_at = at;
            from_len = buf_len(&out) - at;
        }
        if (any)
            continue;
        bool defaults = lists[i] == FIELD_SENDER || lists[i] == FIELD_REPLY_TO;
        if (defaults && from_len) {
            buf_reserve(&out, from_len);
            buf_add(&out, slice_make(buf_slice(&out).at + from_at, from_len));
        } else {
            buf_add_text(&out, "NIL");
        }
    }
    buf_add_byte(&out, ' ');
    add_ntext(fields->value[FIELD_IN_REPLY_TO], arena, &out);
    buf_add_byte(&out, ' ');
    add_ntext(fields->value[FIELD_MESSAGE_ID], arena, &out);
    buf_add_byte(&out, ')');
    struct slice envelope = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return envelope;
}

/* ---- BODYSTRUCTURE ---- */

struct writer {
    const struct mime_tree *tree;
    const struct slice *envelopes;
    bool extended;
    struct buf out;
    uint32_t *first_child, *next_sibling; // 0: none
};

static void add_param(const struct mime_param *param, struct arena *arena, struct buf *out)
{
    struct slice name = param->name.len > 127 ? slice_head(param->name, 127) : param->name;
    bool ascii = mime_is_ascii(param->value);
    struct buf text = { 0 };
    buf_add(&text, name);
    if (param->extended || !ascii)
        buf_add_byte(&text, '*');
    add_quoted(buf_slice(&text), out);
    buf_add_byte(out, ' ');
    if (ascii) {
        add_quoted(param->value, out);
    } else {
        static const char hex[] = "0123456789ABCDEF";
        struct slice utf8 = mime_cut_utf8(mime_decode_text(param->value, arena), MIME_STRING_MAX / 4);
        buf_clear(&text);
        buf_add_text(&text, "utf-8''");
        for (size_t i = 0; i < utf8.len; i++) {
            unsigned char c = (unsigned char)utf8.at[i];
            bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
                         c == '-' || c == '_';
            char code[3] = { '%', hex[c >> 4], hex[c & 15] };
            buf_add(&text, plain ? slice_make(&utf8.at[i], 1) : slice_make(code, 3));
        }
        add_quoted(buf_slice(&text), out);
    }
    buf_free(&text);
}

static void add_params(const struct mime_params *params, bool text_default, struct arena *arena, struct buf *out)
{
    bool charset = !text_default;
    if (!params->count && charset) {
        buf_add_text(out, "NIL");
        return;
    }
    buf_add_byte(out, '(');
    for (size_t i = 0; i < params->count; i++) {
        if (i)
            buf_add_byte(out, ' ');
        add_param(&params->items[i], arena, out);
        charset = charset || slice_eq(params->items[i].name, SLICE_LIT("charset"));
    }
    if (!charset) // RFC 2045 5.2
        buf_add_text(out, params->count ? " \"charset\" \"us-ascii\"" : "\"charset\" \"us-ascii\"");
    buf_add_byte(out, ')');
}

static void add_languages(struct slice value, struct arena *arena, struct buf *out)
{
    if (!value.len) {
        buf_add_text(out, "NIL");
        return;
    }
    bool list = slice_find(value, ',') != SIZE_MAX, any = false;
    size_t start = buf_len(out);
    if (list)
        buf_add_byte(out, '(');
    while (value.len) {
        struct slice one = slice_trim(slice_cut(&value, ','));
        if (!one.len)
            continue;
        if (any)
            buf_add_byte(out, ' ');
        add_text(one, arena, out);
        any = true;
    }
    if (list)
        buf_add_byte(out, ')');
    if (!any) {
        buf_truncate(out, start);
        buf_add_text(out, "NIL");
    }
}

static void add_disposition(const struct mime_node *node, struct arena *arena, struct buf *out)
{
    if (!node->disposition.len) {
        buf_add_text(out, "NIL");
        return;
    }
    buf_add_byte(out, '(');
    add_quoted(node->disposition, out);
    buf_add_byte(out, ' ');
    add_params(&node->disposition_params, false, arena, out);
    buf_add_byte(out, ')');
}

static void add_tail(const struct mime_node *node, struct arena *arena, struct buf *out)
{
    buf_add_byte(out, ' ');
    add_disposition(node, arena, out);
    buf_add_byte(out, ' ');
    add_languages(node->fields.value[FIELD_CONTENT_LANGUAGE], arena, out);
    buf_add_byte(out, ' ');
    add_text_or_nil(node->fields.value[FIELD_CONTENT_LOCATION], arena, out);
}

static void add_part(struct writer *w, uint32_t index);

static void add_multipart(struct writer *w, uint32_t index)
{
    const struct mime_node *node = &w->tree->nodes[index];
    buf_add_byte(&w->out, '(');
    for (uint32_t child = w->first_child[index]; child; child = w->next_sibling[child])
        add_part(w, child);
    buf_add_byte(&w->out, ' ');
    add_quoted(node->subtype, &w->out);
    if (w->extended) {
        buf_add_byte(&w->out, ' ');
        add_params(&node->params, false, w->tree->arena, &w->out);
        add_tail(node, w->tree->arena, &w->out);
    }
    buf_add_byte(&w->out, ')');
}

static void add_part(struct writer *w, uint32_t index)
{
    const struct mime_part *part = &w->tree->parts[index];
    const struct mime_node *node = &w->tree->nodes[index];
    struct arena *arena = w->tree->arena;
    if (part->is_multipart) {
        add_multipart(w, index);
        return;
    }
    struct slice type = node->type, subtype = node->subtype;
    bool is_text = slice_eq(part->type, SLICE_LIT("text"));
    // What is a leaf here may not carry a type whose grammar wants children: too deep, too many, or encoded.
    if (!part->is_message && (slice_eq(part->type, SLICE_LIT("multipart")) ||
                              (slice_eq(part->type, SLICE_LIT("message")) &&
                               (slice_eq(part->subtype, SLICE_LIT("rfc822")) || slice_eq(part->subtype, SLICE_LIT("global")))))) {
        type = SLICE_LIT("application");
        subtype = SLICE_LIT("octet-stream");
    }
    buf_add_byte(&w->out, '(');
    add_quoted(type, &w->out);
    buf_add_byte(&w->out, ' ');
    add_quoted(subtype, &w->out);
    buf_add_byte(&w->out, ' ');
    add_params(&node->params, is_text, arena, &w->out);
    buf_add_byte(&w->out, ' ');
    add_text_or_nil(node->fields.value[FIELD_CONTENT_ID], arena, &w->out);
    buf_add_byte(&w->out, ' ');
    add_text_or_nil(node->fields.value[FIELD_CONTENT_DESCRIPTION], arena, &w->out);
    buf_add_byte(&w->out, ' ');
    add_text(node->encoding, arena, &w->out);
    buf_add_byte(&w->out, ' ');
    buf_add_u64(&w->out, part->body_len);
    if (part->is_message) {
        uint32_t child = w->first_child[index];
        buf_add_byte(&w->out, ' ');
        buf_add(&w->out, w->envelopes[child]);
        buf_add_byte(&w->out, ' ');
        add_part(w, child);
    }
    if (is_text || part->is_message) {
        buf_add_byte(&w->out, ' ');
        buf_add_u64(&w->out, part->body_lines);
    }
    if (w->extended) {
        buf_add_byte(&w->out, ' ');
        add_text_or_nil(node->fields.value[FIELD_CONTENT_MD5], arena, &w->out);
        add_tail(node, arena, &w->out);
    }
    buf_add_byte(&w->out, ')');
}

static void link_parts(struct writer *w)
{
    size_t count = w->tree->count;
    w->first_child = arena_new(w->tree->arena, uint32_t, count);
    w->next_sibling = arena_new(w->tree->arena, uint32_t, count);
    // Backwards, so that each new first child is linked to the one that was first.
    for (size_t i = count; i-- > 1;) {
        uint32_t parent = w->tree->parts[i].parent;
        w->next_sibling[i] = w->first_child[parent];
        w->first_child[parent] = (uint32_t)i;
    }
}

struct slice mime_wire_structure(const struct mime_tree *tree, const struct slice *envelopes, bool extended)
{
    struct writer w = { .tree = tree, .envelopes = envelopes, .extended = extended };
    link_parts(&w);
    add_part(&w, 0);
    struct slice structure = arena_copy(tree->arena, buf_slice(&w.out));
    buf_free(&w.out);
    return structure;
}
