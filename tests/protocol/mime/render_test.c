#include <criterion/criterion.h>

#include "protocol/mime/render.h"

#define PART(header, body) "--b\r\n" header "\r\n" body "\r\n"
#define MULTI(subtype, parts) "Content-Type: multipart/" subtype "; boundary=b\r\n\r\n" parts "--b--\r\n"
#define HTML_HEAD "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body><div>"

static const struct {
    const char *name, *html, *text;
} html_rows[] = {
    { "paragraphs", "<p>one</p><p>two", "one\r\n\r\ntwo\r\n" },
    { "line breaks", "a<br>b<br/><br>c", "a\r\nb\r\n\r\nc\r\n" },
    { "white space", "  a \n\t b  <b>c</b>d ", "a b cd\r\n" },
    { "entities", "&lt;&amp;&eacute;&#233;&#xe9;&bogus;&", "<&\xc3\xa9\xc3\xa9\xc3\xa9&bogus;&\r\n" },
    { "forbidden entities", "a&#0;b&#xD800;c&#1;d", "a&#0;b&#xD800;c&#1;d\r\n" },
    { "numbers of windows-1252", "it&#146;s &#x80;5 &#150; &#129;", "it\xe2\x80\x99s \xe2\x82\xac" "5 \xe2\x80\x93 \xc2\x81\r\n" },
    { "entities of attributes", "<img alt=\"R&amp;D&nbsp;&#64; &bogus; &\">", "[R&D @ &bogus; &]\r\n" },
    { "hidden", "<style>x</style>a<script>if (1 < 2) '</b>'</script>b<!-- c -->d", "abd\r\n" },
    { "links", "<a href=\"http://x/?a=1&amp;b=2\">here</a> <a href='http://y/'>http://y/</a>", "here <http://x/?a=1&b=2> http://y/\r\n" },
    { "lists", "<ul><li>a<li>b</ul>c", "* a\r\n* b\r\nc\r\n" },
    { "cells", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\r\nc\r\n" },
    { "preformatted", "<pre>a  b\n c</pre>", "a  b\r\n c\r\n" },
    { "'>' in an attribute", "<img alt=\"a>b\">c", "[a>b]c\r\n" },
    { "tags that are none", "1 < 2 <3", "1 < 2 <3\r\n" },
    { "never closed", "a<style>b", "a\r\n" },
    { "quote never closed", "a<b c=\"d>e", "ae\r\n" },
    { "nothing", "", "" },
};

Test(render, html_to_text)
{
    for (size_t i = 0; i < sizeof html_rows / sizeof *html_rows; i++) {
        struct buf out = { 0 };
        mime_html_to_text(slice_of(html_rows[i].html), &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(html_rows[i].text)), "%s: %.*s", html_rows[i].name, SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
}

static const struct {
    const char *name, *charset, *octets;
    size_t len;
    const char *utf8;
} charset_rows[] = {
    { "utf-8", "utf-8", "caf\xc3\xa9", 5, "caf\xc3\xa9" },
    { "broken utf-8", "UTF-8", "caf\xe9!", 5, "caf\xef\xbf\xbd!" },
    { "latin-1 means windows-1252", "iso-8859-1", "\x93x\x94", 3, "\xe2\x80\x9cx\xe2\x80\x9d" },
    { "shift_jis", "shift_jis", "\x93\xfa", 2, "\xe6\x97\xa5" },
    { "iso-2022-jp", "iso-2022-jp", "\x1b$BF|\x1b(B", 8, "\xe6\x97\xa5" },
    { "broken euc-jp", "euc-jp", "\xc6\xfc\xff" "a", 4, "\xe6\x97\xa5\xef\xbf\xbd" "a" },
    { "unknown, valid utf-8", "x-none", "caf\xc3\xa9", 5, "caf\xc3\xa9" },
    { "unknown, not utf-8", "x-none", "caf\xe9", 4, "caf\xc3\xa9" },
    { "us-ascii with 8 bits", "us-ascii", "caf\xe9", 4, "caf\xc3\xa9" },
    { "forbidden in XML", "utf-8", "a\x01\0b\x0b\xef\xbf\xbf" "c\r\n", 11, "abc\r\n" },
    { "surrogate", "utf-8", "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
    { "name that is no name", "../../x//TRANSLIT", "a", 1, "a" },
};

Test(render, charsets)
{
    for (size_t i = 0; i < sizeof charset_rows / sizeof *charset_rows; i++) {
        struct buf out = { 0 };
        mime_to_utf8(slice_of(charset_rows[i].charset), slice_make(charset_rows[i].octets, charset_rows[i].len), &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(charset_rows[i].utf8)), "%s: %.*s", charset_rows[i].name, SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
}

static const struct {
    const char *name, *raw;
    enum mime_body_kind native;
    const char *text, *html;
} body_rows[] = {
    { "plain", "\r\na < b\r\n", MIME_BODY_TEXT, "a < b\r\n", HTML_HEAD "a &lt; b<br>\r\n</div></body></html>\r\n" },
    { "CR alone, behind base64", "Content-Transfer-Encoding: base64\r\n\r\nYQ1iDQpjDQ==", MIME_BODY_TEXT, "a\rb\r\nc\r",
      HTML_HEAD "a<br>\r\nb<br>\r\nc<br>\r\n</div></body></html>\r\n" },
    { "html", "Content-Type: text/html\r\n\r\n<p>x", MIME_BODY_HTML, "x\r\n", "<p>x" },
    { "alternative", MULTI("alternative", PART("", "t") PART("Content-Type: text/html\r\n", "<b>h</b>")), MIME_BODY_HTML, "t", "<b>h</b>" },
    { "alternative, last of the kind", MULTI("alternative", PART("", "t1") PART("", "t2")), MIME_BODY_TEXT, "t2", HTML_HEAD "t2</div></body></html>\r\n" },
    { "text around an attachment", MULTI("mixed", PART("", "t1\r\n") PART("Content-Type: image/png\r\n", "x") PART("", "t2")), MIME_BODY_TEXT, "t1\r\nt2",
      HTML_HEAD "t1<br>\r\n</div></body></html>\r\n" HTML_HEAD "t2</div></body></html>\r\n" },
    { "attached text is no body", MULTI("mixed", PART("", "t") PART("Content-Disposition: attachment\r\n", "no")), MIME_BODY_TEXT, "t", HTML_HEAD "t</div></body></html>\r\n" },
    { "attached message is no body", MULTI("mixed", PART("", "t") PART("Content-Type: message/rfc822\r\n", "\r\nno")), MIME_BODY_TEXT, "t", HTML_HEAD "t</div></body></html>\r\n" },
    { "related", MULTI("related", PART("Content-Type: text/html\r\n", "<p>h") PART("Content-Type: text/html\r\n", "no")), MIME_BODY_HTML, "h\r\n", "<p>h" },
    { "no body", "Content-Type: image/png\r\n\r\nx", MIME_BODY_TEXT, "", "" },
    { "broken base64", "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8*!", MIME_BODY_TEXT, "Hello", HTML_HEAD "Hello</div></body></html>\r\n" },
    { "broken quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\na=zz=", MIME_BODY_TEXT, "a=zz", HTML_HEAD "a=zz</div></body></html>\r\n" },
};

Test(render, bodies)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof body_rows / sizeof *body_rows; i++) {
        struct mime_meta meta;
        struct slice raw = slice_of(body_rows[i].raw);
        mime_describe(raw, arena, &meta);
        cr_expect_eq(mime_native_kind(&meta), body_rows[i].native, "%s", body_rows[i].name);
        for (int kind = 0; kind < 2; kind++) {
            struct buf out = { 0 };
            mime_render_body(raw, &meta, kind ? MIME_BODY_HTML : MIME_BODY_TEXT, &out);
            cr_expect(slice_eq(buf_slice(&out), slice_of(kind ? body_rows[i].html : body_rows[i].text)), "%s as %s: %.*s",
                      body_rows[i].name, kind ? "html" : "text", SLICE_ARG(buf_slice(&out)));
            buf_free(&out);
        }
    }
    arena_close(&arena);
}

Test(render, cut_between_characters)
{
    static const struct {
        const char *text;
        size_t max, len;
    } rows[] = { { "abc", 5, 3 }, { "abc", 2, 2 }, { "a\xc3\xa9", 2, 1 }, { "\xf0\x9f\x98\x80x", 3, 0 }, { "\xf0\x9f\x98\x80x", 4, 4 }, { "", 0, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(mime_cut_utf8(slice_of(rows[i].text), rows[i].max).len, rows[i].len, "row %zu", i);
}
