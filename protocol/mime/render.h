/* Bodies for phones: decoded to UTF-8, HTML to text and back, cut at character borders. GMime and libxml2 decode. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "protocol/mime/meta.h"

enum mime_body_kind { MIME_BODY_TEXT, MIME_BODY_HTML };

/* Undoes the transfer encoding of body octets (parts[part]); appends to out. Broken base64 or QP: as much as decodes. */
void mime_decode_part(const struct mime_part *part, struct slice body, struct buf *out);
/* To UTF-8 from the part's charset (unknown ones: UTF-8 if valid, else windows-1252); invalid octets become U+FFFD;
 * characters that XML 1.0 forbids are dropped. */
void mime_to_utf8(struct slice charset, struct slice octets, struct buf *out);
/* The same, strictly: ERR_NOT_FOUND for a charset that is not known, ERR_SYNTAX for octets that are no text in it. */
MUST_USE enum err mime_from_charset(struct slice charset, struct slice octets, struct buf *out);
/* Which part is shown as the body in this kind: index, or SIZE_MAX when there is none. The native kind, when wanted:
 * mime_native_kind. multipart/alternative: last of the kind; mixed: first. */
size_t mime_body_part(const struct mime_meta *meta, enum mime_body_kind kind);
enum mime_body_kind mime_native_kind(const struct mime_meta *meta);
/* The whole shown body as UTF-8 in the wanted kind; text parts are converted when only the other kind exists.
 * raw: the whole message. */
void mime_render_body(struct slice raw, const struct mime_meta *meta, enum mime_body_kind kind, struct buf *out);
void mime_html_to_text(struct slice html_utf8, struct buf *out);
void mime_text_to_html(struct slice text_utf8, struct buf *out);
/* At most max octets, cut before a split UTF-8 character. */
struct slice mime_cut_utf8(struct slice s, size_t max);
