/* message.meta at rest: a dictionary's number in the first octet, then a zstd frame. 0: no dictionary. Every dictionary
 * that was ever shipped stays in the program (postgres-store.md 8). */
#include <inttypes.h>
#include <zstd.h>

#include "storage/db_internal.h"

#define META_LEVEL 3
#define META_MAX (64u << 20) // octets unpacked; far beyond what MIME_PARTS_MAX parts describe

static const char no_dictionary = 0;

void meta_pack(struct db *db, struct slice meta, struct buf *out)
{
    if (!db->compressor)
        db->compressor = ZSTD_createCCtx();
    size_t bound = ZSTD_compressBound(meta.len);
    char *at = buf_reserve(out, 1 + bound);
    at[0] = no_dictionary;
    size_t len = ZSTD_compressCCtx(db->compressor, at + 1, bound, meta.at, meta.len, META_LEVEL);
    buf_commit(out, 1 + len);
}

enum err meta_unpack(struct db *db, struct arena *arena, struct slice packed, struct slice *meta)
{
    if (packed.len < 1 || packed.at[0] != no_dictionary)
        return fail(&db->trace, ERR_STATE, "description packed with an unknown dictionary");
    struct slice frame = slice_tail(packed, 1);
    unsigned long long size = ZSTD_getFrameContentSize(frame.at, frame.len);
    if (size > META_MAX) // also what zstd says for "unknown" and "error"
        return fail(&db->trace, ERR_STATE, "description is damaged");
    if (!db->expander)
        db->expander = ZSTD_createDCtx();
    char *at = arena_alloc(arena, (size_t)size + 1);
    size_t len = ZSTD_decompressDCtx(db->expander, at, (size_t)size, frame.at, frame.len);
    if (ZSTD_isError(len) || len != size)
        return fail(&db->trace, ERR_STATE, "description is damaged: %s", ZSTD_getErrorName(len));
    *meta = slice_make(at, len);
    return ERR_OK;
}

void meta_unpack_or_none(struct db *db, struct arena *arena, struct slice packed, struct slice *meta)
{
    if (meta_unpack(db, arena, packed, meta))
        *meta = SLICE_LIT("");
}
