/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS. */
#include "protocol/imap/write.h"
#include "server/imap/mailbox_name.h"
#include "server/imap/session.h"

struct name_args {
    struct slice path, to;
    enum mailbox_role role;
    unsigned items; // STATUS
};

enum status_item { STATUS_MESSAGES = 1, STATUS_RECENT = 2, STATUS_UIDNEXT = 4, STATUS_UIDVALIDITY = 8, STATUS_UNSEEN = 16,
                   STATUS_HIGHESTMODSEQ = 32 };

static const struct {
    const char *name;
    unsigned bit;
} status_items[] = { { "MESSAGES", STATUS_MESSAGES },       { "RECENT", STATUS_RECENT },
                     { "UIDNEXT", STATUS_UIDNEXT },         { "UIDVALIDITY", STATUS_UIDVALIDITY },
                     { "UNSEEN", STATUS_UNSEEN },           { "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ } };

static enum err parse_name(struct slice *in, struct arena *arena, void **args)
{
    struct name_args *a = arena_new(arena, struct name_args, 1);
    *args = a;
    return mailbox_name_parse(in, arena, &a->path);
}

static enum err parse_new_name(struct slice *in, struct arena *arena, void **args)
{
    struct name_args *a = arena_new(arena, struct name_args, 1);
    *args = a;
    return mailbox_name_parse_new(in, arena, &a->path);
}

/* "Work/" asks for a mailbox that will have children: every mailbox may. */
static struct slice without_end(struct slice path)
{
    return path.len > 1 && path.at[path.len - 1] == '/' ? slice_head(path, path.len - 1) : path;
}

static enum err parse_two_names(struct slice *in, struct arena *arena, void **args)
{
    enum err err = parse_name(in, arena, args);
    struct name_args *a = *args;
    return err ? err : mailbox_name_parse_new(in, arena, &a->to);
}

static enum err parse_status(struct slice *in, struct arena *arena, void **args)
{
    enum err err = parse_name(in, arena, args);
    struct name_args *a = *args;
    if (err)
        return err;
    if (!scan_sp(in) || !slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        size_t i = 0;
        while (i < sizeof status_items / sizeof *status_items && !scan_word(in, status_items[i].name))
            i++;
        if (i == sizeof status_items / sizeof *status_items)
            return ERR_SYNTAX;
        a->items |= status_items[i].bit;
    } while (scan_sp(in));
    return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

/* Runs one change of the hierarchy and replies. */
static enum imap_result change(struct imap_session *s, struct worker *worker,
                               enum err (*fn)(struct imap_session *s, struct db *db, const struct name_args *a,
                                              struct change_set *changes))
{
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    struct change_set changes = { 0 };
    enum err err = fn(s, db, s->args, &changes);
    imap_publish(s, &changes);
    if (err == ERR_SYNTAX)
        return imap_reply(s, "NO [CANNOT] %s: this name cannot be used", s->command->name);
    return err ? imap_reply_err(s, err, s->command->name) : imap_reply(s, "OK %s completed", s->command->name);
}

/* A name with a wildcard could be no pattern of its own in LIST. */
static bool may_be_made(struct slice path)
{
    return slice_count(path, '*') == 0 && slice_count(path, '%') == 0;
}

static enum err do_create(struct imap_session *s, struct db *db, const struct name_args *a, struct change_set *changes)
{
    struct mailbox_id id;
    return !may_be_made(a->path) ? ERR_SYNTAX
                                 : mailbox_create(db, s->account, without_end(a->path), ROLE_NONE, &id, changes);
}

static enum err do_delete(struct imap_session *s, struct db *db, const struct name_args *a, struct change_set *changes)
{
    struct mailbox mailbox;
    struct actor by = imap_actor(s);
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &mailbox);
    return err ? err : mailbox_delete(db, s->account, mailbox.id, false, &by, changes);
}

static enum err do_rename(struct imap_session *s, struct db *db, const struct name_args *a, struct change_set *changes)
{
    struct mailbox mailbox;
    struct actor by = imap_actor(s);
    enum err err = may_be_made(a->to) ? mailbox_find(db, s->arena, s->account, a->path, &mailbox) : ERR_SYNTAX;
    return err ? err : mailbox_rename(db, s->account, mailbox.id, without_end(a->to), &by, changes);
}

static enum err do_subscribe(struct imap_session *s, struct db *db, const struct name_args *a, struct change_set *changes)
{
    return mailbox_subscribe(db, s->account, a->path, true, changes);
}

static enum err do_unsubscribe(struct imap_session *s, struct db *db, const struct name_args *a,
                               struct change_set *changes)
{
    enum err err = mailbox_subscribe(db, s->account, a->path, false, changes);
    return err == ERR_NOT_FOUND ? ERR_OK : err; // a name that is gone: wished for
}

static enum imap_result run_create(struct imap_session *s, struct worker *worker)
{
    return change(s, worker, do_create);
}
static enum imap_result run_delete(struct imap_session *s, struct worker *worker)
{
    return change(s, worker, do_delete);
}
static enum imap_result run_rename(struct imap_session *s, struct worker *worker)
{
    return change(s, worker, do_rename);
}
static enum imap_result run_subscribe(struct imap_session *s, struct worker *worker)
{
    return change(s, worker, do_subscribe);
}
static enum imap_result run_unsubscribe(struct imap_session *s, struct worker *worker)
{
    return change(s, worker, do_unsubscribe);
}

static enum imap_result run_status(struct imap_session *s, struct worker *worker)
{
    const struct name_args *a = s->args;
    struct mailbox m;
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &m);
    if (err)
        return imap_reply_err(s, err, "STATUS");
    long long recent = m.uidnext > m.recent_uid ? m.uidnext - m.recent_uid : 0;
    if (recent > m.total)
        recent = m.total; // some of the uids are expunged
    const long long values[] = { m.total, recent, m.uidnext, m.uidvalidity, m.unseen, m.modseq_items };
    buf_add_text(&s->out, "* STATUS ");
    write_mailbox(&s->out, slice_of(m.path));
    const char *before = " (";
    for (size_t i = 0; i < sizeof status_items / sizeof *status_items; i++)
        if (a->items & status_items[i].bit) {
            imap_write(s, "%s%s %lld", before, status_items[i].name, values[i]);
            before = " ";
        }
    buf_add_text(&s->out, ")\r\n");
    if (a->items & STATUS_HIGHESTMODSEQ)
        imap_enable_condstore(s);
    return imap_reply(s, "OK STATUS completed");
}

#define MAILBOX_COMMAND(id, text, doc, bits, parser, runner) \
    extern const struct imap_command imap_##id; \
    const struct imap_command imap_##id = { \
        .name = text, .source = doc, .states = IMAP_INSIDE, .flags = bits, .parse = parser, .run = runner \
    }

MAILBOX_COMMAND(create, "CREATE", "RFC 3501 6.3.3", IMAP_WRITES, parse_new_name, run_create);
MAILBOX_COMMAND(delete, "DELETE", "RFC 3501 6.3.4", IMAP_WRITES, parse_name, run_delete);
MAILBOX_COMMAND(rename, "RENAME", "RFC 3501 6.3.5", IMAP_WRITES, parse_two_names, run_rename);
MAILBOX_COMMAND(subscribe, "SUBSCRIBE", "RFC 3501 6.3.6", IMAP_WRITES, parse_name, run_subscribe);
MAILBOX_COMMAND(unsubscribe, "UNSUBSCRIBE", "RFC 3501 6.3.7", IMAP_WRITES, parse_name, run_unsubscribe);
MAILBOX_COMMAND(status, "STATUS", "RFC 3501 6.3.10, RFC 7162 3.1.7", 0, parse_status, run_status);
