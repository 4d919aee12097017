/* Mailbox names: modified UTF-7, LIST patterns, strings to the wire. */
#include <criterion/criterion.h>

#include "protocol/imap/list.h"
#include "protocol/imap/mutf7.h"
#include "protocol/imap/write.h"

static const struct {
    const char *wire;
    enum err err;
    const char *utf8;
} names[] = {
    { "INBOX", ERR_OK, "INBOX" },
    { "Entw&APw-rfe", ERR_OK, "Entw\xc3\xbcrfe" },
    { "R&-D", ERR_OK, "R&D" },
    { "~peter/mail/&U,BTFw-/&ZeVnLIqe-", ERR_OK, "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
    { "&2D3eCQ-", ERR_OK, "\xf0\x9f\x98\x89" },
    { "&APw-&APY-", ERR_SYNTAX, NULL },  // superfluous shift
    { "&AGE-", ERR_SYNTAX, NULL },       // "a" in base64
    { "&APw", ERR_SYNTAX, NULL },        // not closed
    { "&2D0-", ERR_SYNTAX, NULL },       // lone surrogate
    { "&AP!-", ERR_SYNTAX, NULL },
    { "&-&-", ERR_OK, "&&" },
    { "a\xc3\xbc", ERR_SYNTAX, NULL },
    { "a\x01", ERR_SYNTAX, NULL },
};

Test(mutf7, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice utf8;
        cr_expect_eq(mutf7_decode(slice_of(names[i].wire), arena, &utf8), names[i].err, "%s", names[i].wire);
        if (names[i].err)
            continue;
        cr_expect(slice_eq(utf8, slice_of(names[i].utf8)), "%s gave %.*s", names[i].wire, SLICE_ARG(utf8));
        struct buf wire = { 0 };
        mutf7_encode(utf8, &wire);
        cr_expect(slice_eq(buf_slice(&wire), slice_of(names[i].wire)), "%s came back as %.*s", names[i].wire,
                  SLICE_ARG(buf_slice(&wire)));
        buf_free(&wire);
    }
    arena_close(&arena);
}

Test(mutf7, lenient)
{
    struct arena *arena = arena_open();
    struct slice utf8;
    cr_expect_eq(mutf7_decode_lenient(SLICE_LIT("Entw\xc3\xbcrfe"), arena, &utf8), ERR_OK);
    cr_expect(slice_eq(utf8, SLICE_LIT("Entw\xc3\xbcrfe")));
    cr_expect_eq(mutf7_decode_lenient(SLICE_LIT("R&D"), arena, &utf8), ERR_OK);
    cr_expect(slice_eq(utf8, SLICE_LIT("R&D")));
    cr_expect_eq(mutf7_decode_lenient(SLICE_LIT("\xff"), arena, &utf8), ERR_SYNTAX);
    arena_close(&arena);
}

Test(mutf7, long_names_stay_one_run)
{
    struct arena *arena = arena_open();
    struct buf name = { 0 }, wire = { 0 };
    for (int i = 0; i < 100; i++)
        buf_add_text(&name, i % 3 ? "\xe6\x97\xa5" : "\xf0\x9f\x98\x89");
    mutf7_encode(buf_slice(&name), &wire);
    cr_expect_eq(slice_count(buf_slice(&wire), '&'), 1);
    struct slice back;
    cr_expect_eq(mutf7_decode(buf_slice(&wire), arena, &back), ERR_OK);
    cr_expect(slice_eq(back, buf_slice(&name)));
    buf_free(&name);
    buf_free(&wire);
    arena_close(&arena);
}

