/* What a phone found last, kept for some minutes in memory: further pages of a search show the same list, whatever came
 * in meanwhile. One search per device; the oldest ones go first. A restart forgets them: the search is then done again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "storage/ids.h"

#define FOUND_KEPT_MAX 256u // searches
#define FOUND_KEPT_S 600

struct found_hit {
    int64_t mailbox;
    uint32_t item;
};

struct found;

struct found *found_open(void);
void found_close(struct found **found);
/* Keeps the hits of a search under its key in the place of the device's earlier one. */
void found_put(struct found *found, struct account_id account, struct device_id device, struct slice key,
               const struct found_hit *hits, size_t count);
/* false: nothing is kept under this key, or it has become too old. */
bool found_get(struct found *found, struct account_id account, struct device_id device, struct slice key,
               struct arena *arena, struct found_hit **hits, size_t *count);
