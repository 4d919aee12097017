#include "protocol/eas/category.h"
#include "server/eas/followup.h"
#include "server/eas/sync_internal.h"

int eas_sync_item_status(enum err err)
{
    switch (err) {
    case ERR_OK:
        return SYNC_OK;
    case ERR_NOT_FOUND:
        return SYNC_NOT_FOUND;
    case ERR_SYNTAX:
    case ERR_LIMIT:
        return SYNC_CONVERSION_ERROR;
    case ERR_CONFLICT:
        return SYNC_CONFLICT;
    case ERR_QUOTA:
        return SYNC_NO_SPACE;
    default:
        return SYNC_SERVER_ERROR;
    }
}

static void respond(struct sync_target *target, uint16_t tag, uint16_t id_tag, struct slice id, int status)
{
    struct wbxml_writer *writer = &target->responses_writer;
    wbxml_start(writer, tag);
    wbxml_text(writer, id_tag, id);
    wbxml_u64(writer, WB_AirSync_Status, (uint64_t)status);
    wbxml_end(writer, tag);
    target->response_count++;
}

/* The item that a ServerId of this collection names; false for ids of other collections and of no known form. */
static bool item_of(const struct sync_target *target, struct slice server_id, uint32_t *item)
{
    struct eas_item_id id;
    if (!eas_item_id_parse(server_id, &id) || id.mailbox != target->mailbox.n)
        return false;
    *item = id.item;
    return true;
}

static enum err map_categories(struct eas_request *req, const struct eas_change *change, struct sync_flags *flags)
{
    struct slice *keywords = arena_new(req->arena, struct slice, change->category_count + 1);
    for (size_t i = 0; i < change->category_count; i++) {
        enum err err = eas_category_to_keyword(change->categories[i], req->arena, &keywords[i]);
        if (err)
            return err;
    }
    flags->set_categories = true;
    flags->categories = keywords;
    flags->category_count = change->category_count;
    return ERR_OK;
}

enum err eas_sync_change_flags(struct sync_target *target, const struct eas_change *change, uint32_t item)
{
    struct eas_request *req = target->run->req;
    struct change_set changes = { .count = 0 };
    struct sync_flags flags = { .read = change->read, .flagged = -1 };
    if (change->has_flag) {
        static const int stored[] = { [EAS_FLAG_CLEARED] = 0, [EAS_FLAG_ACTIVE] = 1, [EAS_FLAG_COMPLETE] = 2 };
        flags.flagged = stored[change->flag.status];
        flags.extra_flag = eas_followup_pack(req->arena, &change->flag);
    }
    enum err err = change->has_categories ? map_categories(req, change, &flags) : ERR_OK;
    if (!err)
        err = sync_change_flags(req->db, eas_account(req), req->device.id, target->mailbox, item, &flags, &changes);
    eas_publish(req, &changes);
    return err;
}

/* A success is silent, unless the phone has to learn where its new attachments are. */
static void respond_with_data(struct sync_target *target, struct slice server_id, const struct draft_result *result)
{
    struct wbxml_writer *writer = &target->responses_writer;
    wbxml_start(writer, WB_AirSync_Change);
    wbxml_text(writer, WB_AirSync_ServerId, server_id);
    wbxml_u64(writer, WB_AirSync_Status, SYNC_OK);
    eas_draft_write_result(target, writer, result);
    wbxml_end(writer, WB_AirSync_Change);
    target->response_count++;
}

static enum err apply_change(struct sync_target *target, const struct eas_sync_command *command)
{
    struct eas_request *req = target->run->req;
    struct eas_change change;
    uint32_t item;
    bool draft = req->version >= 160 && target->role == ROLE_DRAFTS;
    struct draft_result result = { 0 };
    int status = SYNC_OK;
    enum err err = item_of(target, command->server_id, &item) ? ERR_OK : ERR_NOT_FOUND;
    if (!err)
        err = eas_change_parse(command->data, req->version, req->arena, &change);
    if (!err && draft && (change.has_content || command->send)) {
        err = eas_draft_change(target, command, item, &result);
        status = result.status;
    } else if (!err) {
        err = change.has_content ? ERR_SYNTAX : eas_sync_change_flags(target, &change, item);
        status = eas_sync_item_status(err);
    } else {
        status = eas_sync_item_status(err);
    }
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED)
        return err;
    if (status != SYNC_OK)
        respond(target, WB_AirSync_Change, WB_AirSync_ServerId, command->server_id, status);
    else if (result.has_added)
        respond_with_data(target, command->server_id, &result);
    return ERR_OK;
}

