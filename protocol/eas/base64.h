/* Base64 in one piece; parts of messages are decoded by protocol/mime/part_stream.h. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

void base64_add(struct buf *out, struct slice octets); // RFC 4648 4, padded, no line breaks
/* Standard and URL-safe alphabet, with or without padding, nothing else. errors: ERR_SYNTAX */
MUST_USE enum err base64_take(struct slice text, struct arena *arena, struct slice *octets);
/* 0..63, or -1 for a letter of neither alphabet. */
int base64_value(char c);
static inline uint64_t base64_len(uint64_t octets)
{
    return (octets + 2) / 3 * 4;
}
