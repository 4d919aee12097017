/* Sequences of characters in a text, as hashes. One hash for three characters, three hashes for two wide ones, which are
 * fewer and each of which says less. */
#include <stdlib.h>

#include "base/mem.h"
#include "storage/search_internal.h"

#define ROOM_FIRST 1024u

static uint32_t mix(uint64_t n)
{
    n ^= n >> 32;
    n *= UINT64_C(0xd6e8feb86659fd93);
    n ^= n >> 32;
    n *= UINT64_C(0xd6e8feb86659fd93);
    uint32_t hash = (uint32_t)(n >> 32);
    return hash ? hash : 1;
}

static void place(uint32_t *slots, size_t room, uint32_t hash)
{
    size_t i = hash & (room - 1);
    while (slots[i] && slots[i] != hash)
        i = (i + 1) & (room - 1);
    slots[i] = hash;
}

static void grow(struct sequences *set)
{
    size_t room = set->room ? set->room * 2 : ROOM_FIRST;
    uint32_t *slots = mem_alloc(room * sizeof *slots);
    for (size_t i = 0; i < set->room; i++)
        if (set->slots[i])
            place(slots, room, set->slots[i]);
    free(set->slots);
    set->slots = slots;
    set->room = room;
}

void sequences_add_hash(struct sequences *set, uint32_t hash)
{
    if (set->count * 2 >= set->room)
        grow(set);
    size_t i = hash & (set->room - 1);
    while (set->slots[i] && set->slots[i] != hash)
        i = (i + 1) & (set->room - 1);
    if (set->slots[i])
        return;
    if (set->count == SEARCH_SEQUENCES_MAX) {
        set->full = true;
        return;
    }
    set->slots[i] = hash;
    set->count++;
}

/* The character at the front; octets that are no UTF-8 stand for themselves. */
static uint32_t take_character(struct slice *text)
{
    const unsigned char *at = (const unsigned char *)text->at;
    size_t width = at[0] < 0xc0 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (width > text->len)
        width = 1;
    uint32_t code = width == 1 ? at[0] : at[0] & (0x7fu >> width);
    for (size_t i = 1; i < width; i++)
        code = code << 6 | (at[i] & 0x3fu);
    *text = slice_tail(*text, width);
    return code;
}

static void add_two(struct sequences *set, uint32_t first, uint32_t second)
{
    uint64_t both = (uint64_t)first << 21 | second;
    for (uint64_t way = 1; way <= 3; way++)
        sequences_add_hash(set, mix(both | way << 42));
}

void sequences_add(struct sequences *set, struct slice text)
{
    uint32_t before = 0, last = 0;
    size_t seen = 0;
    while (text.len && !set->full) {
        uint32_t now = take_character(&text);
        bool wide = now >= SEARCH_WIDE && last >= SEARCH_WIDE;
        if (seen >= 1 && wide)
            add_two(set, last, now);
        if (seen >= 2 && !(wide && before >= SEARCH_WIDE)) // three wide ones are two pairs
            sequences_add_hash(set, mix((uint64_t)before << 42 | (uint64_t)last << 21 | now));
        before = last;
        last = now;
        seen++;
    }
}

uint32_t *sequences_list(const struct sequences *set, struct arena *arena, size_t *count)
{
    uint32_t *list = arena_new(arena, uint32_t, set->count + 1);
    *count = 0;
    for (size_t i = 0; i < set->room; i++)
        if (set->slots[i])
            list[(*count)++] = set->slots[i];
    return list;
}

void sequences_free(struct sequences *set)
{
    free(set->slots);
    *set = (struct sequences){ 0 };
}
