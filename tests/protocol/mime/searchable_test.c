#include <criterion/criterion.h>

#include "protocol/mime/searchable.h"

static struct slice memory;

static enum err read_memory(void *ctx, uint64_t at, uint64_t len, struct slice *out)
{
    (void)ctx;
    if (at > memory.len)
        at = memory.len;
    *out = slice_make(memory.at + at, len < memory.len - at ? (size_t)len : memory.len - (size_t)at);
    return ERR_OK;
}

static const struct {
    const char *name, *in, *out;
} folds[] = {
    { "ASCII", "Hello WORLD 42", "hello world 42" },
    { "sharp s", "Stra\xc3\x9f" "e", "strasse" },
    { "umlaut comes apart", "\xc3\x9c" "bung", "u\xcc\x88" "bung" },
    { "composed and decomposed", "e\xcc\x81", "e\xcc\x81" },
    { "final sigma", "\xce\xa3\xcf\x82\xcf\x83", "\xcf\x83\xcf\x83\xcf\x83" },
    { "dotless i", "\xc4\xb1", "i" },
    { "I with a dot", "\xc4\xb0", "i\xcc\x87" },
    { "full width", "\xef\xbc\xa1\xef\xbd\x82", "ab" },
    { "ligature", "\xef\xac\x81ne", "fine" },
    { "Kelvin and square kg", "\xe2\x84\xaa\xe3\x8e\x8f", "kkg" },
    { "unit in capitals", "\xe2\x84\xa1", "tel" },
    { "Chinese stays", "\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87" },
    { "no UTF-8", "a\xff" "b", "a\xef\xbf\xbd" "b" },
    { "forbidden characters go", "a\x01" "b", "ab" },
};

Test(searchable, folds)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        struct slice got = mime_folded(slice_of(folds[i].in), arena);
        cr_expect(slice_eq(got, slice_of(folds[i].out)), "%s: %.*s", folds[i].name, SLICE_ARG(got));
        cr_expect(slice_eq(mime_folded(got, arena), got), "%s: folding twice changes nothing", folds[i].name);
    }
    arena_close(&arena);
}

static const char mail[] =
    "From: \"M\xc3\xbcller, J\xc3\xb6rg\" <JM@example.org>\r\nTo: team: a@example.org, b@example.org;\r\n"
    "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n =?utf-8?B?5p2x5Lqs?=\r\nDate: Sun, 1 Nov 2026 00:30:00 +0200\r\nX-Odd:\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    "<p>Caf&eacute; <b>Ol</b>&eacute;</p><style>hidden</style>\r\n--b\r\n"
    "Content-Type: application/pdf; name=\"=?utf-8?Q?Angebot_=C3=84?=.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n--b\r\n"
    "Content-Type: message/rfc822\r\n\r\nSubject: Inner thing\r\n\r\nINNER text\r\n--b--\r\n";

static const struct {
    const char *needle;
    bool header, own, body;
} finds[] = {
    { "\xe6\x9d\xb1\xe4\xba\xac", true, true, false },
    { "x-odd: \n", true, true, false },
    { "ole\xcc\x81", false, false, true },
    { "hidden", false, false, false },
    { "secret", false, false, false },
    { "angebot", true, false, false },
    { "inner thing", true, false, false },
    { "inner text", false, false, true },
    { "preamble", false, false, false },
    { "application/pdf", true, false, false },
};

