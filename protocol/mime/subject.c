/* Keys for sorting and threading: RFC 5256 2.1 (Base Subject), message ids, hashes. */
#include <glib.h>

#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"
#include "protocol/mime/searchable.h"

#define SUBJECT_MAX 1000u // octets that are looked at: clients sort by what they can show

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice skip_blanks(struct slice s)
{
    while (s.len && is_blank(s.at[0]))
        s = slice_tail(s, 1);
    return s;
}

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool take_blob(struct slice *s)
{
    if (!s->len || s->at[0] != '[')
        return false;
    size_t i = 1;
    while (i < s->len && s->at[i] != '[' && s->at[i] != ']')
        i++;
    if (i >= s->len || s->at[i] != ']')
        return false;
    *s = skip_blanks(slice_tail(*s, i + 1));
    return true;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool take_refwd(struct slice *s)
{
    struct slice rest = *s;
    if (slice_starts_nocase(rest, SLICE_LIT("re")))
        rest = slice_tail(rest, 2);
    else if (slice_starts_nocase(rest, SLICE_LIT("fwd")))
        rest = slice_tail(rest, 3);
    else if (slice_starts_nocase(rest, SLICE_LIT("fw")))
        rest = slice_tail(rest, 2);
    else
        return false;
    rest = skip_blanks(rest);
    take_blob(&rest);
    if (!slice_take(&rest, ':'))
        return false;
    *s = rest;
    return true;
}

/* subj-leader = (*subj-blob subj-refwd) / WSP */
static bool take_leader(struct slice *s, bool *is_reply)
{
    struct slice rest = *s;
    if (rest.len && is_blank(rest.at[0])) {
        *s = skip_blanks(rest);
        return true;
    }
    while (take_blob(&rest))
        continue;
    if (!take_refwd(&rest))
        return false;
    *s = rest;
    *is_reply = true;
    return true;
}

static void drop_trailers(struct slice *s)
{
    *s = slice_trim(*s);
    while (slice_ends_nocase(*s, SLICE_LIT("(fwd)"))) {
        s->len -= 5;
        *s = slice_trim(*s);
    }
}

/* Whether a "re:" or "fwd:" was among them. */
static bool drop_leaders(struct slice *s)
{
    bool more = true, is_reply = false;
    while (more) {
        more = false;
        while (take_leader(s, &is_reply))
            more = true;
        struct slice rest = *s;
        if (take_blob(&rest) && rest.len) {
            *s = rest;
            more = true;
        }
    }
    return is_reply;
}

struct slice mime_upper(struct slice s, struct arena *arena)
{
    if (!mime_is_ascii(s)) {
        char *upper = g_utf8_strup(s.at, (gssize)s.len);
        struct slice copy = arena_copy(arena, slice_of(upper));
        g_free(upper);
        return copy;
    }
    char *to = arena_text(arena, s);
    for (size_t i = 0; i < s.len; i++)
        if (to[i] >= 'a' && to[i] <= 'z')
            to[i] = (char)(to[i] - 32);
    return slice_make(to, s.len);
}

/* What is left when everything is taken away; *is_reply: a "re:", "fwd:", "(fwd)" or "[fwd: ]" was. */
static struct slice strip(struct slice base, bool *is_reply)
{
    for (;;) {
        size_t len = slice_trim(base).len;
        drop_trailers(&base);
        *is_reply = *is_reply || base.len < len;
        *is_reply = drop_leaders(&base) || *is_reply;
        if (!slice_starts_nocase(base, SLICE_LIT("[fwd:")) || base.at[base.len - 1] != ']')
            return base;
        base = slice_make(base.at + 5, base.len - 6);
        *is_reply = true;
    }
}

bool mime_subject_is_reply(struct slice subject)
{
    bool is_reply = false;
    strip(mime_cut_utf8(subject, SUBJECT_MAX), &is_reply);
    return is_reply;
}

struct slice mime_base_subject(struct slice subject, struct arena *arena)
{
    bool is_reply = false;
    subject = mime_cut_utf8(subject, SUBJECT_MAX);
    char *text = arena_alloc(arena, subject.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < subject.len; i++) {
        bool blank = is_blank(subject.at[i]);
        if (!blank || len == 0 || text[len - 1] != ' ')
            text[len++] = blank ? ' ' : subject.at[i];
    }
    return mime_upper(strip(slice_make(text, len), &is_reply), arena);
}

size_t mime_message_ids(struct slice value, struct slice *ids, size_t max)
{
    size_t count = 0;
    while (count < max) {
        size_t open = slice_find(value, '<');
        if (open == SIZE_MAX)
            break;
        value = slice_tail(value, open);
        size_t close = slice_find(value, '>');
        if (close == SIZE_MAX)
            break;
        if (close > 1)
            ids[count++] = slice_head(value, close + 1);
        value = slice_tail(value, close + 1);
    }
    return count;
}

/* FNV-1a, then a finisher that spreads short differences over all bits. */
uint64_t mime_hash(struct slice s)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.at[i]) * UINT64_C(1099511628211);
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    return h;
}
