/* Bodies of items: which form a client gets and how it is cut (MS-ASAIRS 2.2.2.9 Body, 2.2.2.10 BodyPart). */
#pragma once

#include "protocol/eas/options.h"
#include "protocol/mime/meta.h"
#include "protocol/wbxml/wbxml.h"

struct eas_body_choice {
    uint8_t type;                                  // enum eas_body_type of the answer; NONE: metadata only
    const struct eas_body_preference *preference;  // NULL when there was none
};

/* The preferences in the order to try them; an AllOrNone one that is too big passes on to the next. Returns how many
 * (at least 1, at most EAS_PREFERENCES_MAX + 1): the last has no AllOrNone in force. */
size_t eas_body_choose(const struct eas_options *options, int version, bool native_html, bool is_smime,
                       struct eas_body_choice choices[EAS_PREFERENCES_MAX + 1]);

struct eas_body {
    uint8_t type;       // TEXT, HTML or MIME
    uint64_t size;      // octets of the whole body in this type
    bool truncated;
    struct slice data;  // UTF-8, cut already; not written when empty
    uint32_t part;      // multipart answers: the part that holds data; 0: inline
    struct slice preview;
    bool has_preview;
};
void eas_body_write(struct wbxml_writer *writer, const struct eas_body *body);
/* The same as BodyPart, with its Status 1. */
void eas_body_part_write(struct wbxml_writer *writer, const struct eas_body *body);

/* The first characters of text. */
struct slice eas_preview(struct slice text, uint32_t characters);
/* At most max octets, not inside a character; HTML not inside a tag either. */
struct slice eas_body_cut(struct slice data, uint64_t max, bool html);
/* Declares UTF-8: charset names in <meta> elements are replaced. Appends to out. */
void eas_html_declare_utf8(struct slice html, struct buf *out);

/* A message as text for a Body of type MIME: when its octets are no UTF-8 or hold characters that XML forbids, the
 * parts at fault are sent as base64 under a changed Content-Transfer-Encoding. Appends to out. raw: whole message. */
void eas_mime_to_text(struct slice raw, const struct mime_meta *meta, struct buf *out);
