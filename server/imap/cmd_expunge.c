/* EXPUNGE and UID EXPUNGE (RFC 4315 2.1). */
#include "server/imap/session.h"

struct expunge_args {
    struct uidset set; // UID EXPUNGE
    bool has_set;
};

static enum err parse_expunge(struct slice *in, struct arena *arena, void **args)
{
    struct expunge_args *a = arena_new(arena, struct expunge_args, 1);
    *args = a;
    if (in->len == 0)
        return ERR_OK;
    a->has_set = true;
    return scan_sp(in) ? uidset_parse(in, arena, &a->set) : ERR_SYNTAX;
}

enum err imap_expunge_deleted(struct imap_session *s, struct db *db, const struct uid_range *ranges, size_t range_count,
                              const struct actor *by, uint32_t **uids, size_t *count, struct change_set *changes)
{
    struct uid_range piece;
    *uids = NULL;
    *count = 0;
    struct snapshot *now = snapshots_peek(s->server->snapshots, s->account, s->mailbox);
    enum err err = now ? ERR_OK : snapshots_get(s->server->snapshots, db, s->account, s->mailbox, &now);
    if (err)
        return err;
    snapshot_release(&s->fresh);
    s->fresh = now;
    uint32_t total = snapshot_count(s->fresh), rows = 0;
    for (size_t i = 0; i < range_count && !err; i++) {
        // Pieces end where WRITE_ROWS_MAX rows with \Deleted are in reach.
        piece.first = ranges[i].first;
        for (uint32_t n = snapshot_first_from(s->fresh, ranges[i].first); n <= total && !err; n++) {
            const struct placement *row = snapshot_row(s->fresh, n);
            if (row->uid > ranges[i].last)
                break;
            if (!(row->flags & FLAG_DELETED) || ++rows < WRITE_ROWS_MAX)
                continue;
            piece.last = row->uid;
            err = message_expunge(db, s->arena, s->account, s->mailbox, &piece, 1, true, by, uids, count, changes);
            piece.first = row->uid + 1;
            rows = 0;
        }
        piece.last = ranges[i].last;
        if (!err && piece.first <= piece.last)
            err = message_expunge(db, s->arena, s->account, s->mailbox, &piece, 1, true, by, uids, count, changes);
    }
    return err;
}

static enum imap_result run_expunge(struct imap_session *s, struct worker *worker)
{
    const struct expunge_args *a = s->args;
    struct uid_range all = { 1, UINT32_MAX }, *ranges = &all;
    size_t range_count = 1, count;
    uint32_t *uids;
    if (a->has_set != s->uid)
        return imap_reply(s, s->uid ? "BAD UID EXPUNGE needs a set" : "BAD EXPUNGE takes no arguments");
    if (s->read_only)
        return imap_reply(s, "NO [READ-ONLY] the mailbox was opened read-only");
    if (!worker)
        return IMAP_NEED_WORKER;
    if (s->uid && imap_resolve(s, &a->set, &ranges, &range_count))
        return imap_reply(s, "BAD no such message");
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    enum err err = imap_expunge_deleted(s, db, ranges, range_count, &by, &uids, &count, &changes);
    imap_publish(s, &changes);
    s->tell_modseq = s->qresync && changes.count;
    return err ? imap_reply_err(s, err, "EXPUNGE") : imap_reply(s, "OK EXPUNGE completed");
}

extern const struct imap_command imap_expunge;
const struct imap_command imap_expunge = {
    .name = "EXPUNGE",
    .source = "RFC 3501 6.4.3, RFC 4315 2.1",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_WRITES,
    .parse = parse_expunge,
    .run = run_expunge,
};
