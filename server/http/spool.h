/* A request's body: in memory up to SPOOL_MEMORY_BYTES, then in an unlinked file that is mapped at
 * the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define SPOOL_MEMORY_BYTES (1u << 20)

struct spool { // spool_init; 0 octets hold no memory
    struct buf memory;
    int fd;    // -1: still in memory
    void *map; // NULL: not mapped
    uint64_t size;
};

void spool_init(struct spool *spool);
void spool_fini(struct spool *spool);
/* errors: ERR_UNAVAILABLE (the file system: full, no such directory) */
MUST_USE enum err spool_add(struct spool *spool, const char *dir, struct slice bytes,
                            struct trace *trace);
/* All octets were added: they can be read at spool_slice. errors: ERR_UNAVAILABLE */
MUST_USE enum err spool_end(struct spool *spool, struct trace *trace);
struct slice spool_slice(const struct spool *spool);
