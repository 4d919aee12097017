#include "server/eas/gzip.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define LEVEL 3      // a third of the time of level 6 for a few per cent more
#define WINDOW_BITS (15 + 16) // 16: with gzip's own head and checksum

/* ";q=0", "; q=0.000": not acceptable. */
static bool is_refused(struct slice parameters)
{
    struct slice name = slice_cut(&parameters, '=');
    struct slice value = slice_trim(parameters);
    return slice_eq_nocase(slice_trim(name), SLICE_LIT("q")) && slice_starts(value, SLICE_LIT("0")) &&
           slice_span(value, "0.") == value.len;
}

bool eas_gzip_is_wanted(struct slice accept_encoding)
{
    while (accept_encoding.len) {
        struct slice rest = slice_cut(&accept_encoding, ','), name = slice_trim(slice_cut(&rest, ';'));
        if (slice_eq_nocase(name, SLICE_LIT("gzip")) || slice_eq_nocase(name, SLICE_LIT("x-gzip")))
            return !is_refused(rest);
    }
    return false;
}

bool eas_gzip(struct slice plain, struct buf *out)
{
    z_stream stream = { 0 };
    if (plain.len > INT_MAX || deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    unsigned char *packed = mem_alloc(plain.len); // what does not fit is no shorter
    stream.next_in = (Bytef *)(uintptr_t)plain.at;
    stream.avail_in = (uInt)plain.len;
    stream.next_out = packed;
    stream.avail_out = (uInt)plain.len;
    bool shorter = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    if (shorter)
        buf_add(out, slice_make(packed, plain.len - stream.avail_out));
    deflateEnd(&stream);
    free(packed);
    return shorter;
}
