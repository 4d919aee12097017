/* The Email class as it is written, and what phones send of it. */
#include <criterion/criterion.h>

#include "protocol/eas/email.h"

static struct wbxml_node *parse(struct arena *arena, struct slice document)
{
    struct wbxml_node *root = NULL;
    cr_assert_eq(wbxml_parse(document, arena, &root, NULL), ERR_OK);
    return root;
}

/* Writes an email under ApplicationData and reads it back. */
static struct wbxml_node *write_back(struct arena *arena, const struct eas_email *email, bool flags_only)
{
    struct buf *out = arena_new(arena, struct buf, 1);
    struct wbxml_writer writer;
    wbxml_writer_init(&writer, out);
    wbxml_start(&writer, WB_AirSync_ApplicationData);
    if (flags_only)
        eas_email_write_flags(&writer, email);
    else
        eas_email_write(&writer, email);
    wbxml_end(&writer, WB_AirSync_ApplicationData);
    struct slice copy = arena_copy(arena, buf_slice(out));
    buf_free(out);
    return parse(arena, copy);
}

static void expect_text(const struct wbxml_node *node, uint16_t tag, const char *text)
{
    struct slice found = wbxml_child_text(node, tag);
    cr_expect(found.at && slice_eq(found, slice_of(text)), "%s: %.*s, not %s", wbxml_name(tag), SLICE_ARG(found), text);
}

static const char raw[] =
    "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.test>\r\nTo: \"B, C\" <b@x.test>, c@x.test\r\nCc: d@x.test\r\n"
    "Bcc: secret@x.test\r\nReply-To: r@x.test\r\nSubject: Re: AW: Plan\r\nMessage-ID: <1@x.test>\r\nX-Priority: 1\r\n"
    "Date: Sat, 07 Mar 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    "--o\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
    "--r\r\nContent-Type: text/html\r\n\r\n<img src=cid:i1>\r\n"
    "--r\r\nContent-Type: image/png\r\nContent-ID: <i1>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--r--\r\n"
    "--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: application/pdf\r\n\r\nx\r\n"
    "--o\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nPDF\r\n--o--\r\n";

Test(eas_email, full_item)
{
    struct arena *arena = arena_open();
    struct mime_meta meta;
    mime_describe(slice_make(raw, sizeof raw - 1), arena, &meta);
    struct slice category = SLICE_LIT("Work");
    struct eas_body body = { .type = EAS_BODY_TEXT, .size = 5, .data = SLICE_LIT("Hello") };
    struct eas_email email = { .version = 141, .meta = &meta, .id = { 5, 17 }, .received_us = INT64_C(1772886896789000),
                               .read = true, .flag = { .status = EAS_FLAG_ACTIVE }, .categories = &category,
                               .category_count = 1, .body = &body, .native_html = true, .owner = SLICE_LIT("z@x.test") };
    struct wbxml_node *item = write_back(arena, &email, false);
    expect_text(item, WB_Email_DisplayTo, "B, C;c@x.test");
    expect_text(item, WB_Email_ThreadTopic, "Plan");
    expect_text(item, WB_Email_DateReceived, "2026-03-07T12:34:56.789Z");
    expect_text(item, WB_Email_Importance, "2");
    expect_text(item, WB_Email_Read, "1");
    expect_text(item, WB_Email_MessageClass, "IPM.Note");
    expect_text(item, WB_AirSyncBase_NativeBodyType, "2");
    expect_text(item, WB_Email2_ReceivedAsBcc, "1");
    expect_text(wbxml_child(item, WB_Email_Flag), WB_Email_Status, "2");
    expect_text(wbxml_child(item, WB_Email_Flag), WB_Email_FlagType, "Flag for follow up");
    expect_text(wbxml_child(item, WB_Email_Categories), WB_Email_Category, "Work");
    cr_expect_eq(wbxml_child_text(item, WB_Email2_ConversationId).len, 16);
    cr_expect_eq(wbxml_child_text(item, WB_Email2_ConversationIndex).len, 5);
    cr_expect_null(wbxml_child(item, WB_Email2_Bcc), "never below 16.0");

    struct wbxml_node *list = wbxml_child(item, WB_AirSyncBase_Attachments);
    cr_assert_eq(wbxml_count(list, WB_AirSyncBase_Attachment), 3, "parts of the inner message are its own");
    struct wbxml_node *image = list->child, *message = image->next, *pdf = message->next;
    expect_text(image, WB_AirSyncBase_ContentId, "i1");
    expect_text(image, WB_AirSyncBase_IsInline, "1");
    expect_text(image, WB_AirSyncBase_DisplayName, "image.png");
    expect_text(message, WB_AirSyncBase_Method, "5");
    expect_text(message, WB_AirSyncBase_DisplayName, "message.eml");
    expect_text(pdf, WB_AirSyncBase_DisplayName, "a.pdf");
    struct eas_attachment_id id;
    cr_assert(eas_attachment_id_parse(wbxml_child_text(pdf, WB_AirSyncBase_FileReference), &id));
    cr_expect(id.item.mailbox == 5 && id.item.item == 17);
    cr_expect(slice_eq(meta.parts[id.part].subtype, SLICE_LIT("pdf")));
    arena_close(&arena);
}

