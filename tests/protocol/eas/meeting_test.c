/* MeetingRequest and message classes as phones see them. */
#include <criterion/criterion.h>
#include <string.h>

#include "protocol/eas/base64.h"
#include "protocol/eas/email.h"

#define CALENDAR(method, event) \
    "BEGIN:VCALENDAR\r\nMETHOD:" method "\r\nBEGIN:VTIMEZONE\r\nTZID:W. Europe\r\n" \
    "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n" \
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n" \
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" \
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:u-1\r\n" \
    "DTSTAMP:20260301T080000Z\r\nDTSTART;TZID=W. Europe:20260302T120000\r\nDURATION:PT1H\r\n" event \
    "END:VEVENT\r\nEND:VCALENDAR\r\n"

/* The item that a phone gets of a message with a calendar. */
static struct wbxml_node *item_of(struct arena *arena, int version, const char *calendar, struct eas_email *email)
{
    struct mime_meta *meta = arena_new(arena, struct mime_meta, 1);
    struct calendar_meeting *meeting = arena_new(arena, struct calendar_meeting, 1);
    const char *raw =
        arena_printf(arena,
                     "From: ann@x.test\r\nSubject: Plan\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
                     "--b\r\nContent-Type: text/plain\r\n\r\nPlan\r\n"
                     "--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n%s\r\n--b--\r\n",
                     calendar);
    mime_describe(slice_of(raw), arena, meta);
    cr_assert(meta->is_meeting);
    *email = (struct eas_email){ .version = version,
                                 .meta = meta,
                                 .id = { 1, 1 },
                                 .received_us = INT64_C(1772886896789000),
                                 .owner = SLICE_LIT("bob@x.test") };
    if (calendar_read(slice_of(calendar), email->owner, arena, meeting) == ERR_OK)
        email->meeting = meeting;
    struct buf out = { 0 };
    struct wbxml_writer writer;
    struct wbxml_node *root = NULL;
    wbxml_writer_init(&writer, &out);
    wbxml_start(&writer, WB_AirSync_ApplicationData);
    eas_email_write(&writer, email);
    wbxml_end(&writer, WB_AirSync_ApplicationData);
    cr_assert_eq(wbxml_parse(arena_copy(arena, buf_slice(&out)), arena, &root, NULL), ERR_OK);
    buf_free(&out);
    return root;
}

static void expect_since(const struct wbxml_node *node, int version)
{
    for (; node; node = node->next) {
        cr_expect_leq(wbxml_find(node->tag)->since, version, "%s at %d", wbxml_name(node->tag), version);
        expect_since(node->child, version);
    }
}

static const char full_event[] = CALENDAR(
    "REQUEST", "LOCATION:Room 5\r\nORGANIZER;CN=Ann:mailto:ann@x.test\r\nATTENDEE;RSVP=TRUE:mailto:bob@x.test\r\n"
               "RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=5\r\nCLASS:CONFIDENTIAL\r\nSEQUENCE:2\r\n"
               "X-MICROSOFT-CDO-INTENDEDSTATUS:WORKINGELSEWHERE\r\nX-MICROSOFT-DISALLOW-COUNTER:TRUE\r\n"
               "BEGIN:VALARM\r\nTRIGGER:-PT10M\r\nEND:VALARM\r\n");

