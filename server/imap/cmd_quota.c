/* GETQUOTA and GETQUOTAROOT (RFC 9208): one root, "", which all mailboxes of the account share. */
#include "server/imap/mailbox_name.h"
#include "storage/account.h"

struct quota_args {
    struct slice root, path;
};

static enum err parse_root(struct slice *in, struct arena *arena, void **args)
{
    struct quota_args *a = arena_new(arena, struct quota_args, 1);
    *args = a;
    return scan_sp(in) ? scan_astring(in, arena, &a->root) : ERR_SYNTAX;
}

static enum err parse_mailbox(struct imap_session *s, struct slice *in, void **args)
{
    struct quota_args *a = arena_new(s->arena, struct quota_args, 1);
    *args = a;
    return mailbox_name_parse(s, in, &a->path);
}

/* STORAGE counts units of 1,024 octets (RFC 9208 5.1), begun ones too; without a limit there is nothing to tell. */
static void write_quota(struct imap_session *s, const struct account *account)
{
    if (account->quota_bytes)
        imap_write(s, "* QUOTA \"\" (STORAGE %lld %lld)\r\n", (long long)(account->used_bytes + 1023) / 1024,
                   (long long)account->quota_bytes / 1024);
}

static enum imap_result run_getquota(struct imap_session *s, struct worker *worker)
{
    const struct quota_args *a = s->args;
    struct account account;
    if (a->root.len)
        return imap_reply(s, "NO [NONEXISTENT] there is no such quota root");
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    enum err err = account_get(db, s->arena, s->account, &account);
    if (err)
        return imap_reply_err(s, err, "GETQUOTA");
    if (!account.quota_bytes)
        imap_write(s, "* QUOTA \"\" ()\r\n");
    write_quota(s, &account);
    return imap_reply(s, "OK GETQUOTA completed");
}

static enum imap_result run_getquotaroot(struct imap_session *s, struct worker *worker)
{
    const struct quota_args *a = s->args;
    struct account account;
    struct mailbox mailbox;
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &mailbox);
    if (!err)
        err = account_get(db, s->arena, s->account, &account);
    if (err)
        return imap_reply_err(s, err, "GETQUOTAROOT");
    buf_add_text(&s->out, "* QUOTAROOT ");
    mailbox_name_write(s, slice_of(mailbox.path));
    imap_write(s, "%s\r\n", account.quota_bytes ? " \"\"" : "");
    write_quota(s, &account);
    return imap_reply(s, "OK GETQUOTAROOT completed");
}

extern const struct imap_command imap_getquota, imap_getquotaroot;
const struct imap_command imap_getquota = {
    .name = "GETQUOTA",
    .source = "RFC 9208 4.1.2",
    .states = IMAP_INSIDE,
    .capability = "QUOTA QUOTA=RES-STORAGE",
    .parse = parse_root,
    .run = run_getquota,
};
const struct imap_command imap_getquotaroot = {
    .name = "GETQUOTAROOT",
    .source = "RFC 9208 4.1.3",
    .states = IMAP_INSIDE,
    .parse_in = parse_mailbox,
    .run = run_getquotaroot,
};
