/* Ranges of a result, for paging: "1:500" from its beginning, "-1:-500" from its end (RFC 9394 3.1, 4). */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct partial_range {
    int64_t first, last; // as written, both positive or both negative; never 0
};

/* Parses partial-range. errors: ERR_SYNTAX */
MUST_USE enum err partial_parse(struct slice *in, struct partial_range *range);

struct slab { // places from..to-1, counted from 0
    size_t from, to;
};
/* What the range holds of a result of count messages; empty when it lies outside. */
struct slab partial_slab(struct partial_range range, size_t count);
