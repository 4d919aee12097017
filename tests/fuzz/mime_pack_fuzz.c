/* Packed descriptions as storage may give them back: nothing in there may be believed. The message is 4,096 blanks. */
#include <assert.h>
#include <stdint.h>

#include "protocol/mime/meta.h"
#include "protocol/mime/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char blanks[4096];
    struct arena *arena = arena_open();
    struct buf packed = { 0 }, out = { 0 };
    struct mime_meta meta, again;
    memset(blanks, ' ', sizeof blanks);
    if (mime_meta_unpack(slice_make(data, size), 0, arena, &meta) == ERR_OK) {
        for (size_t i = 0; i < meta.part_count; i++) {
            const struct mime_part *part = &meta.parts[i];
            assert(part->header_at <= meta.size && part->header_len <= meta.size - part->header_at);
            assert(part->body_at <= meta.size && part->body_len <= meta.size - part->body_at);
            assert(part->parent < i || i == 0);
        }
        mime_meta_pack(&meta, &packed);
        enum err err = mime_meta_unpack(buf_slice(&packed), 9, arena, &again);
        assert(err == ERR_OK && again.size == meta.size + 9 && again.part_count == meta.part_count &&
               again.thread == meta.thread && slice_eq(again.sort_cc, meta.sort_cc));
        struct slice raw = slice_make(blanks, meta.size < sizeof blanks ? meta.size : sizeof blanks);
        mime_render_body(raw, &meta, MIME_BODY_TEXT, &out);
        mime_render_body(raw, &meta, MIME_BODY_HTML, &out);
        mime_native_kind(&meta);
    }
    buf_free(&packed);
    buf_free(&out);
    arena_close(&arena);
    return 0;
}
