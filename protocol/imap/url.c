#include "protocol/imap/url.h"

#include "protocol/imap/mutf7.h"
#include "protocol/imap/scan.h"

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undoes "%20". false: a "%" without two hex digits, or a NUL. */
static bool decode(struct slice text, struct arena *arena, struct slice *plain)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_of(text.at[i + 1]) : -1, low = high >= 0 ? hex_of(text.at[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || c == '\r' || c == '\n')
            return false;
        out[len++] = c;
    }
    *plain = slice_make(out, len);
    return true;
}

/* "WORD=" without case. */
static bool take_key(struct slice *in, struct slice key)
{
    if (!slice_starts_nocase(*in, key))
        return false;
    *in = slice_tail(*in, key.len);
    return true;
}

/* What goes up to the next "/;", which stays. */
static struct slice take_value(struct slice *in)
{
    size_t end = 0;
    while (end < in->len && !(in->at[end] == '/' && end + 1 < in->len && in->at[end + 1] == ';'))
        end++;
    struct slice value = slice_head(*in, end);
    *in = slice_tail(*in, end);
    return value;
}

/* The section and "<at.len>" by the parser of FETCH, which knows what they may be. */
static bool read_section(struct slice section, struct slice partial, struct arena *arena, struct fetch_item *item)
{
    struct fetch_program program;
    struct slice in = slice_of(
        partial.len ? arena_printf(arena, "BODY.PEEK[%.*s]<%.*s>", SLICE_ARG(section), SLICE_ARG(partial))
                    : arena_printf(arena, "BODY.PEEK[%.*s]", SLICE_ARG(section)));
    if (fetch_parse(&in, arena, &program) || program.count != 1 || program.items[0].kind != FETCH_SECTION)
        return false;
    *item = program.items[0];
    return true;
}

bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url)
{
    struct slice rest = text, section = SLICE_LIT(""), partial = SLICE_LIT("");
    *url = (struct imap_url){ 0 };
    bool absolute = slice_take(&rest, '/');
    if (rest.len == 0 || (absolute && rest.at[0] == '/'))
        return false; // "//server" names another server
    if (rest.at[0] != ';') {
        struct slice path = take_value(&rest), mailbox = slice_cut(&path, ';');
        if (!absolute || !decode(mailbox, arena, &url->mailbox) || url->mailbox.len == 0 || !utf8_is_valid(url->mailbox))
            return false;
        if (path.len && (!take_key(&path, SLICE_LIT("UIDVALIDITY=")) ||
                         !scan_nz_number(&path, &url->uidvalidity) || path.len))
            return false;
        if (!slice_take(&rest, '/'))
            return false;
    }
    if (!take_key(&rest, SLICE_LIT(";UID=")) || !scan_nz_number(&rest, &url->uid))
        return false;
    if (take_key(&rest, SLICE_LIT("/;SECTION=")) && !decode(take_value(&rest), arena, &section))
        return false;
    if (take_key(&rest, SLICE_LIT("/;PARTIAL=")))
        partial = take_value(&rest);
    return rest.len == 0 && read_section(section, partial, arena, &url->section);
}
