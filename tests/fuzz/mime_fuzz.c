/* Describes any octets, packs, unpacks and renders them; and unpacks the octets themselves. */
#include <assert.h>
#include <stdint.h>

#include "protocol/mime/meta.h"
#include "protocol/mime/normal.h"
#include "protocol/mime/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mime_meta *meta, size_t size)
{
    assert(meta->part_count >= 1 && meta->part_count <= MIME_PARTS_MAX);
    for (size_t i = 0; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        assert(part->header_at + part->header_len == part->body_at);
        assert(part->body_at <= size && part->body_len <= size - part->body_at);
        assert(part->parent < i || i == 0);
    }
    // What goes over the wire as it is: no line breaks, no NUL, no 8-bit octets, balanced parentheses.
    const struct slice wire[] = { meta->envelope, meta->bodystructure, meta->body };
    for (size_t k = 0; k < 3; k++) {
        int depth = 0;
        bool quoted = false;
        for (size_t i = 0; i < wire[k].len; i++) {
            char c = wire[k].at[i];
            assert(c > 0 && c != '\r' && c != '\n');
            if (quoted && c == '\\')
                i++;
            else if (c == '"')
                quoted = !quoted;
            else if (!quoted)
                depth += (c == '(') - (c == ')');
        }
        assert(depth == 0 && !quoted);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct mime_meta meta, again;
    struct buf packed = { 0 }, out = { 0 };
    struct mime_normal normal = { 0 };
    struct slice raw = slice_make(data, size);

    mime_describe(raw, arena, &meta);
    check(&meta, size);
    mime_meta_pack(&meta, &packed);
    enum err err = mime_meta_unpack(buf_slice(&packed), 0, arena, &again);
    assert(err == ERR_OK && again.part_count == meta.part_count && slice_eq(again.envelope, meta.envelope));
    mime_render_body(raw, &again, MIME_BODY_TEXT, &out);
    mime_render_body(raw, &again, MIME_BODY_HTML, &out);
    if (mime_meta_unpack(raw, 7, arena, &again) == ERR_OK)
        mime_render_body(slice_head(raw, size / 2), &again, MIME_BODY_TEXT, &out);
    buf_clear(&out);
    mime_normal_add(&normal, raw, &out);
    mime_normal_end(&normal, &out);

    buf_free(&packed);
    buf_free(&out);
    arena_close(&arena);
    return 0;
}
