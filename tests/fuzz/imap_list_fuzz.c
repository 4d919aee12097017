/* Arguments of LIST and STATUS. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/list_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct slice in = slice_make(data, size), items_in = in;
    struct list_command command;
    unsigned items;
    if (list_parse(&in, arena, &command) == ERR_OK) {
        assert(command.pattern_count >= 1 && command.pattern_count <= LIST_PATTERNS_MAX);
        assert(!(command.returns & LIST_RETURN_STATUS) || command.status);
        assert(!(command.select & LIST_RECURSIVE) || command.select & (LIST_SUBSCRIBED | LIST_SPECIAL));
    }
    if (status_items_parse(&items_in, &items) == ERR_OK)
        for (unsigned bit = 1; bit <= items; bit <<= 1)
            assert(!(items & bit) || status_item_name(bit));
    arena_close(&arena);
    return 0;
}
