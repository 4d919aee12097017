#include "protocol/eas/basic.h"

#include "protocol/eas/base64.h"
#include "protocol/wbxml/utf8.h"

/* Outlook sends ISO-8859-1; a second look at the same password is worth its hash only then (hard case 34). */
static struct slice to_utf8(struct arena *arena, struct slice text)
{
    if (utf8_valid(text))
        return text;
    char *out = arena_alloc(arena, text.len * 2 + 1);
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.at[i];
        if (c >= 0x80)
            out[at++] = (char)(0xC0 | c >> 6);
        out[at++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3F));
    }
    return slice_make(out, at);
}

static struct slice login_name(struct arena *arena, struct slice user)
{
    size_t backslash = slice_find(user, '\\');
    if (backslash == SIZE_MAX)
        return user;
    struct slice domain = slice_head(user, backslash), name = slice_tail(user, backslash + 1);
    if (slice_find(name, '@') != SIZE_MAX || slice_find(domain, '.') == SIZE_MAX)
        return name;
    return slice_of(arena_printf(arena, "%.*s@%.*s", SLICE_ARG(name), SLICE_ARG(domain)));
}

enum err eas_basic_parse(struct slice header, struct arena *arena, struct slice *user, struct slice *password)
{
    struct slice decoded;
    if (header.len > EAS_CREDENTIALS_MAX)
        return ERR_LIMIT;
    if (!slice_starts_nocase(header, SLICE_LIT("Basic ")) ||
        base64_take(slice_trim(slice_tail(header, 6)), arena, &decoded))
        return ERR_SYNTAX;
    decoded = to_utf8(arena, decoded);
    size_t colon = slice_find(decoded, ':');
    if (colon == SIZE_MAX || slice_find(decoded, '\0') != SIZE_MAX)
        return ERR_SYNTAX;
    struct slice login = login_name(arena, slice_head(decoded, colon));
    if (!login.len)
        return ERR_SYNTAX;
    *user = login;
    *password = slice_tail(decoded, colon + 1);
    return ERR_OK;
}
