/* LIST and LSUB, with SPECIAL-USE (RFC 6154) and CHILDREN (RFC 3348). */
#include "protocol/imap/list.h"
#include "protocol/imap/mutf7.h"
#include "protocol/imap/write.h"
#include "server/imap/mailbox_name.h"
#include "server/imap/session.h"

struct list_args {
    struct slice pattern; // reference and pattern, UTF-8
    bool root;            // the pattern was empty: asks for the delimiter
    bool only_special;    // LIST (SPECIAL-USE) ...
};

static const char *const role_attributes[] = {
    [ROLE_NONE] = "",         [ROLE_INBOX] = "",       [ROLE_DRAFTS] = " \\Drafts",   [ROLE_SENT] = " \\Sent",
    [ROLE_TRASH] = " \\Trash", [ROLE_JUNK] = " \\Junk", [ROLE_ARCHIVE] = " \\Archive", [ROLE_ALL] = " \\All",
    [ROLE_FLAGGED] = " \\Flagged",
};

static enum err parse_pattern(struct slice *in, struct arena *arena, struct list_args *a)
{
    struct slice reference, wire, pattern;
    enum err err = scan_sp(in) ? scan_astring(in, arena, &reference) : ERR_SYNTAX;
    if (!err)
        err = scan_sp(in) ? scan_list_mailbox(in, arena, &wire) : ERR_SYNTAX;
    if (err)
        return err;
    a->root = wire.len == 0;
    struct slice joined = slice_of(arena_printf(arena, "%.*s%.*s", SLICE_ARG(reference), SLICE_ARG(wire)));
    if (mutf7_decode_lenient(joined, arena, &pattern))
        pattern = joined; // matches nothing, which is no error
    a->pattern = pattern;
    return ERR_OK;
}

static enum err parse_list(struct slice *in, struct arena *arena, void **args)
{
    struct list_args *a = arena_new(arena, struct list_args, 1);
    *args = a;
    struct slice rest = *in;
    if (scan_sp(&rest) && slice_take(&rest, '(')) { // selection options (RFC 6154 5.2)
        if (!slice_take(&rest, ')')) {
            if (!scan_word(&rest, "SPECIAL-USE") || !slice_take(&rest, ')'))
                return ERR_SYNTAX;
            a->only_special = true;
        }
        *in = rest;
    }
    enum err err = parse_pattern(in, arena, a);
    rest = *in;
    if (!err && scan_sp(&rest)) { // RETURN (SPECIAL-USE) says what is told anyway
        if (!scan_word(&rest, "RETURN") || !scan_sp(&rest) || !slice_take(&rest, '('))
            return ERR_SYNTAX;
        while (!slice_take(&rest, ')')) {
            if (!scan_word(&rest, "SPECIAL-USE") && !scan_word(&rest, "CHILDREN"))
                return ERR_SYNTAX;
            (void)scan_sp(&rest);
        }
        *in = rest;
    }
    return err;
}

static enum err parse_lsub(struct slice *in, struct arena *arena, void **args)
{
    struct list_args *a = arena_new(arena, struct list_args, 1);
    *args = a;
    return parse_pattern(in, arena, a);
}

static void tell(struct imap_session *s, const char *command, const char *attributes, struct slice path)
{
    imap_write(s, "* %s (%s) \"/\" ", command, attributes);
    write_mailbox(&s->out, path);
    buf_add_text(&s->out, "\r\n");
}

static bool is_subscribed(const struct mailbox *mailboxes, size_t count, struct slice path)
{
    for (size_t i = 0; i < count; i++)
        if (mailboxes[i].subscribed && slice_eq(slice_of(mailboxes[i].path), path))
            return true;
    return false;
}

/* LSUB "%": a parent that is not subscribed stands for its subscribed children (RFC 3501 6.3.9). */
static void tell_parents(struct imap_session *s, const struct list_args *a, const struct mailbox *mailboxes, size_t count,
                         struct slice path, struct slice *told)
{
    for (size_t i = 0; i < path.len; i++) {
        struct slice parent = slice_head(path, i);
        if (path.at[i] != LIST_DELIMITER || slice_eq(parent, *told) || !list_matches(parent, a->pattern) ||
            is_subscribed(mailboxes, count, parent))
            continue;
        tell(s, "LSUB", "\\Noselect", parent);
        *told = parent;
    }
}

static enum imap_result list(struct imap_session *s, struct worker *worker, bool subscribed)
{
    const struct list_args *a = s->args;
    if (a->root && !subscribed) {
        imap_write(s, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return imap_reply(s, "OK LIST completed");
    }
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    struct mailbox *mailboxes;
    size_t count;
    int64_t modseq;
    if (!db)
        return IMAP_DONE;
    enum err err = mailbox_list(db, s->arena, s->account, &mailboxes, &count, &modseq);
    if (err)
        return imap_reply_err(s, err, s->command->name);
    struct slice told = { 0 };
    for (size_t i = 0; i < count; i++) {
        const struct mailbox *m = &mailboxes[i];
        struct slice path = slice_of(m->path);
        if ((subscribed && !m->subscribed) || (a->only_special && !*role_attributes[m->role]))
            continue;
        if (list_matches(path, a->pattern))
            tell(s, subscribed ? "LSUB" : "LIST",
                 arena_printf(s->arena, "\\Has%sChildren%s", m->has_children ? "" : "No", role_attributes[m->role]), path);
        else if (subscribed)
            tell_parents(s, a, mailboxes, count, path, &told);
    }
    return imap_reply(s, "OK %s completed", s->command->name);
}

static enum imap_result run_list(struct imap_session *s, struct worker *worker)
{
    return list(s, worker, false);
}

static enum imap_result run_lsub(struct imap_session *s, struct worker *worker)
{
    return list(s, worker, true);
}

extern const struct imap_command imap_list, imap_lsub;
const struct imap_command imap_list = {
    .name = "LIST",
    .source = "RFC 3501 6.3.8, RFC 6154",
    .states = IMAP_INSIDE,
    .parse = parse_list,
    .run = run_list,
};
const struct imap_command imap_lsub = {
    .name = "LSUB",
    .source = "RFC 3501 6.3.9",
    .states = IMAP_INSIDE,
    .parse = parse_lsub,
    .run = run_lsub,
};
