/* The Email class on the wire (MS-ASEMAIL 2.2.2): what a message's description becomes, and what a phone may change. */
#pragma once

#include "base/arena.h"
#include "protocol/eas/body.h"
#include "protocol/eas/category.h"
#include "protocol/eas/date.h"
#include "protocol/eas/ids.h"
#include "protocol/eas/meeting.h"
#include "protocol/eas/message_class.h"
#include "protocol/mime/meta.h"
#include "protocol/wbxml/wbxml.h"

#define EAS_ADDRESSES_MAX 32768u // octets of To, Cc, From

/* The follow-up flag (MS-ASEMAIL 2.2.2.34 Flag). Texts are as the phone gave them, dates checked; empty: absent. */
enum eas_flag_status { EAS_FLAG_CLEARED, EAS_FLAG_COMPLETE, EAS_FLAG_ACTIVE };
struct eas_flag {
    uint8_t status; // enum eas_flag_status
    struct slice type, subject, complete_time, date_completed, start_date, due_date, utc_start_date, utc_due_date,
        reminder_set, reminder_time, ordinal_date, sub_ordinal_date;
};
/* X(member, tag, is_date): the children of Flag behind Status, in the order they are written */
#define EAS_FLAG_CHILDREN(X) \
    X(type, WB_Email_FlagType, false) X(complete_time, WB_Email_CompleteTime, true) \
    X(subject, WB_Tasks_Subject, false) X(date_completed, WB_Tasks_DateCompleted, true) \
    X(start_date, WB_Tasks_StartDate, true) X(due_date, WB_Tasks_DueDate, true) \
    X(utc_start_date, WB_Tasks_UtcStartDate, true) X(utc_due_date, WB_Tasks_UtcDueDate, true) \
    X(reminder_set, WB_Tasks_ReminderSet, false) X(reminder_time, WB_Tasks_ReminderTime, true) \
    X(ordinal_date, WB_Tasks_OrdinalDate, true) X(sub_ordinal_date, WB_Tasks_SubOrdinalDate, false)

struct eas_email {
    int version;
    const struct mime_meta *meta;
    struct eas_item_id id;            // for FileReferences
    int64_t received_us;
    bool read, answered, forwarded;
    uint8_t verb;                     // LastVerbExecuted: 1 reply, 2 reply to all, 3 forward; 0: the flags tell
    struct slice verb_time;           // as it goes on the wire; empty: unknown
    enum eas_report report;
    bool is_receipt;                  // of S/MIME
    const struct calendar_meeting *meeting; // NULL: plain mail
    struct eas_flag flag;
    const struct slice *categories;   // names, not keywords
    size_t category_count;
    const struct eas_body *body, *body_part; // NULL: none asked for
    bool native_html;                 // NativeBodyType, told with a body
    bool in_drafts;                   // 16.x: IsDraft
    bool shows_bcc;                   // 16.x: Drafts and Sent
    struct slice owner;               // the account's address, for ReceivedAsBcc
};
/* The children of ApplicationData or Properties, in the order of the product. */
void eas_email_write(struct wbxml_writer *writer, const struct eas_email *email);
/* Read, Flag and (14.0 and later) Categories alone: a Change that leaves the content as it is. */
void eas_email_write_flags(struct wbxml_writer *writer, const struct eas_email *email);
/* Whether a part is listed as attachment, and its name (never empty; in the arena when made up). */
bool eas_part_is_attachment(const struct mime_meta *meta, size_t part);
/* The part's name for display; text lives in meta or in name_room. */
struct slice eas_attachment_name(const struct mime_part *part, char name_room[32]);
uint64_t eas_attachment_size(const struct mime_part *part); // estimated from the encoding

/* ---- what a phone sends ---- */

struct eas_change {
    int read;              // -1 absent, 0, 1
    bool has_flag;
    struct eas_flag flag;  // with has_flag
    bool has_categories;
    struct slice *categories; // names
    size_t category_count;
    bool has_content;      // draft properties: 16.x only
};
/* Reads ApplicationData of a Change. errors: ERR_SYNTAX (item Status 6: bad values), ERR_LIMIT (too many categories) */
MUST_USE enum err eas_change_parse(const struct wbxml_node *data, int version, struct arena *arena,
                                   struct eas_change *change);
/* ConversationId and ConversationIndex alone; nothing for a message without a thread. */
void eas_email_write_conversation(struct wbxml_writer *writer, const struct mime_meta *meta);
