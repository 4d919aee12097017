#include "protocol/mime/part_stream.h"

#define BLANKS_MAX 1000u // blanks that may be at a line's end; more are text

void part_stream_init(struct part_stream *stream, uint8_t encoding)
{
    *stream = (struct part_stream){ .encoding = encoding };
}

void part_stream_fini(struct part_stream *stream)
{
    buf_free(&stream->blanks);
}

/* Value + 1 of a letter, 0 of what is none, -1 of the padding. */
static int letter_of(char c)
{
    static const signed char letters[256] = {
#define D(c, n) [c] = (n) + 1
        D('A', 0),  D('B', 1),  D('C', 2),  D('D', 3),  D('E', 4),  D('F', 5),  D('G', 6),  D('H', 7),  D('I', 8),
        D('J', 9),  D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15), D('Q', 16), D('R', 17),
        D('S', 18), D('T', 19), D('U', 20), D('V', 21), D('W', 22), D('X', 23), D('Y', 24), D('Z', 25), D('a', 26),
        D('b', 27), D('c', 28), D('d', 29), D('e', 30), D('f', 31), D('g', 32), D('h', 33), D('i', 34), D('j', 35),
        D('k', 36), D('l', 37), D('m', 38), D('n', 39), D('o', 40), D('p', 41), D('q', 42), D('r', 43), D('s', 44),
        D('t', 45), D('u', 46), D('v', 47), D('w', 48), D('x', 49), D('y', 50), D('z', 51), D('0', 52), D('1', 53),
        D('2', 54), D('3', 55), D('4', 56), D('5', 57), D('6', 58), D('7', 59), D('8', 60), D('9', 61), D('+', 62),
        D('/', 63), ['='] = -1,
#undef D
    };
    return letters[(unsigned char)c];
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

/* Octets outside of the alphabet are passed over; a '=' ends a group, so that pieces that were encoded one by one and
 * joined decode too. */
static void add_base64(struct part_stream *stream, struct slice in, struct buf *out)
{
    char *to = buf_reserve(out, in.len / 4 * 3 + 5);
    size_t at = 0;
    for (size_t i = 0; i < in.len; i++) {
        int letter = letter_of(in.at[i]);
        if (letter < 0)
            at += end_group(stream, to + at);
        if (letter <= 0)
            continue;
        stream->bits = stream->bits << 6 | (uint32_t)(letter - 1);
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

/* "=" and what was kept behind it turned out to be text. */
static void release(struct part_stream *stream, struct buf *out)
{
    buf_add(out, slice_make(stream->held, stream->held_len));
    buf_add(out, buf_slice(&stream->blanks));
    buf_clear(&stream->blanks);
    stream->held_len = 0;
}

/* One octet behind "="; false when it is to be read as if nothing were before it. */
static bool take_escaped(struct part_stream *stream, char c, struct buf *out)
{
    if (stream->held_len == 2) {
        int low = hex_value(c);
        if (low < 0) {
            release(stream, out);
            return false;
        }
        stream->held_len = 0;
        buf_add_byte(out, (char)(hex_value(stream->held[1]) << 4 | low));
        return true;
    }
    bool blank = c == ' ' || c == '\t' || c == '\r';
    if (c == '\n') { // a soft line break, blanks behind its "=" or not
        stream->held_len = 0;
        buf_clear(&stream->blanks);
    } else if (hex_value(c) >= 0 && buf_len(&stream->blanks) == 0) {
        stream->held[stream->held_len++] = c;
    } else if (blank && buf_len(&stream->blanks) < BLANKS_MAX) {
        buf_add_byte(&stream->blanks, c);
    } else {
        release(stream, out);
        return false;
    }
    return true;
}

static size_t plain_run(struct slice in)
{
    size_t n = 0;
    while (n < in.len && in.at[n] != ' ' && in.at[n] != '\t' && in.at[n] != '\r' && in.at[n] != '\n' && in.at[n] != '=')
        n++;
    return n;
}

static void add_quoted(struct part_stream *stream, struct slice in, struct buf *out)
{
    while (in.len) {
        char c = in.at[0];
        if (stream->held_len) {
            if (take_escaped(stream, c, out))
                in = slice_tail(in, 1);
            continue;
        }
        if ((c == ' ' || c == '\t') && buf_len(&stream->blanks) < BLANKS_MAX) {
            buf_add_byte(&stream->blanks, c);
            in = slice_tail(in, 1);
            continue;
        }
        if (c != '\r' && c != '\n')
            buf_add(out, buf_slice(&stream->blanks));
        buf_clear(&stream->blanks); // blanks at a line's end were added in transit
        size_t run = plain_run(in);
        if (run == 0 && c == '=')
            stream->held[stream->held_len++] = c;
        else if (run == 0)
            buf_add_byte(out, c);
        else
            buf_add(out, slice_head(in, run));
        in = slice_tail(in, run ? run : 1);
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
    if (stream->held_len == 2)
        release(stream, out);
    stream->held_len = 0;
    buf_clear(&stream->blanks);
}
