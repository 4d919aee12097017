#include "server/eas/empty_folder.h"

#include <stdlib.h>

#include "protocol/eas/ids.h"
#include "server/eas/folder.h"

/* In transactions of at most WRITE_ROWS_MAX rows (hard case 14). */
static enum err expunge_all(struct eas_request *req, struct mailbox_id mailbox)
{
    struct mailbox_look look = { 0 };
    struct actor by = eas_actor(req, false);
    enum err err = message_load(req->db, req->arena, eas_account(req), mailbox, &look);
    for (size_t at = 0; !err && at < look.row_count; at += WRITE_ROWS_MAX) {
        size_t last = at + WRITE_ROWS_MAX < look.row_count ? at + WRITE_ROWS_MAX - 1 : look.row_count - 1;
        struct uid_range range = { look.rows[at].uid, look.rows[last].uid };
        struct change_set changes = { .count = 0 };
        uint32_t *uids;
        size_t count;
        err = message_expunge(req->db, req->arena, eas_account(req), mailbox, &range, 1, false, &by, &uids, &count,
                              &changes);
        eas_publish(req, &changes);
    }
    free(look.rows);
    return err;
}

static enum err delete_children(struct eas_request *req, struct mailbox_id parent)
{
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    struct actor by = eas_actor(req, false);
    enum err err = mailbox_list(req->db, req->arena, eas_account(req), &all, &count, &modseq);
    for (size_t i = 0; !err && i < count; i++) {
        if (all[i].parent.n != parent.n)
            continue;
        struct change_set changes = { .count = 0 };
        err = mailbox_delete(req->db, eas_account(req), all[i].id, true, &by, &changes);
        eas_publish(req, &changes);
    }
    return err;
}

enum err eas_empty_folder(struct eas_request *req, struct slice id, bool subfolders)
{
    struct mailbox_id mailbox;
    if (slice_eq(id, SLICE_LIT(EAS_OUTBOX_ID)))
        return ERR_OK;
    if (!eas_folder_id_parse(id, &mailbox.n))
        return ERR_NOT_FOUND;
    bool holds = false;
    enum err err = subfolders ? eas_folder_holds_special(req, mailbox, &holds) : ERR_OK;
    if (holds)
        err = ERR_STATE;
    if (!err)
        err = expunge_all(req, mailbox);
    return err || !subfolders ? err : delete_children(req, mailbox);
}
