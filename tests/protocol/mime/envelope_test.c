#include <criterion/criterion.h>

#include "protocol/mime/meta.h"

/* One header, and ENVELOPE of it. */
static const struct {
    const char *name, *header, *envelope;
} rows[] = {
    { "nothing", "", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "all ten",
      "Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nSubject: Hello\r\nFrom: A B <a@b.c>\r\nSender: s@b.c\r\nReply-To: r@b.c\r\nTo: t@b.c\r\n"
      "Cc: c@b.c\r\nBcc: h@b.c\r\nIn-Reply-To: <1@x>\r\nMessage-ID: <2@x>\r\n",
      "(\"Mon, 1 Jan 2024 10:00:00 +0100\" \"Hello\" ((\"A B\" NIL \"a\" \"b.c\")) ((NIL NIL \"s\" \"b.c\")) ((NIL NIL \"r\" \"b.c\")) "
      "((NIL NIL \"t\" \"b.c\")) ((NIL NIL \"c\" \"b.c\")) ((NIL NIL \"h\" \"b.c\")) \"<1@x>\" \"<2@x>\")" },
    { "sender and reply-to default to from", "From: a@b\r\nSender:\r\n",
      "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)" },
    { "empty is not missing", "Subject:\r\nTo:\r\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "the first subject, every To", "Subject: one\r\nSubject: two\r\nTo: a@b\r\nTo: c@d\r\n",
      "(NIL \"one\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)" },
    { "folded, words kept", "Subject: =?utf-8?q?caf=C3=A9?=\r\n\t and more\r\n",
      "(NIL \"=?utf-8?q?caf=C3=A9?=\t and more\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "quotes and backslashes", "Subject: a \"b\" \\c\r\n", "(NIL \"a \\\"b\\\" \\\\c\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "8-bit UTF-8 subject", "Subject: caf\xc3\xa9\r\n", "(NIL \"=?utf-8?B?Y2Fmw6k=?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "8-bit Latin-1 subject", "Subject: caf\xe9\r\n", "(NIL \"=?utf-8?B?Y2Fmw6k=?=\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "8-bit name and address", "To: J\xc3\xb6 <j\xc3\xb6@b>\r\n",
      "(NIL NIL NIL NIL NIL ((\"=?utf-8?B?SsO2?=\" NIL \"=?utf-8?B?asO2?=\" \"b\")) NIL NIL NIL NIL)" },
    { "blank before the colon", "Subject : x\r\n", "(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
    { "a line that is no field", "From nobody\r\nSubject: x\r\n", "(NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

/* A To header's value, the list in ENVELOPE, and the decoded text. */
static const struct {
    const char *name, *value, *list, *text;
} address_rows[] = {
    { "bare", "a@b", "((NIL NIL \"a\" \"b\"))", "a@b" },
    { "phrase", "John Doe <a@b>", "((\"John Doe\" NIL \"a\" \"b\"))", "John Doe <a@b>" },
    { "quoted phrase", "\"Doe, \\\"J\\\"\" <a@b>", "((\"Doe, \\\"J\\\"\" NIL \"a\" \"b\"))", "\"Doe, \\\"J\\\"\" <a@b>" },
    { "comment as name", "a@b (John (J) Doe)", "((\"John (J) Doe\" NIL \"a\" \"b\"))", "\"John (J) Doe\" <a@b>" },
    { "comment beside a phrase", "John (x) <a@b>", "((\"John\" NIL \"a\" \"b\"))", "John <a@b>" },
    { "words of RFC 2047", "=?utf-8?q?J=C3=B6?= <a@b>", "((\"=?utf-8?q?J=C3=B6?=\" NIL \"a\" \"b\"))", "J\xc3\xb6 <a@b>" },
    { "a word with a comma", "=?utf-8?q?Doe,_J?= <a@b>", "((\"=?utf-8?q?Doe,_J?=\" NIL \"a\" \"b\"))", "\"Doe, J\" <a@b>" },
    { "group", "team: a@b, c@d;, e@f", "((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL)(NIL NIL \"e\" \"f\"))",
      "team: a@b, c@d;, e@f" },
    { "empty group", "undisclosed recipients:;", "((NIL NIL \"undisclosed recipients\" NIL)(NIL NIL NIL NIL))", "undisclosed recipients:;" },
    { "open group", "team: a@b", "((NIL NIL \"team\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))", "team: a@b;" },
    { "route", "<@x,@y:a@b>", "((NIL \"@x,@y\" \"a\" \"b\"))", "a@b" },
    { "no domain", "root", "((NIL NIL \"root\" \"\"))", "root" },
    { "name without address", "John Doe <>", "((\"John Doe\" NIL \"\" \"\"))", "John Doe <>" },
    { "quoted local part", "\"a b\"@c", "((NIL NIL \"a b\" \"c\"))", "\"a b\"@c" },
    { "domain literal", "a@[1.2.3.4]", "((NIL NIL \"a\" \"[1.2.3.4]\"))", "a@[1.2.3.4]" },
    { "an address as its own name", "a@b <a@b>", "((\"a@b\" NIL \"a\" \"b\"))", "\"a@b\" <a@b>" },
    { "bracket never closed", "J <a@b, c@d", "((\"J\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))", "J <a@b>, c@d" },
    { "commas only", ",, ,", "NIL", "" },
    { "quote never closed", "\"J <a@b>", "((NIL NIL \"J <a@b>\" \"\"))", "\"J <a@b>\"" },
    { "dots and blanks", "J. R. Doe <j . r@b>", "((\"J. R. Doe\" NIL \"j.r\" \"b\"))", "J. R. Doe <j.r@b>" },
};

Test(envelope, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "%s\r\n", rows[i].header)), arena, &meta);
        cr_expect(slice_eq(meta.envelope, slice_of(rows[i].envelope)), "%s: %.*s", rows[i].name, SLICE_ARG(meta.envelope));
    }
    arena_close(&arena);
}

Test(envelope, addresses)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof address_rows / sizeof *address_rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "To: %s\r\n\r\n", address_rows[i].value)), arena, &meta);
        struct slice want = slice_of(arena_printf(arena, "(NIL NIL NIL NIL NIL %s NIL NIL NIL NIL)", address_rows[i].list));
        cr_expect(slice_eq(meta.envelope, want), "%s: %.*s", address_rows[i].name, SLICE_ARG(meta.envelope));
        cr_expect(slice_eq(meta.to, slice_of(address_rows[i].text)), "%s: %.*s", address_rows[i].name, SLICE_ARG(meta.to));
    }
    arena_close(&arena);
}

