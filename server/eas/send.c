#include "server/eas/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "protocol/eas/email.h"
#include "protocol/eas/ids.h"
#include "protocol/mime/compose.h"
#include "protocol/mime/normal.h"
#include "server/smtp/postman.h"

#define RECIPIENTS_MAX 1000u
#define CLIENT_ID_MAX 40u // MS-ASCMD 2.2.3.29.2 (ClientId, SendMail)

/* ---- the header ---- */

/* One field of a header block with its folded lines, from the front; false at its end. */
static bool take_field(struct slice *header, struct slice *field)
{
    size_t end = 0;
    if (header->len == 0)
        return false;
    do {
        size_t line = slice_find(slice_tail(*header, end), '\n');
        end = line == SIZE_MAX ? header->len : end + line + 1;
    } while (end < header->len && (header->at[end] == ' ' || header->at[end] == '\t'));
    *field = slice_head(*header, end);
    *header = slice_tail(*header, end);
    return true;
}

/* "From :" is the field From too (RFC 5322 4.5.8), to everybody who reads the mail. */
static bool is_field(struct slice field, struct slice name)
{
    struct slice rest = field, said = slice_cut(&rest, ':');
    return said.len < field.len && slice_eq_nocase(slice_trim(said), name);
}

static size_t count_fields(struct slice header, struct slice name)
{
    struct slice field;
    size_t count = 0;
    while (take_field(&header, &field))
        count += is_field(field, name);
    return count;
}

static struct slice header_of(struct slice raw)
{
    size_t end = slice_find_slice(raw, SLICE_LIT("\r\n\r\n"));
    if (slice_starts(raw, SLICE_LIT("\r\n")))
        return slice_head(raw, 0);
    return end == SIZE_MAX ? raw : slice_head(raw, end + 2);
}

/* Display name of a From field as it stands: encoded words stay encoded. Nothing that could be read as a further
 * address. */
static struct slice raw_display_name(struct slice field)
{
    slice_cut(&field, ':');
    bool quoted = false;
    size_t i = 0;
    for (; i < field.len && (quoted || field.at[i] != '<'); i++) {
        char c = field.at[i];
        if (c == '\\' && quoted)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c && strchr(",;:@()", c))
            return SLICE_LIT("");
    }
    return i < field.len ? slice_trim(slice_head(field, i)) : SLICE_LIT("");
}

/* Replaces From by the account's address, keeping the name, unless it says that address already. */
static void put_sender(struct slice raw, struct slice login, struct slice said, struct buf *out)
{
    struct slice header = header_of(raw), rest = slice_tail(raw, header.len), field;
    // Of several From fields another program may show the last; and Sender would be shown beside it.
    if (slice_eq_nocase(said, login) && count_fields(header, SLICE_LIT("From")) == 1 &&
        count_fields(header, SLICE_LIT("Sender")) == 0) {
        buf_add(out, raw);
        return;
    }
    bool done = false;
    while (take_field(&header, &field)) {
        if (is_field(field, SLICE_LIT("Sender")))
            continue;
        if (!is_field(field, SLICE_LIT("From"))) {
            buf_add(out, field);
            continue;
        }
        struct slice name = raw_display_name(field);
        if (!done)
            buf_printf(out, "From: %.*s%s<%.*s>\r\n", SLICE_ARG(name), name.len ? " " : "", SLICE_ARG(login));
        done = true;
    }
    buf_add(out, rest);
}

/* The Bcc fields of a message: the copy in Sent keeps what the sent mail must not show. */
static void add_bcc(struct slice raw, struct buf *out)
{
    struct slice header = header_of(raw), field;
    while (take_field(&header, &field)) {
        if (is_field(field, SLICE_LIT("Bcc")))
            buf_add(out, field);
    }
}

/* ---- recipients ---- */

struct routes {
    struct delivery_target *targets;
    struct slice *local; // the targets' addresses
    size_t target_count;
    struct slice *remote; // for the outbox
    size_t remote_count;
};