Test(utf8, validity)
{
    static const struct {
        const char *s;
        bool ok;
    } rows[] = {
        { "", true },          { "a\xc3\xbc", true },      { "\xc0\x80", false },         { "\xed\xa0\x80", false },
        { "\xf4\x8f\xbf\xbf", true }, { "\xf4\x90\x80\x80", false }, { "\xe2\x82", false }, { "\x80", false },
        { "\xe0\x80\x80", false }, { "\xf0\x80\x80\x80", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(utf8_is_valid(slice_of(rows[i].s)), rows[i].ok, "row %zu", i);
}

Test(list, patterns)
{
    static const struct {
        const char *path, *pattern;
        bool matches;
    } rows[] = {
        { "INBOX", "*", true },          { "a/b/c", "*", true },        { "a/b", "%", false },
        { "a", "%", true },              { "a/b", "a/%", true },        { "a/b/c", "a/%", false },
        { "a/b/c", "a/*", true },        { "a/b/c", "%/c", false },     { "a/b/c", "*/c", true },
        { "a/b/c", "*c", true },         { "a/b/c", "%/%/%", true },    { "inbox", "INBOX", true },
        { "INBOX", "inbox", true },      { "INBOX", "InB%", true },     { "Inboxes", "INBOX", false },
        { "Archive", "archive", false }, { "INBOX/x", "inbox/X", false }, { "INBOX/x", "inbox/x", true },
        { "", "", true },                { "a", "", false },            { "foo/bar", "*%", true },
        { "foo/bar", "%*", true },       { "aXbX", "*X", true },        { "a/bX/cX", "%/*X", true },
        { "a/b/a/b/c", "*b/%c", true },  { "a/xb/yb", "*/%b", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(list_matches(slice_of(rows[i].path), slice_of(rows[i].pattern)), rows[i].matches, "%s ~ %s",
                     rows[i].path, rows[i].pattern);
}

Test(list, hostile_patterns_end)
{
    struct buf path = { 0 }, pattern = { 0 };
    for (int i = 0; i < 2000; i++)
        buf_add_text(&path, "a");
    for (int i = 0; i < 500; i++)
        buf_add_text(&pattern, "*%a");
    buf_add_text(&pattern, "b");
    cr_expect_not(list_matches(buf_slice(&path), buf_slice(&pattern)));
    // "%" begins anew at each place where "*" may end.
    buf_clear(&pattern);
    buf_add_text(&pattern, "*%");
    for (int i = 0; i < 1000; i++)
        buf_add_text(&pattern, "a");
    buf_add_text(&pattern, "b%c");
    for (int i = 0; i < 20; i++)
        cr_expect_not(list_matches(buf_slice(&path), buf_slice(&pattern)));
    buf_clear(&pattern);
    for (int i = 0; i < 30000; i++)
        buf_add_text(&pattern, "%*");
    cr_expect(list_matches(buf_slice(&path), buf_slice(&pattern)));
    cr_expect(list_matches(SLICE_LIT(""), buf_slice(&pattern)));
    buf_free(&path);
    buf_free(&pattern);
}

Test(write, strings)
{
    static const struct {
        const char *in, *string, *astring;
    } rows[] = {
        { "abc", "\"abc\"", "abc" },   { "a b", "\"a b\"", "\"a b\"" }, { "a\"b", "\"a\\\"b\"", "\"a\\\"b\"" },
        { "", "\"\"", "\"\"" },        { "nil", "\"nil\"", "\"nil\"" }, { "\xc3\xbc", "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc" },
        { "a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = { 0 };
        write_string(&out, slice_of(rows[i].in));
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].string)), "%s", rows[i].in);
        buf_clear(&out);
        write_astring(&out, slice_of(rows[i].in));
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].astring)), "%s", rows[i].in);
        buf_free(&out);
    }
}

Test(write, dates_and_flags)
{
    struct buf out = { 0 };
    write_date_time(&out, INT64_C(837596665000000));
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("\"17-Jul-1996 09:44:25 +0000\"")));
    buf_clear(&out);
    write_date_time(&out, -1);
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("\"31-Dec-1969 23:59:59 +0000\"")));
    buf_clear(&out);
    const char *keywords[] = { "$Forwarded", "work" };
    write_flags(&out, 1 | 16 | 32 | 1u << 9, keywords, 2);
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("(\\Seen \\Draft \\Recent work)")));
    buf_free(&out);
}
