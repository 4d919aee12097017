#include "protocol/eas/ids.h"
#include "server/eas/eas_internal.h"

/* MS-ASCMD 2.2.3.177.10 (Status, MoveItems): 3 is success, 1 is not. */
enum { MOVE_BAD_SOURCE = 1, MOVE_BAD_TARGET = 2, MOVE_OK = 3, MOVE_SAME = 4, MOVE_FAILED = 5, MOVE_LOCKED = 7 };

#define MOVES_MAX 1000u

static int status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return MOVE_OK;
    case ERR_NOT_FOUND:
        return MOVE_BAD_SOURCE;
    case ERR_STATE:
        return MOVE_BAD_TARGET;
    case ERR_EXISTS:
        return MOVE_SAME;
    case ERR_UNAVAILABLE:
        return MOVE_LOCKED;
    default:
        return MOVE_FAILED;
    }
}

static int move(struct eas_request *req, const struct wbxml_node *node, char moved[EAS_ID_SIZE])
{
    struct eas_item_id item;
    struct mailbox_id from, to;
    struct actor by = eas_actor(req, true);
    struct change_set changes = { .count = 0 };
    uint32_t new_item;
    if (!eas_item_id_parse(wbxml_child_text(node, WB_Move_SrcMsgId), &item) ||
        !eas_folder_id_parse(wbxml_child_text(node, WB_Move_SrcFldId), &from.n) || item.mailbox != from.n)
        return MOVE_BAD_SOURCE;
    if (!eas_folder_id_parse(wbxml_child_text(node, WB_Move_DstFldId), &to.n))
        return MOVE_BAD_TARGET;
    enum err err = sync_move(req->db, eas_account(req), req->device.id, from, item.item, to, &by, &new_item, &changes);
    eas_publish(req, &changes);
    if (!err)
        eas_item_id_format((struct eas_item_id){ to.n, new_item }, moved);
    return status_of(err);
}

static void move_items_run(struct eas_request *req)
{
    size_t count = wbxml_count(req->root, WB_Move_Move);
    if (count == 0 || count > MOVES_MAX) {
        eas_answer_error(req, EAS_INVALID_XML);
        return;
    }
    eas_begin(req, WB_Move_MoveItems);
    for (const struct wbxml_node *node = wbxml_child(req->root, WB_Move_Move); node; node = wbxml_same(node)) {
        char moved[EAS_ID_SIZE];
        int status = move(req, node, moved);
        wbxml_start(&req->writer, WB_Move_Response);
        wbxml_text(&req->writer, WB_Move_SrcMsgId, wbxml_child_text(node, WB_Move_SrcMsgId));
        wbxml_u64(&req->writer, WB_Move_Status, (uint64_t)status);
        if (status == MOVE_OK)
            wbxml_cstr(&req->writer, WB_Move_DstMsgId, moved);
        wbxml_end(&req->writer, WB_Move_Response);
    }
    wbxml_end(&req->writer, WB_Move_MoveItems);
    req->status = MOVE_OK;
    eas_answer(req);
}

const struct eas_command eas_move_items = {
    .name = "MoveItems",
    .source = "MS-ASCMD 2.2.1.12",
    .root = WB_Move_MoveItems,
    .status = WB_Move_Status,
    .flags = EAS_WRITES,
    .run = move_items_run,
};
