#include "protocol/eas/part_stream.h"

#include "protocol/eas/base64.h"

#define BLANKS_MAX 1000u // blanks that may be at a line's end; more are text

void part_stream_init(struct part_stream *stream, uint8_t encoding)
{
    *stream = (struct part_stream){ .encoding = encoding };
}

void part_stream_fini(struct part_stream *stream)
{
    buf_free(&stream->blanks);
}

/* What a group of fewer than four letters holds; a single letter holds nothing. */
static size_t end_group(struct part_stream *stream, char to[2])
{
    size_t len = 0;
    if (stream->letters == 2)
        to[len++] = (char)(stream->bits >> 4);
    if (stream->letters == 3) {
        to[len++] = (char)(stream->bits >> 10);
        to[len++] = (char)(stream->bits >> 2);
    }
    stream->letters = 0;
    stream->bits = 0;
    return len;
}

static void add_base64(struct part_stream *stream, struct slice in, struct buf *out)
{
    char *to = buf_reserve(out, in.len / 4 * 3 + 5);
    size_t at = 0;
    for (size_t i = 0; i < in.len; i++) {
        int value = base64_value(in.at[i]);
        if (in.at[i] == '=') // ends a group: pieces that were encoded one by one and joined decode too
            at += end_group(stream, to + at);
        if (value < 0)
            continue;
        stream->bits = stream->bits << 6 | (uint32_t)value;
        if (++stream->letters < 4)
            continue;
        to[at++] = (char)(stream->bits >> 16);
        to[at++] = (char)(stream->bits >> 8);
        to[at++] = (char)stream->bits;
        stream->letters = 0;
        stream->bits = 0;
    }
    buf_commit(out, at);
}

static void end_base64(struct part_stream *stream, struct buf *out)
{
    buf_commit(out, end_group(stream, buf_reserve(out, 2)));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One octet behind "="; what turns out to be no code is text. */
static void add_escaped(struct part_stream *stream, char c, struct buf *out)
{
    stream->held[stream->held_len++] = c;
    struct slice held = { stream->held, stream->held_len };
    if (held.len == 2) {
        if (c == '\n') { // "=" LF
            stream->held_len = 0;
            return;
        }
        if (c == '\r' || c == ' ' || c == '\t' || hex_value(c) >= 0)
            return;
    } else {
        int high = hex_value(held.at[1]), low = hex_value(held.at[2]);
        if (high >= 0 && low >= 0) {
            stream->held_len = 0;
            buf_add_byte(out, (char)(high << 4 | low));
            return;
        }
        if (high < 0 && c == '\n') { // "=" CRLF: a soft line break
            stream->held_len = 0;
            return;
        }
    }
    stream->held_len = 0;
    buf_add(out, held);
}

static void add_quoted(struct part_stream *stream, struct slice in, struct buf *out)
{
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (stream->held_len) {
            add_escaped(stream, c, out);
            continue;
        }
        if ((c == ' ' || c == '\t') && buf_len(&stream->blanks) < BLANKS_MAX) {
            buf_add_byte(&stream->blanks, c);
            continue;
        }
        if (c != '\r' && c != '\n')
            buf_add(out, buf_slice(&stream->blanks));
        buf_clear(&stream->blanks); // blanks at a line's end were added in transit
        if (c == '=')
            stream->held[stream->held_len++] = c;
        else
            buf_add_byte(out, c);
    }
}

void part_stream_add(struct part_stream *stream, struct slice in, struct buf *out)
{
    if (stream->encoding == MIME_BASE64)
        add_base64(stream, in, out);
    else if (stream->encoding == MIME_QUOTED_PRINTABLE)
        add_quoted(stream, in, out);
    else
        buf_add(out, in);
}

void part_stream_end(struct part_stream *stream, struct buf *out)
{
    if (stream->encoding == MIME_BASE64)
        end_base64(stream, out);
    if (stream->held_len > 1)
        buf_add(out, slice_make(stream->held, stream->held_len));
    stream->held_len = 0;
    buf_clear(&stream->blanks);
}
