#include <criterion/criterion.h>
#include <stdlib.h>
#include <zlib.h>

#include "server/eas/gzip.h"

static const struct {
    const char *header;
    bool wanted;
} rows[] = {
    { "gzip", true },           { "gzip, deflate", true }, { "deflate,  GZIP ;q=0.5", true }, { "x-gzip", true },
    { "", false },              { "deflate, br", false },  { "gzip;q=0", false },             { "gzip; q=0.000", false },
    { "gzip;q=0.001", true },   { "gzippy", false },       { "identity;q=0, gzip", true },    { ",,;", false },
};

Test(eas_gzip, wanted)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(eas_gzip_is_wanted(slice_of(rows[i].header)), rows[i].wanted, "%s", rows[i].header);
}

Test(eas_gzip, packs_or_leaves_it)
{
    static char text[50000], back[50000];
    struct buf out = { 0 };
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "words of a mail "[i % 16];
    cr_assert(eas_gzip(slice_make(text, sizeof text), &out));
    cr_expect_lt(buf_len(&out), sizeof text / 10);
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)buf_slice(&out).at, .avail_in = (uInt)buf_len(&out),
                        .next_out = (Bytef *)back, .avail_out = sizeof back };
    cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    cr_expect_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    cr_expect_arr_eq(back, text, sizeof text);
    buf_clear(&out);
    srand(1);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(rand() >> 7);
    cr_expect_not(eas_gzip(slice_make(text, sizeof text), &out), "noise gets no shorter");
    cr_expect_eq(buf_len(&out), 0u);
    buf_free(&out);
}
