#include "server/imap/status.h"

#include "server/imap/mailbox_name.h"

const char *imap_mailbox_id(struct imap_session *s, struct mailbox_id mailbox)
{
    return arena_printf(s->arena, "F%lld-%lld", (long long)s->account.n, (long long)mailbox.n);
}

static long long value_of(const struct imap_session *s, const struct mailbox *m, unsigned bit)
{
    long long recent = m->uidnext > m->recent_uid ? m->uidnext - m->recent_uid : 0;
    switch (bit) {
    case STATUS_MESSAGES:
        return m->total;
    case STATUS_RECENT:
        return s->rev2 ? 0 : recent < m->total ? recent : m->total; // some of the uids may be expunged
    case STATUS_UIDNEXT:
        return m->uidnext;
    case STATUS_UIDVALIDITY:
        return m->uidvalidity;
    case STATUS_UNSEEN:
        return m->unseen;
    case STATUS_HIGHESTMODSEQ:
        return m->modseq_items;
    case STATUS_SIZE:
        return m->bytes;
    case STATUS_DELETED:
        return m->deleted;
    default:
        return settings_int(s->server->settings, SETTING_IMAP_LITERAL_MAX);
    }
}

enum err imap_status_deleted(struct imap_session *s, struct db *db, const struct mailbox *mailboxes, size_t count,
                             unsigned items, int64_t **bytes)
{
    *bytes = arena_new(s->arena, int64_t, count + 1);
    return items & STATUS_DELETED_STORAGE ? mailbox_deleted_bytes(db, s->account, mailboxes, count, *bytes) : ERR_OK;
}

void imap_write_status(struct imap_session *s, const struct mailbox *m, unsigned items, int64_t deleted_bytes)
{
    const char *before = " (";
    buf_add_text(&s->out, "* STATUS ");
    mailbox_name_write(s, slice_of(m->path));
    for (unsigned bit = 1; bit <= items; bit <<= 1) {
        if (!(items & bit))
            continue;
        imap_write(s, "%s%s ", before, status_item_name(bit));
        if (bit == STATUS_MAILBOXID)
            imap_write(s, "(%s)", imap_mailbox_id(s, m->id));
        else if (bit == STATUS_DELETED_STORAGE)
            imap_write(s, "%lld", (long long)deleted_bytes);
        else
            imap_write(s, "%lld", value_of(s, m, bit));
        before = " ";
    }
    buf_add_text(&s->out, ")\r\n");
}

void imap_status_done(struct imap_session *s, unsigned items)
{
    if (items & STATUS_HIGHESTMODSEQ)
        imap_enable_condstore(s);
}
