#include "server/eas/extents.h"

#include <stdlib.h>

#include "base/mem.h"
#include "protocol/eas/base64.h"
#include "protocol/mime/part_stream.h"

#define PIECE_BYTES (256 * 1024) // of a part, at a time

struct extent {
    struct extent *next;
    struct buf octets;       // ready ones
    struct message_row *row; // else a part; in the arena
    struct mime_part part;
    uint64_t from, len; // of the decoded octets
    bool as_base64;
    uint64_t size;      // octets on the wire
};

struct eas_extents {
    struct arena *arena;
    struct extent *first, *last;
    uint64_t size;
    /* while it is sent: extents are read once, front to back */
    uint64_t sent;
    struct extent *current;
    struct part_stream stream;
    uint64_t raw_at;  // encoded octets of the part that were read
    uint64_t skipped; // decoded octets in front of `from`
    uint64_t taken;   // decoded octets of the range that were passed on
    struct buf carry; // up to two octets that wait for their base64 group
};

struct eas_extents *eas_extents_open(void)
{
    struct eas_extents *extents = mem_new(struct eas_extents);
    extents->arena = arena_open();
    return extents;
}

void eas_extents_close(struct eas_extents **extents)
{
    struct eas_extents *old = *extents;
    if (!old)
        return;
    for (struct extent *extent = old->first; extent; extent = extent->next)
        buf_free(&extent->octets);
    part_stream_fini(&old->stream);
    buf_free(&old->carry);
    arena_close(&old->arena);
    free(old);
    *extents = NULL;
}

static struct extent *append(struct eas_extents *extents, uint64_t size)
{
    struct extent *extent = arena_new(extents->arena, struct extent, 1);
    extent->size = size;
    extents->size += size;
    if (extents->last)
        extents->last->next = extent;
    else
        extents->first = extent;
    extents->last = extent;
    return extent;
}

void eas_extents_add(struct eas_extents *extents, struct buf *octets)
{
    if (buf_len(octets) == 0)
        return;
    struct extent *extent = append(extents, buf_len(octets));
    buf_move(&extent->octets, octets);
}

void eas_extents_add_part(struct eas_extents *extents, const struct message_row *row, const struct mime_part *part,
                          uint64_t from, uint64_t len, bool as_base64)
{
    struct extent *extent = append(extents, as_base64 ? base64_len(len) : len);
    extent->row = arena_new(extents->arena, struct message_row, 1);
    *extent->row = *row;
    extent->row->prefix = arena_copy(extents->arena, row->prefix);
    extent->row->meta = SLICE_LIT("");
    extent->part = *part;
    extent->from = from;
    extent->len = len;
    extent->as_base64 = as_base64;
}

uint64_t eas_extents_size(const struct eas_extents *extents)
{
    return extents->size;
}

/* The next piece of a part, decoded; *at moves. *end: that was the last. */
static enum err read_piece(struct db *db, const struct message_row *row, const struct mime_part *part,
                           struct part_stream *stream, uint64_t *at, struct buf *decoded, bool *end)
{
    struct buf encoded = { 0 };
    uint64_t left = part->body_len - *at, len = left < PIECE_BYTES ? left : PIECE_BYTES;
    enum err err = len ? message_read(db, row, (int64_t)(part->body_at + *at), (int64_t)len, &encoded) : ERR_OK;
    if (!err && buf_len(&encoded) != len)
        err = ERR_NOT_FOUND; // shorter than its description
    if (!err) {
        part_stream_add(stream, buf_slice(&encoded), decoded);
        *at += len;
        *end = *at == part->body_len;
        if (*end)
            part_stream_end(stream, decoded);
    }
    buf_free(&encoded);
    return err;
}

