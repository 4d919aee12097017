/* Reading messages for comparing: descriptions and small octets by the batch, big ones as far as the reader asks. */
#include <stdlib.h>

#include "storage/blob_internal.h"
#include "storage/search_internal.h"

#define WHOLE_MAX 262144   // octets of a message that is read whole, beside others
#define BATCH_MAX 64u      // messages
#define BATCH_OCTETS 2097152

struct search_octets {
    struct db *db;
    const struct search_message *message;
    struct buf some, block; // of a big message: what was asked for last; a chunk, which holds many small parts
    uint64_t block_number;
};

size_t search_batch(const int64_t *sizes, size_t count)
{
    int64_t octets = 0;
    size_t n = 0;
    while (n < count && n < BATCH_MAX && (n == 0 || octets + sizes[n] <= BATCH_OCTETS))
        octets += sizes[n++];
    return n;
}

static enum err read_again(struct search_octets *o, uint64_t at, uint64_t len, struct buf *buf)
{
    buf_clear(buf);
    return message_read(o->db, &o->message->row, (int64_t)at, (int64_t)len, buf);
}

enum err search_octets_read(struct search_octets *o, uint64_t at, uint64_t len, struct slice *out)
{
    const struct search_message *m = o->message;
    *out = SLICE_LIT("");
    if (at >= (uint64_t)m->row.size)
        return ERR_OK;
    uint64_t left = (uint64_t)m->row.size - at;
    len = len < left ? len : left;
    if (!len)
        return ERR_OK;
    if (m->octets.len) {
        *out = slice_make(m->octets.at + at, (size_t)len);
        return ERR_OK;
    }
    uint64_t block = at / BLOB_CHUNK_BYTES;
    struct slice have;
    if (block != (at + len - 1) / BLOB_CHUNK_BYTES) {
        enum err err = read_again(o, at, len, &o->some);
        *out = buf_slice(&o->some);
        return err;
    }
    if (block != o->block_number || !buf_len(&o->block)) {
        enum err err = read_again(o, block * BLOB_CHUNK_BYTES, BLOB_CHUNK_BYTES, &o->block);
        if (err)
            return err;
        o->block_number = block;
    }
    have = buf_slice(&o->block);
    size_t from = (size_t)(at - block * BLOB_CHUNK_BYTES);
    if (from + len > have.len)
        return fail(&o->db->trace, ERR_STATE, "a message is shorter than its row says");
    *out = slice_make(have.at + from, (size_t)len);
    return ERR_OK;
}

/* The octets of small messages in one statement; who is not found stays empty and is read alone. */
static enum err load_octets(struct db *db, struct arena *arena, struct search_message *messages, size_t count)
{
    struct blob_id *ids = arena_new(arena, struct blob_id, count + 1);
    struct slice *octets = arena_new(arena, struct slice, count + 1);
    size_t *of = arena_new(arena, size_t, count + 1), used = 0;
    for (size_t i = 0; i < count; i++)
        if (messages[i].row.size <= WHOLE_MAX) {
            of[used] = i;
            ids[used++] = messages[i].row.blob;
        }
    enum err err = used ? blob_read_small(db, arena, ids, used, octets) : ERR_OK;
    for (size_t i = 0; i < used && !err; i++) {
        struct search_message *m = &messages[of[i]];
        if (!octets[i].len)
            continue;
        m->octets = octets[i];
        if (!m->row.prefix.len)
            continue;
        size_t len = m->row.prefix.len + octets[i].len;
        char *whole = arena_alloc(arena, len + 1);
        memcpy(whole, m->row.prefix.at, m->row.prefix.len);
        memcpy(whole + m->row.prefix.len, octets[i].at, octets[i].len);
        m->octets = slice_make(whole, len);
    }
    return err;
}

enum err search_load(struct db *db, struct arena *arena, struct account_id account, const struct message_id *ids,
                     size_t count, struct search_message **messages, size_t *message_count)
{
    struct message_row *rows;
    enum err err = message_get(db, arena, account, ids, count, &rows, message_count);
    if (err)
        return err;
    *messages = arena_new(arena, struct search_message, *message_count + 1);
    for (size_t i = 0; i < *message_count; i++)
        (*messages)[i].row = rows[i];
    return load_octets(db, arena, *messages, *message_count);
}

enum err search_texts_of(struct db *db, const struct search_reader *reader, const struct search_message *message,
                         bool whole, struct arena *arena, struct search_texts *texts)
{
    struct search_octets octets = { .db = db, .message = message };
    *texts = (struct search_texts){ 0 };
    enum err err = reader->read(&message->row, &octets, whole, arena, texts);
    buf_free(&octets.some);
    buf_free(&octets.block);
    return err;
}