/* MS-ASCON: what a version does not know is not sent to it. */
Test(eas_email, versions)
{
    static const struct {
        int version;
        bool conversation, categories, part, bcc, draft;
    } rows[] = {
        { 121, false, false, false, false, false },
        { 140, true, true, false, false, false },
        { 141, true, true, true, false, false },
        { 161, true, true, true, true, true },
    };
    struct arena *arena = arena_open();
    struct mime_meta meta;
    mime_describe(slice_make(raw, sizeof raw - 1), arena, &meta);
    struct eas_body body = { .type = EAS_BODY_HTML };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_email email = { .version = rows[i].version, .meta = &meta, .id = { 1, 1 }, .body_part = &body,
                                   .in_drafts = true, .shows_bcc = true };
        struct wbxml_node *item = write_back(arena, &email, false);
        cr_expect_eq(wbxml_child(item, WB_Email2_ConversationId) != NULL, rows[i].conversation, "%d", rows[i].version);
        cr_expect_eq(wbxml_child(item, WB_Email_Categories) != NULL, rows[i].categories, "%d", rows[i].version);
        cr_expect_eq(wbxml_child(item, WB_AirSyncBase_BodyPart) != NULL, rows[i].part, "%d", rows[i].version);
        cr_expect_eq(wbxml_child(item, WB_Email2_Bcc) != NULL, rows[i].bcc, "%d", rows[i].version);
        cr_expect_eq(wbxml_child(item, WB_Email2_IsDraft) != NULL, rows[i].draft, "%d", rows[i].version);
        // Every tag that was written exists in the version asked for.
        for (const struct wbxml_node *node = item->child; node; node = node->next)
            cr_expect_leq(wbxml_find(node->tag)->since, rows[i].version, "%s at %d", wbxml_name(node->tag),
                          rows[i].version);
        struct wbxml_node *flags = write_back(arena, &email, true);
        expect_text(flags, WB_Email_Read, "0");
        cr_expect_null(wbxml_child(flags, WB_Email_Subject));
    }
    arena_close(&arena);
}

/* LastVerbExecuted, ReceivedAsBcc, Sender: MS-ASEMAIL 2.2.2.44, .59, .68 */
Test(eas_email, email2)
{
    static const struct {
        const char *name, *header;
        bool answered, forwarded;
        uint8_t verb;
        const char *time;      // of the verb
        const char *told, *told_time, *bcc, *sender; // NULL: absent
    } rows[] = {
        { "nothing done", "To: z@x.test\r\n", false, false, 0, "", NULL, NULL, NULL, NULL },
        { "answered elsewhere", "To: z@x.test\r\n", true, false, 0, "", "1", NULL, NULL, NULL },
        { "forwarded elsewhere", "To: z@x.test\r\n", false, true, 0, "", "3", NULL, NULL, NULL },
        { "to all", "To: z@x.test\r\n", true, false, 2, "2026-01-02T03:04:05.000Z", "2", "2026-01-02T03:04:05.000Z", NULL, NULL },
        { "forwarded after that", "To: z@x.test\r\n", true, true, 3, "", "3", NULL, NULL, NULL },
        { "in To", "To: Z <Z@X.test>\r\n", false, false, 0, "", NULL, NULL, NULL, NULL },
        { "in Cc", "To: a@x.test\r\nCc: b@x.test, z@x.test\r\n", false, false, 0, "", NULL, NULL, NULL, NULL },
        { "in neither", "To: a@x.test\r\n", false, false, 0, "", NULL, NULL, "1", NULL },
        { "one whose address ends alike", "To: liz@x.test\r\n", false, false, 0, "", NULL, NULL, "1", NULL },
        { "one whose address begins alike", "To: z@x.test.org\r\n", false, false, 0, "", NULL, NULL, "1", NULL },
        { "sent for somebody", "To: z@x.test\r\nSender: s@x.test\r\n", false, false, 0, "", NULL, NULL, NULL, "s@x.test" },
        { "sent by himself", "To: z@x.test\r\nSender: f@x.test\r\n", false, false, 0, "", NULL, NULL, NULL, NULL },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "From: f@x.test\r\n%s\r\nx\r\n", rows[i].header)), arena, &meta);
        struct eas_email email = { .version = 140, .meta = &meta, .id = { 1, 1 }, .owner = SLICE_LIT("z@x.test"),
                                   .answered = rows[i].answered, .forwarded = rows[i].forwarded, .verb = rows[i].verb,
                                   .verb_time = slice_of(rows[i].time) };
        struct wbxml_node *item = write_back(arena, &email, false);
        const struct {
            uint16_t tag;
            const char *text;
        } found[] = { { WB_Email2_LastVerbExecuted, rows[i].told }, { WB_Email2_LastVerbExecutionTime, rows[i].told_time },
                      { WB_Email2_ReceivedAsBcc, rows[i].bcc }, { WB_Email2_Sender, rows[i].sender } };
        for (size_t k = 0; k < sizeof found / sizeof *found; k++) {
            struct slice text = wbxml_child_text(item, found[k].tag);
            bool same = found[k].text ? slice_eq(text, slice_of(found[k].text)) : !wbxml_child(item, found[k].tag);
            cr_expect(same, "%s: %s is %.*s", rows[i].name, wbxml_name(found[k].tag), SLICE_ARG(text));
        }
        email.version = 121;
        item = write_back(arena, &email, false);
        for (size_t k = 0; k < sizeof found / sizeof *found; k++)
            cr_expect_null(wbxml_child(item, found[k].tag), "%s at 12.1", wbxml_name(found[k].tag));
    }
    arena_close(&arena);
}

