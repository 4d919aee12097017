/* What of a message a search looks into: decoded header fields and text parts, folded, so that texts compare as octets.
 * Folding is i;unicode-casemap's (RFC 5051) with full case folding: compatibility decomposition, case folding, and the
 * Turkish dotless i like any other i, as its title case says. So U finds u-umlaut, ss finds sharp s, half width finds full
 * width, and final sigma any sigma. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "protocol/mime/meta.h"

#define SEARCHABLE_TEXT_MAX 16777216u   // octets of folded text of one message; the rest is not looked into
#define SEARCHABLE_HEADER_MAX 4194304u  // octets of folded header fields of a message and its parts

/* Appends valid UTF-8, folded. */
void mime_fold(struct slice utf8, struct buf *out);
/* The same of any octets, in the arena: what is no UTF-8 becomes U+FFFD, what XML forbids is dropped, as in texts. */
struct slice mime_folded(struct slice utf8, struct arena *arena);

struct mime_source { // the octets of the message, read as they are needed, in ascending order
    void *ctx;
    /* Octets [at, at + len), less at the end; live until the next call. */
    enum err (*read)(void *ctx, uint64_t at, uint64_t len, struct slice *out);
};

enum mime_line { MIME_LINE_FROM, MIME_LINE_TO, MIME_LINE_CC, MIME_LINE_BCC, MIME_LINE_SUBJECT, MIME_LINES };

struct mime_searchable { // folded; in the arena
    struct slice lines[MIME_LINES]; // addresses as "Name <a@b>, ..."; the field as it is written behind it when it differs
    bool has_sent_day;
    int32_t sent_day;    // days since 1970 as the Date field says it, whatever its zone
    struct slice header; // "name: value" LF for every field, the message's own first; then those of parts, and file names
    size_t own_len;
    struct slice body;   // text parts, LF between them; HTML as text
};

/* whole: header and body, too. errors: those of the source */
MUST_USE enum err mime_searchable_read(const struct mime_meta *meta, const struct mime_source *source, bool whole,
                                       struct arena *arena, struct mime_searchable *out);

/* ---- for SORT and THREAD (RFC 5256, RFC 5957) ---- */

/* The display name of the first address of "Name <a@b>, ..."; without one the address. Folded, in the arena. */
struct slice mime_sort_display(struct slice addresses, struct arena *arena);
/* Whether taking the base subject takes away a mark of a reply or a forward (RFC 5256 2.1). */
bool mime_subject_is_reply(struct slice subject);
