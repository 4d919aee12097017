#include "protocol/eas/meeting.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "protocol/eas/base64.h"
#include "protocol/eas/date.h"

#define US_PER_S INT64_C(1000000)
#define ZONE_NAME_MAX 31u // characters in 32 places of 16 bits
#define BUSY_MAX_BEFORE_160 3

static void put_le32(uint8_t *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> 8 * i);
}

static void put_turn(uint8_t *to, const struct calendar_turn *turn) // SYSTEMTIME with year 0: every year
{
    to[2] = turn->month;
    to[4] = turn->weekday;
    to[6] = turn->week;
    to[8] = turn->hour;
    to[10] = turn->minute;
}

static void put_name(uint8_t *to, struct slice name)
{
    for (size_t i = 0; i < name.len && i < ZONE_NAME_MAX; i++)
        to[2 * i] = (uint8_t)name.at[i] < 0x80 ? (uint8_t)name.at[i] : '?';
}

void eas_time_zone_pack(const struct calendar_zone *zone, uint8_t octets[EAS_TIME_ZONE_SIZE])
{
    memset(octets, 0, EAS_TIME_ZONE_SIZE);
    put_le32(octets, (uint32_t)-zone->standard_min);
    put_name(octets + 4, zone->name);
    put_name(octets + 88, zone->name);
    if (!zone->has_daylight)
        return;
    put_turn(octets + 68, &zone->to_standard);
    put_turn(octets + 152, &zone->to_daylight);
    put_le32(octets + 168, (uint32_t)(zone->standard_min - zone->daylight_min));
}

