/* WBXML 1.3 as ActiveSync uses it (MS-ASWBXML; WAP-192-WBXML 1.3): a streaming reader, a tree in an arena, a writer.
 * A tag is its code page and its token in one number, named WB_Page_Element after the table in code_pages.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "protocol/wbxml/code_pages.h"

#define WBXML_DEPTH_MAX 32u
#define WBXML_ELEMENTS_MAX 100000u // elements and pieces of text of a document
#define WBXML_TEXT_MAX 65536u      // octets of an element's text; but for message octets (Mime, Data, Content, MIMEData)
#define WBXML_STRINGS_MAX 4096u    // octets of a string table

#define WBXML_CODE(page, token) ((uint16_t)((page) << 8 | (token)))
#define WBXML_TAG_PAGE(tag) ((uint8_t)((tag) >> 8))
#define WBXML_TAG_TOKEN(tag) ((uint8_t)((tag)&0xff))

enum wbxml_page {
#define X(name, page) WB_PAGE_##name = (page),
    WBXML_PAGES(X)
#undef X
};

enum wbxml_tag {
#define X(page, name, token, since) WB_##page##_##name = WB_PAGE_##page << 8 | (token),
    WBXML_TAGS(X)
#undef X
};

struct wbxml_row {
    uint16_t tag;
    uint16_t since; // protocol version times ten; 0: reserved
    const char *page, *name;
};

extern const struct wbxml_row wbxml_rows[];
extern const size_t wbxml_row_count;
/* The row of a tag; NULL for one that the table does not know. */
const struct wbxml_row *wbxml_find(uint16_t tag);
/* "Email:Subject"; "?" for an unknown tag. For logs. */
const char *wbxml_name(uint16_t tag);

/* ---- reading ---- */

enum wbxml_event {
    WBXML_START, // tag; an END follows, for empty elements too
    WBXML_END,   // tag
    WBXML_TEXT,  // text: valid UTF-8 without NUL
    WBXML_OPAQUE,
    WBXML_DONE,  // the root has ended; what follows it is ignored
};

struct wbxml_token {
    enum wbxml_event event;
    uint16_t tag;
    bool known;        // START and END: the tag is in the table
    struct slice text; // into the document
};

struct wbxml_reader {
    struct slice rest, strings;
    uint16_t open[WBXML_DEPTH_MAX];
    uint32_t depth, elements;
    uint8_t page;
    bool empty_open; // the last START was an empty tag: its END is due
    bool rooted;
};

/* Reads the head. errors: ERR_SYNTAX (other version, public id or charset), ERR_LIMIT (string table) */
MUST_USE enum err wbxml_reader_init(struct wbxml_reader *reader, struct slice document);
/* The next token. errors: ERR_SYNTAX (entities, literals, extensions, attributes, bad lengths or UTF-8, cut off),
 * ERR_LIMIT (depth, elements) */
MUST_USE enum err wbxml_read(struct wbxml_reader *reader, struct wbxml_token *token);

struct wbxml_node {
    uint16_t tag;
    bool opaque;       // at least one piece of the text was opaque
    struct slice text; // all pieces joined; into the document when it is one piece
    struct wbxml_node *child, *next;
};

/* Reads a whole document. Elements that the table does not know are left out with what is in them and counted in
 * *unknown (may be NULL). The tree lives in the arena and points into the document. errors: as wbxml_read */
MUST_USE enum err wbxml_parse(struct slice document, struct arena *arena, struct wbxml_node **root, size_t *unknown);
/* The first child with the tag; NULL when there is none or node is NULL. */
struct wbxml_node *wbxml_child(const struct wbxml_node *node, uint16_t tag);
/* The next sibling with the same tag. */
struct wbxml_node *wbxml_same(const struct wbxml_node *node);
size_t wbxml_count(const struct wbxml_node *node, uint16_t tag);
/* Text of the first child with the tag; at is NULL when there is none. */
struct slice wbxml_child_text(const struct wbxml_node *node, uint16_t tag);
/* A number in an element's text; false when node is NULL or the text is no number up to max. */
bool wbxml_number(const struct wbxml_node *node, uint64_t max, uint64_t *number);
/* A boolean element: absent gives otherwise; an empty tag is true; "0" and "false" are false. */
bool wbxml_bool(const struct wbxml_node *node, bool otherwise);
/* Whether an element's text is a boolean: empty, 0, 1, true or false. */
bool wbxml_is_bool(const struct wbxml_node *node);

/* ---- writing ---- */

struct wbxml_writer {
    struct buf *out;   // the caller's; nobody else may change its front while a document is written
    size_t tag_at;     // offset in out of the innermost start tag, SIZE_MAX once it has content
    uint16_t open[WBXML_DEPTH_MAX];
    uint32_t depth;
    uint8_t page;
};

/* Begins a document: writes the head. */
void wbxml_writer_init(struct wbxml_writer *writer, struct buf *out);
void wbxml_start(struct wbxml_writer *writer, uint16_t tag);
void wbxml_end(struct wbxml_writer *writer, uint16_t tag); // of the innermost; one without content becomes an empty tag
void wbxml_empty(struct wbxml_writer *writer, uint16_t tag);
/* Text is made valid: octets that are not UTF-8 become U+FFFD, characters that XML 1.0 forbids (NUL too) are dropped.
 * Empty text gives the empty tag. */
void wbxml_text(struct wbxml_writer *writer, uint16_t tag, struct slice text);
void wbxml_cstr(struct wbxml_writer *writer, uint16_t tag, const char *text);
void wbxml_u64(struct wbxml_writer *writer, uint16_t tag, uint64_t number);
void wbxml_opaque(struct wbxml_writer *writer, uint16_t tag, struct slice octets);
/* Text whose octets the caller sends between the two calls (valid already, not in out). */
void wbxml_text_open(struct wbxml_writer *writer, uint16_t tag);
void wbxml_text_close(struct wbxml_writer *writer, uint16_t tag);
/* Takes back everything written since a copy of the writer was made, len being buf_len(out) at that time. */
void wbxml_rewind(struct wbxml_writer *writer, const struct wbxml_writer *copy, size_t len);

/* Part of a document that is written ahead of what stands in front of it: no head, beginning on `page`. wbxml_splice puts
 * it into writer, which must be on that page; all its elements are closed. */
void wbxml_fragment_init(struct wbxml_writer *fragment, struct buf *out, uint8_t page);
void wbxml_splice(struct wbxml_writer *writer, const struct wbxml_writer *fragment, uint8_t page);

/* mb_u_int32 (WAP-192-WBXML 5.1). Reading refuses more than five octets and values over 2^32-1. */
MUST_USE enum err wbxml_take_number(struct slice *in, uint32_t *number);
void wbxml_add_number(struct buf *out, uint32_t number);
/* Appends text made valid for an XML 1.0 document. */
void wbxml_add_clean(struct buf *out, struct slice text);
