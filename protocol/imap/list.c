#include "protocol/imap/list.h"

#include <stdlib.h>

#include "base/mem.h"

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* Length of a first level that is INBOX in any case, else 0. */
static size_t inbox_len(struct slice path)
{
    struct slice inbox = SLICE_LIT("INBOX");
    if (!slice_starts_nocase(path, inbox) || (path.len > inbox.len && path.at[inbox.len] != LIST_DELIMITER))
        return 0;
    return inbox.len;
}

static bool is_wildcard(char c)
{
    return c == '*' || c == '%';
}

/* The pattern with each run of wildcards as one: with a "*" in it, it is a "*". Its length. */
static size_t compress(struct slice pattern, char *to, size_t *literals)
{
    size_t len = 0;
    *literals = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.at[i];
        *literals += !is_wildcard(c);
        if (len && is_wildcard(c) && is_wildcard(to[len - 1]))
            to[len - 1] = c == '*' ? c : to[len - 1];
        else
            to[len++] = c;
    }
    return len;
}

/* From every place in the pattern to that behind its wildcard. */
static bool pass_wildcards(const char *pattern, size_t len, bool *at)
{
    bool any = at[len];
    for (size_t i = 0; i < len; i++) {
        any = any || at[i];
        if (at[i] && is_wildcard(pattern[i]))
            at[i + 1] = true;
    }
    return any;
}

bool list_matches(struct slice path, struct slice pattern)
{
    size_t folded = inbox_len(path), literals;
    char *short_pattern = mem_alloc(pattern.len);
    size_t len = compress(pattern, short_pattern, &literals);
    if (literals > path.len) {
        free(short_pattern);
        return false;
    }
    // All places of the pattern where the path read so far may stand, at once.
    bool *at = mem_alloc(len + 1), any = true;
    at[0] = true;
    pass_wildcards(short_pattern, len, at);
    for (size_t p = 0; p < path.len && any; p++) {
        char c = path.at[p];
        at[len] = false;
        for (size_t i = len; i-- > 0;) {
            char want = short_pattern[i];
            bool same = want == c || (p < folded && upper(want) == upper(c));
            if (at[i] && !is_wildcard(want) && same)
                at[i + 1] = true;
            at[i] = at[i] && (want == '*' || (want == '%' && c != LIST_DELIMITER));
        }
        any = pass_wildcards(short_pattern, len, at);
    }
    bool matches = at[len];
    free(at);
    free(short_pattern);
    return matches;
}
