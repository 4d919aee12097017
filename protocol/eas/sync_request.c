#include "protocol/eas/sync_request.h"

#define PACK_VERSION 1
#define PING_FOLDERS_MAX 1000u

/* ---- Sync ---- */

static enum err parse_command(const struct wbxml_node *node, struct eas_sync_command *command)
{
    switch (node->tag) {
    case WB_AirSync_Add:
        command->kind = EAS_SYNC_ADD;
        break;
    case WB_AirSync_Change:
        command->kind = EAS_SYNC_CHANGE;
        break;
    case WB_AirSync_Delete:
        command->kind = EAS_SYNC_DELETE;
        break;
    case WB_AirSync_Fetch:
        command->kind = EAS_SYNC_FETCH;
        break;
    default:
        return ERR_SYNTAX;
    }
    command->server_id = wbxml_child_text(node, WB_AirSync_ServerId);
    command->client_id = wbxml_child_text(node, WB_AirSync_ClientId);
    command->has_class = slice_eq_nocase(wbxml_child_text(node, WB_AirSync_Class), SLICE_LIT("SMS"));
    command->send = wbxml_child(node, WB_Email2_Send) != NULL;
    command->data = wbxml_child(node, WB_AirSync_ApplicationData);
    if (command->kind == EAS_SYNC_ADD)
        return command->client_id.len && command->client_id.len <= EAS_ID_MAX ? ERR_OK : ERR_SYNTAX;
    return command->server_id.len || command->kind == EAS_SYNC_FETCH ? ERR_OK : ERR_SYNTAX;
}

static enum err parse_commands(const struct wbxml_node *node, struct arena *arena, struct eas_collection *collection)
{
    size_t count = 0;
    for (const struct wbxml_node *child = node->child; child; child = child->next)
        count++;
    if (count > EAS_COMMANDS_MAX)
        return ERR_SYNTAX;
    struct eas_sync_command *commands = arena_new(arena, struct eas_sync_command, count + 1);
    size_t at = 0;
    for (const struct wbxml_node *child = node->child; child; child = child->next) {
        enum err err = parse_command(child, &commands[at]);
        if (err)
            return err;
        at += commands[at].kind != EAS_SYNC_FETCH || commands[at].server_id.len; // BlackBerry fetches nothing
    }
    collection->commands = commands;
    collection->command_count = at;
    return ERR_OK;
}

/* Two Options are for SMS and the default class: the one that is not SMS counts. */
static void parse_options(const struct wbxml_node *node, struct eas_collection *collection)
{
    size_t plain = 0, sms = 0;
    for (const struct wbxml_node *options = wbxml_child(node, WB_AirSync_Options); options;
         options = wbxml_same(options)) {
        struct slice class = wbxml_child_text(options, WB_AirSync_Class);
        if (slice_eq_nocase(class, SLICE_LIT("SMS"))) {
            sms++;
            continue;
        }
        if (class.len)
            collection->class = class;
        collection->has_options = true;
        collection->options_err = eas_options_parse(options, &collection->options);
        plain++;
    }
    if (plain > 1 || sms > 1)
        collection->options_err = ERR_SYNTAX;
    const struct wbxml_node *mode = wbxml_child(node, WB_AirSync_ConversationMode);
    collection->has_mode = mode != NULL;
    collection->options.conversation_mode = wbxml_bool(mode, false);
}

static uint32_t window_of(const struct wbxml_node *node, uint32_t otherwise)
{
    uint64_t number;
    if (!node || !wbxml_number(node, UINT32_MAX, &number))
        return otherwise;
    return number == 0 || number > EAS_WINDOW_MAX ? EAS_WINDOW_MAX : (uint32_t)number;
}

static enum err parse_collection(const struct wbxml_node *node, struct arena *arena, struct eas_collection *collection)
{
    *collection = (struct eas_collection){ .options = EAS_OPTIONS_DEFAULT };
    collection->key = slice_trim(wbxml_child_text(node, WB_AirSync_SyncKey));
    collection->key_given = collection->key.len > 0;
    collection->id = wbxml_child_text(node, WB_AirSync_CollectionId);
    collection->class = wbxml_child_text(node, WB_AirSync_Class);
    if (collection->id.len == 0)
        return ERR_SYNTAX;
    bool prime = slice_eq(collection->key, SLICE_LIT("0"));
    collection->get_changes = !prime && wbxml_bool(wbxml_child(node, WB_AirSync_GetChanges), true);
    collection->deletes_as_moves = wbxml_bool(wbxml_child(node, WB_AirSync_DeletesAsMoves), true);
    collection->window = window_of(wbxml_child(node, WB_AirSync_WindowSize), EAS_WINDOW_DEFAULT);
    parse_options(node, collection);
    const struct wbxml_node *commands = wbxml_child(node, WB_AirSync_Commands);
    // Some clients send commands with key 0: nobody could answer for them.
    return commands && !prime ? parse_commands(commands, arena, collection) : ERR_OK;
}

