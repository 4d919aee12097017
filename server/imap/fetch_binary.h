/* FETCH BINARY (RFC 3516): a part without its transfer encoding, in pieces; nothing of it is held in memory. */
#pragma once

#include "protocol/imap/fetch.h"
#include "protocol/mime/part_stream.h"
#include "storage/message.h"

struct binary_read {
    bool active;
    struct part_stream stream;
    int64_t at, left;    // encoded octets still to read
    uint64_t skip, want; // decoded octets to pass over, then to tell
};

enum binary_extent { BINARY_NONE, BINARY_FOUND, BINARY_UNKNOWN };

/* Whether the item's part is there, and its encoding known; *encoding and where its octets are. */
enum binary_extent binary_find(const struct mime_meta *meta, const struct fetch_item *item, int64_t *at, int64_t *len,
                               uint8_t *encoding);
/* Reads a part once to its end: *size decoded octets, and whether a NUL is among them. */
MUST_USE enum err binary_measure(struct db *db, const struct message_row *message, int64_t at, int64_t len,
                                 uint8_t encoding, uint64_t *size, bool *has_nul);
void binary_begin(struct binary_read *b, int64_t at, int64_t len, uint8_t encoding, uint64_t skip, uint64_t want);
/* The next piece, to out; b->active is false behind the last. */
MUST_USE enum err binary_step(struct binary_read *b, struct db *db, const struct message_row *message, struct buf *out);
void binary_drop(struct binary_read *b);
