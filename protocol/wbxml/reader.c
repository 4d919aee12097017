#include <assert.h>

#include "protocol/wbxml/utf8.h"
#include "protocol/wbxml/wbxml.h"

enum global_token {
    TOKEN_SWITCH_PAGE = 0x00,
    TOKEN_END = 0x01,
    TOKEN_STR_I = 0x03,
    TOKEN_STR_T = 0x83,
    TOKEN_OPAQUE = 0xC3,
};

#define PUBLIC_ID_UNKNOWN 1u
#define CHARSET_UTF8 106u
#define HAS_CONTENT 0x40u
#define HAS_ATTRIBUTES 0x80u
#define TOKEN_MASK 0x3Fu
#define FIRST_TAG 0x05u

enum err wbxml_take_number(struct slice *in, uint32_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 5 && i < in->len; i++) {
        uint8_t octet = (uint8_t)in->at[i];
        value = value << 7 | (octet & 0x7F);
        if (octet & 0x80)
            continue;
        if (value > UINT32_MAX)
            return ERR_SYNTAX;
        *number = (uint32_t)value;
        *in = slice_tail(*in, i + 1);
        return ERR_OK;
    }
    return ERR_SYNTAX;
}

enum err wbxml_reader_init(struct wbxml_reader *reader, struct slice document)
{
    *reader = (struct wbxml_reader){ .rest = document };
    struct slice rest = document;
    uint32_t public_id, charset, table;
    if (rest.len == 0 || rest.at[0] < 1 || rest.at[0] > 3)
        return ERR_SYNTAX;
    rest = slice_tail(rest, 1);
    if (wbxml_take_number(&rest, &public_id) || wbxml_take_number(&rest, &charset) || wbxml_take_number(&rest, &table))
        return ERR_SYNTAX;
    if (public_id != PUBLIC_ID_UNKNOWN || charset != CHARSET_UTF8)
        return ERR_SYNTAX;
    if (table > WBXML_STRINGS_MAX)
        return ERR_LIMIT;
    if (table > rest.len)
        return ERR_SYNTAX;
    reader->strings = slice_head(rest, table);
    reader->rest = slice_tail(rest, table);
    return ERR_OK;
}

/* The text up to a NUL, which is taken too. */
static enum err take_string(struct slice *in, struct slice *text)
{
    size_t end = slice_find(*in, '\0');
    if (end == SIZE_MAX)
        return ERR_SYNTAX;
    *text = slice_head(*in, end);
    *in = slice_tail(*in, end + 1);
    return utf8_valid(*text) ? ERR_OK : ERR_SYNTAX;
}

static enum err take_table_string(struct wbxml_reader *reader, struct slice *text)
{
    uint32_t offset;
    if (wbxml_take_number(&reader->rest, &offset) || offset >= reader->strings.len)
        return ERR_SYNTAX;
    struct slice in = slice_tail(reader->strings, offset);
    return take_string(&in, text);
}

static enum err take_opaque(struct slice *in, struct slice *octets)
{
    uint32_t len;
    if (wbxml_take_number(in, &len) || len > in->len)
        return ERR_SYNTAX;
    *octets = slice_head(*in, len);
    *in = slice_tail(*in, len);
    return ERR_OK;
}

static enum err count_element(struct wbxml_reader *reader)
{
    return ++reader->elements > WBXML_ELEMENTS_MAX ? ERR_LIMIT : ERR_OK;
}

static enum err read_text(struct wbxml_reader *reader, uint8_t octet, struct wbxml_token *token)
{
    if (reader->depth == 0)
        return ERR_SYNTAX;
    token->tag = reader->open[reader->depth - 1];
    token->event = octet == TOKEN_OPAQUE ? WBXML_OPAQUE : WBXML_TEXT;
    enum err err = count_element(reader);
    if (err)
        return err;
    if (octet == TOKEN_OPAQUE)
        return take_opaque(&reader->rest, &token->text);
    return octet == TOKEN_STR_I ? take_string(&reader->rest, &token->text) : take_table_string(reader, &token->text);
}

static enum err read_tag(struct wbxml_reader *reader, uint8_t octet, struct wbxml_token *token)
{
    if ((octet & HAS_ATTRIBUTES) || (octet & TOKEN_MASK) < FIRST_TAG)
        return ERR_SYNTAX;
    if (reader->depth == WBXML_DEPTH_MAX)
        return ERR_LIMIT;
    enum err err = count_element(reader);
    if (err)
        return err;
    token->event = WBXML_START;
    token->tag = WBXML_CODE(reader->page, octet & TOKEN_MASK);
    token->known = wbxml_find(token->tag) != NULL;
    reader->open[reader->depth++] = token->tag;
    reader->empty_open = !(octet & HAS_CONTENT);
    reader->rooted = true;
    return ERR_OK;
}

static void close_element(struct wbxml_reader *reader, struct wbxml_token *token)
{
    assert(reader->depth > 0);
    reader->empty_open = false;
    token->event = WBXML_END;
    token->tag = reader->open[--reader->depth];
    token->known = wbxml_find(token->tag) != NULL;
}

enum err wbxml_read(struct wbxml_reader *reader, struct wbxml_token *token)
{
    *token = (struct wbxml_token){ .event = WBXML_DONE };
    if (reader->rooted && reader->depth == 0)
        return ERR_OK;
    if (reader->empty_open) {
        close_element(reader, token);
        return ERR_OK;
    }
    for (;;) {
        if (reader->rest.len == 0)
            return ERR_SYNTAX; // a cut upload
        uint8_t octet = (uint8_t)reader->rest.at[0];
        reader->rest = slice_tail(reader->rest, 1);
        switch (octet) {
        case TOKEN_SWITCH_PAGE:
            if (reader->rest.len == 0)
                return ERR_SYNTAX;
            reader->page = (uint8_t)reader->rest.at[0];
            reader->rest = slice_tail(reader->rest, 1);
            continue;
        case TOKEN_END:
            if (reader->depth == 0)
                return ERR_SYNTAX;
            close_element(reader, token);
            return ERR_OK;
        case TOKEN_STR_I:
        case TOKEN_STR_T:
        case TOKEN_OPAQUE:
            return read_text(reader, octet, token);
        default:
            return read_tag(reader, octet, token);
        }
    }
}