static struct slice prefix_lines(struct eas_request *req, struct slice recipient)
{
    char date[64];
    time_t now = (time_t)(clock_wall_us() / US_PER_S);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    const char *host = settings_text(req->app->server->settings, SETTING_SERVER_HOSTNAME);
    return slice_of(arena_printf(req->arena,
                                 "Return-Path: <%s>\r\nDelivered-To: %.*s\r\nReceived: by %s with ActiveSync; %s\r\n",
                                 req->login.login, SLICE_ARG(recipient), host && *host ? host : "localhost", date));
}

/* 0, or a status: an address of a domain of ours that nobody has is told before anything is sent. */
static int route(struct eas_request *req, const struct slice *recipients, size_t count, struct routes *routes)
{
    routes->targets = arena_new(req->arena, struct delivery_target, count + 1);
    routes->local = arena_new(req->arena, struct slice, count + 1);
    routes->remote = arena_new(req->arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct account account;
        struct slice domain = recipients[i];
        bool local = false;
        enum err err = account_find_recipient(req->db, req->arena, recipients[i], &account);
        if (err == ERR_OK) {
            struct delivery_target *target = &routes->targets[routes->target_count];
            routes->local[routes->target_count++] = recipients[i];
            target->account = account.id;
            target->prefix = prefix_lines(req, recipients[i]);
            continue;
        }
        slice_cut(&domain, '@');
        if (err == ERR_NOT_FOUND)
            err = account_domain_is_local(req->db, domain, &local);
        if (err)
            return EAS_SERVER_ERROR_RETRY;
        if (local) {
            log_event(LOG_INFO, "eas_recipient_unknown", LOG_S("recipient", recipients[i]));
            return EAS_RECIPIENT_UNRESOLVED;
        }
        routes->remote[routes->remote_count++] = recipients[i];
    }
    return 0;
}

static int64_t random_id(void)
{
    int64_t id = 0;
    while (id == 0) {
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
            id = 0;
    }
    return id & INT64_MAX;
}

/* Who could not be delivered to while others were waits in the outbox: the phone is told of success only once. */
static int deliver_local(struct eas_request *req, struct routes *routes, const struct octets *octets)
{
    struct delivery delivery = { .message.octets = *octets, .delivery_id = random_id(),
                                 .internal_date_us = clock_wall_us(), .targets = routes->targets,
                                 .target_count = routes->target_count };
    if (routes->target_count == 0)
        return 0;
    enum err err = postman_deliver_now(req->app->server->postman, req->db, &delivery);
    if (err)
        return err == ERR_UNAVAILABLE ? EAS_SERVER_ERROR_RETRY : EAS_SUBMISSION_FAILED;
    size_t taken = 0, others = routes->remote_count;
    for (size_t i = 0; i < delivery.target_count; i++) {
        const struct delivery_target *target = &delivery.targets[i];
        taken += target->result == ERR_OK;
        if (target->result == ERR_OK)
            continue;
        log_event(LOG_WARN, "eas_delivery_failed", LOG_I("account", target->account.n),
                  LOG_T("result", err_name(target->result)));
        routes->remote[routes->remote_count++] = routes->local[i];
    }
    return taken || others ? 0 : EAS_SUBMISSION_FAILED;
}

static int queue_remote(struct eas_request *req, const struct routes *routes, const struct octets *octets)
{
    struct outbox_entry entry = { .account = eas_account(req), .sender = slice_of(req->login.login),
                                  .recipients = routes->remote, .recipient_count = routes->remote_count,
                                  .octets = *octets };
    int64_t id;
    if (routes->remote_count == 0)
        return 0;
    enum err err = outbox_add(req->db, &entry, &id);
    return err == ERR_OK ? 0 : err == ERR_UNAVAILABLE ? EAS_SERVER_ERROR_RETRY : EAS_SUBMISSION_FAILED;
}

