#include "server/eas/item.h"

#include <inttypes.h>

#include "base/log.h"
#include "protocol/eas/category.h"
#include "protocol/mime/render.h"
#include "server/eas/followup.h"
#include "storage/trouble.h"

#define BODY_READ_MAX (INT64_C(4) << 20) // encoded octets of a text that are looked at
#define SPECIAL_READ_MAX (INT64_C(512) << 10) // of a calendar or a report
#define HEADER_READ_MAX (INT64_C(64) << 10)   // of a message whose description is lost, and of a part's header

enum err eas_item_meta(struct arena *arena, const struct message_row *row, struct mime_meta *meta)
{
    return mime_meta_unpack(row->meta, row->prefix.len, arena, meta);
}

enum err eas_part_read(struct db *db, const struct message_row *row, const struct mime_part *part, int64_t max,
                       struct buf *out)
{
    struct buf encoded = { 0 };
    int64_t len = (int64_t)part->body_len < max ? (int64_t)part->body_len : max;
    enum err err = message_read(db, row, (int64_t)part->body_at, len, &encoded);
    if (!err)
        mime_decode_part(part, buf_slice(&encoded), out);
    buf_free(&encoded);
    return err;
}

enum err eas_body_read(struct db *db, const struct message_row *row, const struct mime_meta *meta, bool html,
                       struct buf *out, bool *whole)
{
    enum mime_body_kind wanted = html ? MIME_BODY_HTML : MIME_BODY_TEXT,
                        other = html ? MIME_BODY_TEXT : MIME_BODY_HTML;
    size_t index = mime_body_part(meta, wanted);
    bool converts = index == SIZE_MAX;
    if (converts)
        index = mime_body_part(meta, other);
    *whole = true;
    if (index == SIZE_MAX)
        return ERR_OK;
    const struct mime_part *part = &meta->parts[index];
    struct buf octets = { 0 }, text = { 0 };
    enum err err = eas_part_read(db, row, part, BODY_READ_MAX, &octets);
    *whole = part->body_len <= (uint64_t)BODY_READ_MAX;
    if (!err) {
        mime_to_utf8(part->charset, buf_slice(&octets), &text);
        if (converts && html)
            mime_text_to_html(buf_slice(&text), out);
        else if (converts)
            mime_html_to_text(buf_slice(&text), out);
        else if (html)
            eas_html_declare_utf8(buf_slice(&text), out);
        else
            buf_add(out, buf_slice(&text));
    }
    buf_free(&octets);
    buf_free(&text);
    return err;
}

/* An invitation that is nothing but a calendar: what the calendar says is the text. */
static bool is_bare_meeting(const struct mime_meta *meta, const struct calendar_meeting *meeting)
{
    return meeting && mime_body_part(meta, MIME_BODY_TEXT) == SIZE_MAX && mime_body_part(meta, MIME_BODY_HTML) == SIZE_MAX;
}

static enum err read_body(const struct eas_item_view *view, const struct message_row *row, const struct eas_email *email,
                          bool html, struct buf *out, bool *whole)
{
    if (!is_bare_meeting(email->meta, email->meeting))
        return eas_body_read(view->req->db, row, email->meta, html, out, whole);
    if (html)
        mime_text_to_html(email->meeting->description, out);
    else
        buf_add(out, email->meeting->description);
    *whole = true;
    return ERR_OK;
}

/* How big the body is in a form without reading it. */
static uint64_t estimate(const struct eas_email *email, const struct message_row *row, uint8_t type)
{
    const struct mime_meta *meta = email->meta;
    if (type == EAS_BODY_MIME)
        return (uint64_t)row->size;
    if (is_bare_meeting(meta, email->meeting))
        return email->meeting->description.len;
    size_t index = mime_body_part(meta, type == EAS_BODY_HTML ? MIME_BODY_HTML : MIME_BODY_TEXT);
    if (index == SIZE_MAX)
        index = mime_body_part(meta, type == EAS_BODY_HTML ? MIME_BODY_TEXT : MIME_BODY_HTML);
    return index == SIZE_MAX ? 0 : eas_attachment_size(&meta->parts[index]);
}

