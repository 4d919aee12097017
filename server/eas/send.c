#include "server/eas/send.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "protocol/eas/date.h"
#include "protocol/mime/compose.h"
#include "protocol/mime/normal.h"
#include "server/smtp/autoreply.h"
#include "server/smtp/trace_lines.h"
#include "storage/submission.h"

#define RECIPIENTS_MAX 1000u

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
    struct slice *far; // for the outbox
    size_t far_count;
};

static bool has_target(const struct routes *routes, struct account_id account)
{
    for (size_t i = 0; i < routes->target_count; i++)
        if (routes->targets[i].account.n == account.n)
            return true;
    return false;
}

static bool has_address(const struct slice *addresses, size_t count, struct slice address)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_nocase(addresses[i], address))
            return true;
    return false;
}

static void add_target(struct eas_request *req, struct slice recipient, struct account_id account, struct routes *routes)
{
    struct buf prefix = { 0 };
    trace_lines(slice_of(req->login.login), recipient, req->app->server->hostname, "ActiveSync", &prefix);
    routes->local[routes->target_count] = recipient;
    routes->targets[routes->target_count++] =
        (struct delivery_target){ .account = account, .prefix = arena_copy(req->arena, buf_slice(&prefix)) };
    buf_free(&prefix);
}

/* Who gets it, each once. 0, or a status: an address of a domain of ours that nobody has is told before anything is
 * sent. */
static int route(struct eas_request *req, const struct slice *recipients, size_t count, struct routes *routes)
{
    routes->targets = arena_new(req->arena, struct delivery_target, count + 1);
    routes->local = arena_new(req->arena, struct slice, count + 1);
    routes->far = arena_new(req->arena, struct slice, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct account account;
        struct slice domain = recipients[i];
        bool local = false;
        if (has_address(routes->far, routes->far_count, recipients[i]))
            continue;
        enum err err = account_find_recipient(req->db, req->arena, recipients[i], &account);
        if (err == ERR_OK) {
            if (!has_target(routes, account.id))
                add_target(req, recipients[i], account.id, routes);
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
        routes->far[routes->far_count++] = recipients[i];
    }
    return 0;
}

/* ---- one transaction ---- */

static void describe(struct arena *arena, struct slice raw, struct buf *packed, struct message_new *message)
{
    struct mime_meta meta;
    mime_describe(raw, arena, &meta);
    mime_meta_pack(&meta, packed);
    *message = (struct message_new){ .octets = { raw, -1, (int64_t)raw.len }, .meta = buf_slice(packed),
                                     .thread = meta.thread, .sent_us = meta.date_us };
}

static int status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return 0;
    case ERR_EXISTS:
        return EAS_PREVIOUSLY_SENT;
    case ERR_NOT_FOUND:
        return EAS_ITEM_NOT_FOUND;
    case ERR_QUOTA:
        return EAS_QUOTA_EXCEEDED;
    case ERR_LIMIT:
        return EAS_TOO_LARGE;
    case ERR_UNAVAILABLE:
    case ERR_CANCELLED:
        return EAS_SERVER_ERROR_RETRY;
    default:
        return EAS_SUBMISSION_FAILED;
    }
}

static void mark_source(struct eas_request *req, const struct eas_sending *sending, size_t recipient_count,
                        struct submission *submission)
{
    if (!sending->source || !sending->source->found)
        return;
    enum eas_verb verb = sending->forward ? EAS_VERB_FORWARD : recipient_count > 1 ? EAS_VERB_REPLY_ALL : EAS_VERB_REPLY;
    char at[EAS_DATE_SIZE];
    eas_date_format(submission->internal_date_us, at);
    submission->source_mailbox = sending->source->mailbox;
    submission->source_item = sending->source->item.item;
    submission->source_flags = sending->forward ? 0 : FLAG_ANSWERED;
    submission->source_keyword = sending->forward ? SLICE_LIT("$Forwarded") : SLICE_LIT("");
    submission->source_extra = slice_of(arena_printf(req->arena, "{\"verb\": {\"n\": %d, \"at\": \"%s\"}}", (int)verb, at));
}

