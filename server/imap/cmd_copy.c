/* COPY and MOVE, with COPYUID (RFC 4315 3). */
#include "server/imap/mailbox_name.h"
#include "server/imap/session.h"

struct copy_args {
    struct uidset set;
    struct slice path;
};

static enum err parse_copy(struct imap_session *s, struct slice *in, void **args)
{
    struct copy_args *a = arena_new(s->arena, struct copy_args, 1);
    *args = a;
    enum err err = scan_sp(in) ? uidset_parse(in, s->arena, &a->set) : ERR_SYNTAX;
    return err ? err : mailbox_name_parse(s, in, &a->path);
}

static void write_copyuid(struct imap_session *s, struct buf *out, uint32_t uidvalidity, const struct copied *copied,
                          size_t count)
{
    uint32_t *from = arena_new(s->arena, uint32_t, count), *to = arena_new(s->arena, uint32_t, count);
    for (size_t i = 0; i < count; i++) {
        from[i] = copied[i].from;
        to[i] = copied[i].to;
    }
    buf_printf(out, "[COPYUID %u ", uidvalidity);
    uidset_write(from, count, out);
    buf_add_byte(out, ' ');
    uidset_write(to, count, out);
    buf_add_byte(out, ']');
}

static enum imap_result copy(struct imap_session *s, struct worker *worker, bool move)
{
    const struct copy_args *a = s->args;
    struct uid_range *ranges;
    size_t range_count, count;
    if (move && s->read_only)
        return imap_reply(s, "NO [READ-ONLY] the mailbox was opened read-only");
    if (!worker)
        return IMAP_NEED_WORKER;
    if (imap_resolve(s, &a->set, &ranges, &range_count))
        return imap_reply(s, "BAD no such message");
    struct db *db = imap_db(s, worker);
    struct mailbox to;
    if (!db)
        return IMAP_DONE;
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &to);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [TRYCREATE] there is no such mailbox");
    if (err)
        return imap_reply_err(s, err, s->command->name);
    if (range_count == 0)
        return imap_reply(s, "OK nothing to do");
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    struct copied *copied;
    uint32_t uidvalidity;
    err = message_copy(db, s->arena, s->account, s->mailbox, ranges, range_count, to.id, move, &by, &copied, &count,
                       &uidvalidity, &changes);
    imap_publish(s, &changes);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [TRYCREATE] there is no such mailbox");
    if (err)
        return imap_reply_err(s, err, s->command->name);
    if (count == 0)
        return imap_reply(s, "OK nothing to do");
    struct buf code = { 0 };
    write_copyuid(s, &code, uidvalidity, copied, count);
    s->tell_modseq = move && s->qresync;
    if (move) { // before the EXPUNGEs that the sync tells (RFC 6851 4.3)
        imap_write(s, "* OK %.*s moved\r\n", SLICE_ARG(buf_slice(&code)));
        imap_reply(s, "OK MOVE completed");
    } else {
        imap_reply(s, "OK %.*s COPY completed", SLICE_ARG(buf_slice(&code)));
    }
    buf_free(&code);
    return IMAP_DONE;
}

static enum imap_result run_copy(struct imap_session *s, struct worker *worker)
{
    return copy(s, worker, false);
}

static enum imap_result run_move(struct imap_session *s, struct worker *worker)
{
    return copy(s, worker, true);
}

extern const struct imap_command imap_copy, imap_move;
const struct imap_command imap_copy = {
    .name = "COPY",
    .source = "RFC 3501 6.4.7, RFC 4315 3",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_WRITES,
    .parse_in = parse_copy,
    .run = run_copy,
};
const struct imap_command imap_move = {
    .name = "MOVE",
    .source = "RFC 6851 3",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_WRITES,
    .capability = "MOVE",
    .parse_in = parse_copy,
    .run = run_move,
};
