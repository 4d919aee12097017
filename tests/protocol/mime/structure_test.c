#include <criterion/criterion.h>
#include <stdio.h>

#include "protocol/mime/meta.h"

#define TOP "From: a@b\r\nMIME-Version: 1.0\r\n"
#define MIXED TOP "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n"
#define ENV "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
#define TEXT(octets, lines) "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " octets " " lines ")"

/* BODY, and each part's section with its body. */
static const struct {
    const char *name, *raw, *body, *parts;
} rows[] = {
    { "empty", "", TEXT("0", "0"), "1=<>" },
    { "header only, no blank line", "Subject: x\r\n", TEXT("0", "0"), "1=<>" },
    { "header only", "Subject: x\r\n\r\n", TEXT("0", "0"), "1=<>" },
    { "no header", "\r\nhi\r\n", TEXT("4", "1"), "1=<hi\r\n>" },
    { "last line without an end", "A: b\r\n\r\nhi\r\nyou", TEXT("7", "1"), "1=<hi\r\nyou>" },
    { "bare LF", "A: b\n\nhi\n", TEXT("3", "1"), "1=<hi\n>" },
    { "two parts", MIXED "--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n",
      "(" TEXT("3", "0") "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1) \"mixed\")",
      "=<...> 1=<one> 2=<two\r\n>" },
    { "preamble is nobody's", MIXED "preamble\r\n--b\r\n\r\none\r\n--b--", "(" TEXT("3", "0") " \"mixed\")", "=<...> 1=<one>" },
    { "no last boundary", MIXED "--b\r\n\r\none\r\n", "(" TEXT("5", "1") " \"mixed\")", "=<...> 1=<one\r\n>" },
    { "part without a header or body", MIXED "--b\r\n--b--\r\n", "(" TEXT("0", "0") " \"mixed\")", "=<...> 1=<>" },
    { "part header cut by the boundary", MIXED "--b\r\nContent-Type: text/html\r\n--b--\r\n",
      "((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"mixed\")", "=<...> 1=<>" },
    { "blank behind the boundary", MIXED "--b  \t\r\n\r\none\r\n--b-- \r\n", "(" TEXT("3", "0") " \"mixed\")", "=<...> 1=<one>" },
    { "a longer line is no boundary", MIXED "--b\r\n\r\none\r\n--bar\r\n--b--\r\n", "(" TEXT("10", "1") " \"mixed\")",
      "=<...> 1=<one\r\n--bar>" },
    { "the boundary never comes", MIXED "text\r\n", TEXT("6", "1"), "1=<text\r\n>" },
    { "only the last boundary", MIXED "--b--\r\n", TEXT("7", "1"), "1=<--b--\r\n>" },
    { "no boundary parameter", TOP "Content-Type: multipart/mixed\r\n\r\n--b\r\n", TEXT("5", "1"), "1=<--b\r\n>" },
    { "nested, the inner one never closed",
      MIXED "--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\none\r\n--i\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n",
      "((" TEXT("3", "0") TEXT("3", "0") " \"alternative\")" TEXT("5", "0") " \"mixed\")",
      "=<...> 1=<...> 1.1=<one> 1.2=<two> 2=<three>" },
    { "a boundary that begins another",
      MIXED "--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n--b--\r\n",
      "((" TEXT("3", "0") " \"alternative\") \"mixed\")", "=<...> 1=<...> 1.1=<one>" },
    { "the same boundary inside",
      MIXED "--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
      "((" TEXT("3", "0") " \"alternative\")" TEXT("3", "0") " \"mixed\")", "=<...> 1=<...> 1.1=<one> 2=<two>" },
    { "attached message",
      MIXED "--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--b--\r\n",
      "(" TEXT("3", "0") "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("4", "0")
      " 2) \"mixed\")",
      "=<...> 1=<one> 2=<Subject: in\r\n\r\nbody> 2.1=<body>" },
    { "attached message with parts",
      MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\none\r\n--i\r\n\r\ntwo\r\n--i--\r\n--b--\r\n",
      "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 74 " ENV " (" TEXT("3", "0") TEXT("3", "0") " \"mixed\") 8) \"mixed\")",
      "=<...> 1=<...> =<...> 1.1=<one> 1.2=<two>" },
    { "a message is all of it", "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody",
      "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("4", "0") " 2)",
      "1=<Subject: in\r\n\r\nbody> 1.1=<body>" },
    { "base64 message is a leaf",
      MIXED "--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n--b--\r\n",
      "((\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 4) \"mixed\")", "=<...> 1=<QQ==>" },
    { "digest holds messages", TOP "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n--b--\r\n",
      "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT("1", "0") " 2) \"digest\")",
      "=<...> 1=<Subject: in\r\n\r\nx> 1.1=<x>" },
    { "type that is none", "Content-Type: gibberish\r\n\r\nx", TEXT("1", "0"), "1=<x>" },
    { "parameters in order, case kept",
      "Content-Type: Image/PNG; Name=\"a \\\"b\\\".png\"; x-y=z\r\nContent-Transfer-Encoding: BASE64\r\nContent-ID: <i@d>\r\n"
      "Content-Description: my\r\n picture\r\n\r\nQUJD\r\n",
      "(\"Image\" \"PNG\" (\"name\" \"a \\\"b\\\".png\" \"x-y\" \"z\") \"<i@d>\" \"my picture\" \"BASE64\" 6)", "1=<QUJD\r\n>" },
    { "RFC 2231 continuations", "Content-Type: application/x; name*1=\"c.txt\"; name*0=\"ab\"; q=1\r\n\r\n",
      "(\"application\" \"x\" (\"name\" \"abc.txt\" \"q\" \"1\") NIL NIL \"7bit\" 0)", "1=<>" },
    { "RFC 2231 with a charset", "Content-Type: application/x; name*0*=utf-8''%C3%A9; name*1=\" b\"\r\n\r\n",
      "(\"application\" \"x\" (\"name*\" \"utf-8''%C3%A9%20b\") NIL NIL \"7bit\" 0)", "1=<>" },
    { "8-bit parameter", "Content-Type: application/x; name=\"caf\xc3\xa9\"\r\n\r\n",
      "(\"application\" \"x\" (\"name*\" \"utf-8''caf%C3%A9\") NIL NIL \"7bit\" 0)", "1=<>" },
    { "comment and forgotten semicolon", "Content-Type: text/plain (hello) charset=utf-8\r\n\r\n", TEXT("0", "0"), "1=<>" },
};

