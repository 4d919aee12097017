#include <criterion/criterion.h>

#include "protocol/mime/part_stream.h"

static const struct {
    const char *name;
    uint8_t encoding;
    const char *in, *out;
} rows[] = {
    { "base64", MIME_BASE64, "SGVs\r\nbG8=\r\n", "Hello" },
    { "base64, letters between", MIME_BASE64, "SG!Vs bG 8", "Hello" },
    { "base64, pieces joined", MIME_BASE64, "SGVsbG8=SGVs", "HelloHel" },
    { "base64, joined at one octet", MIME_BASE64, "SA==ZWw=\r\n=bG8", "Hello" },
    { "base64, minus is no letter of MIME", MIME_BASE64, "SGVs\r\n--\r\nbG8=", "Hello" },
    { "base64, cut off", MIME_BASE64, "SGVsbG", "Hell" },
    { "base64, a lonely letter", MIME_BASE64, "SGVsb", "Hel" },
    { "base64, empty", MIME_BASE64, "\r\n", "" },
    { "quoted-printable", MIME_QUOTED_PRINTABLE, "B=FCro =3D x=\r\ny", "B\xfcro = xy" },
    { "soft break with LF", MIME_QUOTED_PRINTABLE, "a=\nb", "ab" },
    { "blanks at a line's end", MIME_QUOTED_PRINTABLE, "a  \r\nb \t", "a\r\nb" },
    { "soft break with blanks behind", MIME_QUOTED_PRINTABLE, "a= \t\r\nb", "ab" },
    { "blanks behind = in a line", MIME_QUOTED_PRINTABLE, "a= b= \rc", "a= b= \rc" },
    { "= twice", MIME_QUOTED_PRINTABLE, "a==41=4=42", "a=A=4B" },
    { "= at the end", MIME_QUOTED_PRINTABLE, "a=", "a" },
    { "a code that is none", MIME_QUOTED_PRINTABLE, "a=ZZb", "a=ZZb" },
    { "half a code at the end", MIME_QUOTED_PRINTABLE, "a=4", "a=4" },
    { "lower case", MIME_QUOTED_PRINTABLE, "=c3=bc", "\xc3\xbc" },
    { "7bit", MIME_7BIT, "a=20b  \r\n", "a=20b  \r\n" },
};

/* Each row whole, and cut at every place: the result is the same. */
Test(part_stream, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in);
        for (size_t cut = 0; cut <= in.len; cut++) {
            struct part_stream stream;
            struct buf out = { 0 };
            part_stream_init(&stream, rows[i].encoding);
            part_stream_add(&stream, slice_head(in, cut), &out);
            part_stream_add(&stream, slice_tail(in, cut), &out);
            part_stream_end(&stream, &out);
            part_stream_fini(&stream);
            cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].out)), "%s, cut at %zu: %.*s", rows[i].name, cut,
                      SLICE_ARG(buf_slice(&out)));
            buf_free(&out);
        }
    }
}
