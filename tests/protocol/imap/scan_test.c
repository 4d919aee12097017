#include <criterion/criterion.h>

#include "base/buf.h"
#include "protocol/imap/scan.h"

Test(scan, strings)
{
    static const struct {
        const char *name, *in;
        enum err err;
        const char *text, *rest;
    } rows[] = {
        { "atom", "INBOX x", ERR_OK, "INBOX", " x" },
        { "bracket is an astring char", "a]b", ERR_OK, "a]b", "" },
        { "quoted", "\"a b\" c", ERR_OK, "a b", " c" },
        { "escapes", "\"a\\\"\\\\b\"", ERR_OK, "a\"\\b", "" },
        { "empty quoted", "\"\"", ERR_OK, "", "" },
        { "8-bit in quotes", "\"Entw\xc3\xbcrfe\"", ERR_OK, "Entw\xc3\xbcrfe", "" },
        { "literal", "{3}\r\na b)", ERR_OK, "a b", ")" },
        { "non-synchronising literal", "{3+}\r\na\r\n", ERR_OK, "a\r\n", "" },
        { "literal8", "~{2}\r\nab", ERR_OK, "ab", "" },
        { "empty literal", "{0}\r\n", ERR_OK, "", "" },
        { "bad escape", "\"a\\b\"", ERR_SYNTAX, NULL, NULL },
        { "open quote", "\"abc", ERR_SYNTAX, NULL, NULL },
        { "line end in quotes", "\"a\r\n\"", ERR_SYNTAX, NULL, NULL },
        { "literal longer than the input", "{4}\r\nabc", ERR_SYNTAX, NULL, NULL },
        { "literal without line end", "{3}abc", ERR_SYNTAX, NULL, NULL },
        { "huge literal", "{99999999999999999999}\r\n", ERR_SYNTAX, NULL, NULL },
        { "empty", "", ERR_SYNTAX, NULL, NULL },
        { "parenthesis", "(", ERR_SYNTAX, NULL, NULL },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in), text;
        cr_expect_eq(scan_astring(&in, arena, &text), rows[i].err, "%s", rows[i].name);
        if (!rows[i].err) {
            cr_expect(slice_eq(text, slice_of(rows[i].text)), "%s: %.*s", rows[i].name, SLICE_ARG(text));
            cr_expect(slice_eq(in, slice_of(rows[i].rest)), "%s: rest", rows[i].name);
        }
    }
    arena_close(&arena);
}

Test(scan, nil_is_no_string_and_a_string_is_not_nil)
{
    struct arena *arena = arena_open();
    struct slice in = SLICE_LIT("NIL"), text;
    bool nil;
    cr_expect_eq(scan_nstring(&in, arena, &text, &nil), ERR_OK);
    cr_expect(nil);
    in = SLICE_LIT("\"NIL\"");
    cr_expect_eq(scan_nstring(&in, arena, &text, &nil), ERR_OK);
    cr_expect_not(nil);
    arena_close(&arena);
}

Test(scan, words_and_numbers)
{
    struct slice in = SLICE_LIT("uid 7");
    cr_expect_not(scan_word(&in, "UI"));
    cr_expect(scan_word(&in, "UID"));
    cr_expect(scan_sp(&in));
    uint32_t n;
    cr_expect(scan_nz_number(&in, &n));
    cr_expect_eq(n, 7);
    in = SLICE_LIT("UIDX");
    cr_expect_not(scan_word(&in, "UID"));
    in = SLICE_LIT("07");
    cr_expect_not(scan_nz_number(&in, &n), "nz-number has no leading zero");
    cr_expect(scan_number(&in, &n));
    uint64_t wide;
    in = SLICE_LIT("9223372036854775807");
    cr_expect(scan_number64(&in, &wide));
    in = SLICE_LIT("9223372036854775808");
    cr_expect_not(scan_number64(&in, &wide));
}

