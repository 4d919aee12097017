/* Sets of UIDs or message numbers as clients write them: "1:4,9,12:*", and "$" (RFC 5182).
 * Grammar: sequence-set, RFC 9051 section 9. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define UIDSET_STAR 0u // "*"; zero is free, since nz-number excludes it
#define UIDSET_RUNS_MAX 20000u

struct uid_run {
    uint32_t first, last; // inclusive, in the order the client wrote: 9:2 is legal
};

struct uidset {
    const struct uid_run *runs;
    size_t count; // 0 only for the saved result "$"
    bool saved;   // "$": the result of the last SEARCH RETURN (SAVE)
};

/* Reads one set from the front of *in.
 * in      moved past the set on ERR_OK, untouched otherwise
 * set     filled on ERR_OK; its runs live as long as the arena
 * errors  ERR_SYNTAX; ERR_LIMIT beyond UIDSET_RUNS_MAX */
MUST_USE enum err uidset_parse(struct slice *in, struct arena *arena, struct uidset *set);

/* Whether uid is in the set, given the largest uid now in the mailbox (0: empty). */
bool uidset_has(const struct uidset *set, uint32_t uid, uint32_t largest);

/* The set as ascending runs that neither overlap nor touch, "*" replaced by largest (runs of "*" alone vanish when it
 * is 0). In the arena. */
void uidset_normalise(const struct uidset *set, uint32_t largest, struct arena *arena, struct uidset *sorted);

/* Whether a normalised set has the number; logarithmic in its runs. */
bool uidset_has_sorted(const struct uidset *sorted, uint32_t number);

/* Writes ascending numbers as a set, "1:3,7"; nothing for count 0. */
void uidset_write(const uint32_t *numbers, size_t count, struct buf *out);
