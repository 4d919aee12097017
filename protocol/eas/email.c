#include "protocol/eas/email.h"

#include <stdio.h>

#define FLAG_TYPE_DEFAULT "Flag for follow up"
#define FILETIME_OF_1970_US INT64_C(11644473600000000)

/* Cut at the last address that fits. */
static void write_addresses(struct wbxml_writer *writer, uint16_t tag, struct slice list)
{
    if (list.len > EAS_ADDRESSES_MAX) {
        size_t len = EAS_ADDRESSES_MAX;
        while (len && list.at[len] != ',')
            len--;
        list = slice_head(list, len);
    }
    if (list.len)
        wbxml_text(writer, tag, list);
}

/* The next address of a decoded list: commas inside quotes and brackets do not part. */
static struct slice take_address(struct slice *list)
{
    bool quoted = false, bracket = false;
    size_t i = 0;
    for (; i < list->len; i++) {
        char c = list->at[i];
        if (c == '\\' && quoted && i + 1 < list->len)
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (c == '<' || c == '>')
            bracket = c == '<' && !quoted;
        else if (c == ',' && !quoted && !bracket)
            break;
    }
    if (i > list->len)
        i = list->len;
    struct slice address = slice_trim(slice_head(*list, i));
    *list = slice_tail(*list, i < list->len ? i + 1 : i);
    return address;
}

/* One address: what stands behind a first one is not shown. */
static void write_from(struct wbxml_writer *writer, struct slice from)
{
    struct slice first = take_address(&from);
    write_addresses(writer, WB_Email_From, first.len ? first : SLICE_LIT("<unknown>"));
}

/* Several addresses are parted by semicolons here, and here only. */
static void write_reply_to(struct wbxml_writer *writer, struct slice list)
{
    struct buf out = { 0 };
    while (list.len) {
        struct slice address = take_address(&list);
        if (buf_len(&out) + 1 + address.len > EAS_ADDRESSES_MAX)
            break;
        if (buf_len(&out) && address.len)
            buf_add_byte(&out, ';');
        buf_add(&out, address);
    }
    if (buf_len(&out))
        wbxml_text(writer, WB_Email_ReplyTo, buf_slice(&out));
    buf_free(&out);
}

static struct slice display_name(struct slice address)
{
    size_t bracket = slice_find(address, '<');
    if (bracket == SIZE_MAX)
        return address;
    struct slice name = slice_trim(slice_head(address, bracket));
    if (name.len >= 2 && name.at[0] == '"' && name.at[name.len - 1] == '"')
        name = slice_make(name.at + 1, name.len - 2);
    if (name.len)
        return name;
    struct slice inner = slice_tail(address, bracket + 1);
    return slice_cut(&inner, '>');
}

static void write_display_to(struct wbxml_writer *writer, struct slice to)
{
    struct buf names = { 0 };
    while (to.len && buf_len(&names) < EAS_ADDRESSES_MAX) {
        struct slice address = take_address(&to);
        if (address.len == 0)
            continue;
        if (buf_len(&names))
            buf_add_byte(&names, ';');
        buf_add(&names, display_name(address));
    }
    if (buf_len(&names))
        wbxml_text(writer, WB_Email_DisplayTo, buf_slice(&names));
    buf_free(&names);
}

/* The subject without the marks of replies and forwards. */
static struct slice thread_topic(struct slice subject)
{
    static const struct slice marks[] = { { "re:", 3 }, { "fw:", 3 }, { "fwd:", 4 }, { "aw:", 3 }, { "wg:", 3 } };
    bool cut = true;
    while (cut) {
        cut = false;
        subject = slice_trim(subject);
        for (size_t i = 0; i < sizeof marks / sizeof *marks && !cut; i++) {
            cut = slice_starts_nocase(subject, marks[i]);
            if (cut)
                subject = slice_tail(subject, marks[i].len);
        }
    }
    return subject;
}

static void write_flag(struct wbxml_writer *writer, const struct eas_flag *flag)
{
    if (flag->status == EAS_FLAG_CLEARED) {
        wbxml_empty(writer, WB_Email_Flag);
        return;
    }
    wbxml_start(writer, WB_Email_Flag);
    wbxml_u64(writer, WB_Email_Status, flag->status);
    if (flag->type.len == 0 && flag->status == EAS_FLAG_ACTIVE)
        wbxml_cstr(writer, WB_Email_FlagType, FLAG_TYPE_DEFAULT);
#define X(member, tag, is_date) \
    if (flag->member.len) \
        wbxml_text(writer, tag, flag->member);
    EAS_FLAG_CHILDREN(X)
#undef X
    wbxml_end(writer, WB_Email_Flag);
}

