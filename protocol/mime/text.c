/* Text of headers: RFC 2047 words and charsets by GMime; clean UTF-8 out. */
#include <gmime/gmime.h>
#include <pthread.h>

#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
    g_mime_init();
}

void mime_library(void)
{
    pthread_once(&library_once, library_start);
}

bool mime_is_ascii(struct slice s)
{
    size_t i = 0;
    uint64_t word, high = 0;
    for (; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.at + i, 8);
        high |= word;
    }
    for (; i < s.len; i++)
        high |= (uint64_t)(unsigned char)s.at[i] & 0x80;
    return (high & UINT64_C(0x8080808080808080)) == 0;
}

/* Length of the valid UTF-8 character at the front, 0 when there is none (RFC 3629). */
static size_t utf8_width(struct slice s, uint32_t *code)
{
    const unsigned char *at = (const unsigned char *)s.at;
    unsigned char c = at[0];
    size_t width = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (width == 0 || s.len < width)
        return 0;
    uint32_t value = width == 1 ? c : width == 2 ? c & 0x1fu : width == 3 ? c & 0x0fu : c & 0x07u;
    for (size_t i = 1; i < width; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3fu);
    }
    if ((width == 3 && value < 0x800) || (width == 4 && (value < 0x10000 || value > 0x10ffff)) ||
        (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return width;
}

bool mime_is_utf8(struct slice s)
{
    uint32_t code;
    while (s.len) {
        if (mime_is_ascii(slice_head(s, s.len < 64 ? s.len : 64))) {
            s = slice_tail(s, s.len < 64 ? s.len : 64);
            continue;
        }
        size_t width = utf8_width(s, &code);
        if (!width)
            return false;
        s = slice_tail(s, width);
    }
    return true;
}

static bool is_plain(unsigned char c, bool one_line)
{
    return c < 0x7f && (c >= 0x20 || (!one_line && (c == '\n' || c == '\r' || c == '\t')));
}

/* Octets from the front that stay as they are: printable ASCII, eight at a time, and line ends and tabs when there may be
 * lines. */
static size_t plain_run(struct slice s, bool one_line)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t run = 0;
    while (run < s.len) {
        uint64_t word;
        for (; run + 8 <= s.len; run += 8) {
            memcpy(&word, s.at + run, 8);
            if ((word | (word - ones * 0x20) | (word + ones)) & high) // above 0x7e or below 0x20
                break;
        }
        size_t end = run + 8 < s.len ? run + 8 : s.len;
        while (run < end && is_plain((unsigned char)s.at[run], one_line))
            run++;
        if (run < end)
            break;
    }
    return run;
}

void mime_clean_utf8(struct slice s, bool one_line, struct buf *out)
{
    while (s.len) {
        size_t run = plain_run(s, one_line);
        if (run) {
            buf_add(out, slice_head(s, run));
            s = slice_tail(s, run);
            continue;
        }
        uint32_t code = 0;
        size_t width = utf8_width(s, &code);
        if (width == 0) {
            buf_add_text(out, "\xef\xbf\xbd");
            width = 1;
        } else if (code == '\t' || code == '\n' || code == '\r') {
            buf_add_byte(out, one_line ? ' ' : s.at[0]);
        } else if (code >= 0x20 && code != 0xfffe && code != 0xffff) {
            buf_add(out, slice_head(s, width));
        }
        s = slice_tail(s, width);
    }
}

struct slice mime_decode_text(struct slice value, struct arena *arena)
{
    if (value.len > MIME_DECODE_MAX)
        value = mime_cut_utf8(value, MIME_DECODE_MAX);
    bool ascii = mime_is_ascii(value);
    bool words = slice_find_slice(value, SLICE_LIT("=?")) != SIZE_MAX;
    struct buf clean = { 0 };
    if (words) {
        mime_library();
        char *text = arena_text(arena, value);
        for (size_t i = 0; i < value.len; i++)
            if (text[i] == '\0')
                text[i] = ' ';
        char *decoded = g_mime_utils_header_decode_text(NULL, text);
        mime_clean_utf8(slice_of(decoded), true, &clean);
        g_free(decoded);
    } else if (ascii || mime_is_utf8(value)) {
        size_t run = 0;
        while (run < value.len && (unsigned char)value.at[run] >= 0x20 && value.at[run] != 0x7f)
            run++;
        if (run == value.len && ascii)
            return value;
        mime_clean_utf8(value, true, &clean);
    } else {
        struct buf utf8 = { 0 };
        mime_to_utf8((struct slice){ 0 }, value, &utf8);
        mime_clean_utf8(buf_slice(&utf8), true, &clean);
        buf_free(&utf8);
    }
    struct slice text = arena_copy(arena, buf_slice(&clean));
    buf_free(&clean);
    return text;
}

struct slice mime_cut_utf8(struct slice s, size_t max)
{
    if (s.len <= max)
        return s;
    size_t len = max;
    // Back to the first octet of the character that does not fit; never more than 3 octets of continuation.
    for (int back = 0; back < 3 && len > 0 && ((unsigned char)s.at[len] & 0xc0) == 0x80; back++)
        len--;
    if (((unsigned char)s.at[len] & 0xc0) == 0x80)
        len = max;
    return slice_head(s, len);
}

void mime_encode_words(struct slice utf8, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bool first = true;
    while (utf8.len) {
        struct slice piece = mime_cut_utf8(utf8, 45); // 60 digits: a word of 72 octets, RFC 2047 2 allows 75
        utf8 = slice_tail(utf8, piece.len);
        buf_add_text(out, first ? "=?utf-8?B?" : " =?utf-8?B?");
        first = false;
        for (size_t i = 0; i < piece.len; i += 3) {
            size_t left = piece.len - i;
            uint32_t bits = (uint32_t)(unsigned char)piece.at[i] << 16;
            if (left > 1)
                bits |= (uint32_t)(unsigned char)piece.at[i + 1] << 8;
            if (left > 2)
                bits |= (unsigned char)piece.at[i + 2];
            char quad[4] = { digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                             left > 2 ? digits[bits & 63] : '=' };
            buf_add(out, slice_make(quad, 4));
        }
        buf_add_text(out, "?=");
    }
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct slice mime_param_text(const struct mime_param *param, struct arena *arena)
{
    if (!param->extended)
        return mime_decode_text(param->value, arena);
    struct slice rest = param->value;
    struct slice charset = { 0 };
    if (slice_count(rest, '\'') >= 2) {
        charset = slice_cut(&rest, '\'');
        slice_cut(&rest, '\'');
    }
    struct buf octets = { 0 }, utf8 = { 0 }, clean = { 0 };
    for (size_t i = 0; i < rest.len; i++) {
        int high = i + 2 < rest.len && rest.at[i] == '%' ? hex_digit(rest.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(rest.at[i + 2]) : -1;
        if (low >= 0) {
            buf_add_byte(&octets, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_add_byte(&octets, rest.at[i]);
        }
    }
    mime_to_utf8(charset, buf_slice(&octets), &utf8);
    mime_clean_utf8(buf_slice(&utf8), true, &clean);
    struct slice text = arena_copy(arena, buf_slice(&clean));
    buf_free(&octets);
    buf_free(&utf8);
    buf_free(&clean);
    return text;
}
