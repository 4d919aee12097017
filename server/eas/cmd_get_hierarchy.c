#include "protocol/eas/ids.h"
#include "server/eas/folder.h"

static void write_folder(struct wbxml_writer *writer, const char *name, const char *id, int type, int64_t parent)
{
    wbxml_start(writer, WB_FolderHierarchy_Folder);
    wbxml_cstr(writer, WB_FolderHierarchy_DisplayName, name);
    wbxml_cstr(writer, WB_FolderHierarchy_ServerId, id);
    // It knows the types 1 to 6 only.
    wbxml_u64(writer, WB_FolderHierarchy_Type, (uint64_t)(type > FOLDER_TYPE_OUTBOX ? FOLDER_TYPE_USER : type));
    wbxml_u64(writer, WB_FolderHierarchy_ParentId, (uint64_t)parent);
    wbxml_end(writer, WB_FolderHierarchy_Folder);
}

/* The mail folders as they are, without a key. */
static void get_hierarchy_run(struct eas_request *req)
{
    const struct eas_fixed_folder *outbox = eas_fixed_folder(SLICE_LIT(EAS_OUTBOX_ID));
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    if (mailbox_list(req->db, req->arena, eas_account(req), &all, &count, &modseq)) {
        eas_answer_unavailable(req);
        return;
    }
    eas_begin(req, WB_FolderHierarchy_Folders);
    for (size_t i = 0; i < count; i++) {
        char id[EAS_ID_SIZE];
        eas_folder_id_format(all[i].id.n, id);
        write_folder(&req->writer, eas_folder_name(&all[i]), id, eas_folder_type(all[i].role), all[i].parent.n);
    }
    write_folder(&req->writer, outbox->name, outbox->id, outbox->type, 0);
    wbxml_end(&req->writer, WB_FolderHierarchy_Folders);
    req->status = FOLDER_OK;
    eas_answer(req);
}

const struct eas_command eas_get_hierarchy = {
    .name = "GetHierarchy",
    .source = "MS-ASCMD 2.2.1.8",
    .root = WB_FolderHierarchy_Folders,
    .until = 121,
    .flags = EAS_EMPTY_BODY,
    .run = get_hierarchy_run,
};