static const uint8_t object_class[16] = { 0x04, 0x00, 0x00, 0x00, 0x82, 0x00, 0xE0, 0x00,
                                          0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08 };

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The UID that Exchange writes is its own identifier in hexadecimal. */
static bool add_hex_id(struct slice uid, struct buf *out)
{
    uint8_t octets[CALENDAR_UID_MAX / 2];
    if (uid.len % 2 || uid.len / 2 < 40 || uid.len / 2 > sizeof octets)
        return false;
    for (size_t i = 0; i < uid.len / 2; i++) {
        int high = hex_value(uid.at[2 * i]), low = hex_value(uid.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    if (memcmp(octets, object_class, sizeof object_class) != 0)
        return false;
    buf_add(out, slice_make(octets, uid.len / 2));
    return true;
}

/* Year (high octet first), month, day of an instance; zero for the meeting itself. */
static void instance_date(const struct calendar_meeting *meeting, uint8_t date[4])
{
    memset(date, 0, 4);
    if (!meeting->is_instance)
        return;
    int64_t utc_s = meeting->recurrence_id_us / US_PER_S;
    time_t local = (time_t)(utc_s + calendar_zone_offset_s(&meeting->zone, utc_s + meeting->zone.standard_min * 60));
    struct tm tm;
    if (!gmtime_r(&local, &tm))
        return;
    date[0] = (uint8_t)((tm.tm_year + 1900) >> 8);
    date[1] = (uint8_t)(tm.tm_year + 1900);
    date[2] = (uint8_t)(tm.tm_mon + 1);
    date[3] = (uint8_t)tm.tm_mday;
}

void eas_global_object_id(const struct calendar_meeting *meeting, struct buf *out)
{
    static const char mark[] = "vCal-Uid";
    uint8_t head[40] = { 0 }, date[4], one[4];
    instance_date(meeting, date);
    size_t start = buf_len(out);
    if (add_hex_id(meeting->uid, out)) {
        memcpy(out->bytes + out->start + start + 16, date, 4);
        return;
    }
    memcpy(head, object_class, sizeof object_class);
    memcpy(head + 16, date, 4);
    put_le32(head + 36, (uint32_t)(sizeof mark - 1 + sizeof one + meeting->uid.len + 1));
    put_le32(one, 1);
    buf_add(out, slice_make(head, sizeof head));
    buf_add_text(out, mark);
    buf_add(out, slice_make(one, sizeof one));
    buf_add(out, meeting->uid);
    buf_add_byte(out, '\0');
}

const char *eas_meeting_class(const struct calendar_meeting *meeting)
{
    static const char *const answers[] = {
        [CALENDAR_ACCEPTED] = "IPM.Schedule.Meeting.Resp.Pos",
        [CALENDAR_TENTATIVE] = "IPM.Schedule.Meeting.Resp.Tent",
        [CALENDAR_DECLINED] = "IPM.Schedule.Meeting.Resp.Neg",
    };
    switch (meeting->method) {
    case CALENDAR_REQUEST: return "IPM.Schedule.Meeting.Request";
    case CALENDAR_CANCEL: return "IPM.Schedule.Meeting.Canceled";
    case CALENDAR_COUNTER: return answers[CALENDAR_TENTATIVE]; // the answer that comes with another time
    default: return answers[meeting->answer];
    }
}

static void write_date(struct wbxml_writer *writer, uint16_t tag, int64_t us)
{
    char text[EAS_DATE_SIZE];
    eas_date_format(us, text);
    wbxml_cstr(writer, tag, text);
}

static void write_number(struct wbxml_writer *writer, uint16_t tag, uint32_t number)
{
    if (number)
        wbxml_u64(writer, tag, number);
}

static void write_rule(struct wbxml_writer *writer, int version, const struct calendar_rule *rule)
{
    wbxml_start(writer, WB_Email_Recurrences);
    wbxml_start(writer, WB_Email_Recurrence);
    wbxml_u64(writer, WB_Email_Type, rule->type);
    wbxml_u64(writer, WB_Email_Interval, rule->interval);
    if (rule->until_us)
        write_date(writer, WB_Email_Until, rule->until_us);
    write_number(writer, WB_Email_Occurrences, rule->occurrences);
    write_number(writer, WB_Email_WeekOfMonth, rule->week_of_month);
    write_number(writer, WB_Email_DayOfMonth, rule->day_of_month);
    write_number(writer, WB_Email_DayOfWeek, rule->day_of_week);
    write_number(writer, WB_Email_MonthOfYear, rule->month_of_year);
    if (version >= 140 && rule->type >= CALENDAR_MONTHLY)
        wbxml_cstr(writer, WB_Email2_CalendarType, "1"); // Gregorian
    if (version >= 140 && rule->type >= CALENDAR_YEARLY)
        wbxml_cstr(writer, WB_Email2_IsLeapMonth, "0");
    if (version >= 141 && rule->type == CALENDAR_WEEKLY)
        wbxml_u64(writer, WB_Email2_FirstDayOfWeek, rule->first_day_of_week);
    wbxml_end(writer, WB_Email_Recurrence);
    wbxml_end(writer, WB_Email_Recurrences);
}

static void write_location(struct wbxml_writer *writer, int version, struct slice location)
{
    if (!location.len)
        return;
    if (version < 160) {
        wbxml_text(writer, WB_Email_Location, location);
        return;
    }
    wbxml_start(writer, WB_AirSyncBase_Location);
    wbxml_text(writer, WB_AirSyncBase_DisplayName, location);
    wbxml_end(writer, WB_AirSyncBase_Location);
}

static void write_ids(struct wbxml_writer *writer, int version, const struct calendar_meeting *meeting)
{
    if (version >= 160) {
        wbxml_text(writer, WB_Calendar_UID, meeting->uid);
        return;
    }
    struct buf id = { 0 }, text = { 0 };
    eas_global_object_id(meeting, &id);
    base64_add(&text, buf_slice(&id));
    wbxml_text(writer, WB_Email_GlobalObjId, buf_slice(&text));
    buf_free(&id);
    buf_free(&text);
}

static void write_zone(struct wbxml_writer *writer, const struct calendar_zone *zone)
{
    uint8_t octets[EAS_TIME_ZONE_SIZE];
    struct buf text = { 0 };
    eas_time_zone_pack(zone, octets);
    base64_add(&text, slice_make(octets, sizeof octets));
    wbxml_text(writer, WB_Email_TimeZone, buf_slice(&text));
    buf_free(&text);
}

static uint32_t instance_type(const struct calendar_meeting *meeting)
{
    if (meeting->is_instance)
        return meeting->is_moved ? 3 : 2;
    return meeting->is_series ? 1 : 0;
}

/* 1 a first request, 2 a full update, 0 what is neither. */
static uint32_t message_type(const struct calendar_meeting *meeting)
{
    if (meeting->method != CALENDAR_REQUEST)
        return 0;
    return meeting->sequence ? 2 : 1;
}

void eas_meeting_write(struct wbxml_writer *writer, int version, const struct calendar_meeting *meeting,
                       int64_t received_us)
{
    bool counter = meeting->method == CALENDAR_COUNTER;
    uint8_t busy = meeting->busy > BUSY_MAX_BEFORE_160 && version < 160 ? 2 : meeting->busy;
    wbxml_start(writer, WB_Email_MeetingRequest);
    wbxml_cstr(writer, WB_Email_AllDayEvent, meeting->all_day ? "1" : "0");
    write_date(writer, WB_Email_StartTime, meeting->start_us);
    write_date(writer, WB_Email_DtStamp, meeting->stamp_us ? meeting->stamp_us : received_us);
    write_date(writer, WB_Email_EndTime, meeting->end_us);
    wbxml_u64(writer, WB_Email_InstanceType, instance_type(meeting));
    write_location(writer, version, meeting->location);
    if (meeting->organizer.len)
        wbxml_text(writer, WB_Email_Organizer, meeting->organizer);
    if (meeting->is_instance)
        write_date(writer, WB_Email_RecurrenceId, meeting->recurrence_id_us);
    if (meeting->reminder_s >= 0)
        wbxml_u64(writer, WB_Email_Reminder, (uint64_t)meeting->reminder_s);
    wbxml_cstr(writer, WB_Email_ResponseRequested, meeting->wants_answer ? "1" : "0");
    if (meeting->is_series)
        write_rule(writer, version, &meeting->rule);
    wbxml_u64(writer, WB_Email_Sensitivity, meeting->sensitivity);
    wbxml_u64(writer, WB_Email_BusyStatus, busy);
    write_zone(writer, &meeting->zone);
    write_ids(writer, version, meeting);
    if (version >= 140)
        wbxml_cstr(writer, WB_Email_DisallowNewTimeProposal, meeting->refuses_proposals ? "1" : "0");
    if (version >= 141)
        wbxml_u64(writer, WB_Email2_MeetingMessageType, message_type(meeting));
    if (version >= 161 && counter) {
        write_date(writer, WB_MeetingResponse_ProposedStartTime, meeting->start_us);
        write_date(writer, WB_MeetingResponse_ProposedEndTime, meeting->end_us);
    }
    wbxml_end(writer, WB_Email_MeetingRequest);
}