static void list_parts(const struct mime_meta *meta, struct slice raw, struct buf *out)
{
    for (size_t i = 0; i < meta->part_count; i++) {
        const struct mime_part *p = &meta->parts[i];
        cr_assert_leq(p->body_at + p->body_len, raw.len);
        cr_assert_eq(p->header_at + p->header_len, p->body_at);
        if (i)
            buf_add_byte(out, ' ');
        buf_printf(out, "%.*s=<", SLICE_ARG(p->imap_section));
        bool parent = p->is_multipart || (p->is_message && p->body_len > 60);
        buf_add(out, parent ? SLICE_LIT("...") : slice_make(raw.at + p->body_at, p->body_len));
        buf_add_byte(out, '>');
    }
}

Test(structure, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta meta;
        struct buf parts = { 0 };
        struct slice raw = slice_of(rows[i].raw);
        mime_describe(raw, arena, &meta);
        list_parts(&meta, raw, &parts);
        cr_expect(slice_eq(meta.body, slice_of(rows[i].body)), "%s: BODY %.*s\nwant %s", rows[i].name, SLICE_ARG(meta.body), rows[i].body);
        cr_expect(slice_eq(buf_slice(&parts), slice_of(rows[i].parts)), "%s: parts %.*s", rows[i].name, SLICE_ARG(buf_slice(&parts)));
        buf_free(&parts);
        arena_reset(arena);
    }
    arena_close(&arena);
}