static void write_categories(struct wbxml_writer *writer, const struct eas_email *email)
{
    wbxml_start(writer, WB_Email_Categories);
    for (size_t i = 0; i < email->category_count; i++)
        wbxml_text(writer, WB_Email_Category, email->categories[i]);
    wbxml_end(writer, WB_Email_Categories);
}

void eas_email_write_flags(struct wbxml_writer *writer, const struct eas_email *email)
{
    wbxml_cstr(writer, WB_Email_Read, email->read ? "1" : "0");
    write_flag(writer, &email->flag);
    if (email->version >= 140)
        write_categories(writer, email);
}

/* ---- attachments ---- */

static bool is_below_message(const struct mime_meta *meta, size_t part)
{
    while (part) {
        size_t parent = meta->parts[part].parent;
        if (parent >= part)
            return false;
        if (meta->parts[parent].is_message)
            return true;
        part = parent;
    }
    return false;
}

bool eas_part_is_attachment(const struct mime_meta *meta, size_t index)
{
    const struct mime_part *part = &meta->parts[index];
    if (part->is_multipart || is_below_message(meta, index))
        return false;
    if (part->is_message)
        return index != 0;
    if (meta->is_meeting && index == meta->meeting_part && !part->is_attachment)
        return false;
    if (meta->is_encrypted && index == 0)
        return true; // smime.p7m
    bool is_text = slice_eq(part->type, SLICE_LIT("text"));
    if (!is_text)
        return true;
    if (part->is_attachment || part->filename.len)
        return true;
    bool is_body = slice_eq(part->subtype, SLICE_LIT("plain")) || slice_eq(part->subtype, SLICE_LIT("html"));
    return !is_body && index != 0 && !slice_eq(meta->parts[part->parent].subtype, SLICE_LIT("alternative"));
}

struct slice eas_attachment_name(const struct mime_part *part, char name_room[32])
{
    if (part->is_message) {
        if (slice_ends_nocase(part->filename, SLICE_LIT(".eml")))
            return part->filename;
        return SLICE_LIT("message.eml"); // some phones open an embedded message by this ending only
    }
    if (part->filename.len)
        return part->filename;
    if (slice_eq(part->type, SLICE_LIT("image"))) {
        struct slice kind = part->subtype.len <= 8 ? part->subtype : SLICE_LIT("img");
        int len = snprintf(name_room, 32, "image.%.*s", SLICE_ARG(kind));
        return slice_make(name_room, (size_t)len);
    }
    if (slice_eq(part->subtype, SLICE_LIT("pkcs7-mime")))
        return SLICE_LIT("smime.p7m");
    if (slice_eq(part->type, SLICE_LIT("text")))
        return SLICE_LIT("attachment.txt");
    return SLICE_LIT("attachment.bin");
}

uint64_t eas_attachment_size(const struct mime_part *part)
{
    if (part->encoding != MIME_BASE64)
        return part->body_len;
    return part->body_len / 78 * 57 + part->body_len % 78 * 3 / 4; // lines of 76 letters and CRLF
}

static bool is_inline(const struct mime_meta *meta, size_t index)
{
    const struct mime_part *part = &meta->parts[index];
    if (part->content_id.len == 0 && part->content_location.len == 0)
        return false;
    return part->inline_disposition || slice_eq(meta->parts[part->parent].subtype, SLICE_LIT("related"));
}

static void write_attachment(struct wbxml_writer *writer, const struct eas_email *email, size_t index)
{
    const struct mime_part *part = &email->meta->parts[index];
    char reference[EAS_ID_SIZE], name_room[32];
    eas_attachment_id_format((struct eas_attachment_id){ email->id, (uint32_t)index }, reference);
    wbxml_start(writer, WB_AirSyncBase_Attachment);
    wbxml_text(writer, WB_AirSyncBase_DisplayName, eas_attachment_name(part, name_room));
    wbxml_cstr(writer, WB_AirSyncBase_FileReference, reference);
    wbxml_cstr(writer, WB_AirSyncBase_Method, part->is_message ? "5" : "1");
    wbxml_u64(writer, WB_AirSyncBase_EstimatedDataSize, eas_attachment_size(part));
    if (part->content_id.len)
        wbxml_text(writer, WB_AirSyncBase_ContentId, part->content_id);
    if (part->content_location.len)
        wbxml_text(writer, WB_AirSyncBase_ContentLocation, part->content_location);
    if (is_inline(email->meta, index))
        wbxml_cstr(writer, WB_AirSyncBase_IsInline, "1");
    wbxml_end(writer, WB_AirSyncBase_Attachment);
}

/* A calendar that is shown as a meeting is none; one that could not be read stays in reach. The signature of a signed
 * message is of no use without the message itself. */
