/* Documents as phones send them, through every parser of requests: what is accepted keeps its promises. */
#include <stdlib.h>

#include "protocol/eas/email.h"
#include "protocol/eas/sync_request.h"

static void check_sync(const struct wbxml_node *root, struct arena *arena)
{
    struct eas_sync_request request, kept;
    struct buf packed = { 0 };
    if (eas_sync_parse(root, arena, &request))
        return;
    for (size_t i = 0; i < request.collection_count; i++) {
        const struct eas_collection *collection = &request.collections[i];
        if (collection->window == 0 || collection->window > EAS_WINDOW_MAX || collection->command_count > EAS_COMMANDS_MAX)
            abort();
        for (size_t j = 0; j < collection->command_count; j++) {
            struct eas_change change;
            if (eas_change_parse(collection->commands[j].data, 161, arena, &change) == ERR_OK &&
                change.category_count > EAS_CATEGORIES_MAX)
                abort();
        }
    }
    eas_sync_pack(&request, &packed);
    enum err err = eas_sync_unpack(buf_slice(&packed), arena, &kept);
    if ((err == ERR_OK) != (request.collection_count > 0) || (!err && kept.collection_count != request.collection_count))
        abort();
    if (!err)
        eas_sync_merge(&request, &kept, arena);
    buf_free(&packed);
}

static void check_ping(const struct wbxml_node *root, struct arena *arena)
{
    struct eas_ping_request request, kept;
    struct buf packed = { 0 };
    if (eas_ping_parse(root, arena, &request))
        return;
    eas_ping_pack(&request, &packed);
    if (eas_ping_unpack(buf_slice(&packed), arena, &kept) == ERR_OK && kept.folder_count != request.folder_count)
        abort();
    buf_free(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct wbxml_node *root;
    if (wbxml_parse(slice_make(data, size), arena, &root, NULL) == ERR_OK) {
        struct eas_options options = EAS_OPTIONS_DEFAULT, back;
        struct buf packed = { 0 };
        check_sync(root, arena);
        check_ping(root, arena);
        if (eas_options_parse(root, &options) == ERR_OK) {
            eas_options_pack(&options, &packed);
            eas_options_unpack(buf_slice(&packed), &back);
            if (back.preference_count != options.preference_count || back.filter != options.filter)
                abort();
        }
        buf_free(&packed);
    }
    // The same octets as what storage kept: nothing there may be believed.
    struct eas_sync_request kept;
    struct eas_ping_request ping;
    struct eas_options unpacked;
    (void)!eas_sync_unpack(slice_make(data, size), arena, &kept);
    (void)!eas_ping_unpack(slice_make(data, size), arena, &ping);
    eas_options_unpack(slice_make(data, size), &unpacked);
    for (size_t i = 0; i < unpacked.preference_count; i++)
        if (unpacked.preferences[i].type < EAS_BODY_TEXT || unpacked.preferences[i].type > EAS_BODY_MIME)
            abort();
    arena_close(&arena);
    return 0;
}
