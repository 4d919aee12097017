#include "protocol/imap/partial.h"

#include "protocol/imap/scan.h"

static bool take_number(struct slice *in, int64_t *number)
{
    bool negative = slice_take(in, '-');
    uint32_t n;
    if (!scan_nz_number(in, &n))
        return false;
    *number = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

enum err partial_parse(struct slice *in, struct partial_range *range)
{
    if (!take_number(in, &range->first) || !slice_take(in, ':') || !take_number(in, &range->last))
        return ERR_SYNTAX;
    return (range->first < 0) == (range->last < 0) ? ERR_OK : ERR_SYNTAX;
}

struct slab partial_slab(struct partial_range range, size_t count)
{
    int64_t first = range.first, last = range.last, total = (int64_t)count;
    if (first < 0) {
        first = total + 1 + first;
        last = total + 1 + last;
    }
    if (first > last) {
        int64_t swap = first;
        first = last;
        last = swap;
    }
    first = first < 1 ? 1 : first;
    last = last > total ? total : last;
    return first > last ? (struct slab){ 0, 0 } : (struct slab){ (size_t)first - 1, (size_t)last };
}