static uint64_t limit_of(const struct eas_item_view *view, const struct mime_meta *meta,
                         const struct eas_body_choice *choice)
{
    uint64_t limit = UINT64_MAX;
    if (choice->preference && choice->preference->has_truncation)
        limit = choice->preference->truncation;
    else if (choice->type == EAS_BODY_MIME && view->options->mime_truncation == 0)
        limit = meta->header_len; // all but the header
    else if (choice->type == EAS_BODY_MIME && view->options->mime_truncation < 8)
        limit = eas_mime_truncation_octets(view->options->mime_truncation);
    return limit;
}

static enum err read_mime(const struct eas_item_view *view, const struct message_row *row, const struct mime_meta *meta,
                          uint64_t limit, struct buf *out)
{
    struct buf raw = { 0 };
    int64_t len = limit < (uint64_t)row->size ? (int64_t)limit + 4 : row->size;
    enum err err = message_read(view->req->db, row, 0, len, &raw);
    if (!err)
        eas_mime_to_text(buf_slice(&raw), meta, out);
    buf_free(&raw);
    return err;
}

/* Reads and cuts one form of the body into storage. */
static enum err fill_body(const struct eas_item_view *view, const struct message_row *row, const struct eas_email *email,
                          const struct eas_body_choice *choice, struct buf *storage, struct eas_body *body)
{
    uint64_t limit = limit_of(view, email->meta, choice);
    bool html = choice->type == EAS_BODY_HTML, whole = true;
    *body = (struct eas_body){ .type = choice->type };
    if (limit == 0) {
        body->size = estimate(email, row, choice->type);
        body->truncated = body->size > 0;
        return ERR_OK;
    }
    enum err err = choice->type == EAS_BODY_MIME
                       ? read_mime(view, row, email->meta, limit, storage)
                       : read_body(view, row, email, html, storage, &whole);
    if (err)
        return err;
    struct slice data = buf_slice(storage);
    body->size = choice->type == EAS_BODY_MIME && (uint64_t)row->size > data.len ? (uint64_t)row->size : data.len;
    uint64_t estimated = whole ? 0 : estimate(email, row, choice->type);
    if (body->size < estimated)
        body->size = estimated;
    body->data = eas_body_cut(data, limit, html);
    body->truncated = body->data.len < data.len || !whole || body->size > data.len;
    return ERR_OK;
}

static void add_preview(const struct eas_item_view *view, const struct mime_meta *meta,
                        const struct eas_body_preference *preference, struct eas_body *body)
{
    if (view->req->version < 140 || !preference || preference->preview == 0)
        return;
    body->preview = eas_preview(meta->preview, preference->preview);
    body->has_preview = body->preview.len > 0;
}

/* Walks the preferences: an AllOrNone one that is too big passes on to the next, none left is a body without data. */
static enum err choose_body(const struct eas_item_view *view, const struct message_row *row,
                            const struct eas_email *email, struct buf *storage, struct eas_body *body)
{
    const struct mime_meta *meta = email->meta;
    struct eas_body_choice choices[EAS_PREFERENCES_MAX + 1];
    bool native_html = mime_native_kind(meta) == MIME_BODY_HTML;
    size_t count = eas_body_choose(view->options, view->req->version, native_html, eas_is_smime(meta), choices);
    if (choices[0].type == EAS_BODY_NONE) {
        uint8_t type = native_html ? EAS_BODY_HTML : EAS_BODY_TEXT;
        uint64_t size = estimate(email, row, type);
        *body = (struct eas_body){ .type = type, .size = size, .truncated = size > 0 };
        return ERR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        buf_clear(storage);
        enum err err = fill_body(view, row, email, &choices[i], storage, body);
        if (err)
            return err;
        bool refused = choices[i].preference && choices[i].preference->all_or_none && body->truncated;
        if (refused)
            body->data = SLICE_LIT("");
        if (!refused) {
            add_preview(view, meta, choices[i].preference, body);
            return ERR_OK;
        }
    }
    add_preview(view, meta, choices[count - 1].preference, body);
    return ERR_OK;
}

static bool is_keyword(const char *keyword, const char *name)
{
    return keyword && slice_eq_nocase(slice_of(keyword), slice_of(name));
}