static enum err parse_wait(const struct wbxml_node *root, struct eas_sync_request *request)
{
    const struct wbxml_node *wait = wbxml_child(root, WB_AirSync_Wait),
                            *heartbeat = wbxml_child(root, WB_AirSync_HeartbeatInterval);
    if (wait && heartbeat)
        return ERR_SYNTAX;
    const struct wbxml_node *node = wait ? wait : heartbeat;
    if (!node)
        return ERR_OK;
    if (!wbxml_number(node, UINT32_MAX, &request->wait_value))
        return ERR_SYNTAX;
    request->wait_given = wait != NULL;
    request->heartbeat_given = heartbeat != NULL;
    request->wait_s = (uint32_t)(request->wait_value * (wait ? 60 : 1));
    return ERR_OK;
}

static bool has_collection(const struct eas_sync_request *request, struct slice id)
{
    for (size_t i = 0; i < request->collection_count; i++) {
        if (slice_eq(request->collections[i].id, id))
            return true;
    }
    return false;
}

enum err eas_sync_parse(const struct wbxml_node *root, struct arena *arena, struct eas_sync_request *request)
{
    *request = (struct eas_sync_request){ 0 };
    if (!root->child)
        return ERR_SYNTAX;
    const struct wbxml_node *list = wbxml_child(root, WB_AirSync_Collections);
    const struct wbxml_node *window = wbxml_child(root, WB_AirSync_WindowSize);
    request->partial = wbxml_child(root, WB_AirSync_Partial) != NULL;
    request->window = window_of(window, 0);
    enum err err = parse_wait(root, request);
    if (err)
        return err;
    if (request->partial && !list && !window && !request->wait_given && !request->heartbeat_given)
        return ERR_SYNTAX;
    if (!request->partial && !wbxml_child(list, WB_AirSync_Collection))
        return ERR_SYNTAX;
    size_t count = wbxml_count(list, WB_AirSync_Collection);
    if (count > EAS_COLLECTIONS_MAX)
        return ERR_LIMIT;
    request->collections = arena_new(arena, struct eas_collection, count + 1);
    for (const struct wbxml_node *node = wbxml_child(list, WB_AirSync_Collection); node && !err; node = wbxml_same(node)) {
        struct eas_collection *collection = &request->collections[request->collection_count];
        err = parse_collection(node, arena, collection);
        if (!err && has_collection(request, collection->id))
            err = ERR_SYNTAX; // the second would be taken for a retry of the first
        request->collection_count++;
    }
    return err;
}

/* ---- what is kept ---- */

static void put_u32(struct buf *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte(out, (char)(number >> shift));
}

static bool take_u32(struct slice *in, uint32_t *number)
{
    if (in->len < 4)
        return false;
    const uint8_t *at = (const uint8_t *)in->at;
    *number = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    *in = slice_tail(*in, 4);
    return true;
}

static void put_text(struct buf *out, struct slice text)
{
    put_u32(out, (uint32_t)text.len);
    buf_add(out, text);
}

static bool take_text(struct slice *in, struct slice *text)
{
    uint32_t len;
    if (!take_u32(in, &len) || len > in->len)
        return false;
    *text = slice_head(*in, len);
    *in = slice_tail(*in, len);
    return true;
}

enum { KEPT_WAIT = 1, KEPT_HEARTBEAT = 2 };
enum { KEPT_MOVES = 1, KEPT_CHANGES = 2 };

void eas_sync_pack(const struct eas_sync_request *request, struct buf *out)
{
    put_u32(out, PACK_VERSION);
    put_u32(out, request->window);
    put_u32(out, request->wait_s);
    put_u32(out, (request->wait_given ? KEPT_WAIT : 0u) | (request->heartbeat_given ? KEPT_HEARTBEAT : 0u));
    put_u32(out, (uint32_t)request->collection_count);
    for (size_t i = 0; i < request->collection_count; i++) {
        const struct eas_collection *collection = &request->collections[i];
        put_text(out, collection->id);
        put_u32(out, collection->window);
        put_u32(out, (collection->deletes_as_moves ? KEPT_MOVES : 0u) | KEPT_CHANGES);
    }
}

