/* FETCH items: RFC 9051 6.4.5, RFC 3501 6.4.5, RFC 7162 3.1.4 (CHANGEDSINCE), RFC 8970 (PREVIEW), RFC 8514 (SAVEDATE),
 * RFC 8474 (EMAILID, THREADID), RFC 3516 (BINARY). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "protocol/imap/partial.h"

#define FETCH_ITEMS_MAX 200u  // items of one FETCH
#define FETCH_PARTS_MAX 64u   // numbers in one section: "1.2.3"
#define FETCH_FIELDS_MAX 200u // names in HEADER.FIELDS

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_RFC822_SIZE,
    FETCH_MODSEQ,
    FETCH_ENVELOPE,
    FETCH_BODY,          // BODY without a section: the structure without extension data
    FETCH_BODYSTRUCTURE,
    FETCH_SECTION,       // BODY[...] and BODY.PEEK[...]
    FETCH_RFC822,        // = BODY[]
    FETCH_RFC822_HEADER, // = BODY.PEEK[HEADER]
    FETCH_RFC822_TEXT,   // = BODY[TEXT]
    FETCH_PREVIEW,
    FETCH_SAVEDATE,
    FETCH_EMAILID,
    FETCH_THREADID,
    FETCH_BINARY,        // BINARY[...] and BINARY.PEEK[...]
    FETCH_BINARY_SIZE,
};

enum fetch_text { FETCH_TEXT_ALL, FETCH_TEXT_HEADER, FETCH_TEXT_FIELDS, FETCH_TEXT_FIELDS_NOT, FETCH_TEXT_TEXT, FETCH_TEXT_MIME };

struct fetch_item {
    enum fetch_kind kind;
    bool peek;
    bool lazy; // PREVIEW (LAZY)
    /* FETCH_SECTION, FETCH_BINARY, FETCH_BINARY_SIZE */
    const uint32_t *parts; // part numbers, empty for the message itself
    size_t part_count;
    enum fetch_text text;
    const struct slice *fields; // names as the client wrote them
    size_t field_count;
    bool partial;
    uint64_t partial_at;
    uint32_t partial_len; // never 0
    struct slice label;   // what to write back: "BODY[1.2]<0>" without PEEK and length, upper case but for field names
};

struct fetch_program {
    const struct fetch_item *items;
    size_t count;
    bool sets_seen;     // some item without PEEK reads a body
    bool needs_message; // some item needs more than the snapshot has
    bool needs_octets;
    uint64_t changed_since; // 0: none given ("CHANGEDSINCE 0" is legal and the same)
    bool has_changed_since;
    bool vanished;          // RFC 7162 3.2.6
    bool has_partial;
    struct partial_range partial; // RFC 9394 3.3
};

/* Parses "ALL", "FULL", "FAST", one item or a list, and modifiers "(CHANGEDSINCE n VANISHED PARTIAL 1:9)" up to the end of *in.
 * errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err fetch_parse(struct slice *in, struct arena *arena, struct fetch_program *program);
