#include "protocol/imap/mutf7.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Reads one character; 0 octets taken when it is malformed. */
static size_t utf8_take(struct slice s, uint32_t *c)
{
    unsigned char first = (unsigned char)s.at[0];
    size_t len = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (len == 0 || s.len < len)
        return 0;
    *c = len == 1 ? first : first & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)s.at[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        *c = *c << 6 | (next & 0x3f);
    }
    if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
        return 0;
    return len;
}

static void utf8_add(struct buf *out, uint32_t c)
{
    char octets[4];
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = len; i-- > 1; c >>= 6)
        octets[i] = (char)(0x80 | (c & 0x3f));
    octets[0] = (char)(len == 1 ? c : lead[len] | c);
    buf_add(out, slice_make(octets, len));
}

bool utf8_is_valid(struct slice s)
{
    uint32_t c;
    while (s.len) {
        size_t len = utf8_take(s, &c);
        if (len == 0)
            return false;
        s = slice_tail(s, len);
    }
    return true;
}

static int digit_of(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* The base64 run behind "&" up to and past "-": UTF-16BE. */
static bool take_shifted(struct slice *in, struct buf *out)
{
    uint32_t bits = 0, high = 0;
    unsigned count = 0;
    bool any = false;
    for (;;) {
        if (in->len == 0)
            return false;
        char c = in->at[0];
        *in = slice_tail(*in, 1);
        if (c == '-')
            break;
        int digit = digit_of(c);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        uint32_t unit = bits >> count & 0xffff;
        bits &= (1u << count) - 1;
        any = true;
        if (unit >= 0xdc00 && unit < 0xe000) {
            if (!high)
                return false;
            utf8_add(out, 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00));
            high = 0;
        } else if (high) {
            return false;
        } else if (unit >= 0xd800 && unit < 0xdc00) {
            high = unit;
        } else if (unit >= 0x20 && unit < 0x7f) {
            return false; // printable ASCII stands for itself
        } else {
            utf8_add(out, unit);
        }
    }
    // What is left are padding bits: fewer than six, all zero.
    return any && !high && count < 6 && bits == 0;
}

enum err mutf7_decode(struct slice name, struct arena *arena, struct slice *utf8)
{
    struct buf out = { 0 };
    bool ok = true, after_shift = false;
    while (ok && name.len) {
        char c = name.at[0];
        name = slice_tail(name, 1);
        if (c != '&') {
            ok = c >= 0x20 && c < 0x7f;
            buf_add_byte(&out, c);
            after_shift = false;
        } else if (slice_take(&name, '-')) {
            buf_add_byte(&out, '&');
            after_shift = false;
        } else {
            ok = !after_shift && take_shifted(&name, &out); // "&...-&...-" would be one run
            after_shift = true;
        }
    }
    if (ok)
        *utf8 = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return ok ? ERR_OK : ERR_SYNTAX;
}

enum err mutf7_decode_lenient(struct slice name, struct arena *arena, struct slice *utf8)
{
    if (mutf7_decode(name, arena, utf8) == ERR_OK)
        return ERR_OK;
    if (!utf8_is_valid(name))
        return ERR_SYNTAX;
    *utf8 = name;
    return ERR_OK;
}

/* An open base64 run: bits that do not make a digit yet. */
struct run {
    bool open;
    uint32_t bits;
    unsigned held;
};

static void run_add(struct run *run, struct buf *out, uint32_t unit)
{
    if (!run->open)
        buf_add_byte(out, '&');
    run->open = true;
    run->bits = run->bits << 16 | unit;
    run->held += 16;
    while (run->held >= 6) {
        run->held -= 6;
        buf_add_byte(out, alphabet[run->bits >> run->held & 0x3f]);
    }
    run->bits &= (1u << run->held) - 1;
}

static void run_close(struct run *run, struct buf *out)
{
    if (!run->open)
        return;
    if (run->held)
        buf_add_byte(out, alphabet[run->bits << (6 - run->held) & 0x3f]);
    buf_add_byte(out, '-');
    *run = (struct run){ 0 };
}

void mutf7_encode(struct slice utf8, struct buf *out)
{
    struct run run = { 0 };
    while (utf8.len) {
        uint32_t c = 0xfffd;
        size_t len = utf8_take(utf8, &c);
        utf8 = slice_tail(utf8, len ? len : 1);
        if (c >= 0x20 && c < 0x7f) {
            run_close(&run, out);
            buf_add_text(out, c == '&' ? "&-" : (char[]){ (char)c, 0 });
        } else if (c >= 0x10000) {
            run_add(&run, out, 0xd800 + ((c - 0x10000) >> 10));
            run_add(&run, out, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            run_add(&run, out, c);
        }
    }
    run_close(&run, out);
}
