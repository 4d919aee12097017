#include "server/imap/catenate.h"

#include "protocol/imap/url.h"
#include "protocol/mime/meta.h"
#include "server/imap/fetch_section.h"

static enum err find_mailbox(struct imap_session *s, struct db *db, const struct imap_url *url, struct mailbox_id *id)
{
    struct mailbox mailbox;
    if (!url->mailbox.at) {
        *id = s->mailbox;
        return s->state == IMAP_SELECTED ? ERR_OK : ERR_NOT_FOUND;
    }
    enum err err = mailbox_find(db, s->arena, s->account, url->mailbox, &mailbox);
    *id = mailbox.id;
    return err;
}

static enum err find_message(struct imap_session *s, struct db *db, const struct imap_url *url, struct message_id *id)
{
    struct mailbox_id mailbox = { 0 };
    struct snapshot *now = NULL;
    enum err err = find_mailbox(s, db, url, &mailbox);
    if (!err)
        err = snapshots_get(s->server->snapshots, db, s->account, mailbox, &now);
    if (err)
        return err;
    const struct placement *row = snapshot_find(now, url->uid);
    if (!row || (url->uidvalidity && url->uidvalidity != snapshot_facts(now)->uidvalidity))
        err = ERR_NOT_FOUND;
    else
        *id = row->message;
    snapshot_release(&now);
    return err;
}

static enum err read_section(struct db *db, const struct message_row *message, const struct mime_meta *meta,
                             const struct fetch_item *item, int64_t max, struct buf *out)
{
    struct section_extent extent = section_find(meta, item);
    if (!extent.found)
        return ERR_NOT_FOUND;
    if (item->text != FETCH_TEXT_FIELDS && item->text != FETCH_TEXT_FIELDS_NOT) {
        section_cut(&extent, item);
        return extent.len > max ? ERR_LIMIT : message_read(db, message, extent.at, extent.len, out);
    }
    struct buf block = { 0 }, fields = { 0 };
    enum err err = extent.len > max ? ERR_LIMIT : message_read(db, message, extent.at, extent.len, &block);
    if (!err) {
        section_filter(buf_slice(&block), item, &fields);
        buf_add(out, section_partial(buf_slice(&fields), item));
    }
    buf_free(&block);
    buf_free(&fields);
    return err;
}

enum err imap_url_read(struct imap_session *s, struct db *db, struct slice text, int64_t max, struct buf *out)
{
    struct imap_url url;
    struct message_id id;
    struct message_row *rows;
    struct mime_meta meta;
    size_t count;
    if (!imap_url_parse(text, s->arena, &url))
        return ERR_NOT_FOUND;
    enum err err = find_message(s, db, &url, &id);
    if (!err)
        err = message_get(db, s->arena, s->account, &id, 1, &rows, &count);
    if (!err && (count == 0 || mime_meta_unpack(rows[0].meta, rows[0].prefix.len, s->arena, &meta)))
        err = ERR_NOT_FOUND;
    return err ? err : read_section(db, &rows[0], &meta, &url.section, max, out);
}