static bool is_listed(const struct eas_email *email, size_t index)
{
    const struct mime_meta *meta = email->meta;
    if (meta->is_meeting && index == meta->meeting_part)
        return !email->meeting;
    if (eas_is_smime(meta) && index && slice_ends_nocase(meta->parts[index].subtype, SLICE_LIT("pkcs7-signature")))
        return false;
    return eas_part_is_attachment(meta, index);
}

static void write_attachments(struct wbxml_writer *writer, const struct eas_email *email)
{
    bool started = false;
    for (size_t i = 0; i < email->meta->part_count; i++) {
        if (!is_listed(email, i))
            continue;
        if (!started)
            wbxml_start(writer, WB_AirSyncBase_Attachments);
        started = true;
        write_attachment(writer, email, i);
    }
    if (started)
        wbxml_end(writer, WB_AirSyncBase_Attachments);
}

/* ---- conversation ---- */

static void write_conversation(struct wbxml_writer *writer, const struct eas_email *email)
{
    uint8_t id[EAS_CONVERSATION_ID_LEN], index[5];
    if (email->meta->thread == 0)
        return;
    eas_conversation_id(email->meta->thread, id);
    int64_t date = email->meta->date_us > 0 ? email->meta->date_us : email->received_us;
    uint64_t filetime = (uint64_t)(date + FILETIME_OF_1970_US) * 10;
    for (int i = 0; i < 5; i++)
        index[i] = (uint8_t)(filetime >> (48 - 8 * i));
    wbxml_opaque(writer, WB_Email2_ConversationId, slice_make(id, sizeof id));
    wbxml_opaque(writer, WB_Email2_ConversationIndex, slice_make(index, sizeof index));
}

static bool in_address(struct slice list, size_t at)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.@";
    return at < list.len && slice_span(slice_head(slice_tail(list, at), 1), letters) == 1;
}

static bool names_owner(struct slice list, struct slice owner)
{
    for (size_t i = 0; i + owner.len <= list.len; i++) {
        if (slice_eq_nocase(slice_head(slice_tail(list, i), owner.len), owner) && !in_address(list, i + owner.len) &&
            (i == 0 || !in_address(list, i - 1)))
            return true;
    }
    return false;
}

static void write_last_verb(struct wbxml_writer *writer, const struct eas_email *email)
{
    uint8_t verb = email->verb ? email->verb : email->answered ? 1 : email->forwarded ? 3 : 0;
    if (verb)
        wbxml_u64(writer, WB_Email2_LastVerbExecuted, verb);
    if (email->verb && email->verb_time.len)
        wbxml_text(writer, WB_Email2_LastVerbExecutionTime, email->verb_time);
}

static void write_email2(struct wbxml_writer *writer, const struct eas_email *email)
{
    const struct mime_meta *meta = email->meta;
    write_conversation(writer, email);
    write_last_verb(writer, email);
    bool mine = names_owner(meta->from, email->owner);
    if (email->owner.len && !mine && !names_owner(meta->to, email->owner) && !names_owner(meta->cc, email->owner))
        wbxml_cstr(writer, WB_Email2_ReceivedAsBcc, "1");
    if (meta->sender.len && !slice_eq(meta->sender, meta->from))
        wbxml_text(writer, WB_Email2_Sender, meta->sender);
    write_categories(writer, email);
}

void eas_email_write(struct wbxml_writer *writer, const struct eas_email *email)
{
    const struct mime_meta *meta = email->meta;
    char date[EAS_DATE_SIZE];
    eas_date_format(email->received_us, date);
    write_addresses(writer, WB_Email_To, meta->to);
    write_addresses(writer, WB_Email_Cc, meta->cc);
    write_from(writer, meta->from);
    wbxml_text(writer, WB_Email_Subject, meta->subject);
    if (meta->reply_to.len && !slice_eq(meta->reply_to, meta->from))
        write_reply_to(writer, meta->reply_to);
    wbxml_cstr(writer, WB_Email_DateReceived, date);
    write_display_to(writer, meta->to);
    struct slice topic = thread_topic(meta->subject);
    if (topic.len)
        wbxml_text(writer, WB_Email_ThreadTopic, topic);
    wbxml_u64(writer, WB_Email_Importance, meta->importance <= 2 ? meta->importance : 1);
    wbxml_cstr(writer, WB_Email_Read, email->read ? "1" : "0");
    write_attachments(writer, email);
    if (email->body)
        eas_body_write(writer, email->body);
    wbxml_cstr(writer, WB_Email_MessageClass,
               email->meeting ? eas_meeting_class(email->meeting)
                              : eas_message_class(meta, email->report, email->is_receipt));
    if (email->meeting)
        eas_meeting_write(writer, email->version, email->meeting, email->received_us);
    wbxml_cstr(writer, WB_Email_InternetCPID, "65001");
    write_flag(writer, &email->flag);
    wbxml_cstr(writer, WB_Email_ContentClass,
               email->meeting ? "urn:content-classes:calendarmessage" : "urn:content-classes:message");
    if (email->body)
        wbxml_cstr(writer, WB_AirSyncBase_NativeBodyType, email->native_html ? "2" : "1");
    if (email->version >= 140)
        write_email2(writer, email);
    if (email->body_part && email->version >= 141)
        eas_body_part_write(writer, email->body_part);
    if (email->version >= 160 && email->shows_bcc)
        write_addresses(writer, WB_Email2_Bcc, meta->bcc);
    if (email->version >= 160 && email->in_drafts)
        wbxml_cstr(writer, WB_Email2_IsDraft, "1");
}

