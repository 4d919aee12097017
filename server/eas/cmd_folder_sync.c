#include <inttypes.h>

#include "protocol/eas/ids.h"
#include "server/eas/folder.h"

static void write_folder(struct wbxml_writer *writer, uint16_t tag, const char *id, int64_t parent, const char *name,
                         int type)
{
    wbxml_start(writer, tag);
    wbxml_cstr(writer, WB_FolderHierarchy_ServerId, id);
    if (tag != WB_FolderHierarchy_Delete) {
        wbxml_u64(writer, WB_FolderHierarchy_ParentId, (uint64_t)parent);
        wbxml_cstr(writer, WB_FolderHierarchy_DisplayName, name);
        wbxml_u64(writer, WB_FolderHierarchy_Type, (uint64_t)type);
    }
    wbxml_end(writer, tag);
}

/* Product order: updates, deletions, additions; storage gives parents before children. */
static void write_kind(struct wbxml_writer *writer, const struct folder_look *look, enum folder_op op)
{
    static const uint16_t tags[] = { [FOLDER_ADD] = WB_FolderHierarchy_Add,
                                     [FOLDER_UPDATE] = WB_FolderHierarchy_Update,
                                     [FOLDER_DELETE] = WB_FolderHierarchy_Delete };
    for (size_t i = 0; i < look->count; i++) {
        const struct mailbox *mailbox = &look->items[i].mailbox;
        char id[EAS_ID_SIZE];
        if (look->items[i].op != op)
            continue;
        eas_folder_id_format(mailbox->id.n, id);
        write_folder(writer, tags[op], id, mailbox->parent.n, op == FOLDER_DELETE ? "" : eas_folder_name(mailbox),
                     op == FOLDER_DELETE ? 0 : eas_folder_type(mailbox->role));
    }
}

static void folder_sync_run(struct eas_request *req)
{
    struct slice key;
    struct folder_look look;
    if (!eas_folder_key(req, &key))
        return;
    enum err err = sync_folders(req->db, req->arena, eas_account(req), req->device.id, key, &look);
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED) {
        eas_answer_unavailable(req);
        return;
    }
    if (err) {
        if (err == ERR_CONFLICT)
            eas_add_offer(req);
        eas_answer_status(req, err == ERR_CONFLICT ? FOLDER_KEY_INVALID : FOLDER_SERVER_ERROR);
        return;
    }
    bool all = slice_eq(key, SLICE_LIT("0"));
    size_t fixed = 0;
    for (size_t i = 0; all && i < EAS_FIXED_FOLDERS; i++)
        fixed += eas_fixed_folder_is_listed(req, &eas_fixed_folders[i]);
    req->status = FOLDER_OK;
    req->worked = all || look.count > 0;
    if (all)
        eas_add_offer(req); // told again where everything begins anew
    eas_begin(req, WB_FolderHierarchy_FolderSync);
    wbxml_u64(&req->writer, WB_FolderHierarchy_Status, FOLDER_OK);
    wbxml_cstr(&req->writer, WB_FolderHierarchy_SyncKey, look.key);
    wbxml_start(&req->writer, WB_FolderHierarchy_Changes);
    wbxml_u64(&req->writer, WB_FolderHierarchy_Count, look.count + fixed);
    write_kind(&req->writer, &look, FOLDER_UPDATE);
    write_kind(&req->writer, &look, FOLDER_DELETE);
    write_kind(&req->writer, &look, FOLDER_ADD);
    for (size_t i = 0; all && i < EAS_FIXED_FOLDERS; i++) {
        const struct eas_fixed_folder *folder = &eas_fixed_folders[i];
        if (eas_fixed_folder_is_listed(req, folder))
            write_folder(&req->writer, WB_FolderHierarchy_Add, folder->id, 0, folder->name, folder->type);
    }
    wbxml_end(&req->writer, WB_FolderHierarchy_Changes);
    wbxml_end(&req->writer, WB_FolderHierarchy_FolderSync);
    eas_answer(req);
}

const struct eas_command eas_folder_sync = {
    .name = "FolderSync",
    .source = "MS-ASCMD 2.2.1.5",
    .root = WB_FolderHierarchy_FolderSync,
    .status = WB_FolderHierarchy_Status,
    .run = folder_sync_run,
};