/* The copy in Sent, read. It never fails what has gone out: it is logged and the mail counts as sent. */
static void save_in_sent(struct eas_request *req, struct slice raw, struct slice sent)
{
    struct mailbox mailbox;
    struct mime_meta meta;
    struct buf copy = { 0 }, packed = { 0 };
    struct change_set changes = { .count = 0 };
    struct actor by = eas_actor(req, false); // the phone has no id of it: it must be told (hard case 5)
    uint32_t uidvalidity;
    add_bcc(raw, &copy);
    buf_add(&copy, sent);
    mime_describe(buf_slice(&copy), req->arena, &meta);
    mime_meta_pack(&meta, &packed);
    struct append_item item = {
        .message = { .octets = { buf_slice(&copy), -1, (int64_t)buf_len(&copy) }, .meta = buf_slice(&packed),
                     .thread = meta.thread, .sent_us = meta.date_us },
        .internal_date_us = clock_wall_us(),
        .flags = FLAG_SEEN,
    };
    enum err err = eas_find_role(req, ROLE_SENT, &mailbox);
    if (!err)
        err = message_append(req->db, eas_account(req), mailbox.id, &item, 1, &by, &uidvalidity, &changes);
    eas_publish(req, &changes);
    if (err)
        log_event(LOG_WARN, "eas_sent_copy_failed", LOG_I("account", eas_account(req).n), LOG_T("result", err_name(err)));
    buf_free(&copy);
    buf_free(&packed);
}

static int send_prepared(struct eas_request *req, struct slice raw, const struct slice *recipients, size_t count,
                         bool save)
{
    struct routes routes = { 0 };
    struct buf sent = { 0 };
    mime_prepare_sending(raw, slice_of(req->login.login), &sent);
    struct octets octets = { buf_slice(&sent), -1, (int64_t)buf_len(&sent) };
    int status = route(req, recipients, count, &routes);
    if (!status)
        status = deliver_local(req, &routes, &octets);
    if (!status)
        status = queue_remote(req, &routes, &octets);
    if (!status && save)
        save_in_sent(req, raw, buf_slice(&sent));
    buf_free(&sent);
    return status;
}

int eas_send(struct eas_request *req, struct slice raw, bool save)
{
    struct mime_normal normal = { 0 };
    struct buf text = { 0 }, owned = { 0 };
    struct slice *recipients, from;
    size_t count;
    mime_normal_add(&normal, raw, &text);
    mime_normal_end(&normal, &text);
    mime_recipients(buf_slice(&text), req->arena, &recipients, &count, &from);
    int status = slice_trim(raw).len == 0 ? EAS_INVALID_MIME : count == 0 ? EAS_NO_RECIPIENT : 0;
    if (!status && count > RECIPIENTS_MAX)
        status = EAS_SUBMISSION_FAILED;
    if (!status) {
        put_sender(buf_slice(&text), slice_of(req->login.login), from, &owned);
        status = send_prepared(req, buf_slice(&owned), recipients, count, save);
    }
    buf_free(&text);
    buf_free(&owned);
    return status;
}

/* ---- the three commands ---- */

int eas_compose_parse(struct eas_request *req, struct eas_compose *compose)
{
    *compose = (struct eas_compose){ 0 };
    if (req->version < 140) {
        compose->mime = http_body(req->http);
        compose->save = req->query.save_in_sent ||
                        slice_eq_nocase(http_query_arg(req->http, "SaveInSent"), SLICE_LIT("T"));
        compose->folder_id = req->query.collection_id;
        compose->item_id = req->query.item_id.len ? req->query.item_id : req->query.long_id;
        return compose->mime.len ? 0 : EAS_INVALID_CONTENT;
    }
    const struct wbxml_node *source = wbxml_child(req->root, WB_ComposeMail_Source);
    struct slice long_id = wbxml_child_text(source, WB_ComposeMail_LongId);
    compose->client_id = wbxml_child_text(req->root, WB_ComposeMail_ClientId);
    compose->mime = wbxml_child_text(req->root, WB_ComposeMail_Mime);
    compose->save = wbxml_child(req->root, WB_ComposeMail_SaveInSentItems) != NULL;
    compose->replace_mime = wbxml_child(req->root, WB_ComposeMail_ReplaceMime) != NULL;
    compose->folder_id = wbxml_child_text(source, WB_ComposeMail_FolderId);
    compose->item_id = wbxml_child_text(source, WB_ComposeMail_ItemId);
    if (compose->item_id.len == 0)
        compose->item_id = long_id;
    if (compose->client_id.len == 0 || compose->client_id.len > CLIENT_ID_MAX || compose->mime.len == 0)
        return EAS_INVALID_XML;
    return wbxml_child_text(req->root, WB_ComposeMail_AccountId).len ? EAS_INVALID_ACCOUNT_ID : 0;
}