/* What changes about an item: flags, follow-up, categories. */
static void take_flags(const struct eas_item_view *view, const struct sync_item *item, struct eas_email *email)
{
    struct arena *arena = view->req->arena;
    uint64_t flags = item->row.flags;
    email->version = view->req->version;
    email->id = (struct eas_item_id){ view->mailbox, item->item };
    email->received_us = item->row.internal_us;
    email->read = flags & FLAG_SEEN;
    email->answered = flags & FLAG_ANSWERED;
    eas_followup_unpack(arena, item->extra, flags & FLAG_FLAGGED, &email->flag);
    eas_verb_unpack(arena, item->extra, email);
    struct slice *names = arena_new(arena, struct slice, view->keyword_count + 1);
    for (size_t i = 0; i < view->keyword_count && i < KEYWORDS_MAX; i++) {
        if (!(flags >> (FLAG_KEYWORD_SHIFT + i) & 1) || !view->keywords[i])
            continue;
        email->forwarded |= is_keyword(view->keywords[i], "$Forwarded");
        email->category_count +=
            eas_category_from_keyword(slice_of(view->keywords[i]), arena, &names[email->category_count]);
    }
    email->categories = names;
}

void eas_item_write_flags(const struct eas_item_view *view, struct wbxml_writer *writer, const struct sync_item *item)
{
    struct eas_email email = { 0 };
    take_flags(view, item, &email);
    eas_email_write_flags(writer, &email);
}

/* ---- what kind of message it is ---- */

/* A part as UTF-8 text, in the arena; empty when it is bigger than such parts are. */
static enum err read_text(const struct eas_item_view *view, const struct message_row *row, const struct mime_part *part,
                          struct slice *text)
{
    struct buf octets = { 0 }, utf8 = { 0 };
    *text = SLICE_LIT("");
    if (part->body_len > (uint64_t)SPECIAL_READ_MAX)
        return ERR_OK;
    enum err err = eas_part_read(view->req->db, row, part, SPECIAL_READ_MAX, &octets);
    if (!err) {
        mime_to_utf8(part->charset, buf_slice(&octets), &utf8);
        *text = arena_copy(view->req->arena, buf_slice(&utf8));
    }
    buf_free(&octets);
    buf_free(&utf8);
    return err;
}

/* A calendar that is no meeting, or that phones have no words for, leaves plain mail with an attachment. */
static enum err look_at_meeting(const struct eas_item_view *view, const struct message_row *row, struct eas_email *email)
{
    const struct mime_meta *meta = email->meta;
    struct arena *arena = view->req->arena;
    struct calendar_meeting *meeting = arena_new(arena, struct calendar_meeting, 1);
    struct slice text;
    if (!meta->is_meeting || meta->meeting_part >= meta->part_count)
        return ERR_OK;
    enum err err = read_text(view, row, &meta->parts[meta->meeting_part], &text);
    if (!err && calendar_read(text, email->owner, arena, meeting) == ERR_OK)
        email->meeting = meeting;
    return err;
}

static enum err look_at_kind(const struct eas_item_view *view, const struct message_row *row, struct eas_email *email)
{
    const struct mime_meta *meta = email->meta;
    struct slice text;
    enum err err = look_at_meeting(view, row, email);
    size_t report = eas_report_part(meta);
    if (!err && report != SIZE_MAX) {
        err = read_text(view, row, &meta->parts[report], &text);
        if (!err)
            email->report = eas_report_read(meta, report, text);
    }
    if (!err && eas_is_smime(meta) && !meta->parts[0].is_multipart) {
        struct buf header = { 0 };
        int64_t len = meta->header_len < (uint64_t)HEADER_READ_MAX ? (int64_t)meta->header_len : HEADER_READ_MAX;
        err = message_read(view->req->db, row, 0, len, &header);
        email->is_receipt = !err && eas_is_smime_receipt(buf_slice(&header));
        buf_free(&header);
    }
    return err;
}

/* ---- the whole item ---- */

static void note_trouble(const struct eas_item_view *view, const struct sync_item *item, const char *what, enum err err)
{
    struct eas_request *req = view->req;
    struct trouble trouble = {
        .account = eas_account(req),
        .mailbox = { view->mailbox },
        .item = item->item,
        .protocol = BY_EAS,
        .device = req->device.key,
        .why = arena_printf(req->arena, "%s: %s", what, err_name(err)),
    };
    bool fresh = true;
    enum err noted = trouble_note(req->db, &trouble, &fresh);
    if (!noted && !fresh)
        return; // said before
    log_event(LOG_ERROR, "eas_message_unreadable", LOG_I("account", trouble.account.n), LOG_I("mailbox", view->mailbox),
              LOG_I("item", item->item), LOG_T("result", err_name(err)));
}

