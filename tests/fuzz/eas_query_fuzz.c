/* Query strings of any kind: no read past the end, and what is accepted keeps its limits. */
#include <stdlib.h>

#include "protocol/eas/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct eas_query query;
    if (eas_query_parse(slice_make(data, size), arena, &query) == ERR_OK) {
        if (query.is_base64 && (query.device_id.len == 0 || query.device_id.len > 510))
            abort();
        if (!query.is_base64 && query.command.len == 0)
            abort();
    }
    arena_close(&arena);
    return 0;
}
