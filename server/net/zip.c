#include "server/net/zip.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/mem.h"

#define WINDOW_BITS 13 // of what we send: 8 KiB of history
#define MEM_LEVEL 5    // with it, about 50 KiB while something is being sent
#define WINDOW_MAX 32768u // of what comes: the peer may refer so far back
#define PIECE 16384u

struct zip {
    z_stream deflater, inflater;
    bool deflating, inflating; // the state is there
    bool full; // inflating stopped for want of room: more may be there
    struct buf out, waiting;
    struct buf history; // the inflater's window while it is not there
};

struct zip *zip_open(void)
{
    return mem_new(struct zip);
}

void zip_close(struct zip **zip)
{
    struct zip *z = *zip;
    if (!z)
        return;
    if (z->deflating)
        deflateEnd(&z->deflater);
    if (z->inflating)
        inflateEnd(&z->inflater);
    buf_free(&z->out);
    buf_free(&z->waiting);
    buf_free(&z->history);
    free(z);
    *zip = NULL;
}

struct buf *zip_out(struct zip *zip)
{
    return &zip->out;
}

struct buf *zip_waiting(struct zip *zip)
{
    return &zip->waiting;
}

static unsigned char *octets_of(struct slice s)
{
    return (unsigned char *)(uintptr_t)s.at; // zlib only reads them
}

void zip_deflate(struct zip *zip, struct slice plain, bool last)
{
    z_stream *d = &zip->deflater;
    if (!zip->deflating) {
        *d = (z_stream){ 0 };
        if (deflateInit2(d, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
            abort(); // out of memory, as everywhere
        zip->deflating = true;
    }
    d->next_in = octets_of(plain);
    d->avail_in = (unsigned)plain.len;
    do {
        d->next_out = (unsigned char *)buf_reserve(&zip->out, PIECE);
        d->avail_out = PIECE;
        // A full flush: what follows refers to nothing before it, so that the state may go.
        deflate(d, last ? Z_FULL_FLUSH : Z_NO_FLUSH);
        buf_commit(&zip->out, PIECE - d->avail_out);
    } while (d->avail_out == 0);
    if (last) {
        deflateEnd(d);
        zip->deflating = false;
    }
}

static void wake_inflater(struct zip *zip)
{
    struct slice history = buf_slice(&zip->history);
    zip->inflater = (z_stream){ 0 };
    if (inflateInit2(&zip->inflater, -15) != Z_OK)
        abort();
    if (history.len)
        inflateSetDictionary(&zip->inflater, octets_of(history), (unsigned)history.len);
    buf_free(&zip->history);
    zip->inflating = true;
}

bool zip_inflate(struct zip *zip, size_t max, struct buf *out)
{
    size_t made = 0;
    int result = Z_OK;
    if (!zip->inflating)
        wake_inflater(zip);
    z_stream *i = &zip->inflater;
    struct slice in = buf_slice(&zip->waiting);
    i->next_in = octets_of(in);
    i->avail_in = (unsigned)in.len;
    do {
        i->next_out = (unsigned char *)buf_reserve(out, PIECE);
        i->avail_out = PIECE;
        result = inflate(i, Z_SYNC_FLUSH);
        buf_commit(out, PIECE - i->avail_out);
        made += PIECE - i->avail_out;
    } while (result == Z_OK && made < max && (i->avail_in || i->avail_out == 0));
    zip->full = i->avail_out == 0;
    buf_consume(&zip->waiting, in.len - i->avail_in);
    if (buf_len(&zip->waiting) == 0)
        buf_free(&zip->waiting);
    return result == Z_OK || result == Z_BUF_ERROR;
}

bool zip_has_more(const struct zip *zip)
{
    return zip->full || buf_len(&zip->waiting) > 0;
}

/* Between two blocks, at the border of an octet: all that the state holds is its window. */
static bool may_rest(const struct zip *zip)
{
    return zip->inflating && !zip_has_more(zip) && zip->inflater.data_type == 128;
}

void zip_rest(struct zip *zip)
{
    if (!may_rest(zip))
        return;
    unsigned len = 0;
    inflateGetDictionary(&zip->inflater, (unsigned char *)buf_reserve(&zip->history, WINDOW_MAX), &len);
    struct buf exact = { 0 };
    buf_add(&exact, slice_make(buf_reserve(&zip->history, WINDOW_MAX), len));
    buf_free(&zip->history);
    zip->history = exact;
    inflateEnd(&zip->inflater);
    zip->inflating = false;
}
