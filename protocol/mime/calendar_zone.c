/* Time zones of calendars as the two turns a year that Windows and phones know (MS-ASDTYPE 2.7.6 TimeZone). */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "protocol/mime/calendar_internal.h"

#define S_PER_MIN 60
#define OFFSET_MAX_S 86400
#define TZID_MAX 100u

static const char tzid_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
static pthread_mutex_t system_zones = PTHREAD_MUTEX_INITIALIZER; // libical's own: walking through one changes it

int64_t calendar_seconds(struct icaltimetype t)
{
    struct tm tm = { .tm_year = t.year - 1900, .tm_mon = t.month - 1, .tm_mday = t.day };
    if (!t.is_date) {
        tm.tm_hour = t.hour;
        tm.tm_min = t.minute;
        tm.tm_sec = t.second;
    }
    return (int64_t)timegm(&tm);
}

/* Local seconds of a turn in a year. */
static int64_t turn_in_year(const struct calendar_turn *turn, int year)
{
    struct tm first = { .tm_year = year - 1900, .tm_mon = turn->month - 1, .tm_mday = 1 };
    int64_t at = (int64_t)timegm(&first);
    struct tm next = { .tm_year = year - 1900, .tm_mon = turn->month, .tm_mday = 1 };
    int days = (int)(((int64_t)timegm(&next) - at) / 86400);
    int day = (turn->weekday - first.tm_wday + 7) % 7 + (turn->week - 1) * 7;
    while (day >= days)
        day -= 7;
    return at + day * INT64_C(86400) + turn->hour * 3600 + turn->minute * S_PER_MIN;
}

int32_t calendar_zone_offset_s(const struct calendar_zone *zone, int64_t local_s)
{
    if (!zone->has_daylight)
        return zone->standard_min * S_PER_MIN;
    time_t seconds = (time_t)local_s;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm))
        return zone->standard_min * S_PER_MIN;
    int64_t summer = turn_in_year(&zone->to_daylight, tm.tm_year + 1900);
    int64_t winter = turn_in_year(&zone->to_standard, tm.tm_year + 1900);
    bool in_daylight = summer < winter ? local_s >= summer && local_s < winter
                                       : local_s >= summer || local_s < winter; // the southern half
    return (in_daylight ? zone->daylight_min : zone->standard_min) * S_PER_MIN;
}

struct observance { // STANDARD or DAYLIGHT
    bool found, repeats;
    int64_t from_s;
    int offset_s;
    struct calendar_turn turn;
};

static void turn_of_day(struct icaltimetype start, struct calendar_turn *turn)
{
    *turn = (struct calendar_turn){
        .month = (uint8_t)start.month,
        .week = (uint8_t)((start.day - 1) / 7 + 1),
        .weekday = (uint8_t)(icaltime_day_of_week(start) - 1),
        .hour = (uint8_t)start.hour,
        .minute = (uint8_t)start.minute,
    };
}

/* FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU, or BYDAY=SU;BYMONTHDAY=8,9,...: else the day it began on counts. */
static void turn_of_rule(const struct icalrecurrencetype *recur, struct calendar_turn *turn)
{
    if (recur->by_month[0] >= 1 && recur->by_month[0] <= 12)
        turn->month = (uint8_t)recur->by_month[0];
    if (recur->by_day[0] == ICAL_RECURRENCE_ARRAY_MAX)
        return;
    int week = icalrecurrencetype_day_position(recur->by_day[0]);
    int day = icalrecurrencetype_day_day_of_week(recur->by_day[0]);
    if (week == 0 && recur->by_month_day[0] != ICAL_RECURRENCE_ARRAY_MAX)
        week = recur->by_month_day[0] < 0 ? -1 : (recur->by_month_day[0] - 1) / 7 + 1;
    turn->week = (uint8_t)(week < 0 || week > 4 ? 5 : week == 0 ? turn->week : week);
    if (day >= 1 && day <= 7)
        turn->weekday = (uint8_t)(day - 1);
}

