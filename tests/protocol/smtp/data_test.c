#include <criterion/criterion.h>

#include "protocol/smtp/data.h"

/* What is sent behind DATA; the message; what is left for the next command. NULL: the end did not come. */
static const struct {
    const char *name, *in, *out, *rest;
} rows[] = {
    { "a message", "a\r\nb\r\n.\r\nQUIT\r\n", "a\r\nb\r\n", "QUIT\r\n" },
    { "an empty message", ".\r\n", "", "" },
    { "a blank line", "\r\n.\r\n", "\r\n", "" },
    { "stuffed dots", "..\r\n..a\r\n.b\r\n.\r\n", ".\r\n.a\r\nb\r\n", "" },
    { "three dots", "...\r\n.\r\n", "..\r\n", "" },
    { "a dot inside a line", "a.\r\n.\r\n", "a.\r\n", "" },
    { "no end yet", "a\r\n.", "a\r\n", NULL },
    { "end not yet whole", "a\r\n.\r", "a\r\n", NULL },
    { "bare LF becomes CRLF", "a\nb\r\n.\r\n", "a\r\nb\r\n", "" },
    { "bare CR becomes CRLF", "a\rb\r\n.\r\n", "a\r\nb\r\n", "" },
    { "CR CR LF", "a\r\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "" },
    // SMTP smuggling: none of these ends the message.
    { "LF . LF", "a\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "" },
    { "LF . CR LF", "a\n.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "" },
    { "CR LF . LF", "a\r\n.\nMAIL\r\n.\r\n", "a\r\n\r\nMAIL\r\n", "" },
    { "CR . CR", "a\r.\rMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "" },
    { "CR LF . CR", "a\r\n.\rMAIL\r\n.\r\n", "a\r\n\r\nMAIL\r\n", "" },
    { "CR LF . CR CR LF", "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n\r\n\r\nMAIL\r\n", "" },
    { "CR . CR LF", "a\r.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "" },
    { "a bare LF in front of CR LF . CR LF", "a\n\r\n.\r\nQUIT\r\n", "a\r\n\r\n", "QUIT\r\n" },
};

/* Whatever the pieces that arrive, the same comes out. */
Test(data, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece < 12; piece++) {
            struct smtp_data data = { 0 };
            struct buf out = { 0 };
            struct slice all = slice_of(rows[i].in);
            bool end = false;
            while (all.len && !end) {
                struct slice in = slice_head(all, all.len < piece ? all.len : piece);
                size_t len = in.len;
                end = smtp_data_take(&data, &in, &out);
                cr_assert(end || in.len == 0);
                all = slice_tail(all, len - in.len);
            }
            cr_expect_eq(end, rows[i].rest != NULL, "%s in pieces of %zu", rows[i].name, piece);
            cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].out)), "%s in pieces of %zu: %.*s", rows[i].name, piece,
                      SLICE_ARG(buf_slice(&out)));
            cr_expect(!end || slice_eq(all, slice_of(rows[i].rest)), "%s in pieces of %zu", rows[i].name, piece);
            buf_free(&out);
        }
    }
}

/* The decoder is ready for the next message once it has given one out. */
Test(data, two_messages)
{
    struct smtp_data data = { 0 };
    struct buf out = { 0 };
    struct slice in = SLICE_LIT("a\r\n.\r\n..b\r\n.\r\n");
    cr_assert(smtp_data_take(&data, &in, &out));
    cr_assert(smtp_data_take(&data, &in, &out));
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("a\r\n.b\r\n")));
    buf_free(&out);
}

Test(data, nul_octets_pass)
{
    struct smtp_data data = { 0 };
    struct buf out = { 0 };
    struct slice in = SLICE_LIT("a\0b\r\n.\r\n");
    cr_assert(smtp_data_take(&data, &in, &out));
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("a\0b\r\n")));
    buf_free(&out);
}
