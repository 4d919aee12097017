#include <criterion/criterion.h>

#include "protocol/mime/meta.h"

#define PART(header, body) "--b\r\n" header "\r\n" body "\r\n"
#define MULTI(subtype, parts) "Content-Type: multipart/" subtype "; boundary=b\r\n\r\n" parts "--b--\r\n"

enum { ATTACHED = 1, SIGNED = 2, ENCRYPTED = 4, MEETING = 8 };

static const struct {
    const char *name, *raw;
    unsigned flags;
    const char *filename; // of the last part
} rows[] = {
    { "plain text", "\r\nhi", 0, "" },
    { "inline picture by its id", MULTI("related", PART("Content-Type: text/html\r\n", "x") PART("Content-Type: image/png\r\nContent-ID: <a>\r\n", "x")), 0, "" },
    { "named picture", MULTI("mixed", PART("", "x") PART("Content-Type: image/png; name=\"a b.png\"\r\n", "x")), ATTACHED, "a b.png" },
    { "unnamed PDF", MULTI("mixed", PART("", "x") PART("Content-Type: application/pdf\r\n", "x")), ATTACHED, "" },
    { "text by disposition", MULTI("mixed", PART("", "x") PART("Content-Disposition: attachment; filename=a.txt\r\n", "x")), ATTACHED, "a.txt" },
    { "named text is text", MULTI("mixed", PART("Content-Type: text/plain; name=a.txt\r\n", "x")), 0, "a.txt" },
    { "RFC 2231 name", MULTI("mixed", PART("Content-Disposition: attachment;\r\n filename*0*=iso-8859-1''caf%E9;\r\n filename*1=.txt\r\n", "x")), ATTACHED, "caf\xc3\xa9.txt" },
    { "RFC 2047 name", MULTI("mixed", PART("Content-Disposition: attachment; filename=\"=?utf-8?b?Y2Fmw6k=?=\"\r\n", "x")), ATTACHED, "caf\xc3\xa9" },
    { "extended wins", MULTI("mixed", PART("Content-Disposition: attachment; filename=cafe; filename*=utf-8''caf%C3%A9\r\n", "x")), ATTACHED, "caf\xc3\xa9" },
    { "name with blanks unquoted", MULTI("mixed", PART("Content-Disposition: attachment; filename=my file.pdf\r\n", "x")), ATTACHED, "my file.pdf" },
    { "attached message", MULTI("mixed", PART("Content-Type: message/rfc822\r\n", "\r\nx")), ATTACHED, "" },
    { "S/MIME signature", MULTI("signed", PART("", "x") PART("Content-Type: application/pkcs7-signature; name=smime.p7s\r\n", "x")), SIGNED, "smime.p7s" },
    { "S/MIME opaque", "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\nx", SIGNED | ATTACHED, "" },
    { "S/MIME encrypted", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx", ENCRYPTED | ATTACHED, "" },
    { "invitation", MULTI("alternative", PART("", "x") PART("Content-Type: text/calendar; method=REQUEST\r\n", "x")), MEETING, "" },
};

Test(describe, what_a_message_carries)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta m;
        mime_describe(slice_of(rows[i].raw), arena, &m);
        unsigned flags = (m.has_attachments ? ATTACHED : 0u) | (m.is_signed ? SIGNED : 0u) | (m.is_encrypted ? ENCRYPTED : 0u) |
                         (m.is_meeting ? MEETING : 0u);
        cr_expect_eq(flags, rows[i].flags, "%s: %u", rows[i].name, flags);
        struct slice name = m.parts[m.part_count - 1].filename;
        cr_expect(slice_eq(name, slice_of(rows[i].filename)), "%s: %.*s", rows[i].name, SLICE_ARG(name));
    }
    arena_close(&arena);
}

static const struct {
    const char *name, *raw, *preview;
} preview_rows[] = {
    { "folded", "\r\n  Hi,\r\n\r\n\tthere \r\n", "Hi, there" },
    { "quoted-printable", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 =\r\nau lait", "caf\xc3\xa9 au lait" },
    { "base64", "Content-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n", "Hello" },
    { "the plain alternative", MULTI("alternative", PART("", "plain") PART("Content-Type: text/html\r\n", "<b>html</b>")), "plain" },
    { "HTML alone", "Content-Type: text/html\r\n\r\n<html><head><title>t</title><style>p { a: b }</style></head><body><p>Hi&nbsp;you &amp; <a href=\"http://x/\">me</a>", "Hi you & me" },
    { "HTML when the text is empty", MULTI("alternative", PART("", "  ") PART("Content-Type: text/html\r\n", "<b>html</b>")), "html" },
    { "attachments do not count", MULTI("mixed", PART("Content-Disposition: attachment\r\n", "no") PART("", "yes")), "yes" },
    { "nothing to show", "Content-Type: image/png\r\n\r\nx", "" },
    { "windows-1252 without a word about it", "\r\ncaf\xe9", "caf\xc3\xa9" },
};

Test(describe, preview)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof preview_rows / sizeof *preview_rows; i++) {
        struct mime_meta m;
        mime_describe(slice_of(preview_rows[i].raw), arena, &m);
        cr_expect(slice_eq(m.preview, slice_of(preview_rows[i].preview)), "%s: %.*s", preview_rows[i].name, SLICE_ARG(m.preview));
    }
    arena_close(&arena);
}

