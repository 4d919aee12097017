/* Undoing a part's transfer encoding piece by piece, for parts of any size: base64 and quoted-printable
 * (RFC 2045 6.7, 6.8); others pass as they are. Broken input gives as much as decodes. */
#pragma once

#include "base/buf.h"
#include "protocol/mime/meta.h"

struct part_stream {
    uint8_t encoding; // enum mime_encoding
    uint32_t bits;    // base64: the open group
    uint8_t letters;  // base64: letters in it
    char held[2];     // quoted-printable: "=" and the first digit behind it
    uint8_t held_len;
    struct buf blanks; // quoted-printable: what is dropped when the line ends here
};

void part_stream_init(struct part_stream *stream, uint8_t encoding);
void part_stream_fini(struct part_stream *stream);
void part_stream_add(struct part_stream *stream, struct slice in, struct buf *out);
void part_stream_end(struct part_stream *stream, struct buf *out); // what is still held
