#include "protocol/eas/category.h"

#include "protocol/wbxml/utf8.h"

static const char base[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
static const struct slice prefix = { "cat.", 4 };

static bool is_atom_char(uint32_t c)
{
    return c > 0x20 && c < 0x7F && !strchr("(){%*\"\\]", (int)c);
}

static bool is_atom(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_atom_char((uint8_t)s.at[i]))
            return false;
    }
    return s.len > 0;
}

static bool is_reserved(struct slice keyword)
{
    return slice_starts(keyword, SLICE_LIT("$")) || slice_starts(keyword, SLICE_LIT("\\")) ||
           slice_eq_nocase(keyword, SLICE_LIT("Junk")) || slice_eq_nocase(keyword, SLICE_LIT("NonJunk")) ||
           slice_eq_nocase(keyword, SLICE_LIT("NotJunk"));
}

struct shifter { // UTF-16 units on their way into base64
    char *out;
    size_t len;
    uint32_t bits;
    int count;
    bool open;
};

static void put_unit(struct shifter *s, uint32_t unit)
{
    if (!s->open)
        s->out[s->len++] = '&';
    s->open = true;
    s->bits = s->bits << 16 | unit;
    s->count += 16;
    while (s->count >= 6) {
        s->count -= 6;
        s->out[s->len++] = base[s->bits >> s->count & 63];
    }
}

static void close_shift(struct shifter *s)
{
    if (!s->open)
        return;
    if (s->count)
        s->out[s->len++] = base[s->bits << (6 - s->count) & 63];
    s->out[s->len++] = '-';
    s->open = false;
    s->bits = 0;
    s->count = 0;
}

enum err eas_category_to_keyword(struct slice name, struct arena *arena, struct slice *keyword)
{
    name = slice_trim(name);
    if (name.len == 0 || !utf8_valid(name))
        return ERR_SYNTAX;
    if (name.len > EAS_CATEGORY_NAME_MAX)
        return ERR_LIMIT;
    if (is_atom(name) && !is_reserved(name) && !slice_starts_nocase(name, prefix)) {
        *keyword = name;
        return ERR_OK;
    }
    struct shifter s = { .out = arena_alloc(arena, prefix.len + name.len * 6 + 8), .len = prefix.len };
    memcpy(s.out, prefix.at, prefix.len);
    while (name.len) {
        uint32_t c;
        size_t len = utf8_take(name, &c);
        name = slice_tail(name, len);
        if (is_atom_char(c) && c != '&') {
            close_shift(&s);
            s.out[s.len++] = (char)c;
        } else if (c > 0xFFFF) {
            put_unit(&s, 0xD800 + ((c - 0x10000) >> 10));
            put_unit(&s, 0xDC00 + ((c - 0x10000) & 0x3FF));
        } else {
            put_unit(&s, c);
        }
    }
    close_shift(&s);
    *keyword = slice_make(s.out, s.len);
    return ERR_OK;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xFF00u >> len) | c);
    return len;
}

/* The characters of one "&...-" run; false when it is none. */
static bool unshift(struct slice run, char *out, size_t *at)
{
    uint32_t bits = 0, high = 0;
    int count = 0;
    for (size_t i = 0; i < run.len; i++) {
        const char *letter = run.at[i] ? strchr(base, run.at[i]) : NULL;
        if (!letter)
            return false;
        bits = bits << 6 | (uint32_t)(letter - base);
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        uint32_t unit = bits >> count & 0xFFFF;
        if (high) {
            if (unit < 0xDC00 || unit > 0xDFFF)
                return false;
            *at += put_utf8(out + *at, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
            high = 0;
        } else if (unit >= 0xD800 && unit < 0xDC00) {
            high = unit;
        } else if (unit >= 0xDC00 && unit < 0xE000) {
            return false;
        } else {
            *at += put_utf8(out + *at, unit);
        }
    }
    return high == 0 && count < 6;
}

bool eas_category_from_keyword(struct slice keyword, struct arena *arena, struct slice *name)
{
    if (keyword.len == 0 || is_reserved(keyword))
        return false;
    *name = keyword;
    if (!slice_starts_nocase(keyword, prefix))
        return utf8_valid(keyword);
    struct slice rest = slice_tail(keyword, prefix.len);
    char *out = arena_alloc(arena, rest.len * 2 + 8); // 16 digits are six units: 18 octets of UTF-8
    size_t at = 0;
    while (rest.len) {
        if (!slice_take(&rest, '&')) {
            out[at++] = rest.at[0];
            rest = slice_tail(rest, 1);
            continue;
        }
        if (slice_find(rest, '-') == SIZE_MAX || !unshift(slice_cut(&rest, '-'), out, &at))
            return utf8_valid(keyword); // an IMAP client's own keyword: shown as it is
    }
    struct slice decoded = slice_make(out, at);
    if (at && utf8_valid(decoded)) {
        *name = decoded;
        return true;
    }
    return utf8_valid(keyword);
}
