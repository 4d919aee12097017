/* Arguments of GETMETADATA and SETMETADATA. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct metadata_command *c)
{
    assert(c->count >= 1 && c->count <= METADATA_LIST_MAX);
    for (size_t i = 0; i < c->count; i++) {
        assert(c->items[i].entry.len <= METADATA_ENTRY_MAX && c->items[i].value.len <= METADATA_VALUE_MAX);
        for (size_t k = 0; k < c->count; k++)
            assert(!metadata_covers(c->items[i].entry, METADATA_CHILDREN, c->items[k].entry) ||
                   metadata_covers(c->items[i].entry, METADATA_ALL, c->items[k].entry));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct slice get = slice_make(data, size), set = get;
    struct metadata_command command;
    if (metadata_parse_get(&get, arena, &command) == ERR_OK)
        check(&command);
    if (metadata_parse_set(&set, arena, &command) == ERR_OK)
        check(&command);
    arena_close(&arena);
    return 0;
}
