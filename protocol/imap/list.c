#include "protocol/imap/list.h"

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

bool list_matches(struct slice path, struct slice pattern)
{
    size_t folded = inbox_len(path);
    size_t p = 0, q = 0;
    // Where to go on when the text no longer fits: behind the last "*", and behind a "%" that came after it.
    size_t star_q = SIZE_MAX, star_p = 0, percent_q = SIZE_MAX, percent_p = 0;
    while (p < path.len) {
        if (q < pattern.len && pattern.at[q] == '*') {
            star_q = ++q;
            star_p = p;
            percent_q = SIZE_MAX;
        } else if (q < pattern.len && pattern.at[q] == '%') {
            percent_q = ++q;
            percent_p = p;
        } else if (q < pattern.len && (pattern.at[q] == path.at[p] ||
                                       (p < folded && upper(pattern.at[q]) == upper(path.at[p])))) {
            p++;
            q++;
        } else if (percent_q != SIZE_MAX && path.at[percent_p] != LIST_DELIMITER) {
            p = ++percent_p;
            q = percent_q;
        } else if (star_q != SIZE_MAX) {
            p = ++star_p;
            q = star_q;
            percent_q = SIZE_MAX;
        } else {
            return false;
        }
    }
    while (q < pattern.len && (pattern.at[q] == '*' || pattern.at[q] == '%'))
        q++;
    return q == pattern.len;
}
