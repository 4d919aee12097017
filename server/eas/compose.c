/* SendMail, SmartReply and SmartForward: what the phone asks for, by 12.1's query and 14.0's WBXML, and the message that
 * comes of it (MS-ASCMD 2.2.1.17, 2.2.1.19, 2.2.1.20). */
#include <stdio.h>

#include "base/clock.h"
#include "protocol/eas/date.h"
#include "protocol/eas/email.h"
#include "protocol/eas/ids.h"
#include "protocol/mime/compose.h"
#include "server/eas/meeting.h"
#include "server/eas/send.h"
#include "storage/digest.h"

#define CLIENT_ID_MAX 40u // MS-ASCMD 2.2.3.29.2 (ClientId, SendMail)

struct compose {
    struct slice client_id; // at 12.1: made from the message
    struct slice mime;
    bool save, replace_mime, forward;
    struct slice item_id;   // the source: "mailbox:item"; empty when there is none
    bool has_instance;      // one meeting of a series
    const struct wbxml_node *forwardees, *body; // 16.0: in the place of mime
    struct eas_source source;
};

/* ---- what the phone sent ---- */

/* 12.1 has no ClientId, and a phone that lost the answer sends the same octets again. They are one message if it says
 * when it was written or what its id is: people do send the same words twice. */
static struct slice repeat_id(struct eas_request *req, struct slice mime)
{
    unsigned char sum[DIGEST_LEN];
    char text[2 * DIGEST_LEN + 1];
    if (!mime_says_when(mime))
        return SLICE_LIT("");
    struct digest *digest = digest_open();
    digest_add(digest, req->command->name, strlen(req->command->name) + 1);
    digest_add(digest, mime.at, mime.len);
    digest_close(&digest, sum);
    for (size_t i = 0; i < DIGEST_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", sum[i]);
    return slice_of(arena_printf(req->arena, "sha256:%s", text));
}

static int parse_old(struct eas_request *req, struct compose *compose)
{
    compose->mime = http_body(req->http);
    compose->save = req->query.save_in_sent || slice_eq_nocase(http_query_arg(req->http, "SaveInSent"), SLICE_LIT("T"));
    compose->item_id = req->query.item_id.len ? req->query.item_id : req->query.long_id;
    if (compose->mime.len == 0 || slice_starts(compose->mime, SLICE_LIT("\x03\x01\x6a"))) // WBXML came with 14.0
        return EAS_INVALID_CONTENT;
    compose->client_id = repeat_id(req, compose->mime);
    return 0;
}

static int parse_source(struct eas_request *req, const struct wbxml_node *source, struct compose *compose)
{
    struct slice long_id = wbxml_child_text(source, WB_ComposeMail_LongId);
    struct slice item_id = wbxml_child_text(source, WB_ComposeMail_ItemId);
    struct slice instance = wbxml_child_text(source, WB_ComposeMail_InstanceId);
    int64_t us;
    if (long_id.len && (item_id.len || wbxml_child_text(source, WB_ComposeMail_FolderId).len))
        return EAS_INVALID_COMBINATION;
    compose->item_id = item_id.len ? item_id : long_id;
    compose->has_instance = instance.len > 0;
    if (instance.len && !eas_date_parse(instance, &us))
        return EAS_INVALID_DATE;
    return compose->item_id.len || req->command->root == WB_ComposeMail_SendMail ? 0 : EAS_INVALID_XML;
}

static int parse_new(struct eas_request *req, struct compose *compose)
{
    const struct wbxml_node *root = req->root;
    compose->client_id = wbxml_child_text(root, WB_ComposeMail_ClientId);
    compose->mime = wbxml_child_text(root, WB_ComposeMail_Mime);
    compose->save = wbxml_child(root, WB_ComposeMail_SaveInSentItems) != NULL;
    compose->replace_mime = wbxml_child(root, WB_ComposeMail_ReplaceMime) != NULL;
    if (req->version >= 160 && compose->forward) {
        compose->forwardees = wbxml_child(root, WB_ComposeMail_Forwardees);
        compose->body = wbxml_child(root, WB_AirSyncBase_Body);
    }
    if (compose->client_id.len == 0 || compose->client_id.len > CLIENT_ID_MAX)
        return EAS_INVALID_XML;
    if (compose->forwardees ? compose->mime.len > 0 : compose->body != NULL)
        return EAS_FORWARDEES_COMBINATION;
    if (!compose->forwardees && compose->mime.len == 0)
        return EAS_INVALID_XML;
    if (wbxml_child_text(root, WB_ComposeMail_AccountId).len) // the only account there is has no id
        return EAS_INVALID_ACCOUNT_ID;
    return parse_source(req, wbxml_child(root, WB_ComposeMail_Source), compose);
}

/* 0, or a status. */
static int parse(struct eas_request *req, struct compose *compose)
{
    return req->version < 140 ? parse_old(req, compose) : parse_new(req, compose);
}

/* 16.0: SmartForward of a meeting to Forwardees, with a Body instead of a message. 0, or a status. */
static int write_forward(struct eas_request *req, struct compose *compose, struct slice subject)
{
    struct buf to = { 0 }, raw = { 0 };
    size_t count = 0;
    const struct wbxml_node *one = wbxml_child(compose->forwardees, WB_ComposeMail_Forwardee);
    for (; one; one = wbxml_same(one), count++) {
        struct slice address = slice_trim(wbxml_child_text(one, WB_ComposeMail_ForwardeeEmail));
        size_t at = slice_find(address, '@');
        if (at == SIZE_MAX || at == 0 || at + 1 == address.len || address.len != slice_span(address, MIME_ADDRESS_PLAIN))
            break;
        buf_printf(&to, "%s<%.*s>", count ? ", " : "", SLICE_ARG(address));
    }
    struct slice data = wbxml_child_text(compose->body, WB_AirSyncBase_Data);
    bool html = slice_eq(slice_trim(wbxml_child_text(compose->body, WB_AirSyncBase_Type)), SLICE_LIT("2"));
    struct mime_draft draft = {
        .from = slice_of(req->login.login),
        .to = buf_slice(&to),
        .subject = slice_of(arena_printf(req->arena, "FW: %.*s", SLICE_ARG(subject))),
        .text = html || !data.at ? SLICE_LIT("") : data,
        .html = html && data.at ? data : SLICE_LIT(""),
        .importance = 1,
    };
    bool good = count > 0 && !one;
    if (good) {
        mime_compose(&draft, &raw);
        compose->mime = arena_copy(req->arena, buf_slice(&raw));
    }
    buf_free(&to);
    buf_free(&raw);
    return good ? 0 : EAS_FORWARDEES_INVALID;
}

/* ---- the source ---- */

static enum err find_source(struct eas_request *req, struct compose *compose)
{
    struct eas_item_id id;
    const char *const *keywords;
    size_t keyword_count;
    struct eas_source *source = &compose->source;
    if (!eas_item_id_parse(compose->item_id, &id))
        return ERR_NOT_FOUND;
    source->mailbox.n = id.mailbox;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), source->mailbox, id.item, &source->item, &keywords,
                                 &keyword_count);
    source->found = err == ERR_OK;
    return err;
}

