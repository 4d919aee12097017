#include "server/imap/fetch_section.h"

#include <stdio.h>

const struct mime_part *section_part(const struct mime_meta *meta, const struct fetch_item *item)
{
    char section[FETCH_PARTS_MAX * 11 + 1];
    size_t len = 0;
    for (size_t i = 0; i < item->part_count; i++)
        len += (size_t)snprintf(section + len, sizeof section - len, i ? ".%u" : "%u", (unsigned)item->parts[i]);
    for (size_t i = 0; i < meta->part_count; i++)
        if (slice_eq(meta->parts[i].imap_section, slice_make(section, len)))
            return &meta->parts[i];
    return NULL;
}

static struct section_extent extent_of(uint64_t at, uint64_t len)
{
    return (struct section_extent){ true, (int64_t)at, (int64_t)len };
}

struct section_extent section_find(const struct mime_meta *meta, const struct fetch_item *item)
{
    struct section_extent none = { 0 };
    const struct mime_part *part = NULL, *message = NULL;
    if (meta->part_count == 0)
        return item->text == FETCH_TEXT_ALL && item->part_count == 0 ? extent_of(0, meta->size) : none;
    if (item->part_count == 0) {
        message = &meta->parts[0];
        if (item->text == FETCH_TEXT_ALL)
            return extent_of(0, meta->size);
    } else {
        part = section_part(meta, item);
        if (!part)
            return none;
        if (item->text == FETCH_TEXT_ALL)
            return extent_of(part->body_at, part->body_len);
        if (item->text == FETCH_TEXT_MIME)
            return extent_of(part->header_at, part->header_len);
        // HEADER and TEXT of a part are those of the message inside (RFC 3501 6.4.5).
        size_t child = (size_t)(part - meta->parts) + 1;
        if (!part->is_message || child >= meta->part_count || meta->parts[child].parent != child - 1)
            return none;
        message = &meta->parts[child];
    }
    return item->text == FETCH_TEXT_TEXT ? extent_of(message->body_at, message->body_len)
                                         : extent_of(message->header_at, message->header_len);
}

void section_cut(struct section_extent *extent, const struct fetch_item *item)
{
    if (!item->partial)
        return;
    if (item->partial_at >= (uint64_t)extent->len) {
        extent->len = 0;
        return;
    }
    extent->at += (int64_t)item->partial_at;
    extent->len -= (int64_t)item->partial_at;
    if (extent->len > (int64_t)item->partial_len)
        extent->len = (int64_t)item->partial_len;
}

struct slice section_partial(struct slice octets, const struct fetch_item *item)
{
    struct section_extent extent = { true, 0, (int64_t)octets.len };
    section_cut(&extent, item);
    return slice_make(octets.at + (extent.len ? extent.at : 0), (size_t)extent.len);
}

static bool is_wanted(const struct fetch_item *item, struct slice name)
{
    bool listed = false;
    for (size_t i = 0; i < item->field_count; i++)
        listed = listed || slice_eq_nocase(item->fields[i], name);
    return listed == (item->text == FETCH_TEXT_FIELDS);
}

void section_filter(struct slice header, const struct fetch_item *item, struct buf *out)
{
    bool wanted = false;
    while (header.len) {
        size_t newline = slice_find(header, '\n');
        struct slice line = slice_head(header, newline == SIZE_MAX ? header.len : newline + 1);
        header = slice_tail(header, line.len);
        if (slice_trim(line).len == 0 && line.at[0] != ' ' && line.at[0] != '\t')
            break;
        if (line.at[0] != ' ' && line.at[0] != '\t') { // not the continuation of a field
            struct slice rest = line;
            wanted = slice_find(line, ':') != SIZE_MAX && is_wanted(item, slice_trim(slice_cut(&rest, ':')));
        }
        if (wanted)
            buf_add(out, line);
    }
    buf_add_text(out, "\r\n");
}
