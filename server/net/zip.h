/* The compressed form of a connection (raw deflate, RFC 4978). Nothing of it is kept for an idle client but what it sent
 * lately, and no more of that than a window: the deflater goes with the last octet that is out, the inflater when it stands
 * between two blocks. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

#define ZIP_READ_BYTES 16384u // of compressed input that wait at most, besides what came before the first

struct zip;

struct zip *zip_open(void);
void zip_close(struct zip **zip);

struct buf *zip_out(struct zip *zip);     // to the wire: octets as they are, or from zip_deflate
struct buf *zip_waiting(struct zip *zip); // from the wire, not inflated yet

/* Compresses a piece into zip_out. last: nothing follows for now, so that the peer can read all of it. */
void zip_deflate(struct zip *zip, struct slice plain, bool last);
/* Inflates from zip_waiting into out, about max octets at most; what is left waits. false: it is no deflate stream. */
bool zip_inflate(struct zip *zip, size_t max, struct buf *out);
bool zip_has_more(const struct zip *zip); // zip_inflate would give octets, or needs to look
/* Gives back what an idle connection does not need. */
void zip_rest(struct zip *zip);