enum err eas_compose_source(struct eas_request *req, const struct eas_compose *compose, struct eas_source *source)
{
    struct eas_item_id id;
    const char *const *keywords;
    size_t keyword_count;
    *source = (struct eas_source){ 0 };
    if (!eas_item_id_parse(compose->item_id, &id))
        return ERR_NOT_FOUND;
    source->mailbox.n = id.mailbox;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), source->mailbox, id.item, &source->item, &keywords,
                                 &keyword_count);
    source->found = err == ERR_OK;
    return err;
}

/* \Answered or $Forwarded on the source; every device hears of it. */
static void mark_source(struct eas_request *req, const struct eas_source *source, uint64_t flag, const char *keyword)
{
    struct slice name = slice_of(keyword);
    struct flags_change change = { .mode = FLAGS_ADD, .flags = flag, .keywords = &name, .keyword_count = keyword ? 1 : 0,
                                   .create_keywords = true, .unchanged_since = -1 };
    struct uid_range range = { source->item.uid, source->item.uid };
    struct actor by = eas_actor(req, false);
    struct change_set changes = { .count = 0 };
    struct flags_result *results;
    size_t count;
    enum err err = message_store_flags(req->db, req->arena, eas_account(req), source->mailbox, &range, 1, &change, &by,
                                       &results, &count, &changes);
    eas_publish(req, &changes);
    if (err)
        log_event(LOG_WARN, "eas_source_not_marked", LOG_I("account", eas_account(req).n), LOG_T("result", err_name(err)));
}

/* Remembered once it went out, never before: a server that dies in between sends twice, and loses nothing. The account's
 * queue of writes keeps a repeat from running beside its first. */
static void remember_client_id(struct eas_request *req, struct slice client_id)
{
    bool fresh;
    if (client_id.len && sync_claim_client_id(req->db, eas_account(req), req->device.id, client_id, &fresh) != ERR_OK)
        log_event(LOG_WARN, "eas_client_id_not_kept", LOG_I("account", eas_account(req).n));
}

void eas_compose_send(struct eas_request *req, const struct eas_compose *compose, struct slice raw,
                      const struct eas_source *source, uint64_t source_flag, const char *source_keyword)
{
    bool known = false;
    enum err err = compose->client_id.len ? sync_client_id_known(req->db, eas_account(req), req->device.id,
                                                                 compose->client_id, &known)
                                          : ERR_OK;
    int status = err ? EAS_SERVER_ERROR_RETRY : known ? EAS_PREVIOUSLY_SENT : eas_send(req, raw, compose->save);
    if (status) {
        eas_answer_error(req, status);
        return;
    }
    remember_client_id(req, compose->client_id);
    if (source && source->found)
        mark_source(req, source, source_flag, source_keyword);
    req->status = 1;
    eas_answer_empty(req); // a body in a success makes some phones send again
}

static enum err read_source(struct eas_request *req, const struct eas_source *source, struct buf *out)
{
    return message_read(req->db, &source->item.message, 0, source->item.message.size, out);
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

void eas_smart_send(struct eas_request *req, bool forward)
{
    struct eas_compose compose;
    struct eas_source source;
    int status = eas_compose_parse(req, &compose);
    if (status) {
        eas_answer_error(req, status);
        return;
    }
    enum err err = eas_compose_source(req, &compose, &source);
    if (err == ERR_NOT_FOUND && !compose.replace_mime) {
        eas_answer_error(req, EAS_ITEM_NOT_FOUND);
        return;
    }
    bool as_is = compose.replace_mime || is_smime(req->arena, compose.mime);
    struct buf original = { 0 }, whole = { 0 };
    if (source.found && !as_is)
        err = read_source(req, &source, &original);
    if (err && err != ERR_NOT_FOUND) {
        eas_answer_unavailable(req);
    } else {
        if (source.found && !as_is)
            mime_quote_original(compose.mime, buf_slice(&original), how_to_quote(req, buf_slice(&original), forward), &whole);
        else
            buf_add(&whole, compose.mime);
        eas_compose_send(req, &compose, buf_slice(&whole), &source, forward ? 0 : FLAG_ANSWERED,
                         forward ? "$Forwarded" : NULL);
    }
    buf_free(&original);
    buf_free(&whole);
}