/* MS-ASEMAIL 2.2.2.48: the children, their order and the version that has each. "*": any text. */
Test(eas_meeting, elements_of_every_version)
{
    static const struct {
        uint16_t tag;
        int from, until; // versions that have it
        const char *text;
    } rows[] = {
        { WB_Email_AllDayEvent, 120, 161, "0" },
        { WB_Email_StartTime, 120, 161, "2026-03-02T11:00:00.000Z" },
        { WB_Email_DtStamp, 120, 161, "2026-03-01T08:00:00.000Z" },
        { WB_Email_EndTime, 120, 161, "2026-03-02T12:00:00.000Z" },
        { WB_Email_InstanceType, 120, 161, "1" },
        { WB_Email_Location, 120, 141, "Room 5" },
        { WB_AirSyncBase_Location, 160, 161, NULL },
        { WB_Email_Organizer, 120, 161, "\"Ann\" <ann@x.test>" },
        { WB_Email_Reminder, 120, 161, "600" },
        { WB_Email_ResponseRequested, 120, 161, "1" },
        { WB_Email_Recurrences, 120, 161, NULL },
        { WB_Email_Sensitivity, 120, 161, "3" },
        { WB_Email_BusyStatus, 120, 141, "2" },
        { WB_Email_BusyStatus, 160, 161, "4" },
        { WB_Email_TimeZone, 120, 161, "*" },
        { WB_Email_GlobalObjId, 120, 141, "*" },
        { WB_Calendar_UID, 160, 161, "u-1" },
        { WB_Email_DisallowNewTimeProposal, 140, 161, "1" },
        { WB_Email2_MeetingMessageType, 141, 161, "2" },
    };
    static const int versions[] = { 120, 121, 140, 141, 160, 161 };
    struct arena *arena = arena_open();
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
        struct eas_email email;
        struct wbxml_node *item = item_of(arena, versions[v], full_event, &email);
        struct wbxml_node *request = wbxml_child(item, WB_Email_MeetingRequest);
        cr_assert_not_null(request, "%d", versions[v]);
        const struct wbxml_node *next = request->child;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (versions[v] < rows[i].from || versions[v] > rows[i].until)
                continue;
            cr_assert_not_null(next, "%s at %d", wbxml_name(rows[i].tag), versions[v]);
            cr_expect_eq(next->tag, rows[i].tag, "%s where %s stands at %d", wbxml_name(next->tag),
                         wbxml_name(rows[i].tag), versions[v]);
            if (rows[i].text && *rows[i].text != '*')
                cr_expect(slice_eq(next->text, slice_of(rows[i].text)), "%s at %d: %.*s", wbxml_name(rows[i].tag),
                          versions[v], SLICE_ARG(next->text));
            next = next->next;
        }
        cr_expect_null(next, "%s at %d", next ? wbxml_name(next->tag) : "", versions[v]);
        expect_since(item->child, versions[v]);
        cr_expect(slice_eq(wbxml_child_text(item, WB_Email_MessageClass), SLICE_LIT("IPM.Schedule.Meeting.Request")));
        cr_expect(
            slice_eq(wbxml_child_text(item, WB_Email_ContentClass), SLICE_LIT("urn:content-classes:calendarmessage")));
        cr_expect_null(wbxml_child(item, WB_AirSyncBase_Attachments), "the calendar is the meeting");
        struct wbxml_node *rule = wbxml_child(wbxml_child(request, WB_Email_Recurrences), WB_Email_Recurrence);
        cr_expect(slice_eq(wbxml_child_text(rule, WB_Email_Type), SLICE_LIT("3")));
        cr_expect(slice_eq(wbxml_child_text(rule, WB_Email_WeekOfMonth), SLICE_LIT("1")));
        cr_expect(slice_eq(wbxml_child_text(rule, WB_Email_Occurrences), SLICE_LIT("5")));
        cr_expect_eq(wbxml_child(rule, WB_Email2_CalendarType) != NULL, versions[v] >= 140);
    }
    arena_close(&arena);
}

