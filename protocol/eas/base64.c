#include "protocol/eas/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *out, struct slice octets)
{
    char *to = buf_reserve(out, base64_len(octets.len));
    const uint8_t *in = (const uint8_t *)octets.at;
    size_t at = 0, i = 0;
    for (; i + 2 < octets.len; i += 3) {
        uint32_t group = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        to[at++] = alphabet[group >> 18];
        to[at++] = alphabet[group >> 12 & 63];
        to[at++] = alphabet[group >> 6 & 63];
        to[at++] = alphabet[group & 63];
    }
    if (i < octets.len) {
        bool two = i + 1 < octets.len;
        uint32_t group = (uint32_t)in[i] << 16 | (two ? (uint32_t)in[i + 1] << 8 : 0);
        to[at++] = alphabet[group >> 18];
        to[at++] = alphabet[group >> 12 & 63];
        to[at++] = two ? alphabet[group >> 6 & 63] : '=';
        to[at++] = '=';
    }
    buf_commit(out, at);
}

int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

enum err base64_take(struct slice text, struct arena *arena, struct slice *octets)
{
    size_t len = text.len;
    while (len && text.len - len < 2 && text.at[len - 1] == '=')
        len--;
    if (len % 4 == 1)
        return ERR_SYNTAX;
    char *to = arena_alloc(arena, len / 4 * 3 + 3);
    size_t at = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        int value = base64_value(text.at[i]);
        if (value < 0)
            return ERR_SYNTAX;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            to[at++] = (char)(bits >> 16);
            to[at++] = (char)(bits >> 8);
            to[at++] = (char)bits;
        }
    }
    if (len % 4 == 2)
        to[at++] = (char)(bits >> 4);
    if (len % 4 == 3) {
        to[at++] = (char)(bits >> 10);
        to[at++] = (char)(bits >> 2);
    }
    *octets = slice_make(to, at);
    return ERR_OK;
}
