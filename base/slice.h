/* Byte slices: a pointer and a length into memory that somebody else owns.
 * A slice has no NUL at its end, may hold NUL bytes inside, and is never given to str* functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t len;
};

#define SLICE_LIT(text) ((struct slice){ (text), sizeof(text) - 1 })
/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).at

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline struct slice slice_make(const void *at, size_t len)
{
    return (struct slice){ at, len };
}

/* The first n bytes; n may not exceed the length. */
static inline struct slice slice_head(struct slice s, size_t n)
{
    return (struct slice){ s.at, n };
}

/* What follows the first n bytes; n may not exceed the length. */
static inline struct slice slice_tail(struct slice s, size_t n)
{
    return (struct slice){ n ? s.at + n : s.at, s.len - n }; // an absent slice stays absent
}

/* Moves past one byte when it is c. */
static inline bool slice_take(struct slice *s, char c)
{
    if (s->len == 0 || s->at[0] != c)
        return false;
    s->at++;
    s->len--;
    return true;
}

bool slice_eq(struct slice a, struct slice b);
/* ASCII case is ignored, other bytes compare as they are. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);
/* How many bytes from the front are in the NUL-terminated set. */
size_t slice_span(struct slice s, const char *set);
size_t slice_count(struct slice s, char c);
/* Offset of the first c or of the first occurrence of needle; SIZE_MAX when there is none. */
size_t slice_find(struct slice s, char c);
size_t slice_find_slice(struct slice s, struct slice needle);
/* Without blanks, tabs, CR and LF at both ends. */
struct slice slice_trim(struct slice s);
/* Whole slice as an unsigned decimal number; false when empty, not all digits, or above max. */
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *number);
/* Cuts the text before the first c off the front of *s, which moves past the c; without a c takes all. */
struct slice slice_cut(struct slice *s, char c);
