#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define KEEP_BYTES 16384u // an empty buffer bigger than this is given back

void buf_free(struct buf *buf)
{
    free(buf->bytes);
    *buf = (struct buf){ 0 };
}

char *buf_reserve(struct buf *buf, size_t n)
{
    if (buf->room - buf->end >= n && buf->bytes)
        return buf->bytes + buf->end;
    size_t len = buf_len(buf);
    if (buf->start && buf->start >= len && buf->room - len >= n) {
        memmove(buf->bytes, buf->bytes + buf->start, len);
    } else {
        size_t need = len + n, room = buf->room ? buf->room : 256;
        if (need < n)
            mem_exhausted(SIZE_MAX);
        while (room < need)
            room = room > SIZE_MAX / 2 ? need : room * 2;
        char *bytes = mem_realloc(NULL, room);
        if (len)
            memcpy(bytes, buf->bytes + buf->start, len);
        free(buf->bytes);
        buf->bytes = bytes;
        buf->room = room;
    }
    buf->start = 0;
    buf->end = len;
    return buf->bytes + buf->end;
}

void buf_commit(struct buf *buf, size_t n)
{
    assert(buf->room - buf->end >= n);
    buf->end += n;
}

void buf_consume(struct buf *buf, size_t n)
{
    assert(buf_len(buf) >= n);
    buf->start += n;
    if (buf->start == buf->end)
        buf_clear(buf);
}

void buf_clear(struct buf *buf)
{
    buf->start = buf->end = 0;
    if (buf->room > KEEP_BYTES)
        buf_free(buf);
}

void buf_truncate(struct buf *buf, size_t len)
{
    assert(buf_len(buf) >= len);
    buf->end = buf->start + len;
}

void buf_add(struct buf *buf, struct slice s)
{
    if (s.len == 0)
        return;
    memcpy(buf_reserve(buf, s.len), s.at, s.len);
    buf->end += s.len;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, slice_of(text));
}

void buf_add_byte(struct buf *buf, char c)
{
    *buf_reserve(buf, 1) = c;
    buf->end++;
}

void buf_add_u64(struct buf *buf, uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_add(buf, slice_make(digits + at, sizeof digits - at));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    vsnprintf(buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buf->end += (size_t)len;
}

void buf_move(struct buf *to, struct buf *from)
{
    if (buf_len(to) == 0) {
        buf_free(to);
        *to = *from;
        *from = (struct buf){ 0 };
        return;
    }
    buf_add(to, buf_slice(from));
    buf_free(from);
}
