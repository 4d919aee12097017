#include "server/eas/move_conversation.h"

#include "protocol/eas/ids.h"
#include "server/search_reader.h"

#define MOVED_MAX 1000u // messages of one transaction (hard case 14)

/* The folders to look in; errors: ERR_NOT_FOUND (no such target) */
static enum err choose_sources(struct eas_request *req, struct mailbox_id to, struct search_scope *scope)
{
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    bool known = false;
    enum err err = mailbox_list(req->db, req->arena, eas_account(req), &all, &count, &modseq);
    if (err)
        return err;
    struct mailbox_id *sources = arena_new(req->arena, struct mailbox_id, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (all[i].id.n == to.n)
            known = true;
        else if (all[i].role != ROLE_SENT)
            sources[scope->mailbox_count++] = all[i].id;
    }
    scope->mailboxes = sources;
    return known ? ERR_OK : ERR_NOT_FOUND;
}

/* Moves the hits at the front that lie in one mailbox; *taken says how many those are. */
static enum err move_run(struct eas_request *req, const struct search_found *found, size_t count, struct mailbox_id to,
                         size_t *taken)
{
    struct uid_range *ranges = arena_new(req->arena, struct uid_range, count);
    struct actor by = eas_actor(req, false);
    struct change_set changes = { .count = 0 };
    struct copied *copied;
    size_t copied_count;
    uint32_t uidvalidity;
    for (*taken = 0; *taken < count && found[*taken].mailbox.n == found->mailbox.n; (*taken)++)
        ranges[*taken] = (struct uid_range){ found[*taken].uid, found[*taken].uid };
    enum err err = message_copy(req->db, req->arena, eas_account(req), found->mailbox, ranges, *taken, to, true, &by,
                                &copied, &copied_count, &uidvalidity, &changes);
    eas_publish(req, &changes);
    return err;
}

/* Up to MOVED_MAX messages; *more: there are further ones. */
static enum err move_some(struct eas_request *req, struct search_scope *scope, const struct search_node *query,
                          struct mailbox_id to, size_t *moved, bool *more)
{
    struct search_find *find = search_find_open(eas_account(req), scope, query, &search_reader);
    enum err err = ERR_OK;
    *more = false;
    for (bool done = false; !done && !err;)
        err = search_find_step(find, req->db, &done);
    size_t count = 0, taken;
    const struct search_found *found = err ? NULL : search_find_hits(find, &count, more);
    for (size_t at = 0; !err && at < count; at += taken) {
        err = move_run(req, found + at, count - at, to, &taken);
        *moved += err ? 0 : taken;
    }
    search_find_close(&find);
    return err;
}

enum err eas_move_conversation(struct eas_request *req, struct slice conversation, struct slice to_text)
{
    struct search_scope scope = { .by_uid = true, .limit = MOVED_MAX };
    struct search_node query = { .test = SEARCH_IS_THREAD };
    struct mailbox_id to;
    size_t moved = 0;
    if (slice_eq(to_text, SLICE_LIT(EAS_OUTBOX_ID)))
        return ERR_DENIED;
    if (!eas_folder_id_parse(to_text, &to.n) || !eas_conversation_parse(conversation, &query.number))
        return ERR_NOT_FOUND;
    enum err err = choose_sources(req, to, &scope);
    bool more = !err && scope.mailbox_count > 0;
    while (more && !err)
        err = move_some(req, &scope, &query, to, &moved, &more);
    return !err && moved == 0 ? ERR_NOT_FOUND : err;
}
