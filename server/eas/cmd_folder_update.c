#include "protocol/eas/ids.h"
#include "server/eas/folder.h"

static void folder_update_run(struct eas_request *req)
{
    struct slice key, name = slice_trim(wbxml_child_text(req->root, WB_FolderHierarchy_DisplayName));
    struct mailbox_id id, parent;
    struct mailbox mailbox;
    struct change_set changes = { .count = 0 };
    char new_key[SYNC_KEY_MAX + 1];
    if (!eas_folder_key(req, &key))
        return;
    if (name.len == 0 || name.len > MAILBOX_NAME_MAX) {
        eas_answer_status(req, FOLDER_MALFORMED);
        return;
    }
    struct slice server_id = wbxml_child_text(req->root, WB_FolderHierarchy_ServerId);
    if (slice_eq(server_id, SLICE_LIT(EAS_RECIPIENTS_ID))) {
        eas_answer_status(req, FOLDER_SPECIAL);
        return;
    }
    if (eas_fixed_folder(server_id)) {
        eas_answer_status(req, FOLDER_EXISTS);
        return;
    }
    if (!eas_folder_id_parse(server_id, &id.n)) {
        eas_answer_status(req, FOLDER_NOT_FOUND);
        return;
    }
    if (!eas_folder_parent(wbxml_child_text(req->root, WB_FolderHierarchy_ParentId), &parent)) {
        eas_answer_status(req, FOLDER_NO_PARENT);
        return;
    }
    enum err err = mailbox_get(req->db, req->arena, eas_account(req), id, &mailbox);
    if (!err && eas_folder_type(mailbox.role) != FOLDER_TYPE_USER_MAIL)
        err = ERR_EXISTS; // Inbox and its like stay what they are
    if (!err && parent.n && mailbox_get(req->db, req->arena, eas_account(req), parent, &mailbox) == ERR_NOT_FOUND) {
        eas_answer_status(req, FOLDER_NO_PARENT);
        return;
    }
    if (!err && parent.n == 0 && eas_folder_name_is_fixed(req, name))
        err = ERR_EXISTS;
    if (!err)
        err = sync_folder_update(req->db, eas_account(req), req->device.id, key, id, parent, name, new_key, &changes);
    eas_publish(req, &changes);
    if (err)
        eas_answer_status(req, eas_folder_status(err));
    else
        eas_folder_answer(req, new_key, NULL);
}

const struct eas_command eas_folder_update = {
    .name = "FolderUpdate",
    .source = "MS-ASCMD 2.2.1.6",
    .root = WB_FolderHierarchy_FolderUpdate,
    .status = WB_FolderHierarchy_Status,
    .flags = EAS_WRITES,
    .run = folder_update_run,
};
