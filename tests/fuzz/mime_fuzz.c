/* Describes any octets, packs, unpacks and renders them: what is said about a message is true of its octets. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/mutf7.h"
#include "protocol/mime/meta.h"
#include "protocol/mime/normal.h"
#include "protocol/mime/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t lines_of(struct slice raw, uint64_t at, uint64_t len)
{
    return slice_count(slice_make(raw.at + at, len), '\n');
}

static void check_part(struct slice raw, const struct mime_meta *meta, size_t i)
{
    const struct mime_part *part = &meta->parts[i], *parent = &meta->parts[part->parent];
    assert(part->header_at + part->header_len == part->body_at);
    assert(part->body_at <= raw.len && part->body_len <= raw.len - part->body_at);
    assert(part->header_lines == lines_of(raw, part->header_at, part->header_len));
    assert(part->body_lines == lines_of(raw, part->body_at, part->body_len));
    assert(part->type.len && part->subtype.len);
    assert(utf8_is_valid(part->filename) && utf8_is_valid(part->content_id) && utf8_is_valid(part->content_location));
    assert(part->is_multipart == slice_eq(part->type, SLICE_LIT("multipart")));
    if (i == 0) {
        assert(part->header_at == 0 && part->body_at + part->body_len == raw.len && part->depth == 0);
        return;
    }
    assert(part->parent < i && part->depth == parent->depth + 1 && part->depth <= MIME_DEPTH_MAX);
    assert(parent->is_multipart || (parent->is_message && part->parent == i - 1));
    assert(part->header_at >= parent->body_at);
    assert(part->body_len == 0 || part->body_at + part->body_len <= parent->body_at + parent->body_len);
    if (parent->is_message)
        assert(part->header_at == parent->body_at);
    // A part begins behind all that came before it, but its own parents.
    const struct mime_part *last = &meta->parts[i - 1];
    if (part->parent != i - 1)
        assert(part->header_at >= last->body_at + last->body_len);
}

/* What goes over the wire as it is: no line breaks, no NUL, no 8-bit octets, balanced parentheses. */
static void check_wire(struct slice wire)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < wire.len; i++) {
        char c = wire.at[i];
        assert(c > 0 && c != '\r' && c != '\n');
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (c == '(') - (c == ')');
        assert(depth > 0 || i + 1 == wire.len);
    }
    assert(depth == 0 && !quoted);
}

static void check(struct slice raw, const struct mime_meta *meta)
{
    const struct slice texts[] = { meta->preview, meta->subject,    meta->from,         meta->to,        meta->cc,
                                   meta->bcc,     meta->reply_to,   meta->sender,       meta->message_id, meta->in_reply_to,
                                   meta->references, meta->sort_subject, meta->sort_from, meta->sort_to, meta->sort_cc };
    assert(meta->size == raw.len && meta->header_len == meta->parts[0].header_len);
    assert(meta->part_count >= 1 && meta->part_count <= MIME_PARTS_MAX && meta->meeting_part < meta->part_count);
    for (size_t i = 0; i < meta->part_count; i++)
        check_part(raw, meta, i);
    check_wire(meta->envelope);
    check_wire(meta->bodystructure);
    check_wire(meta->body);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert(utf8_is_valid(texts[i]));
        for (size_t k = 0; k < texts[i].len; k++)
            assert((unsigned char)texts[i].at[k] >= 0x20);
    }
    size_t characters = 0;
    for (size_t i = 0; i < meta->preview.len; i++)
        characters += ((unsigned char)meta->preview.at[i] & 0xc0) != 0x80;
    assert(characters <= MIME_PREVIEW_MAX);
}

/* Packed, unpacked and packed again: the same octets. */
static void check_pack(const struct mime_meta *meta, struct arena *arena, struct mime_meta *again)
{
    struct buf packed = { 0 }, repacked = { 0 };
    mime_meta_pack(meta, &packed);
    enum err err = mime_meta_unpack(arena_copy(arena, buf_slice(&packed)), 0, arena, again);
    assert(err == ERR_OK);
    mime_meta_pack(again, &repacked);
    assert(slice_eq(buf_slice(&packed), buf_slice(&repacked)));
    buf_free(&packed);
    buf_free(&repacked);
}

static void check_render(struct slice raw, const struct mime_meta *meta, enum mime_body_kind kind)
{
    struct buf out = { 0 };
    mime_render_body(raw, meta, kind, &out);
    struct slice text = buf_slice(&out);
    assert(utf8_is_valid(text));
    for (size_t i = 0; i < text.len; i++) // XML 1.0 carries it
        assert((unsigned char)text.at[i] >= 0x20 || text.at[i] == '\t' || text.at[i] == '\r' || text.at[i] == '\n');
    buf_free(&out);
}

/* CRLF only, whatever pieces it came in, and a second time changes nothing. */
static void check_normal(struct slice raw)
{
    struct mime_normal normal = { 0 };
    struct buf once = { 0 }, pieces = { 0 }, twice = { 0 };
    mime_normal_add(&normal, raw, &once);
    mime_normal_end(&normal, &once);
    for (size_t i = 0; i < raw.len; i++)
        mime_normal_add(&normal, slice_make(raw.at + i, 1), &pieces);
    mime_normal_end(&normal, &pieces);
    mime_normal_add(&normal, buf_slice(&once), &twice);
    mime_normal_end(&normal, &twice);
    struct slice s = buf_slice(&once);
    assert(slice_eq(s, buf_slice(&pieces)) && slice_eq(s, buf_slice(&twice)));
    for (size_t i = 0; i < s.len; i++) {
        assert(s.at[i] != '\n' || (i > 0 && s.at[i - 1] == '\r'));
        assert(s.at[i] != '\r' || (i + 1 < s.len && s.at[i + 1] == '\n'));
    }
    buf_free(&once);
    buf_free(&pieces);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct mime_meta meta, again;
    struct slice raw = slice_make(data, size);

    mime_describe(raw, arena, &meta);
    check(raw, &meta);
    check_pack(&meta, arena, &again);
    check_render(raw, &again, MIME_BODY_TEXT);
    check_render(raw, &again, MIME_BODY_HTML);
    check_render(slice_head(raw, size / 2), &again, MIME_BODY_TEXT); // an original that was cut behind our back
    check_normal(raw);
    arena_close(&arena);
    return 0;
}