static void log_sent(struct eas_request *req, const struct routes *routes, size_t octets, int status)
{
    size_t queued = routes->far_count;
    for (size_t i = 0; i < routes->target_count; i++) {
        const struct delivery_target *target = &routes->targets[i];
        queued += target->result != ERR_OK;
        if (target->result)
            log_event(LOG_WARN, "eas_delivery_failed", LOG_I("account", target->account.n),
                      LOG_T("result", err_name(target->result)));
    }
    log_event(status ? LOG_WARN : LOG_INFO, "eas_sent", LOG_I("account", eas_account(req).n),
              LOG_I("recipients", routes->target_count + routes->far_count), LOG_I("queued", status ? 0 : queued),
              LOG_I("octets", octets), LOG_I("status", status));
}

/* sent: as the recipients get it. */
static int submit(struct eas_request *req, const struct eas_sending *sending, struct slice owned, struct slice sent,
                  struct routes *routes)
{
    struct message_new copy;
    struct buf packed = { 0 }, copy_packed = { 0 }, copy_raw = { 0 };
    struct change_set changes = { .count = 0 };
    struct actor by = eas_actor(req, false); // the phone has no id of the copy: it must be told (hard case 5)
    struct submission submission = {
        .account = eas_account(req), .device = req->device.id, .client_id = sending->client_id,
        .internal_date_us = clock_wall_us(),
        .targets = routes->targets, .addresses = routes->local, .target_count = routes->target_count,
        .sender = slice_of(req->login.login), .far = routes->far, .far_count = routes->far_count,
        .draft_mailbox = sending->draft_mailbox, .draft_item = sending->draft_item, .by = &by,
    };
    describe(req->arena, sent, &packed, &submission.message);
    if (sending->save) {
        add_bcc(owned, &copy_raw);
        copy = submission.message; // the same octets, unless there is something to hide from the others
        if (buf_len(&copy_raw)) {
            buf_add(&copy_raw, sent);
            describe(req->arena, buf_slice(&copy_raw), &copy_packed, &copy);
        }
        submission.copy = &copy;
    }
    mark_source(req, sending, routes->target_count + routes->far_count, &submission);
    enum err err = submission_send(req->db, &submission, &changes);
    eas_publish(req, &changes);
    if (!err)
        autoreply_note(req->app->server->autoreply, routes->targets, routes->target_count, sent);
    log_sent(req, routes, sent.len, status_of(err));
    buf_free(&packed);
    buf_free(&copy_packed);
    buf_free(&copy_raw);
    return status_of(err);
}

static bool has_header(struct slice raw)
{
    struct slice header = header_of(raw), field;
    while (take_field(&header, &field)) {
        struct slice rest = field, name = slice_trim(slice_cut(&rest, ':'));
        if (name.len && name.len < field.len && slice_find(name, ' ') == SIZE_MAX)
            return true;
    }
    return false;
}

static int send_text(struct eas_request *req, const struct eas_sending *sending, struct slice text)
{
    struct routes routes = { 0 };
    struct buf owned = { 0 }, sent = { 0 };
    struct slice *recipients, from;
    size_t count;
    if (!has_header(text))
        return EAS_INVALID_MIME;
    mime_recipients(text, req->arena, &recipients, &count, &from);
    if (count == 0 || count > RECIPIENTS_MAX)
        return count ? EAS_SUBMISSION_FAILED : EAS_NO_RECIPIENT;
    put_sender(text, slice_of(req->login.login), from, &owned);
    mime_prepare_sending(buf_slice(&owned), slice_of(req->login.login), &sent);
    int status = (int64_t)buf_len(&sent) > settings_int(req->app->server->settings, SETTING_LMTP_SIZE_MAX) ? EAS_TOO_LARGE : 0;
    if (!status)
        status = route(req, recipients, count, &routes);
    if (!status)
        status = submit(req, sending, buf_slice(&owned), buf_slice(&sent), &routes);
    buf_free(&owned);
    buf_free(&sent);
    return status;
}

int eas_send_once(struct eas_request *req, const struct eas_sending *sending)
{
    struct mime_normal normal = { 0 };
    struct buf text = { 0 };
    mime_normal_add(&normal, sending->raw, &text);
    mime_normal_end(&normal, &text);
    int status = send_text(req, sending, buf_slice(&text));
    buf_free(&text);
    return status;
}
