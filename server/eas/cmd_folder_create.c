#include "server/eas/folder.h"

static void folder_create_run(struct eas_request *req)
{
    struct slice key, name = slice_trim(wbxml_child_text(req->root, WB_FolderHierarchy_DisplayName));
    struct slice parent_id = wbxml_child_text(req->root, WB_FolderHierarchy_ParentId);
    struct mailbox_id parent, id;
    struct change_set changes = { .count = 0 };
    uint64_t type;
    char new_key[SYNC_KEY_MAX + 1];
    if (!eas_folder_key(req, &key))
        return;
    if (name.len == 0 || name.len > MAILBOX_NAME_MAX ||
        !wbxml_number(wbxml_child(req->root, WB_FolderHierarchy_Type), UINT32_MAX, &type)) {
        eas_answer_status(req, FOLDER_MALFORMED);
        return;
    }
    if (type == FOLDER_TYPE_RECIPIENTS || slice_eq(parent_id, SLICE_LIT(EAS_RECIPIENTS_ID))) {
        eas_answer_status(req, FOLDER_SPECIAL);
        return;
    }
    if (type != FOLDER_TYPE_USER && type != FOLDER_TYPE_USER_MAIL) {
        eas_answer_status(req, FOLDER_MALFORMED);
        return;
    }
    if (!eas_folder_parent(parent_id, &parent)) {
        eas_answer_status(req, FOLDER_NO_PARENT);
        return;
    }
    if (parent.n == 0 && eas_folder_name_is_fixed(req, name)) {
        eas_answer_status(req, FOLDER_EXISTS);
        return;
    }
    enum err err = sync_folder_create(req->db, eas_account(req), req->device.id, key, parent, name, &id, new_key, &changes);
    eas_publish(req, &changes);
    if (err)
        eas_answer_status(req, err == ERR_NOT_FOUND ? FOLDER_NO_PARENT : eas_folder_status(err));
    else
        eas_folder_answer(req, new_key, &id);
}

const struct eas_command eas_folder_create = {
    .name = "FolderCreate",
    .source = "MS-ASCMD 2.2.1.3",
    .root = WB_FolderHierarchy_FolderCreate,
    .status = WB_FolderHierarchy_Status,
    .flags = EAS_WRITES,
    .run = folder_create_run,
};
