#include "server/http/frame.h"

/* Blank lines before a request line belong to it: some clients end a body with an extra CRLF. */
static size_t take_head(struct frame *frame, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.at[i];
        if (c == '\n') {
            if (!frame->line_text && frame->begun) {
                frame->at = FRAME_HEAD_SENT;
                return i + 1;
            }
            frame->line_text = false;
        } else if (c != '\r') {
            frame->line_text = frame->begun = true;
        }
    }
    return bytes.len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void chunk_size_ends(struct frame *frame)
{
    frame->chunk = frame->left ? CHUNK_DATA : CHUNK_TRAILER;
    frame->line_text = false;
    if (!frame->digits)
        frame->at = FRAME_PASS;
    frame->digits = false;
}

static void chunk_byte(struct frame *frame, char c)
{
    int digit = hex_digit(c);
    switch (frame->chunk) {
    case CHUNK_SIZE:
        if (digit >= 0 && frame->left <= UINT64_MAX >> 8) {
            frame->left = frame->left << 4 | (uint64_t)digit;
            frame->digits = true;
        } else if (c == '\n') {
            chunk_size_ends(frame);
        } else if (c == ';' || c == ' ' || c == '\t') {
            frame->chunk = CHUNK_EXTENSION;
        } else if (c == '\r') {
            frame->chunk = CHUNK_SIZE_END;
        } else {
            frame->at = FRAME_PASS;
        }
        break;
    case CHUNK_EXTENSION:
        if (c == '\n')
            chunk_size_ends(frame);
        else if (c == '\r')
            frame->chunk = CHUNK_SIZE_END;
        break;
    case CHUNK_SIZE_END: // a bare CR: the parser may see a line end there, or not
        if (c == '\n')
            chunk_size_ends(frame);
        else
            frame->at = FRAME_PASS;
        break;
    case CHUNK_DATA_END:
        if (c == '\n')
            frame->chunk = CHUNK_SIZE;
        else if (c != '\r')
            frame->at = FRAME_PASS;
        break;
    case CHUNK_TRAILER:
        if (c == '\n' && !frame->line_text)
            frame->at = FRAME_WHOLE;
        else if (c == '\n')
            frame->line_text = false;
        else if (c != '\r')
            frame->line_text = true;
        break;
    case CHUNK_DATA:
        break;
    }
}

static size_t take_chunked(struct frame *frame, struct slice bytes)
{
    size_t i = 0;
    while (i < bytes.len && frame->at == FRAME_CHUNKED) {
        if (frame->chunk != CHUNK_DATA) {
            chunk_byte(frame, bytes.at[i++]);
            continue;
        }
        size_t n = bytes.len - i < frame->left ? bytes.len - i : (size_t)frame->left;
        i += n;
        frame->left -= n;
        if (frame->left == 0)
            frame->chunk = CHUNK_DATA_END;
    }
    return frame->at == FRAME_PASS ? bytes.len : i;
}

size_t frame_take(struct frame *frame, struct slice bytes)
{
    size_t n = 0;
    switch (frame->at) {
    case FRAME_HEAD:
        return take_head(frame, bytes);
    case FRAME_BODY:
        n = bytes.len < frame->left ? bytes.len : (size_t)frame->left;
        frame->left -= n;
        if (frame->left == 0)
            frame->at = FRAME_WHOLE;
        return n;
    case FRAME_CHUNKED:
        return take_chunked(frame, bytes);
    case FRAME_PASS:
        return bytes.len;
    case FRAME_HEAD_SENT:
    case FRAME_WHOLE:
        break;
    }
    return 0;
}

void frame_expect(struct frame *frame, bool chunked, uint64_t octets)
{
    // The parser saw the end of a head where this scanner did not (a bare CR): who knows where the
    // body ends.
    if (frame->at != FRAME_HEAD_SENT) {
        frame->at = FRAME_PASS;
        return;
    }
    frame->chunk = CHUNK_SIZE;
    frame->digits = false;
    frame->left = chunked ? 0 : octets;
    frame->at = chunked ? FRAME_CHUNKED : octets ? FRAME_BODY : FRAME_WHOLE;
}

void frame_next(struct frame *frame)
{
    *frame = (struct frame){ 0 };
}

bool frame_wants(const struct frame *frame)
{
    return frame->at != FRAME_HEAD_SENT && frame->at != FRAME_WHOLE;
}