Test(describe, preview_is_limited_in_characters)
{
    struct arena *arena = arena_open();
    struct buf raw = { 0 };
    struct mime_meta m;
    buf_add_text(&raw, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
    for (int i = 0; i < 400; i++)
        buf_add_text(&raw, "\xc3\xa9");
    mime_describe(buf_slice(&raw), arena, &m);
    cr_expect_eq(m.preview.len, MIME_PREVIEW_MAX * 2);
    buf_free(&raw);
    arena_close(&arena);
}

static const struct {
    const char *name, *header;
    int64_t date_us;
    int zone, importance;
} header_rows[] = {
    { "date with a zone", "Date: Mon, 1 Jan 2024 10:00:00 +0130\r\n", INT64_C(1704097800000000), 90, 1 },
    { "date with a name of a zone", "Date: 1 Jan 2024 10:00 EST\r\n", INT64_C(1704121200000000), -300, 1 },
    { "no date", "Date: yesterday\r\n", 0, 0, 1 },
    { "high", "Importance: High\r\n", 0, 0, 2 },
    { "low", "X-Priority: 5 (Lowest)\r\n", 0, 0, 0 },
    { "urgent", "Priority: urgent\r\n", 0, 0, 2 },
    { "importance is asked first", "X-Priority: 1\r\nImportance: normal\r\n", 0, 0, 1 },
};

Test(describe, date_and_importance)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof header_rows / sizeof *header_rows; i++) {
        struct mime_meta m;
        mime_describe(slice_of(arena_printf(arena, "%s\r\n", header_rows[i].header)), arena, &m);
        cr_expect_eq(m.date_us, header_rows[i].date_us, "%s: %lld", header_rows[i].name, (long long)m.date_us);
        cr_expect_eq(m.date_zone_min, header_rows[i].zone, "%s", header_rows[i].name);
        cr_expect_eq(m.importance, header_rows[i].importance, "%s", header_rows[i].name);
    }
    arena_close(&arena);
}

Test(describe, a_conversation_has_one_thread)
{
    static const char *const same[] = {
        "Message-ID: <root@x>\r\n\r\n",
        "Message-ID: <2@x>\r\nIn-Reply-To: <root@x>\r\n\r\n",
        "Message-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <root@x>\r\n <2@x>\r\n\r\n",
    };
    struct arena *arena = arena_open();
    struct mime_meta first, m;
    mime_describe(slice_of(same[0]), arena, &first);
    for (size_t i = 1; i < 3; i++) {
        mime_describe(slice_of(same[i]), arena, &m);
        cr_expect_eq(m.thread, first.thread, "%zu", i);
    }
    cr_expect(slice_eq(m.references, SLICE_LIT("<root@x> <2@x>")));
    mime_describe(SLICE_LIT("Message-ID: <other@x>\r\n\r\n"), arena, &m);
    cr_expect_neq(m.thread, first.thread);
    arena_close(&arena);
}

/* ---- packing ---- */

Test(describe, packed_and_unpacked)
{
    static const char raw[] = "From: J <a@b>\r\nSubject: Re: x\r\nDate: Mon, 1 Jan 2024 10:00:00 -0130\r\n" MULTI(
        "mixed", PART("", "text") PART("Content-Disposition: attachment; filename=f.txt\r\nContent-ID: <i>\r\n", "y"));
    struct arena *arena = arena_open();
    struct mime_meta m, u;
    struct buf packed = { 0 };
    mime_describe(SLICE_LIT(raw), arena, &m);
    mime_meta_pack(&m, &packed);
    cr_assert_eq(mime_meta_unpack(buf_slice(&packed), 100, arena, &u), ERR_OK);
    cr_expect_eq(u.size, m.size + 100);
    cr_expect_eq(u.header_len, m.header_len + 100);
    cr_expect_eq(u.date_us, m.date_us);
    cr_expect_eq(u.date_zone_min, -90);
    cr_expect_eq(u.thread, m.thread);
    cr_expect_eq(u.has_attachments, true);
    cr_expect(slice_eq(u.envelope, m.envelope));
    cr_expect(slice_eq(u.sort_from, SLICE_LIT("A")));
    cr_assert_eq(u.part_count, 3);
    cr_expect_eq(u.parts[0].header_at, 0);
    cr_expect_eq(u.parts[0].body_at, m.parts[0].body_at + 100);
    cr_expect_eq(u.parts[2].header_at, m.parts[2].header_at + 100);
    cr_expect_eq(u.parts[2].body_len, 1);
    cr_expect(slice_eq(u.parts[2].filename, SLICE_LIT("f.txt")));
    cr_expect(slice_eq(u.parts[2].imap_section, SLICE_LIT("2")));

    // Cut anywhere, it is refused.
    for (size_t len = 0; len < buf_len(&packed); len++)
        cr_assert_eq(mime_meta_unpack(slice_head(buf_slice(&packed), len), 0, arena, &u), ERR_SYNTAX, "cut at %zu", len);
    buf_add_byte(&packed, 'x');
    cr_expect_eq(mime_meta_unpack(buf_slice(&packed), 0, arena, &u), ERR_SYNTAX);
    buf_free(&packed);
    arena_close(&arena);
}
