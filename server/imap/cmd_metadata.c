/* GETMETADATA and SETMETADATA (RFC 5464). /private and /shared are kept alike: nobody else sees the account's mailboxes. */
#include "protocol/imap/metadata.h"
#include "protocol/imap/write.h"
#include "server/imap/mailbox_name.h"
#include "storage/metadata.h"

struct metadata_args {
    struct metadata_command command;
    struct slice path; // empty: the server
};

static enum err parse(struct imap_session *s, struct slice *in, void **args, bool set)
{
    struct metadata_args *a = arena_new(s->arena, struct metadata_args, 1);
    *args = a;
    enum err err = set ? metadata_parse_set(in, s->arena, &a->command) : metadata_parse_get(in, s->arena, &a->command);
    return err ? err : mailbox_name_decode(s, a->command.mailbox, &a->path);
}

static enum err parse_get(struct imap_session *s, struct slice *in, void **args)
{
    return parse(s, in, args, false);
}

static enum err parse_set(struct imap_session *s, struct slice *in, void **args)
{
    return parse(s, in, args, true);
}

/* The mailbox that is meant, id 0 for the server. */
static enum err find(struct imap_session *s, struct db *db, struct mailbox *mailbox)
{
    const struct metadata_args *a = s->args;
    *mailbox = (struct mailbox){ .path = "" };
    return a->path.len ? mailbox_find(db, s->arena, s->account, a->path, mailbox) : ERR_OK;
}

static bool is_asked(const struct metadata_command *c, struct slice entry)
{
    for (size_t i = 0; i < c->count; i++)
        if (metadata_covers(c->items[i].entry, c->depth, entry))
            return true;
    return false;
}

static void write_value(struct buf *out, struct slice value)
{
    bool has_nul = memchr(value.at, 0, value.len);
    if (has_nul)
        buf_add_byte(out, '~');
    write_string(out, value);
}

static enum imap_result run_get(struct imap_session *s, struct worker *worker)
{
    const struct metadata_command *c = &((const struct metadata_args *)s->args)->command;
    struct mailbox mailbox;
    struct metadata_row *rows;
    size_t count, told = 0, longest = 0;
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    enum err err = find(s, db, &mailbox);
    if (!err)
        err = metadata_list(db, s->arena, s->account, mailbox.id, &rows, &count);
    if (err)
        return imap_reply_err(s, err, "GETMETADATA");
    for (size_t i = 0; i < count; i++) {
        if (!is_asked(c, rows[i].entry))
            continue;
        if (c->has_max && rows[i].value.len > c->max) {
            longest = rows[i].value.len > longest ? rows[i].value.len : longest;
            continue;
        }
        if (!told++) {
            buf_add_text(&s->out, "* METADATA ");
            mailbox_name_write(s, slice_of(mailbox.path));
        }
        buf_add_text(&s->out, told == 1 ? " (" : " ");
        write_astring(&s->out, rows[i].entry);
        buf_add_byte(&s->out, ' ');
        write_value(&s->out, rows[i].value);
    }
    if (told)
        buf_add_text(&s->out, ")\r\n");
    return longest ? imap_reply(s, "OK [METADATA LONGENTRIES %zu] GETMETADATA completed", longest)
                   : imap_reply(s, "OK GETMETADATA completed");
}

static enum imap_result run_set(struct imap_session *s, struct worker *worker)
{
    const struct metadata_command *c = &((const struct metadata_args *)s->args)->command;
    struct mailbox mailbox;
    struct change_set changes = { 0 };
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    struct metadata_row *rows = arena_new(s->arena, struct metadata_row, c->count);
    for (size_t i = 0; i < c->count; i++)
        rows[i] = (struct metadata_row){ c->items[i].entry, c->items[i].value };
    enum err err = find(s, db, &mailbox);
    if (!err)
        err = metadata_set(db, s->account, mailbox.id, rows, c->count, &changes);
    imap_publish(s, &changes);
    if (err == ERR_LIMIT)
        return imap_reply(s, "NO [METADATA TOOMANY] at most %u annotations", METADATA_ENTRIES_MAX);
    return err ? imap_reply_err(s, err, "SETMETADATA") : imap_reply(s, "OK SETMETADATA completed");
}

extern const struct imap_command imap_getmetadata, imap_setmetadata;
const struct imap_command imap_getmetadata = {
    .name = "GETMETADATA",
    .source = "RFC 5464 4.2",
    .states = IMAP_INSIDE,
    .capability = "METADATA",
    .parse_in = parse_get,
    .run = run_get,
};
const struct imap_command imap_setmetadata = {
    .name = "SETMETADATA",
    .source = "RFC 5464 4.3",
    .states = IMAP_INSIDE,
    .flags = IMAP_WRITES,
    .parse_in = parse_set,
    .run = run_set,
};
