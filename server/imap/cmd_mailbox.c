/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS. */
#include "server/imap/mailbox_name.h"
#include "server/imap/status.h"

struct name_args {
    struct slice path, to;
    enum mailbox_role role; // CREATE
    bool bad_role;          // that the mailbox cannot have
    struct mailbox_id made; // by CREATE
    bool has_children;      // DELETE
    unsigned items;         // STATUS
};

static enum err parse_name(struct imap_session *s, struct slice *in, void **args)
{
    struct name_args *a = arena_new(s->arena, struct name_args, 1);
    *args = a;
    return mailbox_name_parse(s, in, &a->path);
}

/* use-attr of CREATE (RFC 6154 3): ROLE_NONE for those that no mailbox here can have. */
static enum mailbox_role role_of(struct slice attribute)
{
    static const struct {
        const char *name;
        enum mailbox_role role;
    } rows[] = { { "Archive", ROLE_ARCHIVE }, { "Drafts", ROLE_DRAFTS }, { "Junk", ROLE_JUNK },
                 { "Sent", ROLE_SENT },       { "Trash", ROLE_TRASH } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slice_eq_nocase(attribute, slice_of(rows[i].name)))
            return rows[i].role;
    return ROLE_NONE;
}

/* "(USE (\\Archive))": one attribute to a mailbox; none or several are refused later, not malformed. */
static enum err take_use(struct slice *in, struct name_args *a)
{
    struct slice attribute;
    size_t count = 0;
    if (!slice_take(in, '(') || !scan_word(in, "USE") || !scan_sp(in) || !slice_take(in, '('))
        return ERR_SYNTAX;
    if (slice_take(in, ')'))
        return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
    do {
        if (!slice_take(in, '\\') || !scan_atom(in, &attribute))
            return ERR_SYNTAX;
        a->role = role_of(attribute);
        count++;
    } while (scan_sp(in));
    a->bad_role = count > 1 || a->role == ROLE_NONE;
    return slice_take(in, ')') && slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

static enum err parse_create(struct imap_session *s, struct slice *in, void **args)
{
    struct name_args *a = arena_new(s->arena, struct name_args, 1);
    *args = a;
    enum err err = mailbox_name_parse_new(s, in, &a->path);
    return !err && scan_sp(in) ? take_use(in, a) : err;
}

/* "Work/" asks for a mailbox that will have children: every mailbox may. */
static struct slice without_end(struct slice path)
{
    return path.len > 1 && path.at[path.len - 1] == '/' ? slice_head(path, path.len - 1) : path;
}

static enum err parse_two_names(struct imap_session *s, struct slice *in, void **args)
{
    enum err err = parse_name(s, in, args);
    struct name_args *a = *args;
    return err ? err : mailbox_name_parse_new(s, in, &a->to);
}

static enum err parse_status(struct imap_session *s, struct slice *in, void **args)
{
    enum err err = parse_name(s, in, args);
    struct name_args *a = *args;
    return err ? err : scan_sp(in) ? status_items_parse(in, &a->items) : ERR_SYNTAX;
}

/* Runs one change of the hierarchy and replies. */
static enum imap_result change(struct imap_session *s, struct worker *worker,
                               enum err (*fn)(struct imap_session *s, struct db *db, struct name_args *a,
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
    if (err == ERR_STATE && ((struct name_args *)s->args)->role)
        return imap_reply(s, "NO [USEATTR] another mailbox has this use already");
    if (err == ERR_STATE && ((struct name_args *)s->args)->has_children)
        return imap_reply(s, "NO [HASCHILDREN] there are mailboxes below it");
    return err ? imap_reply_err(s, err, s->command->name) : imap_reply(s, "OK %s completed", s->command->name);
}

/* A name with a wildcard could be no pattern of its own in LIST. */
static bool may_be_made(struct slice path)
{
    return slice_count(path, '*') == 0 && slice_count(path, '%') == 0;
}

static enum err do_create(struct imap_session *s, struct db *db, struct name_args *a, struct change_set *changes)
{
    return !may_be_made(a->path)
               ? ERR_SYNTAX
               : mailbox_create(db, s->account, without_end(a->path), a->role, &a->made, changes);
}

static enum err do_delete(struct imap_session *s, struct db *db, struct name_args *a, struct change_set *changes)
{
    struct mailbox mailbox;
    struct actor by = imap_actor(s);
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &mailbox);
    a->has_children = !err && mailbox.has_children && mailbox.role != ROLE_INBOX;
    return err ? err : mailbox_delete(db, s->account, mailbox.id, false, &by, changes);
}

static enum err do_rename(struct imap_session *s, struct db *db, struct name_args *a, struct change_set *changes)
{
    struct mailbox mailbox;
    struct actor by = imap_actor(s);
    enum err err = may_be_made(a->to) ? mailbox_find(db, s->arena, s->account, a->path, &mailbox) : ERR_SYNTAX;
    return err ? err : mailbox_rename(db, s->account, mailbox.id, without_end(a->to), &by, changes);
}

static enum err do_subscribe(struct imap_session *s, struct db *db, struct name_args *a, struct change_set *changes)
{
    return mailbox_subscribe(db, s->account, a->path, true, changes);
}

static enum err do_unsubscribe(struct imap_session *s, struct db *db, struct name_args *a,
                               struct change_set *changes)
{
    enum err err = mailbox_subscribe(db, s->account, a->path, false, changes);
    return err == ERR_NOT_FOUND ? ERR_OK : err; // a name that is gone: wished for
}

static enum imap_result run_create(struct imap_session *s, struct worker *worker)
{
    const struct name_args *a = s->args;
    if (a->bad_role)
        return imap_reply(s, "NO [USEATTR] no mailbox can be made for this use");
    enum imap_result result = change(s, worker, do_create);
    if (result == IMAP_DONE && a->made.n)
        return imap_reply(s, "OK [MAILBOXID (%s)] CREATE completed", imap_mailbox_id(s, a->made));
    return result;
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
    int64_t *deleted;
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &m);
    if (!err)
        err = imap_status_deleted(s, db, &m, 1, a->items, &deleted);
    if (err)
        return imap_reply_err(s, err, "STATUS");
    imap_write_status(s, &m, a->items, *deleted);
    imap_status_done(s, a->items);
    return imap_reply(s, "OK STATUS completed");
}

#define MAILBOX_COMMAND(id, text, doc, bits, parser, runner) \
    extern const struct imap_command imap_##id; \
    const struct imap_command imap_##id = { \
        .name = text, .source = doc, .states = IMAP_INSIDE, .flags = bits, .parse_in = parser, .run = runner \
    }

MAILBOX_COMMAND(create, "CREATE", "RFC 3501 6.3.3, RFC 6154 3", IMAP_WRITES, parse_create, run_create);
MAILBOX_COMMAND(delete, "DELETE", "RFC 3501 6.3.4", IMAP_WRITES, parse_name, run_delete);
MAILBOX_COMMAND(rename, "RENAME", "RFC 3501 6.3.5", IMAP_WRITES, parse_two_names, run_rename);
MAILBOX_COMMAND(subscribe, "SUBSCRIBE", "RFC 3501 6.3.6", IMAP_WRITES, parse_name, run_subscribe);
MAILBOX_COMMAND(unsubscribe, "UNSUBSCRIBE", "RFC 3501 6.3.7", IMAP_WRITES, parse_name, run_unsubscribe);
MAILBOX_COMMAND(status, "STATUS", "RFC 3501 6.3.10, RFC 7162 3.1.7", 0, parse_status, run_status);