/* MS-ASEMAIL 2.2.2.40 From, .63 ReplyTo: one address, and a list with its own mark. */
Test(eas_email, addresses)
{
    static const struct {
        const char *header, *from, *reply_to; // NULL: absent
    } rows[] = {
        { "From: \"A, B\" <a@x.test>, c@x.test\r\n", "\"A, B\" <a@x.test>", NULL },
        { "Subject: none\r\n", "<unknown>", NULL },
        { "From: a@x.test\r\nReply-To: a@x.test\r\n", "a@x.test", NULL },
        { "From: a@x.test\r\nReply-To: \"B, C\" <b@x.test>, d@x.test\r\n", "a@x.test", "\"B, C\" <b@x.test>;d@x.test" },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta meta;
        mime_describe(slice_of(arena_printf(arena, "%s\r\nx\r\n", rows[i].header)), arena, &meta);
        struct eas_email email = { .version = 161, .meta = &meta, .id = { 1, 1 } };
        struct wbxml_node *item = write_back(arena, &email, false);
        expect_text(item, WB_Email_From, rows[i].from);
        if (rows[i].reply_to)
            expect_text(item, WB_Email_ReplyTo, rows[i].reply_to);
        else
            cr_expect_null(wbxml_child(item, WB_Email_ReplyTo), "%s", rows[i].header);
    }
    struct buf many = { 0 };
    buf_add_text(&many, "From: a@x.test\r\nReply-To: b0@x.test");
    for (int i = 0; i < 4000; i++)
        buf_add_text(&many, ",\r\n b1234@x.test");
    buf_add_text(&many, "\r\n\r\n");
    struct mime_meta meta;
    mime_describe(buf_slice(&many), arena, &meta);
    struct eas_email email = { .version = 161, .meta = &meta, .id = { 1, 1 } };
    struct slice list = wbxml_child_text(write_back(arena, &email, false), WB_Email_ReplyTo);
    cr_expect(list.len <= EAS_ADDRESSES_MAX && list.len > EAS_ADDRESSES_MAX - 20 && slice_ends_nocase(list, SLICE_LIT("x.test")),
              "cut between two: %zu", list.len);
    buf_free(&many);
    arena_close(&arena);
}

struct child {
    uint16_t tag;
    const char *text;
};