static const struct {
    const char *name, *header, *bodystructure;
} extended_rows[] = {
    { "leaf", "Content-MD5: Q2==\r\nContent-Disposition: attachment;\r\n\tfilename=x.txt\r\nContent-Language: de, en\r\nContent-Location: http://x/\r\n",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 \"Q2==\" (\"attachment\" (\"filename\" \"x.txt\")) (\"de\" \"en\") \"http://x/\")" },
    { "nothing given", "", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)" },
    { "one language", "Content-Language: de\r\n",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL \"de\" NIL)" },
    { "languages that are none", "Content-Language: ,,\r\n",
      "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)" },
};

Test(structure, extension_data)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof extended_rows / sizeof *extended_rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "%s\r\n", extended_rows[i].header)), arena, &meta);
        cr_expect(slice_eq(meta.bodystructure, slice_of(extended_rows[i].bodystructure)), "%s: %.*s", extended_rows[i].name,
                  SLICE_ARG(meta.bodystructure));
    }
    arena_close(&arena);
}

Test(structure, multipart_extension_data)
{
    struct arena *arena = arena_open();
    struct mime_meta meta;
    mime_describe(SLICE_LIT(MIXED "--b\r\n\r\nx\r\n--b--\r\n"), arena, &meta);
    cr_expect(slice_eq(meta.bodystructure,
                       SLICE_LIT("((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" "
                                 "(\"boundary\" \"b\") NIL NIL NIL)")),
              "%.*s", SLICE_ARG(meta.bodystructure));
    arena_close(&arena);
}

Test(structure, parts_beyond_the_limit_belong_to_the_last)
{
    struct arena *arena = arena_open();
    struct buf raw = { 0 };
    struct mime_meta meta;
    buf_add_text(&raw, MIXED);
    for (int i = 0; i < 3000; i++)
        buf_printf(&raw, "--b\r\n\r\npart %d\r\n", i);
    buf_add_text(&raw, "--b--\r\n");
    mime_describe(buf_slice(&raw), arena, &meta);
    const struct mime_part *last = &meta.parts[meta.part_count - 1];
    cr_expect_eq(meta.part_count, MIME_PARTS_MAX);
    cr_expect(slice_eq(last->imap_section, SLICE_LIT("999")));
    cr_expect_eq(last->body_at + last->body_len, buf_len(&raw) - strlen("\r\n--b--\r\n"));
    buf_free(&raw);
    arena_close(&arena);
}


Test(structure, nesting_is_limited)
{
    struct arena *arena = arena_open();
    for (size_t row = 0; row < 2; row++) {
        struct buf raw = { 0 };
        struct mime_meta meta;
        for (int i = 0; i < 5000; i++)
            buf_printf(&raw, row ? "Content-Type: message/rfc822; x=%d; y=%d\r\n\r\n"
                                 : "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n",
                       i, i);
        mime_describe(buf_slice(&raw), arena, &meta);
        cr_expect_eq(meta.part_count, MIME_DEPTH_MAX + 1, "%s: %zu", row ? "messages" : "multiparts", meta.part_count);
        cr_expect_eq(meta.parts[MIME_DEPTH_MAX].depth, MIME_DEPTH_MAX);
        cr_expect_not(meta.parts[MIME_DEPTH_MAX].is_multipart || meta.parts[MIME_DEPTH_MAX].is_message);
        buf_free(&raw);
    }
    arena_close(&arena);
}

Test(structure, nul_octets_are_content)
{
    static const char raw[] = "Subject: a\0b\r\n\r\nc\0d\r\n";
    struct arena *arena = arena_open();
    struct mime_meta meta;
    mime_describe(slice_make(raw, sizeof raw - 1), arena, &meta);
    cr_expect_eq(meta.parts[0].body_len, 5);
    cr_expect(slice_starts(meta.envelope, SLICE_LIT("(NIL \"a b\" NIL")), "%.*s", SLICE_ARG(meta.envelope));
    cr_expect(slice_eq(meta.preview, SLICE_LIT("cd")), "%.*s", SLICE_ARG(meta.preview));
    arena_close(&arena);
}
