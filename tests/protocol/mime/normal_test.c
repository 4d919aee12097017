#include <criterion/criterion.h>

#include "protocol/mime/normal.h"

static const struct {
    const char *name, *in, *out;
} rows[] = {
    { "CRLF stays", "a\r\nb\r\n", "a\r\nb\r\n" },  { "bare LF", "a\nb\n", "a\r\nb\r\n" },
    { "bare CR", "a\rb\r", "a\r\nb\r\n" },         { "CR CR LF", "a\r\r\nb", "a\r\n\r\nb" },
    { "LF CR", "a\n\rb", "a\r\n\r\nb" },           { "nothing", "", "" },
    { "a last line without an end", "a", "a" },    { "only CR", "\r", "\r\n" },
};

/* Whatever the pieces, the same comes out. */
Test(normal, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece < 5; piece++) {
            struct mime_normal state = { 0 };
            struct buf out = { 0 };
            struct slice in = slice_of(rows[i].in);
            while (in.len) {
                size_t n = in.len < piece ? in.len : piece;
                mime_normal_add(&state, slice_head(in, n), &out);
                in = slice_tail(in, n);
            }
            mime_normal_end(&state, &out);
            cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].out)), "%s in pieces of %zu", rows[i].name, piece);
            buf_free(&out);
        }
    }
}