static bool read_observance(icalcomponent *component, int64_t at_s, struct observance *found)
{
    icalproperty *start = calendar_property(component, ICAL_DTSTART_PROPERTY);
    icalproperty *offset = calendar_property(component, ICAL_TZOFFSETTO_PROPERTY);
    icalproperty *rule = calendar_property(component, ICAL_RRULE_PROPERTY);
    if (!start || !offset)
        return false;
    struct icaltimetype from = icalproperty_get_dtstart(start);
    if (icaltime_is_null_time(from) || from.month < 1 || from.month > 12 || from.day < 1 || from.day > 31)
        return false;
    *found = (struct observance){ .found = true,
                                  .from_s = calendar_seconds(from),
                                  .offset_s = icalproperty_get_tzoffsetto(offset) };
    if (found->offset_s <= -OFFSET_MAX_S || found->offset_s >= OFFSET_MAX_S)
        return false;
    turn_of_day(from, &found->turn);
    if (rule) {
        struct icalrecurrencetype recur = icalproperty_get_rrule(rule);
        bool ended = !icaltime_is_null_time(recur.until) && calendar_seconds(recur.until) < at_s;
        found->repeats = recur.freq == ICAL_YEARLY_RECURRENCE && recur.count == 0 && !ended;
        turn_of_rule(&recur, &found->turn);
    }
    return true;
}

/* Of several the one that began last before the time that counts; before all of them the first. */
static bool is_better(const struct observance *candidate, const struct observance *best, int64_t at_s)
{
    if (!best->found)
        return true;
    bool began = candidate->from_s <= at_s, best_began = best->from_s <= at_s;
    if (began != best_began)
        return began;
    return began ? candidate->from_s > best->from_s : candidate->from_s < best->from_s;
}

static struct observance pick(icalcomponent *zone, icalcomponent_kind kind, int64_t at_s)
{
    struct observance best = { 0 }, one;
    for (icalcomponent *c = icalcomponent_get_first_component(zone, kind); c;
         c = icalcomponent_get_next_component(zone, kind))
        if (read_observance(c, at_s, &one) && is_better(&one, &best, at_s))
            best = one;
    return best;
}

static enum err read_zone(icalcomponent *component, int64_t at_s, struct calendar_zone *zone)
{
    struct observance winter = pick(component, ICAL_XSTANDARD_COMPONENT, at_s);
    struct observance summer = pick(component, ICAL_XDAYLIGHT_COMPONENT, at_s);
    if (!winter.found && !summer.found)
        return ERR_NOT_FOUND;
    if (!winter.found)
        winter = summer;
    *zone = (struct calendar_zone){
        .standard_min = (int16_t)(winter.offset_s / S_PER_MIN),
        .daylight_min = (int16_t)(summer.offset_s / S_PER_MIN),
        .has_daylight = winter.repeats && summer.repeats && winter.offset_s != summer.offset_s,
        .to_standard = winter.turn,
        .to_daylight = summer.turn,
    };
    if (!zone->has_daylight) {
        zone->daylight_min = 0;
        zone->to_standard = zone->to_daylight = (struct calendar_turn){ 0 };
    }
    return ERR_OK;
}

static enum err find_in_system(struct slice tzid, const char *name, int64_t at_s, struct calendar_zone *zone)
{
    if (tzid.len > TZID_MAX || slice_span(tzid, tzid_letters) != tzid.len)
        return ERR_NOT_FOUND;
    pthread_mutex_lock(&system_zones);
    icaltimezone *known = icaltimezone_get_builtin_timezone(name);
    icalcomponent *component = known ? icaltimezone_get_component(known) : NULL;
    enum err err = component ? read_zone(component, at_s, zone) : ERR_NOT_FOUND;
    pthread_mutex_unlock(&system_zones);
    return err;
}

enum err calendar_zone_find(icalcomponent *calendar, const char *tzid, int64_t at_s, struct arena *arena,
                            struct calendar_zone *zone)
{
    enum err err = ERR_NOT_FOUND;
    struct slice wanted = slice_of(tzid);
    for (icalcomponent *c = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT); c && err;
         c = icalcomponent_get_next_component(calendar, ICAL_VTIMEZONE_COMPONENT)) {
        icalproperty *id = calendar_property(c, ICAL_TZID_PROPERTY);
        const char *text = id ? icalproperty_get_tzid(id) : NULL;
        if (text && slice_eq(slice_of(text), wanted))
            err = read_zone(c, at_s, zone);
    }
    if (err)
        err = find_in_system(wanted, tzid, at_s, zone);
    if (err && (slice_eq_nocase(wanted, SLICE_LIT("UTC")) || slice_eq_nocase(wanted, SLICE_LIT("GMT")))) {
        *zone = (struct calendar_zone){ 0 };
        err = ERR_OK;
    }
    if (!err)
        zone->name = arena_copy(arena, wanted.len > CALENDAR_TEXT_MAX ? slice_head(wanted, CALENDAR_TEXT_MAX) : wanted);
    return err;
}