/* What the header says, when the description that was made of it is lost. */
static enum err describe_again(const struct eas_item_view *view, const struct message_row *row, struct mime_meta *meta)
{
    struct buf raw = { 0 };
    enum err err = message_read(view->req->db, row, 0, HEADER_READ_MAX, &raw);
    if (!err)
        mime_describe(arena_copy(view->req->arena, buf_slice(&raw)), view->req->arena, meta);
    buf_free(&raw);
    return err;
}

/* What is shown of a message that we cannot read: what is known of it, and why there is no more. It must be there, and
 * must not come again at every sync. */
static void write_degraded(const struct eas_item_view *view, struct wbxml_writer *writer, struct eas_email *email,
                           const struct mime_meta *known)
{
    static const struct slice note =
        SLICE_LIT("This message could not be read on the server. Who runs the server can see which one it is, and why.");
    struct mime_part part = { .type = SLICE_LIT("text"), .subtype = SLICE_LIT("plain"), .body_len = note.len };
    struct mime_meta meta = known ? *known : (struct mime_meta){ .importance = 1 };
    struct eas_body body = { .type = EAS_BODY_TEXT, .size = note.len, .data = note };
    meta.parts = &part;
    meta.part_count = 1;
    meta.is_meeting = false;
    email->meta = &meta;
    email->meeting = NULL;
    email->report = EAS_REPORT_NONE;
    email->is_receipt = false;
    email->body = &body;
    email->body_part = NULL;
    email->native_html = false;
    if (!known)
        email->owner = SLICE_LIT("");
    if (view->add_part)
        body.part = view->add_part(view->add_part_ctx, body.data);
    eas_email_write(writer, email);
}

static bool wants_part(const struct eas_item_view *view)
{
    return view->options->has_part && view->req->version >= 141;
}

static bool wants_body(const struct eas_item_view *view)
{
    return !view->no_body && (!wants_part(view) || view->options->preference_count);
}

static enum err fill_part(const struct eas_item_view *view, const struct message_row *row, const struct eas_email *email,
                          struct buf *storage, struct eas_body *part)
{
    const struct eas_body_preference *preference = &view->options->part;
    struct eas_body_choice choice = { EAS_BODY_HTML, preference };
    enum err err = fill_body(view, row, email, &choice, storage, part);
    if (err)
        return err;
    if (preference->all_or_none && part->truncated)
        part->data = SLICE_LIT("");
    add_preview(view, email->meta, preference, part);
    return ERR_OK;
}

static bool is_trouble_of_the_message(enum err err)
{
    return err && err != ERR_UNAVAILABLE && err != ERR_CANCELLED;
}

enum err eas_item_write(const struct eas_item_view *view, struct wbxml_writer *writer, const struct sync_item *item)
{
    struct eas_request *req = view->req;
    struct mime_meta meta;
    struct eas_email email = { .meta = &meta, .owner = slice_of(req->login.login) };
    struct eas_body body, part = { 0 };
    struct buf storage = { 0 }, part_storage = { 0 };
    const char *what = "body";
    take_flags(view, item, &email);
    email.in_drafts = view->role == ROLE_DRAFTS;
    email.shows_bcc = view->role == ROLE_DRAFTS || view->role == ROLE_SENT;
    enum err err = eas_item_meta(req->arena, &item->message, &meta);
    if (!err && meta.part_count == 0)
        err = ERR_SYNTAX;
    bool known = !err;
    if (!known)
        what = "description";
    if (!err && view->degraded) {
        err = ERR_SYNTAX;
        what = "a phone loops on it";
    }
    if (!err)
        err = look_at_kind(view, &item->message, &email);
    if (!err && wants_body(view))
        err = choose_body(view, &item->message, &email, &storage, &body);
    if (!err && wants_part(view))
        err = fill_part(view, &item->message, &email, &part_storage, &part);
    if (is_trouble_of_the_message(err)) {
        note_trouble(view, item, what, err);
        if (!known)
            known = describe_again(view, &item->message, &meta) == ERR_OK;
        write_degraded(view, writer, &email, known ? &meta : NULL);
        err = ERR_OK;
    } else if (!err) {
        email.body = wants_body(view) ? &body : NULL;
        email.body_part = wants_part(view) ? &part : NULL;
        email.native_html = mime_native_kind(&meta) == MIME_BODY_HTML;
        if (wants_body(view) && view->add_part && body.data.len)
            body.part = view->add_part(view->add_part_ctx, body.data);
        eas_email_write(writer, &email);
    }
    buf_free(&storage);
    buf_free(&part_storage);
    return err;
}
