#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define FIRST_BYTES 480u  // kept by an arena that rests: many thousand clients hold one while they wait
#define BLOCK_BYTES 4096u // most commands fit into the second
#define ALIGN 16u

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(ALIGN) char bytes[];
};

struct arena {
    struct block *head; // the block that is being filled
    size_t used;
};

static struct block *block_new(size_t size, struct block *next)
{
    struct block *block = mem_alloc(sizeof *block + size);
    block->next = next;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_open(void)
{
    struct arena *arena = mem_alloc(sizeof *arena);
    arena->head = block_new(FIRST_BYTES, NULL);
    arena->used = 0;
    return arena;
}

static void drop_blocks(struct block *block, struct block *keep)
{
    while (block) {
        struct block *next = block->next;
        if (block != keep)
            free(block);
        block = next;
    }
}

void arena_close(struct arena **arena)
{
    if (!*arena)
        return;
    drop_blocks((*arena)->head, NULL);
    free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena)
{
    struct block *first = arena->head;
    while (first->next)
        first = first->next;
    drop_blocks(arena->head, first);
    first->used = 0;
    arena->head = first;
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need < size)
        mem_exhausted(size);
    struct block *head = arena->head;
    if (head->size - head->used < need) {
        size_t grow = head->size * 2 < (1u << 20) ? head->size * 2 : (1u << 20);
        if (grow < BLOCK_BYTES)
            grow = BLOCK_BYTES;
        head = arena->head = block_new(need > grow ? need : grow, head);
    }
    void *at = head->bytes + head->used;
    head->used += need;
    arena->used += need;
    memset(at, 0, size);
    return at;
}

size_t arena_size_mul(size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        mem_exhausted(SIZE_MAX);
    return product;
}

char *arena_text(struct arena *arena, struct slice s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len)
        memcpy(copy, s.at, s.len);
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    return (struct slice){ arena_text(arena, s), s.len };
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
