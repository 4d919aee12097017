#include "protocol/mime/render.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>

#include "protocol/mime/html_internal.h"
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/part_stream.h"

#define PREVIEW_LOOK_TEXT 4096u  // octets of an encoded text part that a preview reads
#define PREVIEW_LOOK_HTML 65536u // of an HTML part: style sheets come first
#define CHARSET_NAME_MAX 64u

void mime_decode_part(const struct mime_part *part, struct slice body, struct buf *out)
{
    struct part_stream stream;
    part_stream_init(&stream, part->encoding);
    part_stream_add(&stream, body, out);
    part_stream_end(&stream, out);
    part_stream_fini(&stream);
}

static iconv_t open_charset(struct slice charset)
{
    char name[CHARSET_NAME_MAX + 1];
    if (charset.len == 0 || charset.len > CHARSET_NAME_MAX)
        return (iconv_t)-1;
    for (size_t i = 0; i < charset.len; i++) {
        char c = charset.at[i];
        bool fit = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-_.:+()", c);
        if (!fit || !c)
            return (iconv_t)-1;
        name[i] = c;
    }
    name[charset.len] = '\0';
    mime_library();
    return iconv_open("UTF-8", g_mime_charset_iconv_name(name));
}

/* An octet that is no character becomes U+FFFD, and conversion goes on behind it. */
static void convert(iconv_t cd, struct slice octets, struct buf *out)
{
    char *in = (char *)(uintptr_t)octets.at;
    size_t left = octets.len;
    while (left) {
        size_t want = left < 65536 ? left * 2 + 16 : 131072;
        char *to = buf_reserve(out, want), *start = to;
        size_t result = iconv(cd, &in, &left, &to, &want);
        int why = errno;
        buf_commit(out, (size_t)(to - start));
        if (result != (size_t)-1 || why == E2BIG)
            continue;
        buf_add_text(out, "\xef\xbf\xbd");
        in++;
        left--;
    }
    char *to = buf_reserve(out, 16), *start = to;
    size_t room = 16;
    if (iconv(cd, NULL, NULL, &to, &room) != (size_t)-1)
        buf_commit(out, (size_t)(to - start));
}

enum err mime_from_charset(struct slice charset, struct slice octets, struct buf *out)
{
    char *in = (char *)(uintptr_t)octets.at;
    size_t left = octets.len;
    iconv_t cd = open_charset(charset);
    enum err err = cd == (iconv_t)-1 ? ERR_NOT_FOUND : ERR_OK;
    while (!err && left) {
        size_t room = left < 4096 ? left * 4 + 16 : 16384;
        char *to = buf_reserve(out, room), *start = to;
        if (iconv(cd, &in, &left, &to, &room) == (size_t)-1 && errno != E2BIG)
            err = ERR_SYNTAX;
        buf_commit(out, (size_t)(to - start));
    }
    if (cd != (iconv_t)-1)
        iconv_close(cd);
    return err;
}

static bool is_one_of(struct slice charset, const char *const *names)
{
    for (; *names; names++)
        if (slice_eq_nocase(charset, slice_of(*names)))
            return true;
    return false;
}

void mime_to_utf8(struct slice charset, struct slice octets, struct buf *out)
{
    static const char *const ascii[] = { "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", NULL };
    static const char *const utf8[] = { "utf-8", "utf8", "unicode-1-1-utf-8", NULL };
    static const char *const latin1[] = { "iso-8859-1", "latin1", "iso8859-1", "iso_8859-1", NULL };
    if (is_one_of(charset, utf8)) {
        mime_clean_utf8(octets, false, out);
        return;
    }
    // Text of single octets that claims to be UTF-16 or UTF-32: real one has NULs, if only at its line ends.
    bool wide = slice_starts_nocase(charset, SLICE_LIT("utf-16")) || slice_starts_nocase(charset, SLICE_LIT("utf-32")) ||
                slice_starts_nocase(charset, SLICE_LIT("ucs-"));
    if (wide && mime_is_ascii(octets) && slice_find(octets, '\0') == SIZE_MAX) {
        mime_clean_utf8(octets, false, out);
        return;
    }
    iconv_t cd = (iconv_t)-1;
    // Who says Latin-1 means windows-1252 (WHATWG Encoding 4.2).
    if (is_one_of(charset, latin1))
        cd = open_charset(SLICE_LIT("windows-1252"));
    else if (charset.len && !is_one_of(charset, ascii))
        cd = open_charset(charset);
    if (cd == (iconv_t)-1 && (mime_is_ascii(octets) || mime_is_utf8(octets))) {
        mime_clean_utf8(octets, false, out);
        return;
    }
    if (cd == (iconv_t)-1)
        cd = open_charset(SLICE_LIT("windows-1252"));
    if (cd == (iconv_t)-1) {
        mime_clean_utf8(octets, false, out);
        return;
    }
    struct buf text = { 0 };
    convert(cd, octets, &text);
    iconv_close(cd);
    mime_clean_utf8(buf_slice(&text), false, out);
    buf_free(&text);
}

