#include "protocol/mime/autoreply.h"

#include "protocol/mime/compose.h"
#include "protocol/mime/mime_internal.h"

/* Without "+tag". */
static bool same_person(struct slice address, struct slice own)
{
    struct slice domain = address, local = slice_cut(&domain, '@');
    struct slice own_domain = own, own_local = slice_cut(&own_domain, '@');
    return slice_eq_nocase(domain, own_domain) &&
           (slice_eq_nocase(local, own_local) || slice_eq_nocase(slice_cut(&local, '+'), own_local));
}

static bool list_names(struct slice value, struct slice own, bool exactly, struct arena *arena)
{
    struct mime_addresses list;
    if (!value.len)
        return false;
    mime_addresses_read(value, arena, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].kind != ADDRESS_MAILBOX)
            continue;
        struct slice address = mime_address_spec(&list.items[i], arena);
        if (exactly ? slice_eq_nocase(address, own) : same_person(address, own))
            return true;
    }
    return false;
}

bool mime_addresses_name(struct slice list, struct slice address, struct arena *arena)
{
    return list_names(list, address, true, arena);
}

static bool has_word(struct slice value, const char *word)
{
    while (value.len)
        if (slice_eq_nocase(slice_trim(slice_cut(&value, ',')), slice_of(word)))
            return true;
    return false;
}

/* What a field says against an answer. */
static enum auto_reply_verdict judge_field(struct slice name, struct slice value)
{
    struct slice first = value;
    first = slice_trim(slice_cut(&first, ';'));
    if (slice_eq_nocase(name, SLICE_LIT("Auto-Submitted")) && !slice_eq_nocase(first, SLICE_LIT("no")))
        return AUTO_REPLY_AUTOMATIC;
    if (slice_eq_nocase(name, SLICE_LIT("Content-Type")) && slice_eq_nocase(first, SLICE_LIT("multipart/report")))
        return AUTO_REPLY_AUTOMATIC;
    // MS-OXCMAIL 2.1.3.2.16: what Exchange writes to keep others from answering.
    if (slice_eq_nocase(name, SLICE_LIT("X-Auto-Response-Suppress")) &&
        (has_word(value, "OOF") || has_word(value, "AutoReply") || has_word(value, "All")))
        return AUTO_REPLY_AUTOMATIC;
    if (slice_starts_nocase(name, SLICE_LIT("List-")))
        return AUTO_REPLY_LIST;
    if (slice_eq_nocase(name, SLICE_LIT("Precedence")) &&
        (slice_eq_nocase(first, SLICE_LIT("bulk")) || slice_eq_nocase(first, SLICE_LIT("list")) ||
         slice_eq_nocase(first, SLICE_LIT("junk"))))
        return AUTO_REPLY_LIST;
    return AUTO_REPLY_YES;
}

static bool is_robot(struct slice sender)
{
    static const char *const whole[] = { "mailer-daemon", "listserv", "majordomo", "noreply", "no-reply", "donotreply",
                                         "do-not-reply" };
    static const char *const ends[] = { "-request", "-owner", "-bounces", "-bounce", "-admin" };
    struct slice local = slice_cut(&sender, '@');
    if (slice_starts_nocase(local, SLICE_LIT("owner-")))
        return true;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (slice_eq_nocase(local, slice_of(whole[i])))
            return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (slice_ends_nocase(local, slice_of(ends[i])))
            return true;
    return false;
}

/* "<a@b>"; empty for "<>" and for what is no address. */
static struct slice path_of(struct slice value)
{
    struct slice path = slice_trim(value);
    if (slice_take(&path, '<'))
        path = slice_trim(slice_cut(&path, '>'));
    return slice_find(path, '@') == SIZE_MAX ? SLICE_LIT("") : path;
}

enum auto_reply_verdict mime_auto_reply_judge(struct slice header, struct slice own, struct arena *arena,
                                              struct auto_reply_to *to)
{
    struct slice rest = header, name, value, line, ids[1];
    struct mime_fields fields;
    bool has_path = false;
    *to = (struct auto_reply_to){ .sender = SLICE_LIT("") };
    while (mime_field_next(&rest, &name, &value, &line)) {
        struct slice text = mime_unfold(value, arena);
        if (!has_path && slice_eq_nocase(name, SLICE_LIT("Return-Path"))) {
            to->sender = path_of(text); // the first is the delivery's own
            has_path = true;
        }
        enum auto_reply_verdict verdict = judge_field(name, text);
        if (verdict)
            return verdict;
    }
    if (!to->sender.len)
        return AUTO_REPLY_NO_RETURN_PATH;
    if (is_robot(to->sender))
        return AUTO_REPLY_ROBOT;
    if (same_person(to->sender, own))
        return AUTO_REPLY_OWN;
    mime_fields_read(header, arena, &fields);
    if (!list_names(fields.value[FIELD_TO], own, false, arena) && !list_names(fields.value[FIELD_CC], own, false, arena))
        return AUTO_REPLY_NOT_NAMED;
    to->subject = fields.value[FIELD_SUBJECT].len ? mime_decode_text(fields.value[FIELD_SUBJECT], arena) : SLICE_LIT("");
    bool has_id = mime_message_ids(fields.value[FIELD_MESSAGE_ID], ids, 1) > 0;
    to->message_id = has_id ? ids[0] : SLICE_LIT("");
    to->references = to->message_id;
    if (has_id && fields.value[FIELD_REFERENCES].len)
        to->references = slice_of(arena_printf(arena, "%.*s %.*s", SLICE_ARG(fields.value[FIELD_REFERENCES]),
                                               SLICE_ARG(to->message_id)));
    return AUTO_REPLY_YES;
}

const char *mime_auto_reply_word(enum auto_reply_verdict verdict)
{
    static const char *const words[] = { "yes", "no_return_path", "automatic", "list", "robot", "own", "not_named" };
    return words[verdict];
}

void mime_auto_reply_compose(const struct auto_reply_to *to, struct slice own, struct slice body, bool html,
                             struct buf *out)
{
    struct arena *arena = arena_open();
    struct mime_draft draft = {
        .from = own,
        .to = to->sender,
        .subject = slice_of(arena_printf(arena, "Auto: %.*s", SLICE_ARG(to->subject))),
        .in_reply_to = to->message_id,
        .references = to->references,
        .text = html ? SLICE_LIT("") : body,
        .html = html ? body : SLICE_LIT(""),
        .importance = 1,
    };
    buf_add_text(out, "Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n");
    mime_compose(&draft, out);
    arena_close(&arena);
}
