#include "protocol/imap/write.h"

#include <time.h>

#include "protocol/imap/mutf7.h"
#include "protocol/imap/scan.h"

#define QUOTED_MAX 1024u
#define KEYWORD_SHIFT 8u

static bool fits_quoted(struct slice s, bool utf8)
{
    if (s.len > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == 0 || (s.at[i] < 0 && !utf8) || s.at[i] == '\r' || s.at[i] == '\n' || s.at[i] == 0x7f)
            return false;
    return true;
}

void write_literal_head(struct buf *out, uint64_t size)
{
    buf_add_byte(out, '{');
    buf_add_u64(out, size);
    buf_add_text(out, "}\r\n");
}

static void write_string_as(struct buf *out, struct slice s, bool utf8)
{
    if (!fits_quoted(s, utf8)) {
        write_literal_head(out, s.len);
        buf_add(out, s);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"' || s.at[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, s.at[i]);
    }
    buf_add_byte(out, '"');
}

void write_string(struct buf *out, struct slice s)
{
    write_string_as(out, s, false);
}

void write_nstring(struct buf *out, struct slice s)
{
    if (s.at)
        write_string(out, s);
    else
        buf_add_text(out, "NIL");
}

static void write_astring_as(struct buf *out, struct slice s, bool utf8)
{
    bool atom = s.len > 0 && !slice_eq_nocase(s, SLICE_LIT("NIL"));
    for (size_t i = 0; i < s.len && atom; i++)
        atom = scan_is_atom_char(s.at[i]);
    if (atom)
        buf_add(out, s);
    else
        write_string_as(out, s, utf8);
}

void write_astring(struct buf *out, struct slice s)
{
    write_astring_as(out, s, false);
}

void write_mailbox_utf8(struct buf *out, struct slice utf8_path)
{
    write_astring_as(out, utf8_path, true);
}

void write_mailbox(struct buf *out, struct slice utf8_path)
{
    struct buf name = { 0 };
    mutf7_encode(utf8_path, &name);
    write_astring(out, buf_slice(&name));
    buf_free(&name);
}

void write_date_time(struct buf *out, int64_t us)
{
    static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(us >= 0 ? us / 1000000 : (us - 999999) / 1000000);
    struct tm t;
    gmtime_r(&seconds, &t);
    buf_printf(out, "\"%02d-%s-%04d %02d:%02d:%02d +0000\"", t.tm_mday, months[t.tm_mon], t.tm_year + 1900,
               t.tm_hour, t.tm_min, t.tm_sec);
}

void write_flags(struct buf *out, uint64_t flags, const char *const *keywords, size_t keyword_count)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } system[] = { { SCAN_SEEN, "\\Seen" },       { SCAN_ANSWERED, "\\Answered" }, { SCAN_FLAGGED, "\\Flagged" },
                   { SCAN_DELETED, "\\Deleted" }, { SCAN_DRAFT, "\\Draft" },       { SCAN_RECENT, "\\Recent" } };
    const char *space = "";
    buf_add_byte(out, '(');
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (flags & system[i].bit) {
            buf_add_text(out, space);
            buf_add_text(out, system[i].name);
            space = " ";
        }
    for (size_t i = 0; i < keyword_count && i + KEYWORD_SHIFT < 64; i++)
        if (flags >> (i + KEYWORD_SHIFT) & 1) {
            buf_add_text(out, space);
            buf_add_text(out, keywords[i]);
            space = " ";
        }
    buf_add_byte(out, ')');
}
