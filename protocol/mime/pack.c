/* The packed description: a version octet, then numbers as varints (7 bits an octet, low first) and strings as length
 * and octets, in the order of struct mime_meta. */
#include "protocol/mime/meta.h"

#define VERSION 1

enum part_bit { // packed flags of a part
    PART_MULTIPART = 1,
    PART_MESSAGE = 2,
    PART_ATTACHMENT = 4,
    PART_INLINE = 8,
};
enum meta_bit { META_ATTACHMENTS = 1, META_SIGNED = 2, META_ENCRYPTED = 4, META_MEETING = 8 };

static void put(struct buf *out, uint64_t n)
{
    char *at = buf_reserve(out, 10);
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        at[len++] = (char)(n | 0x80);
    at[len++] = (char)n;
    buf_commit(out, len);
}

static void put_signed(struct buf *out, int64_t n)
{
    put(out, (uint64_t)n << 1 ^ (uint64_t)(n >> 63));
}

static void put_text(struct buf *out, struct slice s)
{
    put(out, s.len);
    if (s.len)
        buf_add(out, s);
}

static void pack_part(const struct mime_part *part, struct buf *out)
{
    unsigned bits = (part->is_multipart ? PART_MULTIPART : 0u) | (part->is_message ? PART_MESSAGE : 0u) |
                    (part->is_attachment ? PART_ATTACHMENT : 0u) | (part->inline_disposition ? PART_INLINE : 0u);
    put(out, part->parent);
    put(out, part->depth);
    put(out, part->header_at);
    put(out, part->header_len);
    put(out, part->body_at);
    put(out, part->body_len);
    put(out, part->body_lines);
    put(out, part->header_lines);
    put(out, part->encoding);
    put(out, bits);
    put_text(out, part->type);
    put_text(out, part->subtype);
    put_text(out, part->charset);
    put_text(out, part->filename);
    put_text(out, part->content_id);
    put_text(out, part->content_location);
    put_text(out, part->imap_section);
}

/* The strings of a description, in packed order. */
#define STRINGS 18
static void strings_of(struct mime_meta *meta, struct slice *strings[STRINGS])
{
    struct slice *order[STRINGS] = {
        &meta->envelope, &meta->bodystructure, &meta->body,        &meta->preview,   &meta->subject,
        &meta->from,     &meta->to,            &meta->cc,          &meta->bcc,       &meta->reply_to,
        &meta->sender,   &meta->message_id,    &meta->in_reply_to, &meta->references, &meta->sort_subject,
        &meta->sort_from, &meta->sort_to,      &meta->sort_cc,
    };
    memcpy(strings, order, sizeof order);
}

void mime_meta_pack(const struct mime_meta *meta, struct buf *out)
{
    struct mime_meta copy = *meta;
    struct slice *strings[STRINGS];
    unsigned bits = (meta->has_attachments ? META_ATTACHMENTS : 0u) | (meta->is_signed ? META_SIGNED : 0u) |
                    (meta->is_encrypted ? META_ENCRYPTED : 0u) | (meta->is_meeting ? META_MEETING : 0u);
    buf_add_byte(out, VERSION);
    put(out, meta->size);
    put(out, meta->header_len);
    put(out, bits);
    put(out, meta->importance);
    put(out, meta->meeting_part);
    put_signed(out, meta->date_us);
    put_signed(out, meta->date_zone_min);
    put_signed(out, meta->thread);
    strings_of(&copy, strings);
    for (size_t i = 0; i < STRINGS; i++)
        put_text(out, *strings[i]);
    put(out, meta->part_count);
    for (size_t i = 0; i < meta->part_count; i++)
        pack_part(&meta->parts[i], out);
}

/* ---- unpacking; `bad` is set at the first thing that cannot be and stays ---- */

struct reader {
    struct slice in;
    bool bad;
};

static uint64_t get(struct reader *r, uint64_t max)
{
    uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!r->in.len)
            break;
        unsigned char c = (unsigned char)r->in.at[0];
        r->in = slice_tail(r->in, 1);
        n |= (uint64_t)(c & 0x7f) << shift;
        if (c & 0x80)
            continue;
        if (n > max)
            break;
        return n;
    }
    r->bad = true;
    return 0;
}

