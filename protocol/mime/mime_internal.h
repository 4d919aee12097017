/* What the files of protocol/mime share: header fields, parameters, addresses, the part tree while it is described. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "protocol/mime/meta.h"

#define MIME_PARAMS_MAX 64u      // parameters of one field that are looked at (RFC 2231 segments are among them)
#define MIME_BOUNDARY_MAX 1000u  // octets of a boundary; RFC 2046 5.1.1 allows 70
#define MIME_ADDRESSES_MAX 5000u // addresses of one field; the rest is cut
#define MIME_STRING_MAX 8192u    // octets of one string in ENVELOPE and BODYSTRUCTURE; the rest is cut
#define MIME_DECODE_MAX 65536u   // octets of a header text that are decoded

/* GMime's own start, once in a process. Every function that calls GMime asks for it first. */
void mime_library(void);

/* ---- header fields ---- */

enum mime_field {
    FIELD_DATE,
    FIELD_SUBJECT,
    FIELD_FROM,
    FIELD_SENDER,
    FIELD_REPLY_TO,
    FIELD_TO,
    FIELD_CC,
    FIELD_BCC,
    FIELD_IN_REPLY_TO,
    FIELD_MESSAGE_ID,
    FIELD_REFERENCES,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_CONTENT_DISPOSITION,
    FIELD_CONTENT_ID,
    FIELD_CONTENT_DESCRIPTION,
    FIELD_CONTENT_MD5,
    FIELD_CONTENT_LANGUAGE,
    FIELD_CONTENT_LOCATION,
    FIELD_IMPORTANCE,
    FIELD_PRIORITY,
    FIELD_X_PRIORITY,
    FIELD_COUNT
};

/* Values, unfolded and trimmed; at is NULL when the field is absent. Of a repeated field the first counts, but address
 * fields are joined by commas. */
struct mime_fields {
    struct slice value[FIELD_COUNT];
};
void mime_fields_read(struct slice header, struct arena *arena, struct mime_fields *fields);

/* Takes one field (with its folded lines) off the front of *header; false at the end. Lines that are no field are
 * skipped. `line` is all of it, `value` what follows the colon, still folded. */
bool mime_field_next(struct slice *header, struct slice *name, struct slice *value, struct slice *line);
/* Without the line breaks of folding, trimmed; NUL, CR and LF inside become blanks. */
struct slice mime_unfold(struct slice value, struct arena *arena);

/* ---- text of headers ---- */

bool mime_is_ascii(struct slice s);
/* RFC 2047 words and raw 8-bit text to clean UTF-8 (no control characters). */
struct slice mime_decode_text(struct slice value, struct arena *arena);
/* Appends s to out as UTF-8 that XML 1.0 can carry: invalid octets become U+FFFD, forbidden characters are dropped.
 * one_line: tab, CR and LF become blanks. */
void mime_clean_utf8(struct slice s, bool one_line, struct buf *out);
bool mime_is_utf8(struct slice s);
/* Appends RFC 2047 words ("=?utf-8?B?...?=") for UTF-8 text. */
void mime_encode_words(struct slice utf8, struct buf *out);

/* ---- Content-Type and Content-Disposition ---- */

struct mime_param {
    struct slice name;  // lower case, without the '*' of RFC 2231
    struct slice value; // unquoted; when extended: charset'language'percent-encoded
    bool extended;
};
struct mime_params {
    struct mime_param *items;
    size_t count;
};
/* Past blanks and comments; comments may nest. */
void mime_skip_cfws(struct slice *in);
/* Reads "; name=value" pairs; RFC 2231 continuations are joined. */
void mime_params_read(struct slice rest, struct arena *arena, struct mime_params *params);
const struct mime_param *mime_param_find(const struct mime_params *params, const char *name);
struct slice mime_param_text(const struct mime_param *param, struct arena *arena); // decoded to UTF-8
struct slice mime_lower(struct slice s, struct arena *arena);

/* ---- addresses ---- */

enum mime_address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };
struct mime_address {
    enum mime_address_kind kind;
    struct slice name;    // phrase or comment without quoting, not decoded; the name of a group is in mailbox
    struct slice route;   // "@a,@b" of an obsolete source route
    struct slice mailbox; // local part without quoting
    struct slice host;    // empty when missing
};
struct mime_addresses {
    struct mime_address *items;
    size_t count;
};
void mime_addresses_read(struct slice value, struct arena *arena, struct mime_addresses *list);
/* "Name <local@host>, ..." decoded to UTF-8. */
struct slice mime_addresses_text(const struct mime_addresses *list, struct arena *arena);
/* "local@host", the local part quoted when it must be. */
struct slice mime_address_spec(const struct mime_address *address, struct arena *arena);

/* ---- the part tree ---- */

struct mime_node { // what a part's header says, beside its mime_part
    struct mime_fields fields;
    struct slice type, subtype, encoding; // as found; defaults filled in
    struct mime_params params;
    struct slice disposition; // as found; empty when none
    struct mime_params disposition_params;
};
struct mime_tree {
    struct slice raw;
    struct arena *arena;
    struct mime_part *parts;
    struct mime_node *nodes;
    size_t count, room;
};
void mime_tree_scan(struct slice raw, struct arena *arena, struct mime_tree *tree);

/* ---- ready for the IMAP wire ---- */

struct slice mime_wire_envelope(const struct mime_fields *fields, struct arena *arena);
/* envelopes[i]: ENVELOPE of the message whose root is part i, else empty. */
struct slice mime_wire_structure(const struct mime_tree *tree, const struct slice *envelopes, bool extended);

/* ---- keys ---- */

struct slice mime_base_subject(struct slice subject_utf8, struct arena *arena); // RFC 5256 2.1, upper case
struct slice mime_upper(struct slice utf8, struct arena *arena);
/* All "<...>" of a field in order. */
size_t mime_message_ids(struct slice value, struct slice *ids, size_t max);
uint64_t mime_hash(struct slice s);

/* ---- preview ---- */

void mime_preview(struct slice raw, const struct mime_meta *meta, struct arena *arena, struct slice *preview);
