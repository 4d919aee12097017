/* SEARCH programs: RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 4731 (ESEARCH), RFC 5182 (SAVE), RFC 5032 (WITHIN), RFC 7162
 * 3.1.5 (MODSEQ), RFC 8514 (SAVEDATE), RFC 8474 (EMAILID, THREADID), RFC 9394 (PARTIAL). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "protocol/imap/partial.h"
#include "protocol/imap/uidset.h"

#define SEARCH_KEYS_MAX 1000u // keys of one command
#define SEARCH_DEPTH_MAX 32u  // nested parentheses, NOT and OR

enum search_op {
    SEARCH_ALL,
    SEARCH_AND, // children
    SEARCH_OR,  // two children
    SEARCH_NOT, // one child
    SEARCH_SEQ, // set, of message numbers
    SEARCH_UID, // set
    SEARCH_FLAG, // bit is set (NOT around it for UNSEEN ...): system flag bit in `number`
    SEARCH_KEYWORD, // text
    SEARCH_RECENT,
    SEARCH_LARGER,
    SEARCH_SMALLER,
    SEARCH_BEFORE, // internal date; number is days since 1970-01-01
    SEARCH_ON,
    SEARCH_SINCE,
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE,
    SEARCH_SAVEDBEFORE,
    SEARCH_SAVEDON,
    SEARCH_SAVEDSINCE,
    SEARCH_OLDER, // number: seconds
    SEARCH_YOUNGER,
    SEARCH_HEADER, // field, text
    SEARCH_FROM,
    SEARCH_TO,
    SEARCH_CC,
    SEARCH_BCC,
    SEARCH_SUBJECT,
    SEARCH_BODY,
    SEARCH_TEXT,
    SEARCH_MODSEQ, // number
    SEARCH_EMAILID,
    SEARCH_THREADID,
    SEARCH_SAVEDATESUPPORTED,
};

struct search_key {
    enum search_op op;
    struct search_key *children; // linked by next
    struct search_key *next;
    struct uidset set;
    uint64_t number;
    struct slice field, text; // as the client sent it, in the charset of the program
};

enum search_return {
    SEARCH_RETURN_MIN = 1,
    SEARCH_RETURN_MAX = 2,
    SEARCH_RETURN_ALL = 4,
    SEARCH_RETURN_COUNT = 8,
    SEARCH_RETURN_SAVE = 16,
    SEARCH_RETURN_PARTIAL = 32,
};

struct search_program {
    struct search_key *root;       // SEARCH_AND over the keys given
    bool has_return;               // RETURN (...) was given
    unsigned returns;              // SEARCH_RETURN_* bits; "RETURN ()" means ALL
    struct partial_range partial;
    struct slice charset;          // empty: none given
    bool uses_modseq;
};

/* Parses what follows "SEARCH ": [RETURN (...)] [CHARSET x] keys, up to the end. errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err search_parse(struct slice *in, struct arena *arena, struct search_program *program);

/* ---- SORT and THREAD (RFC 5256), on the same keys ---- */

#define SORT_KEYS_MAX 16u

enum sort_by { SORT_ARRIVAL, SORT_CC, SORT_DATE, SORT_DISPLAYFROM, SORT_DISPLAYTO, SORT_FROM, SORT_SIZE, SORT_SUBJECT, SORT_TO };

struct sort_key {
    enum sort_by by;
    bool reverse;
};

struct sort_program {
    struct sort_key keys[SORT_KEYS_MAX];
    size_t count;
    struct search_program search; // its charset is always given
};
/* [RETURN (...) SP] "(" sort keys ")" SP charset SP search keys. errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err sort_parse(struct slice *in, struct arena *arena, struct sort_program *program);

struct thread_program {
    bool by_subject; // ORDEREDSUBJECT; else REFERENCES
    struct search_program search;
};
/* algorithm SP charset SP search keys. errors: ERR_SYNTAX (also an algorithm that is not offered), ERR_LIMIT */
MUST_USE enum err thread_parse(struct slice *in, struct arena *arena, struct thread_program *program);
