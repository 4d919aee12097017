/* What may be answered automatically, and the answer (RFC 3834). */
#include <criterion/criterion.h>

#include "protocol/mime/autoreply.h"
#include "protocol/mime/meta.h"

#define OWN SLICE_LIT("me@example.test")
#define FROM(path) "Return-Path: <" path ">\r\nDelivered-To: me@example.test\r\n"
#define TO_ME "To: Me <ME@Example.Test>\r\n"

static const struct {
    const char *name, *header;
    enum auto_reply_verdict verdict;
} rows[] = {
    { "a person", FROM("a@x.test") TO_ME, AUTO_REPLY_YES },
    { "nothing at all", "", AUTO_REPLY_NO_RETURN_PATH },
    { "the null path", FROM("") TO_ME, AUTO_REPLY_NO_RETURN_PATH },
    { "the delivery's path counts, not the sender's", FROM("") "Return-Path: <a@x.test>\r\n" TO_ME, AUTO_REPLY_NO_RETURN_PATH },
    { "no path", TO_ME, AUTO_REPLY_NO_RETURN_PATH },
    { "folded", FROM("a@x.test") TO_ME "Auto-Submitted:\r\n auto-replied;\r\n owner-email=x\r\n", AUTO_REPLY_AUTOMATIC },
    { "explicitly not automatic", FROM("a@x.test") TO_ME "Auto-Submitted: no\r\n", AUTO_REPLY_YES },
    { "a report", FROM("a@x.test") TO_ME "Content-Type: multipart/report; boundary=b\r\n", AUTO_REPLY_AUTOMATIC },
    { "suppressed", FROM("a@x.test") TO_ME "X-Auto-Response-Suppress: dr, all\r\n", AUTO_REPLY_AUTOMATIC },
    { "a list", FROM("a@x.test") TO_ME "list-post: <mailto:l@x>\r\n", AUTO_REPLY_LIST },
    { "bulk", FROM("a@x.test") TO_ME "Precedence: Bulk\r\n", AUTO_REPLY_LIST },
    { "first class", FROM("a@x.test") TO_ME "Precedence: first-class\r\n", AUTO_REPLY_YES },
    { "a list's owner", FROM("owner-l@x.test") TO_ME, AUTO_REPLY_ROBOT },
    { "a list's machine", FROM("L-Request@x.test") TO_ME, AUTO_REPLY_ROBOT },
    { "bounces", FROM("Mailer-Daemon@x.test") TO_ME, AUTO_REPLY_ROBOT },
    { "a name that only looks like one", FROM("request@x.test") TO_ME, AUTO_REPLY_YES },
    { "oneself", FROM("me+shop@EXAMPLE.test") TO_ME, AUTO_REPLY_OWN },
    { "hidden", FROM("a@x.test") "To: b@x.test\r\nBcc: me@example.test\r\n", AUTO_REPLY_NOT_NAMED },
    { "copied, with a tag", FROM("a@x.test") "To: b@x.test\r\nCc: g: c@x.test, <me+t@example.test>;\r\n", AUTO_REPLY_YES },
    { "a longer name is another one", FROM("a@x.test") "To: notme@example.test\r\n", AUTO_REPLY_NOT_NAMED },
};

Test(autoreply, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct auto_reply_to to;
        enum auto_reply_verdict got = mime_auto_reply_judge(slice_of(rows[i].header), OWN, arena, &to);
        cr_expect_eq(got, rows[i].verdict, "%s: %s", rows[i].name, mime_auto_reply_word(got));
    }
    arena_close(&arena);
}

Test(autoreply, the_answer)
{
    struct arena *arena = arena_open();
    struct auto_reply_to to;
    struct buf out = { 0 };
    struct mime_meta meta;
    cr_assert_eq(mime_auto_reply_judge(SLICE_LIT(FROM("a@x.test") TO_ME "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <2@x>\r\n"
                                                 "References: <0@x>\r\n <1@x>\r\n"), OWN, arena, &to), AUTO_REPLY_YES);
    mime_auto_reply_compose(&to, OWN, SLICE_LIT("<p>weg</p>"), true, &out);
    mime_describe(buf_slice(&out), arena, &meta);
    cr_expect(slice_starts(buf_slice(&out), SLICE_LIT("Auto-Submitted: auto-replied\r\n")));
    cr_expect(slice_eq(meta.subject, SLICE_LIT("Auto: Gr\xc3\xbc\xc3\x9f" "e")), "%.*s", SLICE_ARG(meta.subject));
    cr_expect(slice_eq(meta.to, SLICE_LIT("a@x.test")), "%.*s", SLICE_ARG(meta.to));
    cr_expect(slice_eq(meta.in_reply_to, SLICE_LIT("<2@x>")));
    cr_expect(slice_eq(meta.references, SLICE_LIT("<0@x> <1@x> <2@x>")), "%.*s", SLICE_ARG(meta.references));
    cr_expect(slice_eq(meta.parts[0].subtype, SLICE_LIT("html")));
    buf_free(&out);
    arena_close(&arena);
}

Test(autoreply, a_list_names_an_address)
{
    struct arena *arena = arena_open();
    struct slice list = SLICE_LIT("\"x@y.test, z\" <a@x.test>, B@X.test");
    cr_expect(mime_addresses_name(list, SLICE_LIT("b@x.TEST"), arena));
    cr_expect(mime_addresses_name(list, SLICE_LIT("a@x.test"), arena));
    cr_expect_not(mime_addresses_name(list, SLICE_LIT("x@y.test"), arena));
    cr_expect_not(mime_addresses_name(SLICE_LIT(""), SLICE_LIT("a@x.test"), arena));
    arena_close(&arena);
}
