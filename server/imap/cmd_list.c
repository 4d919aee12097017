/* LIST and LSUB, with RFC 5258 (extended), RFC 6154 (SPECIAL-USE), RFC 3348 (CHILDREN) and RFC 5819 (STATUS). */
#include "protocol/imap/list.h"
#include "server/imap/mailbox_name.h"
#include "server/imap/status.h"

struct list_args {
    struct list_command command;
    struct slice *patterns; // reference and pattern, UTF-8
};

struct listing {
    int64_t *deleted_bytes; // of each, when STATUS asks for them
    const struct mailbox *mailboxes; // in path order: a mailbox, then all below it
    size_t count;
};

static const char *const role_attributes[] = {
    [ROLE_NONE] = "",         [ROLE_INBOX] = "",       [ROLE_DRAFTS] = " \\Drafts",   [ROLE_SENT] = " \\Sent",
    [ROLE_TRASH] = " \\Trash", [ROLE_JUNK] = " \\Junk", [ROLE_ARCHIVE] = " \\Archive", [ROLE_ALL] = " \\All",
    [ROLE_FLAGGED] = " \\Flagged",
};

static void decode_patterns(struct imap_session *s, struct list_args *a)
{
    const struct list_command *c = &a->command;
    a->patterns = arena_new(s->arena, struct slice, c->pattern_count);
    for (size_t i = 0; i < c->pattern_count; i++) {
        struct slice joined =
            slice_of(arena_printf(s->arena, "%.*s%.*s", SLICE_ARG(c->reference), SLICE_ARG(c->patterns[i])));
        if (mailbox_name_decode(s, joined, &a->patterns[i]))
            a->patterns[i] = joined; // matches nothing, which is no error
    }
}

static enum err parse_list(struct imap_session *s, struct slice *in, void **args)
{
    struct list_args *a = arena_new(s->arena, struct list_args, 1);
    *args = a;
    enum err err = list_parse(in, s->arena, &a->command);
    if (!err)
        decode_patterns(s, a);
    return err;
}

static enum err parse_lsub(struct imap_session *s, struct slice *in, void **args)
{
    enum err err = parse_list(s, in, args);
    return err ? err : ((struct list_args *)*args)->command.extended ? ERR_SYNTAX : ERR_OK;
}

static bool matches(const struct list_args *a, struct slice path)
{
    for (size_t i = 0; i < a->command.pattern_count; i++)
        if (a->command.patterns[i].len && list_matches(path, a->patterns[i]))
            return true;
    return false;
}

/* Whether the selection options name it. */
static bool is_selected(const struct list_args *a, const struct mailbox *m)
{
    unsigned select = a->command.select;
    return (!(select & LIST_SUBSCRIBED) || m->subscribed) && (!(select & LIST_SPECIAL) || *role_attributes[m->role]);
}

/* RECURSIVEMATCH: something below it is selected and not listed itself (RFC 5258 3.5). */
static bool has_hidden_child(const struct list_args *a, const struct listing *l, size_t at)
{
    struct slice path = slice_of(l->mailboxes[at].path);
    for (size_t i = at + 1; i < l->count; i++) {
        struct slice below = slice_of(l->mailboxes[i].path);
        if (!slice_starts(below, path) || below.at[path.len] != LIST_DELIMITER)
            return false;
        if (is_selected(a, &l->mailboxes[i]) && !matches(a, below))
            return true;
    }
    return false;
}

static void tell(struct imap_session *s, const char *command, const char *attributes, struct slice path)
{
    imap_write(s, "* %s (%s) \"/\" ", command, attributes);
    mailbox_name_write(s, path);
}

static void tell_mailbox(struct imap_session *s, const struct list_args *a, const struct listing *l, size_t at,
                         bool child_info)
{
    const struct mailbox *m = &l->mailboxes[at];
    const struct list_command *c = &a->command;
    bool subscribed = m->subscribed && ((c->select & LIST_SUBSCRIBED) || (c->returns & LIST_RETURN_SUBSCRIBED));
    tell(s, "LIST",
         arena_printf(s->arena, "%s\\Has%sChildren%s", subscribed ? "\\Subscribed " : "", m->has_children ? "" : "No",
                      role_attributes[m->role]),
         slice_of(m->path));
    if (child_info)
        imap_write(s, " (\"CHILDINFO\" (%s%s%s))", c->select & LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "",
                   (c->select & LIST_SUBSCRIBED) && (c->select & LIST_SPECIAL) ? " " : "",
                   c->select & LIST_SPECIAL ? "\"SPECIAL-USE\"" : "");
    buf_add_text(&s->out, "\r\n");
    if (c->returns & LIST_RETURN_STATUS)
        imap_write_status(s, m, c->status, l->deleted_bytes[at]);
}

