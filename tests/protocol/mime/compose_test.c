#include <criterion/criterion.h>

#include "protocol/mime/compose.h"
#include "protocol/mime/render.h"

static void expect_crlf(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        cr_assert((s.at[i] != '\n' || (i && s.at[i - 1] == '\r')) && (s.at[i] != '\r' || (i + 1 < s.len && s.at[i + 1] == '\n')),
                  "bare line break at %zu", i);
}

Test(compose, what_was_composed_is_described)
{
    struct mime_attachment attachments[] = {
        { .name = SLICE_LIT("caf\xc3\xa9.bin"), .type = SLICE_LIT("application/x-y"), .octets = SLICE_LIT("\0\1\2\xff") },
        { .type = SLICE_LIT("image/png"), .content_id = SLICE_LIT("i@x"), .octets = SLICE_LIT("png"), .is_inline = true },
        { .name = SLICE_LIT("m.eml"), .octets = SLICE_LIT("Subject: in\r\n\r\n--x--\r\n"), .is_message = true },
    };
    struct mime_draft draft = {
        .from = SLICE_LIT("J\xc3\xb6 <j@example.test>"), .to = SLICE_LIT("\"A, B\" <a@b.test>, c@d.test"), .subject = SLICE_LIT("\xc3\xbc\r\nBcc: evil@x"),
        .text = SLICE_LIT("plain \xe2\x82\xac\n"), .html = SLICE_LIT("<p>html</p>"), .importance = 2,
        .attachments = attachments, .attachment_count = 3,
    };
    struct arena *arena = arena_open();
    struct buf out = { 0 }, body = { 0 };
    struct mime_meta m;
    mime_compose(&draft, &out);
    expect_crlf(buf_slice(&out));
    mime_describe(buf_slice(&out), arena, &m);
    cr_expect(slice_eq(m.from, draft.from), "%.*s", SLICE_ARG(m.from));
    cr_expect(slice_eq(m.to, draft.to), "%.*s", SLICE_ARG(m.to));
    cr_expect(slice_eq(m.subject, SLICE_LIT("\xc3\xbc  Bcc: evil@x")), "%.*s", SLICE_ARG(m.subject));
    cr_expect_eq(m.bcc.len, 0);
    cr_expect_neq(m.message_id.len, 0);
    cr_expect_neq(m.date_us, 0);
    cr_expect_eq(m.importance, 2);
    cr_expect(m.has_attachments);
    mime_render_body(buf_slice(&out), &m, MIME_BODY_TEXT, &body);
    cr_expect(slice_starts(buf_slice(&body), SLICE_LIT("plain \xe2\x82\xac")), "%.*s", SLICE_ARG(buf_slice(&body)));
    size_t found = 0;
    for (size_t i = 0; i < m.part_count; i++) {
        struct slice octets = slice_make(buf_slice(&out).at + m.parts[i].body_at, m.parts[i].body_len);
        if (slice_eq(m.parts[i].filename, SLICE_LIT("caf\xc3\xa9.bin"))) {
            buf_clear(&body);
            mime_decode_part(&m.parts[i], octets, &body);
            cr_expect(slice_eq(buf_slice(&body), attachments[0].octets));
            found++;
        }
        found += slice_eq(m.parts[i].content_id, SLICE_LIT("i@x"));
        if (m.parts[i].is_message) {
            cr_expect(slice_starts(octets, SLICE_LIT("Subject: in\r\n\r\n--x--")), "%.*s", SLICE_ARG(octets));
            found++;
        }
    }
    cr_expect_eq(found, 3);
    buf_free(&out);
    buf_free(&body);
    arena_close(&arena);
}

Test(compose, recipients)
{
    struct arena *arena = arena_open();
    struct slice *to, from;
    size_t count;
    mime_recipients(SLICE_LIT("From: J <j@x>\r\nTo: a@x, g: b@x;\r\nCc: \"q q\"@x\r\nBcc: d@x\r\n\r\nTo: no@x\r\n"), arena, &to, &count, &from);
    static const char *const want[] = { "a@x", "b@x", "\"q q\"@x", "d@x" };
    cr_assert_eq(count, 4);
    for (size_t i = 0; i < count; i++)
        cr_expect(slice_eq(to[i], slice_of(want[i])), "%.*s", SLICE_ARG(to[i]));
    cr_expect(slice_eq(from, SLICE_LIT("j@x")));
    arena_close(&arena);
}

