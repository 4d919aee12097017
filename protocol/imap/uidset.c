#include "protocol/imap/uidset.h"

#include <stdlib.h>

#include "protocol/imap/scan.h"

/* seq-number = nz-number / "*" */
static bool take_number(struct slice *in, uint32_t *number)
{
    *number = UIDSET_STAR;
    return slice_take(in, '*') || scan_nz_number(in, number);
}

enum err uidset_parse(struct slice *in, struct arena *arena, struct uidset *set)
{
    struct slice rest = *in;
    if (slice_take(&rest, '$')) {
        *in = rest;
        *set = (struct uidset){ NULL, 0, true };
        return ERR_OK;
    }
    size_t width = slice_span(rest, "0123456789:,*");
    size_t room = 1 + slice_count(slice_head(rest, width), ',');
    if (room > UIDSET_RUNS_MAX)
        return ERR_LIMIT;

    struct uid_run *runs = arena_new(arena, struct uid_run, room);
    size_t count = 0;
    do {
        struct uid_run *run = &runs[count++];
        if (!take_number(&rest, &run->first))
            return ERR_SYNTAX;
        run->last = run->first;
        if (slice_take(&rest, ':') && !take_number(&rest, &run->last))
            return ERR_SYNTAX;
    } while (slice_take(&rest, ','));

    *in = rest;
    *set = (struct uidset){ runs, count, false };
    return ERR_OK;
}

bool uidset_has(const struct uidset *set, uint32_t uid, uint32_t largest)
{
    for (size_t i = 0; i < set->count; i++) {
        uint32_t a = set->runs[i].first == UIDSET_STAR ? largest : set->runs[i].first;
        uint32_t b = set->runs[i].last == UIDSET_STAR ? largest : set->runs[i].last;
        // Order only now: "9:*" still names the last message when that is 4.
        if ((a <= uid && uid <= b) || (b <= uid && uid <= a))
            return true;
    }
    return false;
}

static int by_first(const void *left, const void *right)
{
    const struct uid_run *a = left, *b = right;
    return (a->first > b->first) - (a->first < b->first);
}

void uidset_normalise(const struct uidset *set, uint32_t largest, struct arena *arena, struct uidset *sorted)
{
    struct uid_run *runs = arena_new(arena, struct uid_run, set->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        uint32_t a = set->runs[i].first == UIDSET_STAR ? largest : set->runs[i].first;
        uint32_t b = set->runs[i].last == UIDSET_STAR ? largest : set->runs[i].last;
        if (a == 0 && b == 0)
            continue;
        if (a > b) {
            uint32_t swap = a;
            a = b;
            b = swap;
        }
        runs[count++] = (struct uid_run){ a ? a : 1, b };
    }
    qsort(runs, count, sizeof *runs, by_first);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && (runs[kept - 1].last == UINT32_MAX || runs[i].first <= runs[kept - 1].last + 1)) {
            if (runs[i].last > runs[kept - 1].last)
                runs[kept - 1].last = runs[i].last;
        } else {
            runs[kept++] = runs[i];
        }
    }
    *sorted = (struct uidset){ runs, kept, false };
}

bool uidset_has_sorted(const struct uidset *sorted, uint32_t number)
{
    size_t low = 0, high = sorted->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted->runs[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sorted->count && sorted->runs[low].first <= number;
}

void uidset_write(const uint32_t *numbers, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end + 1 < count && numbers[end + 1] == numbers[end] + 1)
            end++;
        if (i)
            buf_add_byte(out, ',');
        buf_add_u64(out, numbers[i]);
        if (end > i) {
            buf_add_byte(out, ':');
            buf_add_u64(out, numbers[end]);
        }
        i = end + 1;
    }
}
