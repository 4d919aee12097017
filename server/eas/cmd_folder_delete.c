#include "protocol/eas/ids.h"
#include "server/eas/folder.h"

static void folder_delete_run(struct eas_request *req)
{
    struct slice key;
    struct mailbox_id id;
    struct mailbox mailbox;
    struct change_set changes = { .count = 0 };
    struct actor by = eas_actor(req, true);
    char new_key[SYNC_KEY_MAX + 1];
    if (!eas_folder_key(req, &key))
        return;
    struct slice server_id = wbxml_child_text(req->root, WB_FolderHierarchy_ServerId);
    if (eas_fixed_folder(server_id) || slice_eq(server_id, SLICE_LIT(EAS_RECIPIENTS_ID))) {
        eas_answer_status(req, FOLDER_SPECIAL);
        return;
    }
    if (!eas_folder_id_parse(server_id, &id.n)) {
        eas_answer_status(req, FOLDER_NOT_FOUND);
        return;
    }
    enum err err = mailbox_get(req->db, req->arena, eas_account(req), id, &mailbox);
    if (!err && eas_folder_type(mailbox.role) != FOLDER_TYPE_USER_MAIL) {
        eas_answer_status(req, FOLDER_SPECIAL);
        return;
    }
    bool holds = false;
    if (!err)
        err = eas_folder_holds_special(req, id, &holds);
    if (holds) {
        eas_answer_status(req, FOLDER_SPECIAL);
        return;
    }
    if (!err || err == ERR_NOT_FOUND) // gone already: storage knows whether this is a repeat
        err = sync_folder_delete(req->db, eas_account(req), req->device.id, key, id, &by, new_key, &changes);
    eas_publish(req, &changes);
    if (err)
        eas_answer_status(req, eas_folder_status(err));
    else
        eas_folder_answer(req, new_key, NULL);
}

const struct eas_command eas_folder_delete = {
    .name = "FolderDelete",
    .source = "MS-ASCMD 2.2.1.4",
    .root = WB_FolderHierarchy_FolderDelete,
    .status = WB_FolderHierarchy_Status,
    .flags = EAS_WRITES,
    .run = folder_delete_run,
};