Test(compose, prepared_for_sending)
{
    struct buf out = { 0 };
    struct arena *arena = arena_open();
    struct mime_meta m;
    static const char raw[] = "To: a@x\r\nBcc: b@x,\r\n c@x\r\nSubject: s\r\n\r\nBcc: stays\r\n";
    mime_prepare_sending(SLICE_LIT(raw), SLICE_LIT("j@x"), &out);
    mime_describe(buf_slice(&out), arena, &m);
    cr_expect(slice_eq(m.from, SLICE_LIT("j@x")));
    cr_expect_eq(m.bcc.len, 0);
    cr_expect_neq(m.date_us, 0);
    cr_expect(slice_ends_nocase(m.message_id, SLICE_LIT("@x>")), "%.*s", SLICE_ARG(m.message_id));
    cr_expect(slice_ends_nocase(buf_slice(&out), SLICE_LIT("To: a@x\r\nSubject: s\r\n\r\nBcc: stays\r\n")), "%.*s", SLICE_ARG(buf_slice(&out)));
    buf_free(&out);
    arena_close(&arena);
}

static const struct {
    const char *name, *reply, *original;
    enum mime_quote how;
    enum mime_body_kind kind;
    const char *own, *quoted;
    size_t attachments;
} quote_rows[] = {
#define REPLY "From: me@x\r\nTo: you@x\r\nSubject: Re: s\r\n"
#define ORIGINAL "From: You <you@x>\r\nMessage-ID: <o@x>\r\nSubject: s\r\n"
#define WITH_FILE "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nold\r\n--b\r\nContent-Type: image/png; name=p.png\r\n\r\nx\r\n--b--\r\n"
#define ALTERNATIVE "Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\nnew\r\n--a\r\nContent-Type: text/html\r\n\r\n<b>new</b>\r\n--a--\r\n"
#define TWO_TEXTS "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nnew\r\n--a\r\n\r\nmore\r\n--a--\r\n"
    { "text", REPLY "\r\nnew", ORIGINAL "\r\nold", MIME_QUOTE_INLINE, MIME_BODY_TEXT, "new", "old", 0 },
    { "html", REPLY "Content-Type: text/html\r\n\r\n<body>new</body>", ORIGINAL "\r\nold <x>", MIME_QUOTE_INLINE, MIME_BODY_HTML, "new", "old &lt;x&gt;", 0 },
    { "html original of a plain reply", REPLY "\r\nnew", ORIGINAL "Content-Type: text/html\r\n\r\n<p>old <b>one", MIME_QUOTE_INLINE, MIME_BODY_TEXT, "new", "old one", 0 },
    { "alternative: the html", REPLY ALTERNATIVE, ORIGINAL "\r\nold <x>", MIME_QUOTE_INLINE, MIME_BODY_HTML, "<b>new", "old &lt;x&gt;", 0 },
    { "alternative: the text", REPLY ALTERNATIVE, ORIGINAL "\r\nold <x>", MIME_QUOTE_INLINE, MIME_BODY_TEXT, "new", "old <x>", 0 },
    { "a second text of the reply", REPLY TWO_TEXTS, ORIGINAL "\r\nold", MIME_QUOTE_INLINE, MIME_BODY_TEXT, "new", "old", 1 },
    { "a reply drops what is not shown", REPLY "Content-Type: text/html\r\n\r\nnew", ORIGINAL WITH_FILE, MIME_QUOTE_INLINE, MIME_BODY_HTML, "new", "old", 0 },
    { "reply drops attachments", REPLY "\r\nnew", ORIGINAL WITH_FILE, MIME_QUOTE_INLINE, MIME_BODY_TEXT, "new", "old", 0 },
    { "forward keeps attachments", REPLY "\r\nnew", ORIGINAL WITH_FILE, MIME_QUOTE_WITH_ATTACHMENTS, MIME_BODY_TEXT, "new", "old", 1 },
    { "forward as an attachment", REPLY "\r\nnew", ORIGINAL "\r\nold", MIME_ATTACH_ORIGINAL, MIME_BODY_TEXT, "new", NULL, 1 },
};

