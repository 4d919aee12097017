/* Sorting in steps, for many elements with dear comparisons: stable, and each call does only so much. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge_sort {
    uint32_t *from, *to; // sorted runs of `width` go pair by pair from one to the other
    size_t count, width;
    size_t at, left, right, out; // the pair at hand begins at `at`; what is next of its halves and where it goes
};

/* Negative when a stands before b, 0 when they are equal. */
typedef int (*merge_sort_fn)(uint32_t a, uint32_t b, void *ctx);

/* Sorts items (numbers of the caller's elements); room holds as many and is used as well. */
void merge_sort_init(struct merge_sort *sort, uint32_t *items, uint32_t *room, size_t count);
/* About `moves` of the next moves. True when all is sorted: in sort->from. */
bool merge_sort_step(struct merge_sort *sort, size_t moves, merge_sort_fn compare, void *ctx);