static enum err apply_add(struct sync_target *target, const struct eas_sync_command *command)
{
    struct draft_result result = { .status = SYNC_CONVERSION_ERROR };
    struct wbxml_writer *writer = &target->responses_writer;
    bool draft = target->run->req->version >= 160 && target->role == ROLE_DRAFTS && !command->has_class;
    if (draft) {
        enum err err = eas_draft_add(target, command, &result);
        if (err)
            return err;
    }
    wbxml_start(writer, WB_AirSync_Add);
    wbxml_text(writer, WB_AirSync_ClientId, command->client_id);
    if (result.item) {
        char id[EAS_ID_SIZE];
        eas_item_id_format((struct eas_item_id){ target->mailbox.n, result.item }, id);
        wbxml_cstr(writer, WB_AirSync_ServerId, id);
    }
    wbxml_u64(writer, WB_AirSync_Status, (uint64_t)result.status);
    eas_draft_write_result(target, writer, &result);
    wbxml_end(writer, WB_AirSync_Add);
    target->response_count++;
    return ERR_OK;
}

/* All deletions at once; what is gone already is as wished. */
static enum err apply_deletes(struct sync_target *target)
{
    struct eas_request *req = target->run->req;
    const struct eas_collection *collection = target->collection;
    struct actor by = eas_actor(req, true);
    struct change_set changes = { .count = 0 };
    uint32_t *items = arena_new(req->arena, uint32_t, collection->command_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < collection->command_count; i++) {
        const struct eas_sync_command *command = &collection->commands[i];
        if (command->kind != EAS_SYNC_DELETE)
            continue;
        if (item_of(target, command->server_id, &items[count]))
            count++;
        else
            respond(target, WB_AirSync_Delete, WB_AirSync_ServerId, command->server_id, SYNC_NOT_FOUND);
    }
    if (count == 0)
        return ERR_OK;
    enum err err = sync_delete(req->db, eas_account(req), req->device.id, target->mailbox, items, count,
                               collection->deletes_as_moves, &by, &changes);
    eas_publish(req, &changes);
    return err;
}

static enum err apply_fetch(struct sync_target *target, const struct eas_sync_command *command)
{
    struct eas_request *req = target->run->req;
    struct wbxml_writer *writer = &target->responses_writer;
    struct eas_item_view view = { .req = req, .options = &target->options, .mailbox = target->mailbox.n,
                                  .role = target->role };
    struct sync_item item;
    uint32_t number;
    enum err err = item_of(target, command->server_id, &number) ? ERR_OK : ERR_NOT_FOUND;
    if (!err)
        err = sync_get_item(req->db, req->arena, eas_account(req), target->mailbox, number, &item, &view.keywords,
                            &view.keyword_count);
    if (err == ERR_NOT_FOUND) {
        respond(target, WB_AirSync_Fetch, WB_AirSync_ServerId, command->server_id, SYNC_NOT_FOUND);
        return ERR_OK;
    }
    if (err)
        return err;
    wbxml_start(writer, WB_AirSync_Fetch);
    wbxml_text(writer, WB_AirSync_ServerId, command->server_id);
    wbxml_u64(writer, WB_AirSync_Status, SYNC_OK);
    wbxml_start(writer, WB_AirSync_ApplicationData);
    err = eas_item_write(&view, writer, &item);
    wbxml_end(writer, WB_AirSync_ApplicationData);
    wbxml_end(writer, WB_AirSync_Fetch);
    target->response_count++;
    return err;
}

typedef enum err (*apply_fn)(struct sync_target *target, const struct eas_sync_command *command);

static enum err apply_all(struct sync_target *target, enum eas_sync_kind kind, apply_fn apply)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < target->collection->command_count && !err; i++) {
        if (target->collection->commands[i].kind == kind)
            err = apply(target, &target->collection->commands[i]);
    }
    return err;
}

/* Responses stand in the order Add, Change, Delete, Fetch; what they answer to is done in that order too. */
enum err eas_sync_commands(struct sync_target *target)
{
    enum err err = apply_all(target, EAS_SYNC_ADD, apply_add);
    if (!err)
        err = apply_all(target, EAS_SYNC_CHANGE, apply_change);
    if (!err)
        err = apply_deletes(target);
    if (!err)
        err = apply_all(target, EAS_SYNC_FETCH, apply_fetch);
    return err;
}
