/* FreeText of Search and Find: words as people type them, with the properties of the Keyword Query Language that make
 * sense for mail (MS-KQL 2.1; MS-ASCMD 2.2.3.74 FreeText). `from:bob "two words" -draft red OR green
 * hasattachments:true`: terms are joined by AND, OR binds two neighbours, NOT and "-" negate, quotes keep words
 * together. A property that is not known is text. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define EAS_TERMS_MAX 32u       // terms of one text
#define EAS_FREE_TEXT_MAX 1024u // octets of it

enum eas_term_kind {
    EAS_TERM_ANY, // sender, recipients, subject or body
    EAS_TERM_FROM,
    EAS_TERM_TO,
    EAS_TERM_CC,
    EAS_TERM_BCC,
    EAS_TERM_PARTICIPANT, // sender or recipients
    EAS_TERM_SUBJECT,
    EAS_TERM_BODY,
    EAS_TERM_ATTACHMENT, // has one (`on`) or has none
    EAS_TERM_READ,
    EAS_TERM_FLAGGED,
};

struct eas_term {
    enum eas_term_kind kind;
    struct slice text; // not empty, but for the last three kinds
    bool on;           // those
    bool negated;
    bool or_next; // an alternative to the term behind it; never set on the last, nor beside an attachment term
};

/* Splits the text into terms, in the arena; none for a text of blanks. errors: ERR_LIMIT */
MUST_USE enum err eas_free_text_parse(struct slice text, struct arena *arena, struct eas_term **terms, size_t *count);