static bool is_smime(struct arena *arena, struct slice raw)
{
    struct mime_meta meta;
    mime_describe(raw, arena, &meta);
    return eas_is_smime(&meta);
}

/* What is signed or encrypted goes on whole, or its signature breaks. */
static enum mime_quote how_to_quote(struct eas_request *req, struct slice original, bool forward)
{
    if (is_smime(req->arena, original))
        return MIME_ATTACH_ORIGINAL;
    return forward ? MIME_QUOTE_WITH_ATTACHMENTS : MIME_QUOTE_INLINE;
}

/* Reads the source when something has to be known of it. 0, or a status. */
static int read_source(struct eas_request *req, struct compose *compose, bool as_is, struct buf *original)
{
    enum err err = find_source(req, compose);
    if (err == ERR_NOT_FOUND)
        return compose->replace_mime && !compose->has_instance ? 0 : EAS_ITEM_NOT_FOUND;
    if (err)
        return EAS_SERVER_ERROR_RETRY;
    if (as_is && !compose->has_instance && !compose->forwardees)
        return 0;
    const struct message_row *row = &compose->source.item.message;
    if (message_read(req->db, row, 0, row->size, original))
        return EAS_SERVER_ERROR_RETRY;
    return compose->has_instance && !eas_meeting_is_series(req->arena, buf_slice(original)) ? EAS_NOT_RECURRING : 0;
}

/* ---- sending ---- */

static void send(struct eas_request *req, const struct compose *compose, struct slice raw)
{
    struct eas_sending sending = { .raw = raw, .save = compose->save, .client_id = compose->client_id,
                                   .source = &compose->source, .forward = compose->forward };
    int status = eas_send_once(req, &sending);
    if (status) {
        eas_answer_error(req, status);
        return;
    }
    req->status = 1;
    eas_answer_empty(req); // a body in a success makes some phones send again
}

void eas_send_mail_run(struct eas_request *req)
{
    struct compose compose = { .save = false };
    int status = parse(req, &compose);
    if (status)
        eas_answer_error(req, status);
    else
        send(req, &compose, compose.mime);
}

void eas_smart_run(struct eas_request *req, bool forward)
{
    struct compose compose = { .forward = forward };
    struct buf original = { 0 }, whole = { 0 };
    int status = parse(req, &compose);
    bool as_is = compose.replace_mime || (compose.mime.len && is_smime(req->arena, compose.mime));
    if (!status)
        status = read_source(req, &compose, as_is, &original);
    if (!status && compose.forwardees) {
        struct mime_meta meta;
        mime_describe(buf_slice(&original), req->arena, &meta);
        status = write_forward(req, &compose, meta.subject);
    }
    if (status) {
        eas_answer_error(req, status);
    } else if (as_is) {
        send(req, &compose, compose.mime);
    } else {
        mime_quote_original(compose.mime, buf_slice(&original), how_to_quote(req, buf_slice(&original), forward), &whole);
        send(req, &compose, buf_slice(&whole));
    }
    buf_free(&original);
    buf_free(&whole);
}
