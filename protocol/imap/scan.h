/* The small words of IMAP commands: RFC 9051 section 9 (formal syntax), with RFC 3501's.
 * Input is a whole command without its final CRLF; literals stand inside it as "{n}" CRLF and n octets. Each function
 * moves *in past what it took, and leaves it untouched when it returns false or an error. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define SCAN_FLAGS_MAX 128u // flags of one list

/* ---- characters (RFC 9051 9) ---- */
bool scan_is_atom_char(char c);    // ATOM-CHAR
bool scan_is_astring_char(char c); // ASTRING-CHAR: ATOM-CHAR or "]"
bool scan_is_list_char(char c);    // list-char: ATOM-CHAR, wildcards or "]"

/* ---- words ---- */
bool scan_sp(struct slice *in); // exactly one space
/* A keyword without case; what follows must not be an atom character: "UID" does not match "UIDX". */
bool scan_word(struct slice *in, const char *word);
bool scan_atom(struct slice *in, struct slice *atom);
bool scan_tag(struct slice *in, struct slice *tag); // 1*<any ASTRING-CHAR except "+">
bool scan_number(struct slice *in, uint32_t *number);
bool scan_nz_number(struct slice *in, uint32_t *number);
bool scan_number64(struct slice *in, uint64_t *number); // up to 2^63-1 (RFC 9051 number64, RFC 7162 mod-sequence-value)

/* "{n}", "{n+}", "~{n}" at the very end of a line: the framing asks what the line announces.
 * Returns false when the line ends in no literal. */
struct scan_announced {
    uint64_t size;
    bool non_sync; // "{n+}"
    bool binary;   // literal8 (RFC 3516)
    size_t at;     // offset of "{" or "~" in the line
};
bool scan_announced_literal(struct slice line, struct scan_announced *literal);

/* quoted, literal or literal8; quoted text is unescaped into the arena. errors: ERR_SYNTAX */
MUST_USE enum err scan_string(struct slice *in, struct arena *arena, struct slice *text);
/* astring = 1*ASTRING-CHAR / string */
MUST_USE enum err scan_astring(struct slice *in, struct arena *arena, struct slice *text);
/* nstring: *nil is true and text empty for NIL */
MUST_USE enum err scan_nstring(struct slice *in, struct arena *arena, struct slice *text, bool *nil);
/* list-mailbox = 1*list-char / string */
MUST_USE enum err scan_list_mailbox(struct slice *in, struct arena *arena, struct slice *pattern);

/* ---- flags ---- */
struct scan_flags {
    uint64_t system; // SCAN_* bits
    const struct slice *keywords;
    size_t keyword_count;
};
enum scan_flag_bit { // the same bits as the store's
    SCAN_SEEN = 1,
    SCAN_ANSWERED = 2,
    SCAN_FLAGGED = 4,
    SCAN_DELETED = 8,
    SCAN_DRAFT = 16,
    SCAN_RECENT = 32, // only read, never stored
};
/* "(" [flag *(SP flag)] ")"; `bare` also allows flags without parentheses (STORE). errors: ERR_SYNTAX, ERR_LIMIT.
 * Unknown "\Words" are refused (ERR_SYNTAX); \Recent sets SCAN_RECENT, which the caller ignores. */
MUST_USE enum err scan_flag_list(struct slice *in, struct arena *arena, bool bare, struct scan_flags *flags);

/* ---- dates ---- */
/* date = date-text / DQUOTE date-text DQUOTE, as days since 1970-01-01 */
bool scan_date(struct slice *in, int64_t *days);
/* date-time = DQUOTE dd-Mon-yyyy SP hh:mm:ss SP zone DQUOTE, as microseconds since 1970 UTC */
bool scan_date_time(struct slice *in, int64_t *us);