static const struct {
    const char *subject, *base;
} subject_rows[] = {
    { "Hello", "HELLO" },          { "Re: Hello", "HELLO" },
    { "RE : Fwd: fw: Hello", "HELLO" }, { "Re[2]: Hello", "HELLO" },
    { "[list] Re: [list] Hello", "HELLO" }, { "Hello (fwd) ", "HELLO" },
    { "[Fwd: Hello]", "HELLO" },   { "[Fwd: [Fwd: Re: Hello (fwd)]]", "HELLO" },
    { "[only]", "[ONLY]" },        { "Re:", "" },
    { "a \t  b", "A B" },          { "Release", "RELEASE" },
    { "=?utf-8?q?=C3=A9t=C3=A9?=", "\xc3\x89T\xc3\x89" }, { "[fwd:", "[FWD:" },
};

Test(envelope, base_subject)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof subject_rows / sizeof *subject_rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "Subject: %s\r\n\r\n", subject_rows[i].subject)), arena, &meta);
        cr_expect(slice_eq(meta.sort_subject, slice_of(subject_rows[i].base)), "%s: %.*s", subject_rows[i].subject,
                  SLICE_ARG(meta.sort_subject));
    }
    arena_close(&arena);
}

Test(envelope, very_long_lists_stay_cheap)
{
    struct arena *arena = arena_open();
    struct buf raw = { 0 };
    struct mime_meta meta;
    for (int i = 0; i < 100000; i++)
        buf_add_text(&raw, "To: a@b\r\n");
    buf_add_text(&raw, "\r\n");
    mime_describe(buf_slice(&raw), arena, &meta);
    cr_expect_lt(meta.envelope.len, 200000);
    cr_expect_eq(meta.parts[0].header_lines, 100001);
    buf_free(&raw);
    arena_close(&arena);
}