static int64_t get_signed(struct reader *r)
{
    uint64_t n = get(r, UINT64_MAX);
    return (int64_t)(n >> 1 ^ (~(n & 1) + 1));
}

static struct slice get_text(struct reader *r)
{
    uint64_t len = get(r, SIZE_MAX);
    if (len > r->in.len) {
        r->bad = true;
        return SLICE_LIT("");
    }
    struct slice s = slice_head(r->in, (size_t)len);
    r->in = slice_tail(r->in, (size_t)len);
    return s;
}

static void unpack_part(struct reader *r, struct mime_part *part, size_t index, uint64_t size)
{
    part->parent = (uint32_t)get(r, index ? index - 1 : 0);
    part->depth = (uint32_t)get(r, MIME_DEPTH_MAX);
    part->header_at = get(r, size);
    part->header_len = get(r, size - part->header_at);
    part->body_at = get(r, size);
    part->body_len = get(r, size - part->body_at);
    part->body_lines = (uint32_t)get(r, UINT32_MAX);
    part->header_lines = (uint32_t)get(r, UINT32_MAX);
    part->encoding = (uint8_t)get(r, MIME_UNKNOWN_ENCODING);
    unsigned bits = (unsigned)get(r, 15);
    part->is_multipart = bits & PART_MULTIPART;
    part->is_message = bits & PART_MESSAGE;
    part->is_attachment = bits & PART_ATTACHMENT;
    part->inline_disposition = bits & PART_INLINE;
    part->type = get_text(r);
    part->subtype = get_text(r);
    part->charset = get_text(r);
    part->filename = get_text(r);
    part->content_id = get_text(r);
    part->content_location = get_text(r);
    part->imap_section = get_text(r);
}

/* The prefix lines belong to the header of the message. */
static void move_by(struct mime_meta *meta, uint64_t prefix_len)
{
    meta->size += prefix_len;
    meta->header_len += prefix_len;
    for (size_t i = 0; i < meta->part_count; i++) {
        struct mime_part *part = &meta->parts[i];
        if (i == 0)
            part->header_len += prefix_len;
        else
            part->header_at += prefix_len;
        part->body_at += prefix_len;
    }
}

enum err mime_meta_unpack(struct slice packed, uint64_t prefix_len, struct arena *arena, struct mime_meta *meta)
{
    struct mime_meta out = { 0 };
    struct reader r = { .in = packed };
    struct slice *strings[STRINGS];
    if (!slice_take(&r.in, VERSION))
        return ERR_SYNTAX;
    out.size = get(&r, UINT32_MAX);
    out.header_len = get(&r, out.size);
    unsigned bits = (unsigned)get(&r, 15);
    out.has_attachments = bits & META_ATTACHMENTS;
    out.is_signed = bits & META_SIGNED;
    out.is_encrypted = bits & META_ENCRYPTED;
    out.is_meeting = bits & META_MEETING;
    out.importance = (uint8_t)get(&r, 2);
    out.meeting_part = (uint32_t)get(&r, MIME_PARTS_MAX);
    out.date_us = get_signed(&r);
    out.date_zone_min = (int16_t)get_signed(&r);
    out.thread = get_signed(&r);
    strings_of(&out, strings);
    for (size_t i = 0; i < STRINGS; i++)
        *strings[i] = get_text(&r);
    out.part_count = get(&r, MIME_PARTS_MAX);
    if (r.bad || out.part_count == 0 || out.meeting_part >= out.part_count || prefix_len > UINT32_MAX)
        return ERR_SYNTAX;
    out.parts = arena_new(arena, struct mime_part, out.part_count);
    for (size_t i = 0; i < out.part_count && !r.bad; i++)
        unpack_part(&r, &out.parts[i], i, out.size);
    if (r.bad || r.in.len)
        return ERR_SYNTAX;
    move_by(&out, prefix_len);
    *meta = out;
    return ERR_OK;
}