/* ---- which parts are the body ---- */

struct shown { // parts that make up the body, in order
    size_t *parts;
    size_t count, room;
};

static bool is_html(const struct mime_part *part)
{
    return slice_eq(part->subtype, SLICE_LIT("html"));
}

static bool shows(const struct mime_meta *meta, size_t i)
{
    const struct mime_part *part = &meta->parts[i];
    return slice_eq(part->type, SLICE_LIT("text")) && !part->is_attachment && !slice_eq(part->subtype, SLICE_LIT("calendar"));
}

static void collect(const struct mime_meta *meta, size_t index, enum mime_body_kind kind, struct shown *shown);

static bool has_kind(const struct mime_meta *meta, const struct shown *shown, size_t from, enum mime_body_kind kind)
{
    for (size_t i = from; i < shown->count; i++)
        if (is_html(&meta->parts[shown->parts[i]]) == (kind == MIME_BODY_HTML))
            return true;
    return false;
}

/* The last alternative that has the kind, else the last that has anything. */
static void collect_alternative(const struct mime_meta *meta, size_t index, enum mime_body_kind kind, struct shown *shown)
{
    size_t before = shown->count, best_at = before, best_end = before;
    bool best_fits = false;
    for (size_t i = index + 1; i < meta->part_count && meta->parts[i].depth > meta->parts[index].depth; i++) {
        if (meta->parts[i].parent != index)
            continue;
        size_t at = shown->count;
        collect(meta, i, kind, shown);
        bool fits = has_kind(meta, shown, at, kind);
        if (shown->count > at && (fits || !best_fits)) {
            best_at = at;
            best_end = shown->count;
            best_fits = fits;
        }
    }
    memmove(shown->parts + before, shown->parts + best_at, (best_end - best_at) * sizeof *shown->parts);
    shown->count = before + (best_end - best_at);
}

static void collect(const struct mime_meta *meta, size_t index, enum mime_body_kind kind, struct shown *shown)
{
    const struct mime_part *part = &meta->parts[index];
    if (!part->is_multipart) {
        if (!part->is_message && shows(meta, index) && shown->count < shown->room)
            shown->parts[shown->count++] = index;
        return;
    }
    if (slice_eq(part->subtype, SLICE_LIT("alternative"))) {
        collect_alternative(meta, index, kind, shown);
        return;
    }
    bool related = slice_eq(part->subtype, SLICE_LIT("related"));
    size_t before = shown->count;
    for (size_t i = index + 1; i < meta->part_count && meta->parts[i].depth > part->depth; i++) {
        if (meta->parts[i].parent == index)
            collect(meta, i, kind, shown);
        if (related && shown->count > before)
            break;
    }
}

static void find_shown(const struct mime_meta *meta, enum mime_body_kind kind, size_t *parts, struct shown *shown)
{
    *shown = (struct shown){ .parts = parts, .room = MIME_PARTS_MAX };
    if (meta->part_count)
        collect(meta, 0, kind, shown);
}

size_t mime_body_part(const struct mime_meta *meta, enum mime_body_kind kind)
{
    size_t parts[MIME_PARTS_MAX];
    struct shown shown;
    find_shown(meta, kind, parts, &shown);
    for (size_t i = 0; i < shown.count; i++)
        if (is_html(&meta->parts[parts[i]]) == (kind == MIME_BODY_HTML))
            return parts[i];
    return SIZE_MAX;
}