Test(searchable, a_mail)
{
    struct arena *arena = arena_open();
    struct mime_meta meta;
    struct mime_searchable found;
    memory = slice_of(mail);
    mime_describe(memory, arena, &meta);
    cr_assert_eq(mime_searchable_read(&meta, &(struct mime_source){ NULL, read_memory }, true, arena, &found), ERR_OK);
    for (size_t i = 0; i < sizeof finds / sizeof *finds; i++) {
        struct slice needle = slice_of(finds[i].needle), own = slice_head(found.header, found.own_len);
        cr_expect_eq(slice_find_slice(found.header, needle) != SIZE_MAX, finds[i].header, "header: %s", finds[i].needle);
        cr_expect_eq(slice_find_slice(own, needle) != SIZE_MAX, finds[i].own, "own header: %s", finds[i].needle);
        cr_expect_eq(slice_find_slice(found.body, needle) != SIZE_MAX, finds[i].body, "body: %s", finds[i].needle);
    }
    struct slice subject = found.lines[MIME_LINE_SUBJECT], from = found.lines[MIME_LINE_FROM];
    cr_expect(slice_find_slice(subject, SLICE_LIT("gru\xcc\x88sse")) != SIZE_MAX, "%.*s", SLICE_ARG(subject));
    cr_expect(slice_find_slice(from, SLICE_LIT("jo\xcc\x88rg\" <jm@")) != SIZE_MAX, "as an address list: %.*s", SLICE_ARG(from));
    cr_expect(slice_find_slice(found.lines[MIME_LINE_TO], SLICE_LIT("team: a@")) != SIZE_MAX, "as it is written: %.*s",
              SLICE_ARG(found.lines[MIME_LINE_TO]));
    cr_expect(found.has_sent_day && found.sent_day == 20758, "the day in its own zone: %d", found.sent_day);
    arena_close(&arena);
}

Test(searchable, header_alone)
{
    struct arena *arena = arena_open();
    struct mime_meta meta;
    struct mime_searchable found;
    memory = SLICE_LIT("Subject: x\r\n\r\nbody\r\n");
    mime_describe(memory, arena, &meta);
    cr_assert_eq(mime_searchable_read(&meta, &(struct mime_source){ NULL, read_memory }, false, arena, &found), ERR_OK);
    cr_expect_eq(found.body.len, 0);
    cr_expect(!found.has_sent_day);
    cr_expect(slice_eq(found.lines[MIME_LINE_SUBJECT], SLICE_LIT("x")));
    arena_close(&arena);
}

Test(searchable, text_limit)
{
    struct arena *arena = arena_open();
    struct buf raw = { 0 };
    struct mime_meta meta;
    struct mime_searchable found;
    buf_add_text(&raw, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (size_t i = 0; i < SEARCHABLE_TEXT_MAX / 2; i++) // an umlaut comes apart into three octets
        buf_add_text(&raw, "\xc3\xbc");
    memory = buf_slice(&raw);
    mime_describe(memory, arena, &meta);
    cr_assert_eq(mime_searchable_read(&meta, &(struct mime_source){ NULL, read_memory }, true, arena, &found), ERR_OK);
    cr_expect_leq(found.body.len, SEARCHABLE_TEXT_MAX);
    cr_expect_geq(found.body.len, SEARCHABLE_TEXT_MAX - 8);
    buf_free(&raw);
    arena_close(&arena);
}

Test(searchable, display_names)
{
    static const struct {
        const char *list, *key;
    } names[] = {
        { "Ann Lee <ann@example.org>", "ann lee" },
        { "ann@example.org", "ann@example.org" },
        { "\"Lee, Ann\" <ann@example.org>, Bob <b@example.org>", "lee, ann" },
        { "\"A \\\"B\\\" C\" <ann@example.org>", "a \"b\" c" },
        { "a@example.org, Bob <b@example.org>", "a@example.org" },
        { "a@example.org, b@example.org", "a@example.org" },
        { "", "" },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct slice key = mime_sort_display(slice_of(names[i].list), arena);
        cr_expect(slice_eq(key, slice_of(names[i].key)), "%s: %.*s", names[i].list, SLICE_ARG(key));
    }
    arena_close(&arena);
}

Test(searchable, replies)
{
    static const struct {
        const char *subject;
        bool is_reply;
    } subjects[] = {
        { "Plans", false },          { "Re: Plans", true },     { "Plans (fwd)", true }, { "[list] Plans", false },
        { "[list] Re: Plans", true }, { "[Fwd: Plans]", true }, { "Remarks", false },    { "  Plans  ", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        cr_expect_eq(mime_subject_is_reply(slice_of(subjects[i].subject)), subjects[i].is_reply, "%s", subjects[i].subject);
}