Test(eas_meeting, time_zone)
{
    struct arena *arena = arena_open();
    struct eas_email email;
    struct slice octets;
    struct wbxml_node *item = item_of(arena, 141, full_event, &email);
    struct slice text = wbxml_child_text(wbxml_child(item, WB_Email_MeetingRequest), WB_Email_TimeZone);
    cr_assert_eq(base64_take(text, arena, &octets), ERR_OK);
    cr_assert_eq(octets.len, EAS_TIME_ZONE_SIZE);
    const uint8_t *at = (const uint8_t *)octets.at;
    static const uint8_t bias[4] = { 0xC4, 0xFF, 0xFF, 0xFF }; // -60
    static const uint8_t october[16] = { 0, 0, 10, 0, 0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t march[16] = { 0, 0, 3, 0, 0, 0, 5, 0, 2, 0, 0, 0, 0, 0, 0, 0 };
    cr_expect_arr_eq(at, bias, 4);
    cr_expect_eq(at[4], 'W');
    cr_expect_arr_eq(at + 68, october, 16);
    cr_expect_arr_eq(at + 152, march, 16);
    cr_expect_arr_eq(at + 168, bias, 4, "summer is an hour ahead");
    uint8_t utc[EAS_TIME_ZONE_SIZE], zero[EAS_TIME_ZONE_SIZE] = { 0 };
    eas_time_zone_pack(&(struct calendar_zone){ 0 }, utc);
    cr_expect_arr_eq(utc, zero, sizeof zero, "UTC is all zero");
    arena_close(&arena);
}

Test(eas_meeting, global_object_id)
{
    static const uint8_t head[16] = { 4, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 8 };
    struct buf out = { 0 };
    struct calendar_meeting meeting = { .uid = SLICE_LIT("u-1") };
    eas_global_object_id(&meeting, &out);
    const uint8_t *at = (const uint8_t *)buf_slice(&out).at;
    cr_expect_arr_eq(at, head, 16);
    cr_expect_eq(buf_len(&out), 40 + 8 + 4 + 3 + 1);
    cr_expect_eq(at[36], 8 + 4 + 3 + 1);
    cr_expect_arr_eq(at + 40, "vCal-Uid\1\0\0\0u-1", 16);
    buf_clear(&out);
    meeting = (struct calendar_meeting){ .uid = SLICE_LIT("040000008200E00074C5B7101A82E00800000000A0B1C2D3E4F506070000"
                                                          "0000000000001000000000112233445566778899AABBCCDDEEFF"),
                                         .is_instance = true,
                                         .recurrence_id_us = INT64_C(1772449200000000) };
    eas_global_object_id(&meeting, &out);
    at = (const uint8_t *)buf_slice(&out).at;
    cr_expect_eq(buf_len(&out), 56, "Exchange's own, from hexadecimal: %zu", buf_len(&out));
    static const uint8_t date[4] = { 0x07, 0xEA, 3, 2 };
    cr_expect_arr_eq(at + 16, date, 4, "the day of the instance");
    cr_expect_eq(at[55], 0xFF);
    buf_free(&out);
}

Test(eas_meeting, kinds)
{
    static const struct {
        const char *name, *calendar, *class, *instance; // instance NULL: no MeetingRequest
        int version;
        bool proposed;
    } rows[] = {
        { "request", CALENDAR("REQUEST", ""), "IPM.Schedule.Meeting.Request", "0", 161, false },
        { "cancel", CALENDAR("CANCEL", ""), "IPM.Schedule.Meeting.Canceled", "0", 161, false },
        { "accepted", CALENDAR("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@x.test\r\n"),
          "IPM.Schedule.Meeting.Resp.Pos", "0", 161, false },
        { "tentative", CALENDAR("REPLY", "ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@x.test\r\n"),
          "IPM.Schedule.Meeting.Resp.Tent", "0", 141, false },
        { "declined", CALENDAR("REPLY", "ATTENDEE;PARTSTAT=DECLINED:mailto:b@x.test\r\n"),
          "IPM.Schedule.Meeting.Resp.Neg", "0", 121, false },
        { "another time", CALENDAR("COUNTER", "ATTENDEE:mailto:b@x.test\r\n"), "IPM.Schedule.Meeting.Resp.Tent", "0",
          161, true },
        { "another time, before 16.1", CALENDAR("COUNTER", ""), "IPM.Schedule.Meeting.Resp.Tent", "0", 160, false },
        { "an instance", CALENDAR("REQUEST", "RECURRENCE-ID;TZID=W. Europe:20260302T120000\r\n"),
          "IPM.Schedule.Meeting.Request", "2", 141, false },
        { "a moved one", CALENDAR("REQUEST", "RECURRENCE-ID;TZID=W. Europe:20260302T090000\r\n"),
          "IPM.Schedule.Meeting.Request", "3", 141, false },
        { "a rule without words", CALENDAR("REQUEST", "RRULE:FREQ=MINUTELY\r\n"), "IPM.Note", NULL, 141, false },
        { "nonsense", "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", "IPM.Note", NULL, 141, false },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_email email;
        struct wbxml_node *item = item_of(arena, rows[i].version, rows[i].calendar, &email);
        struct wbxml_node *request = wbxml_child(item, WB_Email_MeetingRequest);
        struct slice class = wbxml_child_text(item, WB_Email_MessageClass);
        cr_expect(slice_eq(class, slice_of(rows[i].class)), "%s: %.*s", rows[i].name, SLICE_ARG(class));
        cr_expect_eq(request != NULL, rows[i].instance != NULL, "%s", rows[i].name);
        cr_expect_eq(wbxml_child(item, WB_AirSyncBase_Attachments) != NULL, rows[i].instance == NULL,
                     "%s: the calendar stays in reach when it is no meeting", rows[i].name);
        if (!request || !rows[i].instance)
            continue;
        struct slice instance = wbxml_child_text(request, WB_Email_InstanceType);
        cr_expect(slice_eq(instance, slice_of(rows[i].instance)), "%s: %.*s", rows[i].name, SLICE_ARG(instance));
        cr_expect_eq(wbxml_child(request, WB_MeetingResponse_ProposedStartTime) != NULL, rows[i].proposed, "%s",
                     rows[i].name);
    }
    arena_close(&arena);
}

#define REPORT(type, body) \
    "Content-Type: multipart/report; report-type=x; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" \
    "--b\r\nContent-Type: message/" type "\r\n\r\n" body "\r\n--b--\r\n"
#define SIGNED(protocol) \
    "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" \
    "--b\r\nContent-Type: application/" protocol "-signature; name=s\r\n\r\nx\r\n--b--\r\n"

/* MS-ASEMAIL 2.2.2.49 */
Test(eas_message_class, rows)
{
    static const struct {
        const char *raw, *class;
        bool smime;
    } rows[] = {
        { "Subject: x\r\n\r\nx\r\n", "IPM.Note", false },
        { REPORT("delivery-status", "Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
          "REPORT.IPM.NOTE.NDR", false },
        { REPORT("delivery-status", "Reporting-MTA: dns; x\r\n\r\nAction: delivered\r\n\r\nAction: failed\r\n"),
          "REPORT.IPM.NOTE.NDR", false },
        { REPORT("delivery-status", "Reporting-MTA: dns; x\r\n\r\nAction: relayed\r\n"), "REPORT.IPM.NOTE.DR", false },
        { REPORT("delivery-status", "Reporting-MTA: dns; x\r\n\r\nAction: delayed\r\n"), "REPORT.IPM.NOTE.DELAYED",
          false },
        { REPORT("delivery-status", "nothing"), "IPM.Note", false },
        { REPORT("disposition-notification", "Disposition: manual-action/MDN-sent-manually; displayed\r\n"),
          "REPORT.IPM.NOTE.IPNRN", false },
        { REPORT("disposition-notification", "Disposition: automatic-action/MDN-sent-automatically; deleted\r\n"),
          "REPORT.IPM.NOTE.IPNNRN", false },
        { REPORT("disposition-notification", "nothing"), "IPM.Note", false },
        { "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n", "IPM.Note.SMIME", true },
        { "Content-Type: application/x-pkcs7-mime; smime-type=signed-data\r\n\r\nx\r\n", "IPM.Note.SMIME", true },
        { "Content-Type: application/pkcs7-mime; smime-type=signed-receipt\r\n\r\nx\r\n", "IPM.Note.Receipt.SMIME",
          true },
        { SIGNED("pkcs7"), "IPM.Note.SMIME.MultipartSigned", true },
        { SIGNED("x-pkcs7"), "IPM.Note.SMIME.MultipartSigned", true },
        { SIGNED("pgp"), "IPM.Note", false },
        { "Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n", "IPM.Note", false },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mime_meta meta;
        struct slice raw = slice_of(rows[i].raw);
        mime_describe(raw, arena, &meta);
        size_t part = eas_report_part(&meta);
        enum eas_report report = EAS_REPORT_NONE;
        if (part != SIZE_MAX)
            report =
                eas_report_read(&meta, part, slice_make(raw.at + meta.parts[part].body_at, meta.parts[part].body_len));
        bool receipt = eas_is_smime_receipt(slice_head(raw, meta.header_len));
        const char *class = eas_message_class(&meta, report, receipt);
        cr_expect_str_eq(class, rows[i].class, "%s", rows[i].raw);
        cr_expect_eq(eas_is_smime(&meta), rows[i].smime, "%s", rows[i].raw);
    }
    arena_close(&arena);
}
