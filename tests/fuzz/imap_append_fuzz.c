/* What stands between the literals of APPEND: lines, each but the last one with a literal at its end. */
#include <assert.h>
#include <stdint.h>

#include "server/imap/append.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct append_args args = { 0 };
    struct slice in = slice_make(data, size);
    enum err err = ERR_OK;
    bool more = true;
    while (!err && more) {
        more = slice_find(in, '\n') != SIZE_MAX;
        struct slice line = slice_cut(&in, '\n');
        struct scan_announced literal;
        bool announced = more && scan_announced_literal(line, &literal);
        struct slice text = announced ? slice_head(line, literal.at) : line;
        err = append_parse_more(&args, text, arena, announced ? &literal : NULL);
        if (!err && announced)
            err = append_add_piece(&args, arena) ? ERR_OK : ERR_LIMIT;
        more = more && announced;
    }
    assert(args.count <= APPEND_MESSAGES_MAX);
    for (size_t i = 0; i < args.count && !err; i++)
        assert(args.messages[i].piece_count <= APPEND_PIECES_MAX);
    arena_close(&arena);
    return 0;
}
