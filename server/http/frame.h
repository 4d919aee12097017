/* Where one request ends and the next begins in a client's bytes, without reading what they mean:
 * libmicrohttpd is the only one who parses. One request at a time is handed over, so that nothing
 * sent behind a request that will wait is lost with its socket pair. RFC 9112 6 (Message Body), 7.1
 * (Chunked Transfer Coding). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum frame_at {
    FRAME_HEAD,      // before or inside a head
    FRAME_HEAD_SENT, // the head is handed over: frame_expect says what follows
    FRAME_BODY,      // `left` octets are to come
    FRAME_CHUNKED,
    FRAME_PASS, // the end cannot be told: everything is handed over, the client is closed after the
                // answer
    FRAME_WHOLE, // all of the request is handed over: frame_next when it is answered
};

enum chunk_at { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_END, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

struct frame { // zero-initialised: before a head
    enum frame_at at;
    enum chunk_at chunk;
    bool begun;     // FRAME_HEAD: something came
    bool line_text; // the current line has more than CR
    bool digits;    // CHUNK_SIZE: a digit came
    uint64_t left;  // octets of the body or the chunk
};

/* How many of these bytes, from the front, belong to this request and may be handed over now. */
size_t frame_take(struct frame *frame, struct slice bytes);
/* What follows the head, said by the parser: so many octets, or (chunked) until the last chunk. */
void frame_expect(struct frame *frame, bool chunked, uint64_t octets);
void frame_next(struct frame *frame);
/* Whether frame_take would take a byte. */
bool frame_wants(const struct frame *frame);