enum err eas_part_size(struct db *db, const struct message_row *row, const struct mime_part *part, uint64_t *size)
{
    if (part->encoding != MIME_BASE64 && part->encoding != MIME_QUOTED_PRINTABLE) {
        *size = part->body_len;
        return ERR_OK;
    }
    struct part_stream stream;
    uint64_t at = 0, total = 0;
    bool end = false;
    enum err err = ERR_OK;
    part_stream_init(&stream, part->encoding);
    while (!end && !err) {
        struct buf decoded = { 0 };
        err = read_piece(db, row, part, &stream, &at, &decoded, &end);
        total += buf_len(&decoded);
        buf_free(&decoded);
    }
    part_stream_fini(&stream);
    if (!err)
        *size = total;
    return err;
}

/* Decoded octets of the range on their way out. */
static void pass_on(struct eas_extents *extents, struct slice octets, struct buf *out)
{
    const struct extent *extent = extents->current;
    extents->taken += octets.len;
    if (!extent->as_base64) {
        buf_add(out, octets);
        return;
    }
    buf_add(&extents->carry, octets);
    bool last = extents->taken == extent->len;
    size_t whole = last ? buf_len(&extents->carry) : buf_len(&extents->carry) / 3 * 3;
    base64_add(out, slice_head(buf_slice(&extents->carry), whole));
    buf_consume(&extents->carry, whole);
}

static enum err send_part(struct eas_extents *extents, struct db *db, struct buf *out, bool *done)
{
    const struct extent *extent = extents->current;
    struct buf decoded = { 0 };
    bool end = false;
    if (extents->raw_at == 0 && extents->taken == 0)
        part_stream_init(&extents->stream, extent->part.encoding);
    enum err err = read_piece(db, extent->row, &extent->part, &extents->stream, &extents->raw_at, &decoded, &end);
    if (!err) {
        struct slice octets = buf_slice(&decoded);
        uint64_t skip = extent->from - extents->skipped;
        skip = skip < octets.len ? skip : octets.len;
        extents->skipped += skip;
        octets = slice_tail(octets, (size_t)skip);
        uint64_t left = extent->len - extents->taken;
        pass_on(extents, slice_head(octets, octets.len < left ? octets.len : (size_t)left), out);
        *done = extents->taken == extent->len;
        if (end && !*done)
            err = ERR_CONFLICT; // it was longer when it was measured
    }
    buf_free(&decoded);
    return err;
}

static void next_extent(struct eas_extents *extents)
{
    extents->current = extents->current->next;
    part_stream_fini(&extents->stream);
    extents->raw_at = extents->skipped = extents->taken = 0;
    buf_clear(&extents->carry);
}

static enum err read_extents(void *ctx, struct worker *worker, uint64_t offset, struct buf *out)
{
    struct eas_extents *extents = ctx;
    size_t before = buf_len(out);
    if (offset != extents->sent)
        return ERR_STATE;
    if (offset == 0)
        extents->current = extents->first;
    enum err err = ERR_OK;
    while (extents->current && !err && buf_len(out) - before < PIECE_BYTES) {
        if (!extents->current->row) {
            buf_move(out, &extents->current->octets);
            next_extent(extents);
            continue;
        }
        struct db *db = worker_db(worker);
        bool done = extents->current->len == 0;
        if (!done)
            err = db ? send_part(extents, db, out, &done) : ERR_UNAVAILABLE;
        if (!err && done)
            next_extent(extents);
    }
    extents->sent += buf_len(out) - before;
    return err;
}

enum err eas_extents_read(struct eas_extents *extents, struct worker *worker, struct buf *out)
{
    enum err err = ERR_OK;
    while (!err && extents->sent < extents->size)
        err = read_extents(extents, worker, extents->sent, out);
    return err;
}

static void free_extents(void *ctx)
{
    struct eas_extents *extents = ctx;
    eas_extents_close(&extents);
}

void eas_extents_answer(struct eas_extents **extents, struct eas_request *req, const char *content_type)
{
    struct eas_extents *ctx = *extents;
    *extents = NULL;
    eas_add_headers(req);
    http_answer_stream(req->http, 200, content_type, ctx->size, read_extents, free_extents, ctx);
}
