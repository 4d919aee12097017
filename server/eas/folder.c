#include "server/eas/folder.h"

#include "protocol/eas/ids.h"

#define KEY_MAX 64u // octets of any SyncKey

int eas_folder_type(enum mailbox_role role)
{
    switch (role) {
    case ROLE_INBOX:
        return 2;
    case ROLE_DRAFTS:
        return 3;
    case ROLE_TRASH:
        return 4;
    case ROLE_SENT:
        return 5;
    default:
        return FOLDER_TYPE_USER_MAIL; // not 1: several phones hide it
    }
}

const char *eas_folder_name(const struct mailbox *mailbox)
{
    return mailbox->role == ROLE_INBOX ? "Inbox" : mailbox->name;
}

const struct eas_fixed_folder eas_fixed_folders[EAS_FIXED_FOLDERS] = {
    { EAS_OUTBOX_ID, "Outbox", "Email", FOLDER_TYPE_OUTBOX, false },
    { "calendar", "Calendar", "Calendar", FOLDER_TYPE_CALENDAR, true },
    { "contacts", "Contacts", "Contacts", FOLDER_TYPE_CONTACTS, true },
};

const struct eas_fixed_folder *eas_fixed_folder(struct slice id)
{
    for (size_t i = 0; i < EAS_FIXED_FOLDERS; i++) {
        if (slice_eq(id, slice_of(eas_fixed_folders[i].id)))
            return &eas_fixed_folders[i];
    }
    return NULL;
}

bool eas_fixed_folder_is_listed(const struct eas_request *req, const struct eas_fixed_folder *folder)
{
    return !folder->optional || settings_bool(req->app->server->settings, SETTING_EAS_EMPTY_FOLDERS);
}

bool eas_folder_name_is_fixed(const struct eas_request *req, struct slice name)
{
    for (size_t i = 0; i < EAS_FIXED_FOLDERS; i++) {
        const struct eas_fixed_folder *folder = &eas_fixed_folders[i];
        if (eas_fixed_folder_is_listed(req, folder) && slice_eq_nocase(name, slice_of(folder->name)))
            return true;
    }
    return false;
}

/* Parents stand before their children in the order of paths. */
enum err eas_folder_holds_special(struct eas_request *req, struct mailbox_id id, bool *holds)
{
    struct mailbox *all;
    size_t count, below_count = 1;
    int64_t modseq;
    *holds = false;
    enum err err = mailbox_list(req->db, req->arena, eas_account(req), &all, &count, &modseq);
    if (err)
        return err;
    int64_t *below = arena_new(req->arena, int64_t, count + 1);
    below[0] = id.n;
    for (size_t i = 0; i < count; i++) {
        bool is_below = false;
        for (size_t j = 0; j < below_count && !is_below; j++)
            is_below = all[i].parent.n == below[j];
        if (!is_below)
            continue;
        below[below_count++] = all[i].id.n;
        *holds |= eas_folder_type(all[i].role) != FOLDER_TYPE_USER_MAIL;
    }
    return ERR_OK;
}

bool eas_folder_key(struct eas_request *req, struct slice *key)
{
    const struct wbxml_node *node = wbxml_child(req->root, WB_FolderHierarchy_SyncKey);
    if (!node) {
        eas_answer_status(req, FOLDER_MALFORMED);
        return false;
    }
    *key = slice_trim(node->text);
    if (key->len == 0 || key->len > KEY_MAX) {
        eas_answer_status(req, FOLDER_KEY_INVALID);
        return false;
    }
    return true;
}

bool eas_folder_parent(struct slice text, struct mailbox_id *parent)
{
    parent->n = 0;
    return slice_eq(text, SLICE_LIT("0")) || eas_folder_id_parse(text, &parent->n);
}

void eas_folder_answer(struct eas_request *req, const char *key, const struct mailbox_id *id)
{
    uint16_t root = req->command->root;
    req->status = FOLDER_OK;
    eas_begin(req, root);
    wbxml_u64(&req->writer, WB_FolderHierarchy_Status, FOLDER_OK);
    wbxml_cstr(&req->writer, WB_FolderHierarchy_SyncKey, key);
    if (id)
        wbxml_u64(&req->writer, WB_FolderHierarchy_ServerId, (uint64_t)id->n);
    wbxml_end(&req->writer, root);
    eas_answer(req);
}

int eas_folder_status(enum err err)
{
    switch (err) {
    case ERR_OK:
        return FOLDER_OK;
    case ERR_EXISTS:
    case ERR_STATE:
        return FOLDER_EXISTS;
    case ERR_NOT_FOUND:
        return FOLDER_NOT_FOUND;
    case ERR_CONFLICT:
        return FOLDER_KEY_INVALID;
    case ERR_SYNTAX:
    case ERR_LIMIT:
        return FOLDER_MALFORMED;
    default:
        return FOLDER_SERVER_ERROR;
    }
}
