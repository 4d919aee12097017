/* Meetings in mail: RFC 5545 and RFC 5546 as MS-ASEMAIL can say them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/buf.h"
#include "protocol/mime/calendar.h"

#define US INT64_C(1000000)
#define AT 1772449200 // 2026-03-02T11:00:00Z, a Monday
#define BERLIN \
    "BEGIN:VTIMEZONE\r\nTZID:W. Europe\r\n" \
    "BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n" \
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n" \
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" \
    "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
#define START "DTSTART;TZID=W. Europe:20260302T120000\r\n"

static enum err read_event(struct arena *arena, const char *method, const char *event, struct calendar_meeting *meeting)
{
    const char *text = arena_printf(arena,
                                    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n%s" BERLIN "BEGIN:VEVENT\r\n%sEND:VEVENT\r\n"
                                    "END:VCALENDAR\r\n",
                                    method, event);
    *meeting = (struct calendar_meeting){ 0 };
    return calendar_read(slice_of(text), SLICE_LIT("bob@x.test"), arena, meeting);
}

static void expect(struct slice found, const char *text, const char *name)
{
    cr_expect(slice_eq(found, slice_of(text)), "%s: %.*s", name, SLICE_ARG(found));
}

Test(calendar, all_of_a_request)
{
    struct arena *arena = arena_open();
    struct calendar_meeting m;
    cr_assert_eq(read_event(arena, "METHOD:REQUEST\r\n",
                            "UID:u-1@x.test\r\nDTSTAMP:20260301T080000Z\r\n" START
                            "DTEND;TZID=W. Europe:20260302T133000\r\nSUMMARY:Plan\\, part "
                            "2\r\nDESCRIPTION:One\\nTwo\r\nLOCATION:Room\\; 5\r\n"
                            "ORGANIZER;CN=\"Ann, Boss\":MAILTO:ann@x.test\r\nSEQUENCE:3\r\nCLASS:PRIVATE\r\n"
                            "ATTENDEE;RSVP=FALSE:mailto:carl@x.test\r\nATTENDEE;RSVP=TRUE:mailto:BOB@x.test\r\n"
                            "X-MICROSOFT-CDO-INTENDEDSTATUS:OOF\r\nX-MICROSOFT-DISALLOW-COUNTER:TRUE\r\n"
                            "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\n",
                            &m),
                 ERR_OK);
    cr_expect_eq(m.method, CALENDAR_REQUEST);
    expect(m.uid, "u-1@x.test", "uid");
    expect(m.summary, "Plan, part 2", "summary");
    expect(m.location, "Room; 5", "location");
    expect(m.description, "One\nTwo", "description");
    expect(m.organizer, "\"Ann, Boss\" <ann@x.test>", "organizer");
    expect(m.zone.name, "W. Europe", "zone");
    cr_expect_eq(m.start_us, AT * US, "%ld", (long)m.start_us);
    cr_expect_eq(m.end_us, (AT + 5400) * US);
    cr_expect_eq(m.stamp_us, 1772352000 * US);
    cr_expect_eq(m.sequence, 3);
    cr_expect_eq(m.sensitivity, 2);
    cr_expect_eq(m.busy, 3);
    cr_expect_eq(m.reminder_s, 900);
    cr_expect(m.wants_answer && m.refuses_proposals && !m.all_day && !m.is_series && !m.is_instance);
    cr_expect(m.zone.has_daylight && m.zone.standard_min == 60 && m.zone.daylight_min == 120);
    cr_expect(m.zone.to_daylight.month == 3 && m.zone.to_daylight.week == 5 && m.zone.to_daylight.weekday == 0 &&
              m.zone.to_daylight.hour == 2);
    cr_expect(m.zone.to_standard.month == 10 && m.zone.to_standard.hour == 3);
    arena_close(&arena);
}

Test(calendar, times)
{
    static const struct {
        const char *name, *event;
        enum err err;
        int64_t start_s, length_s;
        bool all_day;
    } rows[] = {
        { "UTC", "DTSTART:20260302T110000Z\r\nDTEND:20260302T120000Z\r\n", ERR_OK, AT, 3600, false },
        { "winter", START, ERR_OK, AT, 0, false },
        { "summer", "DTSTART;TZID=W. Europe:20260702T120000\r\n", ERR_OK, 1782986400, 0, false },
        { "the last hour of winter", "DTSTART;TZID=W. Europe:20260329T015900\r\n", ERR_OK, 1774745940, 0, false },
        { "the first of summer", "DTSTART;TZID=W. Europe:20260329T030000\r\n", ERR_OK, 1774746000, 0, false },
        { "a zone by its name", "DTSTART;TZID=America/New_York:20260302T060000\r\n", ERR_OK, AT, 0, false },
        { "its summer", "DTSTART;TZID=America/New_York:20260702T060000\r\n", ERR_OK, 1782986400, 0, false },
        { "the southern half", "DTSTART;TZID=Australia/Sydney:20260302T220000\r\n", ERR_OK, AT, 0, false },
        { "a zone without summer", "DTSTART;TZID=Asia/Kolkata:20260302T163000\r\n", ERR_OK, AT, 0, false },
        { "duration", START "DURATION:PT1H30M\r\n", ERR_OK, AT, 5400, false },
        { "a day", "DTSTART;VALUE=DATE:20260302\r\n", ERR_OK, AT - 43200, 86400, true },
        { "days", "DTSTART;VALUE=DATE:20260302\r\nDTEND;VALUE=DATE:20260304\r\n", ERR_OK, AT - 43200, 172800, true },
        { "no start", "", ERR_SYNTAX, 0, 0, false },
        { "unknown zone", "DTSTART;TZID=Mars/Base:20260302T120000\r\n", ERR_SYNTAX, 0, 0, false },
        { "a zone that is a path", "DTSTART;TZID=../../etc/passwd:20260302T120000\r\n", ERR_SYNTAX, 0, 0, false },
        { "end before start", START "DTEND;TZID=W. Europe:20260302T110000\r\n", ERR_SYNTAX, 0, 0, false },
        { "end that is none", START "DTEND:tomorrow\r\n", ERR_SYNTAX, 0, 0, false },
        { "for ever", START "DURATION:P9000W\r\n", ERR_SYNTAX, 0, 0, false },
        { "a start that is a number", "DTSTART;VALUE=INTEGER:5\r\n", ERR_SYNTAX, 0, 0, false },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct calendar_meeting m;
        const char *event = arena_printf(arena, "UID:u\r\n%s", rows[i].event);
        enum err err = read_event(arena, "METHOD:REQUEST\r\n", event, &m);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
        if (err || rows[i].err)
            continue;
        cr_expect_eq(m.start_us, rows[i].start_s * US, "%s: %ld", rows[i].name, (long)(m.start_us / US));
        cr_expect_eq(m.end_us - m.start_us, rows[i].length_s * US, "%s: %ld", rows[i].name,
                     (long)(m.end_us - m.start_us));
        cr_expect_eq(m.all_day, rows[i].all_day, "%s", rows[i].name);
    }
    arena_close(&arena);
}

Test(calendar, rules)
{
    static const struct {
        const char *rule;
        enum err err;
        struct calendar_rule want;
    } rows[] = {
        { "FREQ=DAILY;COUNT=10", ERR_OK, { .type = 0, .interval = 1, .occurrences = 10, .first_day_of_week = 1 } },
        { "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
          ERR_OK,
          { .type = 1, .interval = 1, .day_of_week = 62, .first_day_of_week = 1 } },
        { "FREQ=WEEKLY;INTERVAL=2;WKST=SU", ERR_OK, { .type = 1, .interval = 2, .day_of_week = 2 } },
        { "FREQ=WEEKLY;BYDAY=SU,SA;UNTIL=20261231T110000Z",
          ERR_OK,
          { .type = 1, .interval = 1, .day_of_week = 65, .until_us = 1798714800 * US, .first_day_of_week = 1 } },
        { "FREQ=MONTHLY", ERR_OK, { .type = 2, .interval = 1, .day_of_month = 2, .first_day_of_week = 1 } },
        { "FREQ=MONTHLY;BYMONTHDAY=31",
          ERR_OK,
          { .type = 2, .interval = 1, .day_of_month = 31, .first_day_of_week = 1 } },
        { "FREQ=MONTHLY;BYMONTHDAY=-1",
          ERR_OK,
          { .type = 3, .interval = 1, .week_of_month = 5, .day_of_week = 127, .first_day_of_week = 1 } },
        { "FREQ=MONTHLY;BYDAY=2TU",
          ERR_OK,
          { .type = 3, .interval = 1, .week_of_month = 2, .day_of_week = 4, .first_day_of_week = 1 } },
        { "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
          ERR_OK,
          { .type = 3, .interval = 1, .week_of_month = 5, .day_of_week = 62, .first_day_of_week = 1 } },
        { "FREQ=YEARLY",
          ERR_OK,
          { .type = 5, .interval = 1, .day_of_month = 2, .month_of_year = 3, .first_day_of_week = 1 } },
        { "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
          ERR_OK,
          { .type = 6,
            .interval = 1,
            .week_of_month = 4,
            .day_of_week = 16,
            .month_of_year = 11,
            .first_day_of_week = 1 } },
        { "FREQ=HOURLY", ERR_SYNTAX, { 0 } },
        { "FREQ=MONTHLY;BYMONTHDAY=1,15", ERR_SYNTAX, { 0 } },
        { "FREQ=MONTHLY;BYDAY=1MO,3TU", ERR_SYNTAX, { 0 } },
        { "FREQ=YEARLY;BYYEARDAY=100", ERR_SYNTAX, { 0 } },
        { "FREQ=YEARLY;BYMONTH=1,7", ERR_SYNTAX, { 0 } },
        { "FREQ=WEEKLY;INTERVAL=1000", ERR_SYNTAX, { 0 } },
        { "FREQ=WEEKLY;COUNT=1000", ERR_SYNTAX, { 0 } },
        { "FREQ=SOMETIMES", ERR_SYNTAX, { 0 } },
        { "nothing", ERR_SYNTAX, { 0 } },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct calendar_meeting m;
        const char *event = arena_printf(arena, "UID:u\r\n" START "RRULE:%s\r\n", rows[i].rule);
        enum err err = read_event(arena, "METHOD:REQUEST\r\n", event, &m);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].rule, err_name(err));
        if (err || rows[i].err)
            continue;
        const struct calendar_rule *want = &rows[i].want;
        cr_expect(m.is_series && m.rule.type == want->type && m.rule.interval == want->interval &&
                      m.rule.occurrences == want->occurrences && m.rule.until_us == want->until_us &&
                      m.rule.week_of_month == want->week_of_month && m.rule.day_of_month == want->day_of_month &&
                      m.rule.day_of_week == want->day_of_week && m.rule.month_of_year == want->month_of_year &&
                      m.rule.first_day_of_week == want->first_day_of_week,
                  "%s: type %d every %d, week %d day %d days %d month %d first %d until %ld", rows[i].rule, m.rule.type,
                  m.rule.interval, m.rule.week_of_month, m.rule.day_of_month, m.rule.day_of_week, m.rule.month_of_year,
                  m.rule.first_day_of_week, (long)m.rule.until_us);
    }
    arena_close(&arena);
}

Test(calendar, kinds)
{
    static const struct {
        const char *name, *method, *event;
        enum err err;
        enum calendar_method found;
        enum calendar_answer answer;
    } rows[] = {
        { "request", "METHOD:REQUEST\r\n", "UID:u\r\n" START, ERR_OK, CALENDAR_REQUEST, 0 },
        { "small letters", "method:request\r\n", "uid:u\r\n" START, ERR_OK, CALENDAR_REQUEST, 0 },
        { "cancel", "METHOD:CANCEL\r\n", "UID:u\r\n" START, ERR_OK, CALENDAR_CANCEL, 0 },
        { "counter", "METHOD:COUNTER\r\n", "UID:u\r\n" START, ERR_OK, CALENDAR_COUNTER, 0 },
        { "accepted", "METHOD:REPLY\r\n", "UID:u\r\n" START "ATTENDEE;PARTSTAT=ACCEPTED:mailto:b@x.test\r\n", ERR_OK,
          CALENDAR_REPLY, CALENDAR_ACCEPTED },
        { "tentative", "METHOD:REPLY\r\n", "UID:u\r\n" START "ATTENDEE;PARTSTAT=TENTATIVE:mailto:b@x.test\r\n", ERR_OK,
          CALENDAR_REPLY, CALENDAR_TENTATIVE },
        { "declined", "METHOD:REPLY\r\n", "UID:u\r\n" START "ATTENDEE;PARTSTAT=DECLINED:mailto:b@x.test\r\n", ERR_OK,
          CALENDAR_REPLY, CALENDAR_DECLINED },
        { "a reply that says nothing", "METHOD:REPLY\r\n", "UID:u\r\n" START, ERR_SYNTAX, 0, 0 },
        { "published", "METHOD:PUBLISH\r\n", "UID:u\r\n" START, ERR_NOT_FOUND, 0, 0 },
        { "no method", "", "UID:u\r\n" START, ERR_NOT_FOUND, 0, 0 },
        { "no uid", "METHOD:REQUEST\r\n", START, ERR_SYNTAX, 0, 0 },
        { "a uid that is a number", "METHOD:REQUEST\r\n", "UID;VALUE=INTEGER:7\r\n" START, ERR_OK, CALENDAR_REQUEST,
          0 },
        { "values of other types", "METHOD:REQUEST\r\n",
          "UID:u\r\n" START "ATTENDEE;VALUE=INTEGER:5\r\nORGANIZER;VALUE=INTEGER:5\r\nSEQUENCE;VALUE=TEXT:x\r\n"
          "X-LIC-ERROR;VALUE=INTEGER:5\r\nSUMMARY;VALUE=INTEGER:5\r\n",
          ERR_OK, CALENDAR_REQUEST, 0 },
        { "further dates", "METHOD:REQUEST\r\n", "UID:u\r\n" START "RDATE:20260402T120000Z\r\n", ERR_SYNTAX, 0, 0 },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct calendar_meeting m;
        enum err err = read_event(arena, rows[i].method, rows[i].event, &m);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
        if (!err && !rows[i].err)
            cr_expect(m.method == rows[i].found && m.answer == rows[i].answer, "%s", rows[i].name);
    }
    struct calendar_meeting m;
    cr_expect_eq(read_event(arena, "METHOD:REQUEST\r\n",
                            "UID:u\r\n" START "RECURRENCE-ID;TZID=W. Europe:20260301T120000\r\n", &m),
                 ERR_OK);
    cr_expect(m.is_instance && m.is_moved && m.recurrence_id_us == (AT - 86400) * US);
    cr_expect_eq(calendar_read(SLICE_LIT("no calendar"), SLICE_LIT(""), arena, &m), ERR_SYNTAX);
    cr_expect_eq(calendar_read(SLICE_LIT(""), SLICE_LIT(""), arena, &m), ERR_SYNTAX);
    arena_close(&arena);
}

/* Each limit, and the last that is within it. */
Test(calendar, limits)
{
    struct arena *arena = arena_open();
    struct calendar_meeting m;
    for (unsigned over = 0; over < 2; over++) {
        struct buf text = { 0 };
        buf_add_text(&text, "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u\r\n" START);
        for (unsigned i = 0; i < CALENDAR_DEPTH_MAX - 2 + over; i++)
            buf_add_text(&text, "BEGIN:X-A\r\n");
        for (unsigned i = 0; i < CALENDAR_DEPTH_MAX - 2 + over; i++)
            buf_add_text(&text, "END:X-A\r\n");
        buf_add_text(&text, "END:VEVENT\r\n" BERLIN "END:VCALENDAR\r\n");
        cr_expect_eq(calendar_read(buf_slice(&text), SLICE_LIT(""), arena, &m), over ? ERR_LIMIT : ERR_OK, "depth %u",
                     over);
        buf_clear(&text);
        buf_add_text(&text,
                     "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u\r\n" START "END:VEVENT\r\n" BERLIN);
        for (unsigned i = 0; i < CALENDAR_COMPONENTS_MAX - 5 + over; i++)
            buf_add_text(&text, "BEGIN:VTODO\r\nEND:VTODO\r\n");
        buf_add_text(&text, "END:VCALENDAR\r\n");
        cr_expect_eq(calendar_read(buf_slice(&text), SLICE_LIT(""), arena, &m), over ? ERR_LIMIT : ERR_OK,
                     "components");
        buf_clear(&text);
        buf_add_text(&text,
                     "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u\r\n" START "END:VEVENT\r\n" BERLIN);
        unsigned lines = (unsigned)slice_count(buf_slice(&text), '\n');
        for (unsigned i = lines; i < CALENDAR_LINES_MAX - 1 + over; i++)
            buf_add_text(&text, "\r\n");
        buf_add_text(&text, "END:VCALENDAR\r\n");
        cr_expect_eq(calendar_read(buf_slice(&text), SLICE_LIT(""), arena, &m), over ? ERR_LIMIT : ERR_OK, "lines");
        buf_clear(&text);
        buf_add_text(&text, "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u\r\n" START "DESCRIPTION:");
        struct slice end = SLICE_LIT("\r\nEND:VEVENT\r\n" BERLIN "END:VCALENDAR\r\n");
        while (buf_len(&text) < CALENDAR_MAX - end.len + over)
            buf_add_byte(&text, 'x');
        buf_add(&text, end);
        cr_expect_eq(calendar_read(buf_slice(&text), SLICE_LIT(""), arena, &m), over ? ERR_LIMIT : ERR_OK, "octets");
        buf_clear(&text);
        for (unsigned i = 0; i < CALENDAR_UID_MAX + over; i++)
            buf_add_byte(&text, 'u');
        const char *event = arena_printf(arena, "UID:%.*s\r\n" START, SLICE_ARG(buf_slice(&text)));
        cr_expect_eq(read_event(arena, "METHOD:REQUEST\r\n", event, &m), over ? ERR_SYNTAX : ERR_OK, "uid");
        buf_clear(&text);
        while (buf_len(&text) < CALENDAR_DESCRIPTION_MAX + over)
            buf_add_byte(&text, 'd');
        event = arena_printf(arena, "UID:u\r\n" START "DESCRIPTION:%.*s\r\nLOCATION:%.*s\r\n",
                             SLICE_ARG(buf_slice(&text)), (int)(CALENDAR_TEXT_MAX + over), buf_slice(&text).at);
        cr_assert_eq(read_event(arena, "METHOD:REQUEST\r\n", event, &m), ERR_OK);
        cr_expect_eq(m.description.len, CALENDAR_DESCRIPTION_MAX, "description");
        cr_expect_eq(m.location.len, CALENDAR_TEXT_MAX, "location");
        buf_free(&text);
    }
    arena_close(&arena);
}