/* All mailboxes of the account, or a refusal. */
static bool read_listing(struct imap_session *s, struct worker *worker, struct listing *l)
{
    struct db *db = imap_db(s, worker);
    struct mailbox *mailboxes;
    int64_t modseq;
    if (!db)
        return false;
    const struct list_args *a = s->args;
    enum err err = mailbox_list(db, s->arena, s->account, &mailboxes, &l->count, &modseq);
    if (!err)
        err = imap_status_deleted(s, db, mailboxes, l->count, a->command.status, &l->deleted_bytes);
    if (err)
        imap_reply_err(s, err, s->command->name);
    l->mailboxes = mailboxes;
    return !err;
}

static enum imap_result run_list(struct imap_session *s, struct worker *worker)
{
    const struct list_args *a = s->args;
    const struct list_command *c = &a->command;
    struct listing l;
    if (!c->extended && c->patterns[0].len == 0) {
        imap_write(s, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return imap_reply(s, "OK LIST completed");
    }
    if (!worker)
        return IMAP_NEED_WORKER;
    if (!read_listing(s, worker, &l))
        return IMAP_DONE;
    for (size_t i = 0; i < l.count; i++) {
        const struct mailbox *m = &l.mailboxes[i];
        if (!matches(a, slice_of(m->path)))
            continue;
        bool child_info = c->select & LIST_RECURSIVE && has_hidden_child(a, &l, i);
        if (is_selected(a, m) || child_info)
            tell_mailbox(s, a, &l, i, child_info);
    }
    imap_status_done(s, c->status);
    return imap_reply(s, "OK LIST completed");
}

static bool is_subscribed(const struct listing *l, struct slice path)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->mailboxes[i].subscribed && slice_eq(slice_of(l->mailboxes[i].path), path))
            return true;
    return false;
}

static void tell_lsub(struct imap_session *s, const char *attributes, struct slice path)
{
    tell(s, "LSUB", attributes, path);
    buf_add_text(&s->out, "\r\n");
}

/* LSUB "%": a parent that is not subscribed stands for its subscribed children (RFC 3501 6.3.9). */
static void tell_parents(struct imap_session *s, const struct list_args *a, const struct listing *l, struct slice path,
                         struct slice *told)
{
    for (size_t i = 0; i < path.len; i++) {
        struct slice parent = slice_head(path, i);
        if (path.at[i] != LIST_DELIMITER || slice_eq(parent, *told) || !matches(a, parent) || is_subscribed(l, parent))
            continue;
        tell_lsub(s, "\\Noselect", parent);
        *told = parent;
    }
}

static enum imap_result run_lsub(struct imap_session *s, struct worker *worker)
{
    const struct list_args *a = s->args;
    struct listing l;
    struct slice told = { 0 };
    if (!worker)
        return IMAP_NEED_WORKER;
    if (!read_listing(s, worker, &l))
        return IMAP_DONE;
    for (size_t i = 0; i < l.count; i++) {
        const struct mailbox *m = &l.mailboxes[i];
        struct slice path = slice_of(m->path);
        if (!m->subscribed)
            continue;
        if (matches(a, path))
            tell_lsub(s, arena_printf(s->arena, "\\Has%sChildren%s", m->has_children ? "" : "No", role_attributes[m->role]),
                      path);
        else
            tell_parents(s, a, &l, path, &told);
    }
    return imap_reply(s, "OK LSUB completed");
}

extern const struct imap_command imap_list, imap_lsub;
const struct imap_command imap_list = {
    .name = "LIST",
    .source = "RFC 3501 6.3.8, RFC 5258, RFC 6154, RFC 5819",
    .states = IMAP_INSIDE,
    .capability = "LIST-EXTENDED LIST-STATUS",
    .parse_in = parse_list,
    .run = run_list,
};
const struct imap_command imap_lsub = {
    .name = "LSUB",
    .source = "RFC 3501 6.3.9",
    .states = IMAP_INSIDE,
    .parse_in = parse_lsub,
    .run = run_lsub,
};