static const struct {
    const char *name;
    struct child children[8]; // of Flag
    enum err err;
    uint8_t status;
} flags[] = {
    { "empty clears", { { 0, NULL } }, ERR_OK, EAS_FLAG_CLEARED },
    { "status 0 clears", { { WB_Email_Status, "0" } }, ERR_OK, EAS_FLAG_CLEARED },
    { "active without dates", { { WB_Email_Status, "2" }, { WB_Email_FlagType, "Follow up" } }, ERR_OK, EAS_FLAG_ACTIVE },
    { "complete",
      { { WB_Email_Status, "1" }, { WB_Email_CompleteTime, "2026-01-01T00:00:00.000Z" },
        { WB_Tasks_DateCompleted, "2026-01-01T00:00:00.000Z" } },
      ERR_OK, EAS_FLAG_COMPLETE },
    { "the last of two counts", { { WB_Email_Status, "1" }, { WB_Email_Status, "2" } }, ERR_OK, EAS_FLAG_ACTIVE },
    { "status 3", { { WB_Email_Status, "3" } }, ERR_SYNTAX, 0 },
    { "some dates", { { WB_Email_Status, "2" }, { WB_Tasks_StartDate, "2026-01-01T00:00:00Z" } }, ERR_SYNTAX, 0 },
    { "no date",
      { { WB_Email_Status, "1" }, { WB_Email_CompleteTime, "yesterday" } },
      ERR_SYNTAX, 0 },
    { "all four dates",
      { { WB_Email_Status, "2" }, { WB_Tasks_StartDate, "2026-01-01T00:00:00Z" }, { WB_Tasks_DueDate, "2026-01-02T00:00:00Z" },
        { WB_Tasks_UtcStartDate, "2026-01-01T00:00:00Z" }, { WB_Tasks_UtcDueDate, "2026-01-02T00:00:00Z" } },
      ERR_OK, EAS_FLAG_ACTIVE },
    { "due before start",
      { { WB_Email_Status, "2" }, { WB_Tasks_StartDate, "2026-01-01T00:00:00Z" }, { WB_Tasks_DueDate, "2025-01-02T00:00:00Z" },
        { WB_Tasks_UtcStartDate, "2026-01-01T00:00:00Z" }, { WB_Tasks_UtcDueDate, "2025-01-02T00:00:00Z" } },
      ERR_SYNTAX, 0 },
    { "reminder without time", { { WB_Email_Status, "2" }, { WB_Tasks_ReminderSet, "1" } }, ERR_SYNTAX, 0 },
};

Test(eas_change, flag)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        struct buf out = { 0 };
        struct wbxml_writer writer;
        struct eas_change change;
        wbxml_writer_init(&writer, &out);
        wbxml_start(&writer, WB_AirSync_ApplicationData);
        wbxml_start(&writer, WB_Email_Flag);
        for (const struct child *child = flags[i].children; child->tag; child++)
            wbxml_cstr(&writer, child->tag, child->text);
        wbxml_end(&writer, WB_Email_Flag);
        wbxml_end(&writer, WB_AirSync_ApplicationData);
        enum err err = eas_change_parse(parse(arena, buf_slice(&out)), 141, arena, &change);
        cr_expect_eq(err, flags[i].err, "%s: %s", flags[i].name, err_name(err));
        if (!err) {
            cr_expect(change.has_flag && change.read == -1 && !change.has_content, "%s", flags[i].name);
            cr_expect_eq(change.flag.status, flags[i].status, "%s", flags[i].name);
        }
        buf_free(&out);
    }
    arena_close(&arena);
}

Test(eas_change, other_elements)
{
    static const struct {
        const char *name;
        uint16_t tag;
        const char *text;
        int version, read;
        bool content, categories;
        enum err err;
    } rows[] = {
        { "read", WB_Email_Read, "1", 141, 1, false, false, ERR_OK },
        { "unread", WB_Email_Read, "0", 141, 0, false, false, ERR_OK },
        { "read as an empty tag", WB_Email_Read, "", 141, 1, false, false, ERR_OK },
        { "read as a word", WB_Email_Read, "true", 141, 1, false, false, ERR_OK },
        { "read that is no boolean", WB_Email_Read, "maybe", 141, 0, false, false, ERR_SYNTAX },
        { "read with a number", WB_Email_Read, "2", 141, 0, false, false, ERR_SYNTAX },
        { "notes of a voice mail", WB_Email2_UmUserNotes, "x", 141, 0, false, false, ERR_SYNTAX },
        { "subject is content", WB_Email_Subject, "x", 161, -1, true, false, ERR_OK },
        { "categories cleared", WB_Email_Categories, "", 141, -1, false, true, ERR_OK },
        { "no categories at 12.1", WB_Email_Categories, "", 121, -1, false, false, ERR_OK },
        { "the server's own", WB_Email2_Sender, "x", 141, -1, false, false, ERR_SYNTAX },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = { 0 };
        struct wbxml_writer writer;
        struct eas_change change;
        wbxml_writer_init(&writer, &out);
        wbxml_start(&writer, WB_AirSync_ApplicationData);
        wbxml_cstr(&writer, rows[i].tag, rows[i].text);
        wbxml_end(&writer, WB_AirSync_ApplicationData);
        enum err err = eas_change_parse(parse(arena, buf_slice(&out)), rows[i].version, arena, &change);
        cr_expect_eq(err, rows[i].err, "%s", rows[i].name);
        if (!err) {
            cr_expect_eq(change.read, rows[i].read, "%s", rows[i].name);
            cr_expect_eq(change.has_content, rows[i].content, "%s", rows[i].name);
            cr_expect_eq(change.has_categories, rows[i].categories, "%s", rows[i].name);
        }
        buf_free(&out);
    }
    arena_close(&arena);
}
