/* Answers to meeting requests (RFC 5546 3.2.3). */
#include <criterion/criterion.h>

#include "protocol/mime/itip.h"

#define CALENDAR(method, event) \
    "BEGIN:VCALENDAR\r\nPRODID:-//x//EN\r\nVERSION:2.0\r\nMETHOD:" method "\r\n" event "END:VCALENDAR\r\n"
#define EVENT(more) \
    "BEGIN:VEVENT\r\nUID:m1@x\r\nSEQUENCE:3\r\nDTSTAMP:20261120T100000Z\r\nDTSTART:20261127T100000Z\r\nDTEND:20261127T110000Z\r\n" \
    "ORGANIZER;CN=\"Ann, Chair\":MAILTO:ann@example.org\r\nATTENDEE;CN=Bob;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:Bob@Example.Test\r\n" \
    "ATTENDEE:mailto:carol@example.test\r\nSUMMARY:Talk\\, long\r\n" more "END:VEVENT\r\n"

static struct arena *arena;

static void setup(void)
{
    arena = arena_open();
}

static void teardown(void)
{
    arena_close(&arena);
}

TestSuite(itip, .init = setup, .fini = teardown);

Test(itip, what_asks_and_what_does_not)
{
    static const struct {
        const char *name, *calendar;
        enum err err;
        bool recurring;
    } rows[] = {
        { "a request", CALENDAR("REQUEST", EVENT("")), ERR_OK, false },
        { "a series", CALENDAR("REQUEST", EVENT("RRULE:FREQ=DAILY;COUNT=3\r\n")), ERR_OK, true },
        { "dates", CALENDAR("REQUEST", EVENT("RDATE:20261128T100000Z\r\n")), ERR_OK, true },
        { "a cancellation", CALENDAR("CANCEL", EVENT("")), ERR_SYNTAX, false },
        { "published", CALENDAR("PUBLISH", EVENT("")), ERR_SYNTAX, false },
        { "no event", CALENDAR("REQUEST", ""), ERR_SYNTAX, false },
        { "no organizer", CALENDAR("REQUEST", "BEGIN:VEVENT\r\nUID:m1\r\nEND:VEVENT\r\n"), ERR_SYNTAX, false },
        { "no address", CALENDAR("REQUEST", "BEGIN:VEVENT\r\nUID:m1\r\nORGANIZER:ann\r\nEND:VEVENT\r\n"), ERR_SYNTAX, false },
        { "no id", CALENDAR("REQUEST", "BEGIN:VEVENT\r\nORGANIZER:mailto:a@x\r\nEND:VEVENT\r\n"), ERR_SYNTAX, false },
        { "no calendar", "Hello\r\n", ERR_SYNTAX, false },
        { "nothing", "", ERR_SYNTAX, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct itip_request request = { 0 };
        cr_expect_eq(itip_read(slice_of(rows[i].calendar), arena, &request), rows[i].err, "%s", rows[i].name);
        cr_expect_eq(request.recurring, rows[i].recurring, "%s", rows[i].name);
        if (rows[i].err)
            continue;
        cr_expect(slice_eq(request.uid, SLICE_LIT("m1@x")), "%s", rows[i].name);
        cr_expect(slice_eq(request.organizer, SLICE_LIT("ann@example.org")), "%s", rows[i].name);
        cr_expect(slice_eq(request.summary, SLICE_LIT("Talk, long")), "%.*s", SLICE_ARG(request.summary));
    }
}

Test(itip, a_calendar_has_a_limit)
{
    struct itip_request request;
    char *big = arena_alloc(arena, ITIP_MAX + 1);
    memset(big, 'x', ITIP_MAX + 1);
    cr_expect_eq(itip_read(slice_make(big, ITIP_MAX), arena, &request), ERR_SYNTAX);
    cr_expect_eq(itip_read(slice_make(big, ITIP_MAX + 1), arena, &request), ERR_LIMIT);
    struct buf text = { 0 };
    for (unsigned i = 0; i < ITIP_LINES_MAX; i++)
        buf_add_text(&text, "x\r\n");
    cr_expect_eq(itip_read(buf_slice(&text), arena, &request), ERR_SYNTAX);
    buf_add_text(&text, "x\r\n");
    cr_expect_eq(itip_read(buf_slice(&text), arena, &request), ERR_LIMIT);
    buf_clear(&text);
    for (unsigned i = 0; i < ITIP_COMPONENTS_MAX; i++)
        buf_add_text(&text, "begin:VEVENT\r\n");
    cr_expect_eq(itip_read(buf_slice(&text), arena, &request), ERR_SYNTAX);
    buf_add_text(&text, "begin:VEVENT\r\n");
    cr_expect_eq(itip_read(buf_slice(&text), arena, &request), ERR_LIMIT);
    buf_free(&text);
}

static const char *unfolded(struct buf *out)
{
    struct buf text = { 0 };
    struct slice s = buf_slice(out);
    for (size_t i = 0; i < s.len; i++)
        if (slice_starts(slice_tail(s, i), SLICE_LIT("\r\n ")))
            i += 2;
        else
            buf_add_byte(&text, s.at[i]);
    char *copy = arena_text(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

#define NOON INT64_C(1795780800000000) // 2026-11-27T12:00:00Z
#define WEEK_LATER INT64_C(1796378400000000) // 2026-12-04T10:00:00Z

Test(itip, answers)
{
    static const struct {
        const char *name, *event;
        struct itip_reply reply;
        const char *has[6], *lacks[2];
    } rows[] = {
        { "accepted", EVENT(""), { .attendee = { "bob@example.test", 16 }, .answer = ITIP_ACCEPTED },
          { "METHOD:REPLY\r\n", "UID:m1@x\r\n", "SEQUENCE:3\r\n", "MAILTO:ann@example.org\r\n", "PARTSTAT=ACCEPTED", "DTSTAMP:20261127T120000Z\r\n" },
          { "carol", "RSVP" } },
        { "the attendee as the request has him", EVENT(""), { .attendee = { "bob@example.test", 16 }, .answer = ITIP_TENTATIVE },
          { "PARTSTAT=TENTATIVE", "CN=Bob", "mailto:Bob@Example.Test\r\n", "CN=\"Ann, Chair\"", "DTSTART:20261127T100000Z\r\n", "SUMMARY:Talk\\, long\r\n" },
          { "NEEDS-ACTION", "RECURRENCE-ID" } },
        { "somebody who was not named", EVENT(""), { .attendee = { "dan@example.test", 16 }, .answer = ITIP_DECLINED },
          { "PARTSTAT=DECLINED:mailto:dan@example.test\r\n" }, { "Bob", "carol" } },
        { "one of a series", EVENT("RRULE:FREQ=WEEKLY\r\n"), { .attendee = { "bob@example.test", 16 }, .answer = ITIP_DECLINED, .instance_us = WEEK_LATER },
          { "RECURRENCE-ID:20261204T100000Z\r\n" }, { "RRULE", "DTSTART" } },
        { "one that stands apart", EVENT("RECURRENCE-ID:20261204T100000Z\r\n"), { .attendee = { "bob@example.test", 16 }, .answer = ITIP_ACCEPTED },
          { "RECURRENCE-ID:20261204T100000Z\r\n" }, { NULL } },
        { "another time", EVENT(""),
          { .attendee = { "bob@example.test", 16 }, .answer = ITIP_TENTATIVE, .proposed_start_us = WEEK_LATER, .proposed_end_us = WEEK_LATER + INT64_C(3600000000) },
          { "METHOD:COUNTER\r\n", "DTSTART:20261204T100000Z\r\n", "DTEND:20261204T110000Z\r\n" }, { "20261127T100000Z" } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct itip_reply reply = rows[i].reply;
        struct buf out = { 0 };
        char *calendar = arena_printf(arena, CALENDAR("REQUEST", "%s"), rows[i].event);
        reply.now_us = NOON;
        cr_assert_eq(itip_reply_write(slice_of(calendar), &reply, &out), ERR_OK, "%s", rows[i].name);
        const char *text = unfolded(&out);
        for (size_t k = 0; k < 6 && rows[i].has[k]; k++)
            cr_expect(strstr(text, rows[i].has[k]), "%s: no %s in\n%s", rows[i].name, rows[i].has[k], text);
        for (size_t k = 0; k < 2 && rows[i].lacks[k]; k++)
            cr_expect(!strstr(text, rows[i].lacks[k]), "%s: %s in\n%s", rows[i].name, rows[i].lacks[k], text);
        buf_free(&out);
    }
}

Test(itip, the_instance_is_found_among_several)
{
    struct buf out = { 0 };
    struct itip_reply reply = { .attendee = SLICE_LIT("bob@example.test"), .answer = ITIP_ACCEPTED, .instance_us = WEEK_LATER, .now_us = NOON };
    const char *calendar = CALENDAR("REQUEST", EVENT("RRULE:FREQ=WEEKLY\r\n")
                                    "BEGIN:VEVENT\r\nUID:m1@x\r\nSEQUENCE:7\r\nRECURRENCE-ID:20261204T100000Z\r\nDTSTART:20261204T150000Z\r\n"
                                    "ORGANIZER:mailto:ann@example.org\r\nEND:VEVENT\r\n");
    cr_assert_eq(itip_reply_write(slice_of(calendar), &reply, &out), ERR_OK);
    cr_expect(strstr(unfolded(&out), "SEQUENCE:7\r\n"), "%s", unfolded(&out));
    cr_expect(strstr(unfolded(&out), "DTSTART:20261204T150000Z\r\n"));
    buf_free(&out);
}
