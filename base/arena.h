/* Arenas: memory that is given out piece by piece and dropped at once, one per command.
 * Allocation never returns NULL: sizes are checked by the caller first, true exhaustion ends the process. */
#pragma once

#include <stddef.h>

#include "base/slice.h"

struct arena;

struct arena *arena_open(void);
void arena_close(struct arena **arena);
/* Forgets all that was given out and keeps the first block. */
void arena_reset(struct arena *arena);

/* size bytes, zeroed, aligned for any object; live until reset or close. */
void *arena_alloc(struct arena *arena, size_t size);
#define arena_new(arena, type, count) ((type *)arena_alloc((arena), arena_size_mul(sizeof(type), (count))))
/* a * b; ends the process on overflow. */
size_t arena_size_mul(size_t a, size_t b);

/* A copy with a NUL behind it (not counted in its length). */
struct slice arena_copy(struct arena *arena, struct slice s);
/* The same, as a C string. */
char *arena_text(struct arena *arena, struct slice s);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes given out since open or reset: for limits. */
size_t arena_used(const struct arena *arena);
