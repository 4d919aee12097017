#include <criterion/criterion.h>

#include "server/http/frame.h"

/* Each row is handed over byte by byte and at once: the cut must not depend on how the bytes come.
 */
static const struct {
    const char *name, *bytes;
    const char *body; // "": none; "N": so many octets; "chunked"
    size_t taken;     // of bytes, when the whole row was offered
    enum frame_at at;
} rows[] = {
    { "head alone", "GET / HTTP/1.1\r\n\r\n", "", 18, FRAME_WHOLE },
    { "next request stays", "GET / HTTP/1.1\r\n\r\nGET /b", "", 18, FRAME_WHOLE },
    { "bare line feeds", "GET / HTTP/1.1\nA: b\n\nGET", "", 21, FRAME_WHOLE },
    { "blank lines before", "\r\n\r\nGET / HTTP/1.1\r\n\r\nG", "", 22, FRAME_WHOLE },
    { "half a head", "GET / HTTP/1.1\r\nA: b\r\n", "", 22, FRAME_HEAD },
    { "body", "POST / HTTP/1.1\r\n\r\nabcdGET", "4", 23, FRAME_WHOLE },
    { "half a body", "POST / HTTP/1.1\r\n\r\nab", "4", 21, FRAME_BODY },
    { "chunks", "POST / HTTP/1.1\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET", "chunked", 32, FRAME_WHOLE },
    { "chunk extension", "POST / HTTP/1.1\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\nGET", "chunked", 36,
      FRAME_WHOLE },
    { "trailer", "POST / HTTP/1.1\r\n\r\n0\r\nA: b\r\n\r\nGET", "chunked", 30, FRAME_WHOLE },
    { "hex digits", "POST / HTTP/1.1\r\n\r\nA\r\n0123456789\r\n0\r\n\r\nG", "chunked", 39,
      FRAME_WHOLE },
    { "no chunk size: all is passed on", "POST / HTTP/1.1\r\n\r\nxyz\r\nGET", "chunked", 27,
      FRAME_PASS },
    { "bare CR in a chunk size", "POST / HTTP/1.1\r\n\r\n1\r2\r\nx\r\n0\r\n\r\n", "chunked", 32,
      FRAME_PASS },
    { "bare CR in an extension", "POST / HTTP/1.1\r\n\r\n1;\rGET\r\nx\r\n0\r\n\r\n", "chunked", 35,
      FRAME_PASS },
};

static size_t offer(struct frame *frame, struct slice bytes, const char *body)
{
    size_t taken = 0;
    for (;;) {
        size_t n = frame_take(frame, slice_tail(bytes, taken));
        taken += n;
        if (frame->at == FRAME_HEAD_SENT) {
            uint64_t octets = 0;
            bool chunked = strcmp(body, "chunked") == 0;
            if (*body && !chunked)
                slice_to_u64(slice_of(body), 1000, &octets);
            frame_expect(frame, chunked, octets);
        } else if (n == 0 || taken == bytes.len) {
            return taken;
        }
    }
}

Test(frame, rows_at_once)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct frame frame = { 0 };
        cr_expect_eq(offer(&frame, slice_of(rows[i].bytes), rows[i].body), rows[i].taken, "%s",
                     rows[i].name);
        cr_expect_eq(frame.at, rows[i].at, "%s", rows[i].name);
    }
}

Test(frame, rows_byte_by_byte)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct frame frame = { 0 };
        struct slice bytes = slice_of(rows[i].bytes);
        size_t taken = 0;
        while (taken < bytes.len &&
               offer(&frame, slice_head(slice_tail(bytes, taken), 1), rows[i].body) == 1)
            taken++;
        cr_expect_eq(taken, rows[i].taken, "%s: %zu", rows[i].name, taken);
        cr_expect_eq(frame.at, rows[i].at, "%s", rows[i].name);
    }
}

Test(frame, parser_ahead_of_scanner_passes_all)
{
    struct frame frame = { 0 };
    frame_take(&frame, SLICE_LIT("GET / HTTP/1.1\r\r"));
    frame_expect(&frame, false, 0);
    cr_assert_eq(frame.at, FRAME_PASS);
    cr_assert(frame_wants(&frame));
    cr_assert_eq(frame_take(&frame, SLICE_LIT("anything\n\nmore")), 14);
}