static bool unpack_sync(struct slice in, struct arena *arena, struct eas_sync_request *request)
{
    uint32_t version, flags, count;
    *request = (struct eas_sync_request){ 0 };
    if (!take_u32(&in, &version) || version != PACK_VERSION || !take_u32(&in, &request->window) ||
        !take_u32(&in, &request->wait_s) || !take_u32(&in, &flags) || !take_u32(&in, &count) || count > in.len)
        return false;
    request->wait_given = flags & KEPT_WAIT;
    request->heartbeat_given = flags & KEPT_HEARTBEAT;
    request->wait_value = request->wait_given ? request->wait_s / 60 : request->wait_s;
    request->collections = arena_new(arena, struct eas_collection, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct eas_collection *collection = &request->collections[i];
        *collection = (struct eas_collection){ .options = EAS_OPTIONS_DEFAULT };
        if (!take_text(&in, &collection->id) || !take_u32(&in, &collection->window) || !take_u32(&in, &flags))
            return false;
        collection->deletes_as_moves = flags & KEPT_MOVES;
        collection->get_changes = flags & KEPT_CHANGES;
    }
    request->collection_count = count;
    return count > 0;
}

enum err eas_sync_unpack(struct slice packed, struct arena *arena, struct eas_sync_request *request)
{
    return unpack_sync(packed, arena, request) ? ERR_OK : ERR_NOT_FOUND;
}

void eas_sync_merge(struct eas_sync_request *partial, const struct eas_sync_request *kept, struct arena *arena)
{
    size_t room = partial->collection_count + kept->collection_count, given = partial->collection_count;
    struct eas_collection *all = arena_new(arena, struct eas_collection, room + 1);
    if (given)
        memcpy(all, partial->collections, given * sizeof *all);
    size_t count = given;
    for (size_t i = 0; i < kept->collection_count; i++) {
        bool replaced = false;
        for (size_t j = 0; j < given; j++)
            replaced |= slice_eq(all[j].id, kept->collections[i].id);
        if (!replaced)
            all[count++] = kept->collections[i];
    }
    partial->collections = all;
    partial->collection_count = count;
    if (partial->window == 0)
        partial->window = kept->window;
    if (!partial->wait_given && !partial->heartbeat_given) {
        partial->wait_given = kept->wait_given;
        partial->heartbeat_given = kept->heartbeat_given;
        partial->wait_s = kept->wait_s;
        partial->wait_value = kept->wait_value;
    }
}

/* ---- Ping ---- */

static bool is_listed(const struct eas_ping_request *request, struct slice id)
{
    for (size_t i = 0; i < request->folder_count; i++) {
        if (slice_eq(request->folders[i], id))
            return true;
    }
    return false;
}

enum err eas_ping_parse(const struct wbxml_node *root, struct arena *arena, struct eas_ping_request *request)
{
    *request = (struct eas_ping_request){ 0 };
    const struct wbxml_node *heartbeat = wbxml_child(root, WB_Ping_HeartbeatInterval),
                            *folders = wbxml_child(root, WB_Ping_Folders);
    if (!root->child)
        return ERR_SYNTAX;
    if (heartbeat && !wbxml_number(heartbeat, UINT32_MAX, &request->heartbeat_s))
        return ERR_SYNTAX;
    request->has_heartbeat = heartbeat != NULL;
    size_t count = wbxml_count(folders, WB_Ping_Folder);
    if (count > PING_FOLDERS_MAX)
        return ERR_LIMIT;
    request->has_folders = count > 0;
    request->folders = arena_new(arena, struct slice, count + 1);
    for (const struct wbxml_node *node = wbxml_child(folders, WB_Ping_Folder); node; node = wbxml_same(node)) {
        struct slice id = wbxml_child_text(node, WB_Ping_Id);
        if (id.len == 0 || id.len > EAS_ID_MAX || is_listed(request, id))
            return ERR_SYNTAX;
        request->folders[request->folder_count++] = id;
    }
    return ERR_OK;
}

void eas_ping_pack(const struct eas_ping_request *request, struct buf *out)
{
    put_u32(out, PACK_VERSION);
    put_u32(out, (uint32_t)request->folder_count);
    for (size_t i = 0; i < request->folder_count; i++)
        put_text(out, request->folders[i]);
}

enum err eas_ping_unpack(struct slice packed, struct arena *arena, struct eas_ping_request *request)
{
    uint32_t version, count;
    *request = (struct eas_ping_request){ 0 };
    if (!take_u32(&packed, &version) || version != PACK_VERSION || !take_u32(&packed, &count) || count == 0 ||
        count > packed.len)
        return ERR_NOT_FOUND;
    request->folders = arena_new(arena, struct slice, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!take_text(&packed, &request->folders[i]))
            return ERR_NOT_FOUND;
    }
    request->folder_count = count;
    request->has_folders = true;
    return ERR_OK;
}