Test(scan, announced_literals)
{
    static const struct {
        const char *line;
        bool is, non_sync, binary;
        uint64_t size, at;
    } rows[] = {
        { "a LOGIN {5}", true, false, false, 5, 8 },  { "a LOGIN {5+}", true, true, false, 5, 8 },
        { "a APPEND x ~{5}", true, false, true, 5, 11 }, { "a X {5} ", false, false, false, 0, 0 },
        { "a X {}", false, false, false, 0, 0 },      { "a X {+}", false, false, false, 0, 0 },
        { "a X {5-}", false, false, false, 0, 0 },    { "}", false, false, false, 0, 0 },
        { "5}", false, false, false, 0, 0 },          { "{99999999999999999999}", false, false, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scan_announced l = { 0 };
        bool is = scan_announced_literal(slice_of(rows[i].line), &l);
        cr_expect_eq(is, rows[i].is, "%s", rows[i].line);
        if (is && rows[i].is)
            cr_expect(l.non_sync == rows[i].non_sync && l.binary == rows[i].binary && l.size == rows[i].size &&
                          l.at == rows[i].at,
                      "%s", rows[i].line);
    }
}

Test(scan, flag_lists)
{
    static const struct {
        const char *in;
        bool bare;
        enum err err;
        uint64_t system;
        size_t keywords;
    } rows[] = {
        { "(\\Seen \\deleted $Forwarded)", false, ERR_OK, SCAN_SEEN | SCAN_DELETED, 1 },
        { "()", false, ERR_OK, 0, 0 },
        { "\\Seen Junk", true, ERR_OK, SCAN_SEEN, 1 },
        { "\\Seen", false, ERR_SYNTAX, 0, 0 },
        { "(\\Recent)", false, ERR_OK, SCAN_RECENT, 0 },
        { "(\\Strange)", false, ERR_SYNTAX, 0, 0 },
        { "(\\Seen", false, ERR_SYNTAX, 0, 0 },
        { "(\\Seen  \\Draft)", false, ERR_SYNTAX, 0, 0 },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in);
        struct scan_flags flags = { 0 };
        cr_expect_eq(scan_flag_list(&in, arena, rows[i].bare, &flags), rows[i].err, "%s", rows[i].in);
        cr_expect_eq(flags.system, rows[i].system, "%s", rows[i].in);
        cr_expect_eq(flags.keyword_count, rows[i].keywords, "%s", rows[i].in);
    }
    struct buf many = { 0 };
    for (unsigned i = 0; i <= SCAN_FLAGS_MAX; i++)
        buf_printf(&many, "%sk%u", i ? " " : "(", i);
    buf_add_byte(&many, ')');
    struct slice in = buf_slice(&many);
    struct scan_flags flags;
    cr_expect_eq(scan_flag_list(&in, arena, false, &flags), ERR_LIMIT);
    buf_free(&many);
    arena_close(&arena);
}

Test(scan, dates)
{
    static const struct {
        const char *in;
        bool ok;
        int64_t days;
    } dates[] = {
        { "1-Jan-1970", true, 0 },        { "01-jan-1970", true, 0 },      { "\"29-Feb-2024\"", true, 19782 },
        { "29-Feb-2023", false, 0 },      { "31-Dec-1969", true, -1 },     { "0-Jan-1970", false, 0 },
        { "1-Foo-1970", false, 0 },       { "1-Jan-70", false, 0 },        { "\"1-Jan-1970", false, 0 },
        { "29-Feb-1900", false, 0 },      { "29-Feb-2000", true, 11016 },
    };
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct slice in = slice_of(dates[i].in);
        int64_t days = 0;
        cr_expect_eq(scan_date(&in, &days), dates[i].ok, "%s", dates[i].in);
        if (dates[i].ok)
            cr_expect_eq(days, dates[i].days, "%s gave %ld", dates[i].in, (long)days);
    }
    static const struct {
        const char *in;
        bool ok;
        int64_t seconds;
    } times[] = {
        { "\" 1-Jan-1970 00:00:00 +0000\"", true, 0 },
        { "\"17-Jul-1996 02:44:25 -0700\"", true, 837596665 },
        { "\"01-Jan-1970 01:00:00 +0100\"", true, 0 },
        { "\"01-Jan-1970 24:00:00 +0000\"", false, 0 },
        { "\"01-Jan-1970 00:00:00 0000\"", false, 0 },
        { "\"01-Jan-1970 00:00:00 +0060\"", false, 0 },
        { "01-Jan-1970 00:00:00 +0000", false, 0 },
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct slice in = slice_of(times[i].in);
        int64_t us = 0;
        cr_expect_eq(scan_date_time(&in, &us), times[i].ok, "%s", times[i].in);
        if (times[i].ok)
            cr_expect_eq(us, times[i].seconds * 1000000, "%s gave %ld", times[i].in, (long)us);
    }
}
