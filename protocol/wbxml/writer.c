#include <assert.h>

#include "protocol/wbxml/utf8.h"
#include "protocol/wbxml/wbxml.h"

#define HAS_CONTENT 0x40u
#define NOTHING_OPEN SIZE_MAX

void wbxml_add_number(struct buf *out, uint32_t number)
{
    int shift = 28;
    while (shift && !(number >> shift))
        shift -= 7;
    for (; shift >= 0; shift -= 7)
        buf_add_byte(out, (char)((number >> shift & 0x7F) | (shift ? 0x80 : 0)));
}

/* How many octets from the front need no second look: printable ASCII, TAB, CR and LF. */
static size_t plain_run(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        uint8_t octet = (uint8_t)s.at[i];
        if (octet >= 0x80 || (octet < 0x20 && !utf8_in_xml(octet)))
            break;
        i++;
    }
    return i;
}

void wbxml_add_clean(struct buf *out, struct slice text)
{
    while (text.len) {
        size_t run = plain_run(text);
        buf_add(out, slice_head(text, run));
        text = slice_tail(text, run);
        if (text.len == 0)
            return;
        uint32_t character;
        size_t len = utf8_take(text, &character);
        if (len == 0)
            buf_add(out, SLICE_LIT("\xEF\xBF\xBD"));
        else if (utf8_in_xml(character))
            buf_add(out, slice_head(text, len));
        text = slice_tail(text, len ? len : 1);
    }
}

void wbxml_writer_init(struct wbxml_writer *writer, struct buf *out)
{
    *writer = (struct wbxml_writer){ .out = out, .tag_at = NOTHING_OPEN };
    buf_add(out, slice_make("\x03\x01\x6A\x00", 4));
}

static void put_tag(struct wbxml_writer *writer, uint16_t tag, uint8_t bits)
{
    assert(wbxml_find(tag)); // a token that is in no table never leaves
    if (WBXML_TAG_PAGE(tag) != writer->page) {
        buf_add_byte(writer->out, 0x00);
        buf_add_byte(writer->out, (char)WBXML_TAG_PAGE(tag));
        writer->page = WBXML_TAG_PAGE(tag);
    }
    writer->tag_at = buf_len(writer->out);
    buf_add_byte(writer->out, (char)(WBXML_TAG_TOKEN(tag) | bits));
}

void wbxml_start(struct wbxml_writer *writer, uint16_t tag)
{
    assert(writer->depth < WBXML_DEPTH_MAX);
    put_tag(writer, tag, HAS_CONTENT);
    writer->open[writer->depth++] = tag;
}

void wbxml_end(struct wbxml_writer *writer, uint16_t tag)
{
    assert(writer->depth > 0 && writer->open[writer->depth - 1] == tag);
    writer->depth--;
    if (writer->tag_at == NOTHING_OPEN) {
        buf_add_byte(writer->out, 0x01);
        return;
    }
    writer->out->bytes[writer->out->start + writer->tag_at] = (char)WBXML_TAG_TOKEN(tag);
    writer->tag_at = NOTHING_OPEN;
}

void wbxml_empty(struct wbxml_writer *writer, uint16_t tag)
{
    put_tag(writer, tag, 0);
    writer->tag_at = NOTHING_OPEN;
}

void wbxml_text_open(struct wbxml_writer *writer, uint16_t tag)
{
    wbxml_start(writer, tag);
    buf_add_byte(writer->out, 0x03);
    writer->tag_at = NOTHING_OPEN;
}

void wbxml_text_close(struct wbxml_writer *writer, uint16_t tag)
{
    buf_add_byte(writer->out, 0x00);
    wbxml_end(writer, tag);
}

void wbxml_text(struct wbxml_writer *writer, uint16_t tag, struct slice text)
{
    struct wbxml_writer before = *writer;
    size_t len = buf_len(writer->out);
    wbxml_text_open(writer, tag);
    size_t begin = buf_len(writer->out);
    wbxml_add_clean(writer->out, text);
    if (buf_len(writer->out) > begin) {
        wbxml_text_close(writer, tag);
        return;
    }
    wbxml_rewind(writer, &before, len);
    wbxml_empty(writer, tag);
}

void wbxml_cstr(struct wbxml_writer *writer, uint16_t tag, const char *text)
{
    wbxml_text(writer, tag, slice_of(text));
}

void wbxml_u64(struct wbxml_writer *writer, uint16_t tag, uint64_t number)
{
    wbxml_text_open(writer, tag);
    buf_add_u64(writer->out, number);
    wbxml_text_close(writer, tag);
}

void wbxml_opaque(struct wbxml_writer *writer, uint16_t tag, struct slice octets)
{
    assert(octets.len <= UINT32_MAX);
    wbxml_start(writer, tag);
    writer->tag_at = NOTHING_OPEN;
    buf_add_byte(writer->out, (char)0xC3);
    wbxml_add_number(writer->out, (uint32_t)octets.len);
    buf_add(writer->out, octets);
    wbxml_end(writer, tag);
}

void wbxml_rewind(struct wbxml_writer *writer, const struct wbxml_writer *copy, size_t len)
{
    *writer = *copy;
    buf_truncate(writer->out, len);
}

void wbxml_fragment_init(struct wbxml_writer *fragment, struct buf *out, uint8_t page)
{
    *fragment = (struct wbxml_writer){ .out = out, .tag_at = NOTHING_OPEN, .page = page };
}

void wbxml_splice(struct wbxml_writer *writer, const struct wbxml_writer *fragment, uint8_t page)
{
    assert(fragment->depth == 0 && writer->page == page);
    if (buf_len(fragment->out) == 0)
        return;
    buf_add(writer->out, buf_slice(fragment->out));
    writer->page = fragment->page;
    writer->tag_at = NOTHING_OPEN;
}