/* ---- what a phone sends ---- */

static bool check_dates(const struct eas_flag *flag)
{
    int64_t at;
#define X(member, tag, is_date) \
    if ((is_date) && flag->member.len && !eas_date_parse(flag->member, &at)) \
        return false;
    EAS_FLAG_CHILDREN(X)
#undef X
    int dates = (flag->start_date.len > 0) + (flag->due_date.len > 0) + (flag->utc_start_date.len > 0) +
                (flag->utc_due_date.len > 0);
    if (dates != 0 && dates != 4)
        return false;
    int64_t start, due;
    if (dates && eas_date_parse(flag->utc_start_date, &start) && eas_date_parse(flag->utc_due_date, &due) && due < start)
        return false;
    return !slice_eq(flag->reminder_set, SLICE_LIT("1")) || flag->reminder_time.len;
}

/* Missing children are removed: the container is replaced as a whole. Of several copies the last counts. */
static enum err parse_flag(const struct wbxml_node *node, struct eas_flag *flag)
{
    *flag = (struct eas_flag){ 0 };
    struct slice status = SLICE_LIT("0");
    for (const struct wbxml_node *child = node->child; child; child = child->next) {
        if (child->tag == WB_Email_Status)
            status = slice_trim(child->text);
#define X(member, wanted, is_date) \
    if (child->tag == (wanted)) \
        flag->member = child->text;
        EAS_FLAG_CHILDREN(X)
#undef X
    }
    uint64_t number;
    if (!slice_to_u64(status, EAS_FLAG_ACTIVE, &number) || !check_dates(flag))
        return ERR_SYNTAX;
    flag->status = (uint8_t)number;
    if (flag->status == EAS_FLAG_CLEARED)
        *flag = (struct eas_flag){ 0 };
    return ERR_OK;
}

static enum err parse_categories(const struct wbxml_node *node, struct arena *arena, struct eas_change *change)
{
    size_t count = wbxml_count(node, WB_Email_Category);
    if (count > EAS_CATEGORIES_MAX)
        return ERR_LIMIT;
    change->has_categories = true;
    change->category_count = 0;
    change->categories = arena_new(arena, struct slice, count + 1);
    for (const struct wbxml_node *child = wbxml_child(node, WB_Email_Category); child; child = wbxml_same(child)) {
        if (slice_trim(child->text).len)
            change->categories[change->category_count++] = child->text;
    }
    return ERR_OK;
}

enum err eas_change_parse(const struct wbxml_node *data, int version, struct arena *arena, struct eas_change *change)
{
    *change = (struct eas_change){ .read = -1 };
    enum err err = ERR_OK;
    for (const struct wbxml_node *child = data ? data->child : NULL; child && !err; child = child->next) {
        switch (child->tag) {
        case WB_Email_Read:
            if (!wbxml_is_bool(child))
                return ERR_SYNTAX;
            change->read = wbxml_bool(child, true);
            break;
        case WB_Email_Flag:
            change->has_flag = true;
            err = parse_flag(child, &change->flag);
            break;
        case WB_Email_Categories:
            if (version >= 140)
                err = parse_categories(child, arena, change);
            break;
        case WB_Email2_ConversationId:
        case WB_Email2_ConversationIndex:
        case WB_Email2_Sender:
        case WB_Email2_ReceivedAsBcc:
        case WB_Email2_UmCallerID:
        case WB_Email2_UmUserNotes:
            return ERR_SYNTAX; // MS-ASEMAIL 2.2.2: the server's alone
        default:
            change->has_content = true;
        }
    }
    return err;
}

/* ---- what a draft is answered with ---- */

void eas_email_write_conversation(struct wbxml_writer *writer, const struct mime_meta *meta)
{
    struct eas_email email = { .meta = meta, .received_us = meta->date_us };
    write_conversation(writer, &email);
}
