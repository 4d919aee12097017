/* Which octets of a message a FETCH item means. */
#pragma once

#include "base/buf.h"
#include "protocol/imap/fetch.h"
#include "protocol/mime/meta.h"

struct section_extent {
    bool found;
    int64_t at, len;
};

/* The part with the item's number, or NULL. */
const struct mime_part *section_part(const struct mime_meta *meta, const struct fetch_item *item);
/* The extent of BODY[...]; of HEADER.FIELDS: the header block to be filtered. */
struct section_extent section_find(const struct mime_meta *meta, const struct fetch_item *item);
/* Applies "<at.len>": what lies past the end is empty. */
void section_cut(struct section_extent *extent, const struct fetch_item *item);
struct slice section_partial(struct slice octets, const struct fetch_item *item);
/* The header lines that HEADER.FIELDS (or .NOT) wants, and the blank line. */
void section_filter(struct slice header, const struct fetch_item *item, struct buf *out);
