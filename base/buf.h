/* A growing byte buffer with a read position at its front. Zero-initialised is empty and holds no memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
    char *bytes;
    size_t start, end; // content is bytes[start..end)
    size_t room;       // bytes allocated
};

void buf_free(struct buf *buf); // leaves it empty
static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}
static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->bytes ? buf->bytes + buf->start : "", buf->end - buf->start };
}
/* Room for n more bytes behind the content; write there, then buf_commit what was used. */
char *buf_reserve(struct buf *buf, size_t n);
void buf_commit(struct buf *buf, size_t n);
/* Drops n bytes from the front; an emptied buffer frees its memory when that is over 16 KiB. */
void buf_consume(struct buf *buf, size_t n);
void buf_clear(struct buf *buf);
void buf_truncate(struct buf *buf, size_t len); // keeps the first len bytes

void buf_add(struct buf *buf, struct slice s);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_byte(struct buf *buf, char c);
void buf_add_u64(struct buf *buf, uint64_t n); // decimal
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Moves all content of from behind to's; from is left empty. No copy when to is empty. */
void buf_move(struct buf *to, struct buf *from);
