#include "server/imap/fetch_binary.h"

#include <string.h>

#include "server/imap/fetch_section.h"

#define PIECE_BYTES 262144 // of the encoded octets, read at once

enum binary_extent binary_find(const struct mime_meta *meta, const struct fetch_item *item, int64_t *at, int64_t *len,
                               uint8_t *encoding)
{
    struct section_extent extent = section_find(meta, item);
    const struct mime_part *part = item->part_count ? section_part(meta, item) : NULL;
    *at = extent.at;
    *len = extent.len;
    // What has parts of its own is no leaf: its octets are as they stand.
    *encoding = part && !part->is_multipart && !part->is_message ? part->encoding : MIME_BINARY;
    return !extent.found ? BINARY_NONE : *encoding == MIME_UNKNOWN_ENCODING ? BINARY_UNKNOWN : BINARY_FOUND;
}

static enum err decode_piece(struct binary_read *b, struct db *db, const struct message_row *message, struct buf *out)
{
    struct buf piece = { 0 };
    int64_t len = b->left < PIECE_BYTES ? b->left : PIECE_BYTES;
    enum err err = message_read(db, message, b->at, len, &piece);
    if (!err) {
        part_stream_add(&b->stream, buf_slice(&piece), out);
        b->at += len;
        b->left -= len;
        if (b->left == 0)
            part_stream_end(&b->stream, out);
    }
    buf_free(&piece);
    return err;
}

void binary_begin(struct binary_read *b, int64_t at, int64_t len, uint8_t encoding, uint64_t skip, uint64_t want)
{
    *b = (struct binary_read){ .active = want > 0, .at = at, .left = len, .skip = skip, .want = want };
    part_stream_init(&b->stream, encoding);
}

void binary_drop(struct binary_read *b)
{
    part_stream_fini(&b->stream);
    *b = (struct binary_read){ 0 };
}

enum err binary_measure(struct db *db, const struct message_row *message, int64_t at, int64_t len, uint8_t encoding,
                        uint64_t *size, bool *has_nul)
{
    struct binary_read b;
    struct buf decoded = { 0 };
    enum err err = ERR_OK;
    *size = 0;
    *has_nul = false;
    binary_begin(&b, at, len, encoding, 0, 1);
    while (b.left && !err) {
        err = decode_piece(&b, db, message, &decoded);
        struct slice octets = buf_slice(&decoded);
        *size += octets.len;
        *has_nul = *has_nul || (octets.len && memchr(octets.at, 0, octets.len));
        buf_clear(&decoded);
    }
    buf_free(&decoded);
    binary_drop(&b);
    return err;
}

enum err binary_step(struct binary_read *b, struct db *db, const struct message_row *message, struct buf *out)
{
    struct buf decoded = { 0 };
    enum err err = b->left ? decode_piece(b, db, message, &decoded) : ERR_OK;
    struct slice octets = buf_slice(&decoded);
    if (!err) {
        uint64_t skip = b->skip < octets.len ? b->skip : octets.len;
        octets = slice_tail(octets, (size_t)skip);
        octets = slice_head(octets, b->want < octets.len ? (size_t)b->want : octets.len);
        buf_add(out, octets);
        b->skip -= skip;
        b->want -= octets.len;
        if (b->left == 0)
            for (; b->want; b->want--) // the store lost octets: the length is promised
                buf_add_byte(out, ' ');
        if (b->want == 0)
            binary_drop(b);
    }
    buf_free(&decoded);
    return err;
}
