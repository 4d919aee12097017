/* Raw octets of messages: zstd in the client; small ones in equal inline pieces, big ones in chunks of 1 MiB that are
 * compressed one by one, so that a range reads only the chunks it needs (postgres-store.md 6, 7, 9). */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/db.h"
#include "storage/ids.h"

#define BLOB_INLINE_MAX 65536u     // compressed octets up to here are stored as inline pieces of at most 1,980
#define BLOB_CHUNK_BYTES 1048576u  // of the raw octets
#define BLOB_MAX INT64_C(268435456) // 256 MiB; the protocols' own limits are settings below this

/* Octets to store: where they are, in memory or in a file. */
struct octets {
    struct slice memory; // used when fd is -1
    int fd;              // else an open file, read with pread
    int64_t size;
};

/* Writes octets ahead of the rows that will refer to them, in a transaction of its own. Nothing of it is visible until
 * a message refers to it; the collector takes what never gets one. */
MUST_USE enum err blob_write(struct db *db, const struct octets *octets, struct blob_id *id);

/* Appends the octets [offset, offset+len) of a blob to out; less at its end.
 * errors: ERR_NOT_FOUND, ERR_UNAVAILABLE */
MUST_USE enum err blob_read(struct db *db, struct blob_id id, int64_t offset, int64_t len, struct buf *out);