enum mime_body_kind mime_native_kind(const struct mime_meta *meta)
{
    return mime_body_part(meta, MIME_BODY_HTML) != SIZE_MAX ? MIME_BODY_HTML : MIME_BODY_TEXT;
}

static struct slice part_body(struct slice raw, const struct mime_part *part, uint64_t max)
{
    if (part->body_at > raw.len)
        return SLICE_LIT("");
    uint64_t len = raw.len - part->body_at;
    len = part->body_len < len ? part->body_len : len;
    return slice_make(raw.at + part->body_at, len < max ? len : max);
}

static void part_text(struct slice raw, const struct mime_part *part, uint64_t max, struct buf *out)
{
    struct slice body = part_body(raw, part, max);
    struct buf octets = { 0 };
    if (part->encoding == MIME_BASE64 || part->encoding == MIME_QUOTED_PRINTABLE) {
        mime_decode_part(part, body, &octets);
        body = buf_slice(&octets);
    }
    mime_to_utf8(part->charset, body, out);
    buf_free(&octets);
}

void mime_render_body(struct slice raw, const struct mime_meta *meta, enum mime_body_kind kind, struct buf *out)
{
    size_t parts[MIME_PARTS_MAX];
    struct shown shown;
    find_shown(meta, kind, parts, &shown);
    for (size_t i = 0; i < shown.count; i++) {
        const struct mime_part *part = &meta->parts[parts[i]];
        bool html = is_html(part);
        // The line break before a boundary is not the part's: without one, two parts would share a line.
        if (i && kind == MIME_BODY_TEXT && buf_len(out) && buf_slice(out).at[buf_len(out) - 1] != '\n')
            buf_add_text(out, "\r\n");
        if (html == (kind == MIME_BODY_HTML)) {
            part_text(raw, part, UINT64_MAX, out);
            continue;
        }
        struct buf text = { 0 };
        part_text(raw, part, UINT64_MAX, &text);
        if (html)
            mime_html_to_text(buf_slice(&text), out);
        else
            mime_text_to_html(buf_slice(&text), out);
        buf_free(&text);
    }
}

/* ---- preview ---- */

/* White space folded to single blanks, at most MIME_PREVIEW_MAX characters. */
static struct slice fold(struct slice text, struct arena *arena)
{
    size_t chars = 0, len = 0;
    char *to = arena_alloc(arena, MIME_PREVIEW_MAX * 4 + 4);
    bool space = false;
    for (size_t i = 0; i < text.len && chars < MIME_PREVIEW_MAX;) {
        unsigned char c = (unsigned char)text.at[i];
        bool nbsp = c == 0xc2 && i + 1 < text.len && (unsigned char)text.at[i + 1] == 0xa0;
        if (nbsp || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = len > 0;
            i += 1 + nbsp;
            continue;
        }
        if (space && ++chars == MIME_PREVIEW_MAX)
            break;
        if (space)
            to[len++] = ' ';
        space = false;
        size_t width = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (i + width > text.len)
            break;
        memcpy(to + len, text.at + i, width);
        len += width;
        i += width;
        chars++;
    }
    return slice_make(to, len);
}

void mime_preview(struct slice raw, const struct mime_meta *meta, struct arena *arena, struct slice *preview)
{
    size_t index = mime_body_part(meta, MIME_BODY_TEXT);
    struct buf text = { 0 }, words = { 0 };
    *preview = SLICE_LIT("");
    if (index != SIZE_MAX) {
        part_text(raw, &meta->parts[index], PREVIEW_LOOK_TEXT, &text);
        *preview = fold(buf_slice(&text), arena);
    }
    if (!preview->len && (index = mime_body_part(meta, MIME_BODY_HTML)) != SIZE_MAX) {
        buf_clear(&text);
        part_text(raw, &meta->parts[index], PREVIEW_LOOK_HTML, &text);
        html_text(buf_slice(&text), true, MIME_PREVIEW_MAX * 8, &words);
        struct buf clean = { 0 };
        mime_clean_utf8(buf_slice(&words), false, &clean);
        *preview = fold(buf_slice(&clean), arena);
        buf_free(&clean);
    }
    buf_free(&text);
    buf_free(&words);
}