Test(compose, quotes)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof quote_rows / sizeof *quote_rows; i++) {
        struct buf out = { 0 }, body = { 0 };
        struct mime_meta m;
        size_t attachments = 0;
        mime_quote_original(slice_of(quote_rows[i].reply), slice_of(quote_rows[i].original), quote_rows[i].how, &out);
        expect_crlf(buf_slice(&out));
        mime_describe(buf_slice(&out), arena, &m);
        mime_render_body(buf_slice(&out), &m, quote_rows[i].kind, &body);
        bool both = strstr(quote_rows[i].reply, "alternative") != NULL;
        cr_expect(both || mime_native_kind(&m) == quote_rows[i].kind, "%s", quote_rows[i].name);
        cr_expect_eq(mime_body_part(&m, MIME_BODY_HTML) != SIZE_MAX, both || quote_rows[i].kind == MIME_BODY_HTML, "%s",
                     quote_rows[i].name);
        cr_expect_neq(slice_find_slice(buf_slice(&body), slice_of(quote_rows[i].own)), SIZE_MAX, "%s", quote_rows[i].name);
        bool quoted = quote_rows[i].quoted && slice_find_slice(buf_slice(&body), slice_of(quote_rows[i].quoted)) != SIZE_MAX;
        cr_expect_eq(quoted, quote_rows[i].quoted != NULL, "%s: %.*s", quote_rows[i].name, SLICE_ARG(buf_slice(&body)));
        cr_expect(slice_eq(m.in_reply_to, SLICE_LIT("<o@x>")), "%s", quote_rows[i].name);
        cr_expect(slice_eq(m.subject, SLICE_LIT("Re: s")));
        for (size_t k = 0; k < m.part_count; k++)
            attachments += m.parts[k].is_attachment;
        cr_expect_eq(attachments, quote_rows[i].attachments, "%s: %zu", quote_rows[i].name, attachments);
        buf_free(&out);
        buf_free(&body);
    }
    arena_close(&arena);
}

/* What the client said in its header stays, a calendar goes along, and so does the picture that the quoted HTML shows. */
Test(compose, quoting_keeps_what_it_does_not_make)
{
    struct arena *arena = arena_open();
    struct buf out = { 0 };
    struct mime_meta m;
    mime_quote_original(SLICE_LIT("From: me@x\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nDisposition-Notification-To: me@x\r\n"
                                  "Thread-Topic: s\r\nReferences: <other@x>\r\nTo: you@x\r\nContent-Type: text/html\r\n\r\nnew"),
                        SLICE_LIT("Message-ID: <o@x>\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\n"
                                  "Content-Type: text/html\r\n\r\n<img src=\"cid:p@x\">\r\n--r\r\nContent-Type: image/png\r\n"
                                  "Content-ID: <p@x>\r\n\r\nx\r\n--r--\r\n"),
                        MIME_QUOTE_INLINE, &out);
    struct slice got = buf_slice(&out);
    cr_expect_neq(slice_find_slice(got, SLICE_LIT("Disposition-Notification-To: me@x\r\n")), SIZE_MAX);
    cr_expect_neq(slice_find_slice(got, SLICE_LIT("Thread-Topic: s\r\n")), SIZE_MAX);
    cr_expect_neq(slice_find_slice(got, SLICE_LIT("References: <other@x>\r\n")), SIZE_MAX, "its own thread stays its own");
    cr_expect_eq(slice_find_slice(got, SLICE_LIT("o@x")), SIZE_MAX);
    mime_describe(got, arena, &m);
    cr_expect_neq(slice_find_slice(got, SLICE_LIT("<p@x>")), SIZE_MAX, "the picture of the quoted HTML");
    buf_clear(&out);
    mime_quote_original(SLICE_LIT("From: me@x\r\nTo: you@x\r\n\r\nnew"),
                        SLICE_LIT("Content-Type: multipart/alternative; boundary=r\r\n\r\n--r\r\n\r\nold\r\n--r\r\n"
                                  "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n--r--\r\n"),
                        MIME_QUOTE_WITH_ATTACHMENTS, &out);
    cr_expect_neq(slice_find_slice(buf_slice(&out), SLICE_LIT("text/calendar")), SIZE_MAX, "%.*s", SLICE_ARG(buf_slice(&out)));
    buf_free(&out);
    arena_close(&arena);
}
