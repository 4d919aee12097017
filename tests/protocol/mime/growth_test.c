/* Hostile repetition: a megabyte of each is described and rendered in a moment and in bounded memory. What were quadratic
 * would take hours, so the time limit of the test does not depend on the machine. */
#include <criterion/criterion.h>

#include "protocol/mime/meta.h"
#include "protocol/mime/render.h"

#define SIZE 1000000u
#define HTML "Content-Type: text/html\r\n\r\n"
#define ENCODED(how) "Content-Transfer-Encoding: " how "\r\n\r\n"
#define LONG_BOUNDARY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *name, *start, *again;
} rows[] = {
    { "lines", "\r\n", "a\r\n" },
    { "lines that look like boundaries", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--a\r\n" },
    { "long lines that look like boundaries", "Content-Type: multipart/mixed; boundary=" LONG_BOUNDARY "y\r\n\r\n", "--" LONG_BOUNDARY "\r\n" },
    { "parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\n" },
    { "multiparts inside", "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" },
    { "messages inside", "", "Content-Type: message/rfc822\r\n\r\n" },
    { "digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n", "--b\r\n\r\nFrom: \xe4\xe4\xe4\xe4 <a@b>\r\n\r\n" },
    { "header lines", "", "X: y\r\n" },
    { "address fields", "", "To: y\r\n" },
    { "folded lines", "Subject: x\r\n", " y\r\n" },
    { "encoded words", "Subject: ", "=?utf-8?Q?a?= " },
    { "openings of encoded words", "Subject: ", "=?" },
    { "openings in addresses", "From: ", "=?a," },
    { "comments", "From: ", "(" },
    { "quoted words", "From: ", "\"a\\\"\" " },
    { "brackets", "From: ", "<" },
    { "addresses", "From: ", "a<b@c>," },
    { "8-bit addresses", "From: ", "\xe4<\xe4@\xe4>," },
    { "parameters", "Content-Type: text/plain", "; x=\"\\\"\"" },
    { "parameters without a name", "Content-Type: text/plain", "; = (;" },
    { "parameters without a value", "Content-Type: text/plain", "; x" },
    { "comments in parameters", "Content-Type: text/plain", "; x*0=a ((" },
    { "references", "References: ", "<a>" },
    { "open references", "References: ", "<" },
    { "subject leaders", "Subject: ", "Re: [a] " },
    { "tags", HTML, "<a href='http://x'>" },
    { "open quotes", HTML, "<a '" },
    { "open comments", HTML, "<!--" },
    { "style", HTML, "<style></styl" },
    { "ampersands", HTML, "&" },
    { "entities that are none", HTML, "&aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
    { "less-than", HTML, "<" },
    { "links", HTML, "<a href=http://x/y>z</a>" },
    { "attributes", HTML "<img ", "alt=x " },
    { "preformatted", HTML "<pre>", "\n" },
    { "base64", ENCODED("base64"), "QUFB" },
    { "padding", ENCODED("base64"), "A=" },
    { "equal signs", ENCODED("quoted-printable"), "=" },
    { "blanks", ENCODED("quoted-printable"), " " },
    { "blanks behind equal signs", ENCODED("quoted-printable"), "=  " },
    { "broken ISO-2022-JP", "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n", "\xff\x1b$B\x80" },
    { "broken UTF-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n", "+\xff" },
    { "broken UTF-8", "Content-Type: text/plain; charset=utf-8\r\n\r\n", "\xf0\x90" },
};

Test(growth, is_linear, .timeout = 300)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_open();
        struct buf raw = { 0 }, packed = { 0 }, text = { 0 };
        struct mime_meta meta;
        buf_add_text(&raw, rows[i].start);
        while (buf_len(&raw) < SIZE)
            buf_add_text(&raw, rows[i].again);
        mime_describe(buf_slice(&raw), arena, &meta);
        mime_meta_pack(&meta, &packed);
        mime_render_body(buf_slice(&raw), &meta, MIME_BODY_TEXT, &text);
        mime_render_body(buf_slice(&raw), &meta, MIME_BODY_HTML, &text);
        cr_expect(arena_used(arena) < 16u * SIZE, "%s: %zu octets to describe it", rows[i].name, arena_used(arena));
        cr_expect(buf_len(&packed) < 4u * SIZE, "%s: %zu octets of description", rows[i].name, buf_len(&packed));
        cr_expect(buf_len(&text) < 12u * SIZE, "%s: %zu octets of text", rows[i].name, buf_len(&text));
        buf_free(&raw);
        buf_free(&packed);
        buf_free(&text);
        arena_close(&arena);
    }
}
