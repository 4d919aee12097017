/* Recurrence rules in the few forms that phones have (MS-ASEMAIL 2.2.2.62 Recurrence). */
#include "protocol/mime/calendar_internal.h"

#define INTERVAL_MAX 999
#define OCCURRENCES_MAX 999
#define WEEK_LAST 5
#define EVERY_DAY 127u

static size_t count_of(const short *list, size_t room)
{
    size_t count = 0;
    while (count < room && list[count] != ICAL_RECURRENCE_ARRAY_MAX)
        count++;
    return count;
}
#define COUNT_OF(list) count_of((list), sizeof(list) / sizeof *(list))

/* Bits of BYDAY; the week that all of them name, 0 for none. false: each its own week. */
static bool read_days(const struct icalrecurrencetype *recur, uint8_t *days, int *week)
{
    size_t count = COUNT_OF(recur->by_day);
    *days = 0;
    *week = 0;
    for (size_t i = 0; i < count; i++) {
        int position = icalrecurrencetype_day_position(recur->by_day[i]);
        int day = icalrecurrencetype_day_day_of_week(recur->by_day[i]);
        if (day < 1 || day > 7 || (i && position != *week))
            return false;
        *week = position;
        *days |= (uint8_t)(1u << (day - 1));
    }
    return true;
}

static bool read_daily(uint8_t days, int week, struct calendar_rule *rule)
{
    if (days == 0)
        return true;
    rule->type = CALENDAR_WEEKLY; // every weekday
    rule->day_of_week = days;
    return week == 0 && rule->interval == 1;
}

static bool read_weekly(uint8_t days, int week, struct icaltimetype start, struct calendar_rule *rule)
{
    rule->type = CALENDAR_WEEKLY;
    rule->day_of_week = days ? days : (uint8_t)(1u << (icaltime_day_of_week(start) - 1));
    return week == 0;
}

/* "The second Tuesday", "the last day": a week and days. */
static bool read_nth(const struct icalrecurrencetype *recur, uint8_t days, int week, struct calendar_rule *rule)
{
    size_t positions = COUNT_OF(recur->by_set_pos);
    if (positions > 1 || (positions && week))
        return false;
    if (positions)
        week = recur->by_set_pos[0];
    if (week == 0 || week < -1 || week > WEEK_LAST)
        return false;
    rule->week_of_month = (uint8_t)(week == -1 ? WEEK_LAST : week);
    rule->day_of_week = days;
    return true;
}

/* The day of a month in both forms; nth says by which. */
static bool read_month(const struct icalrecurrencetype *recur, uint8_t days, int week, struct icaltimetype start,
                       struct calendar_rule *rule, bool *nth)
{
    size_t dates = COUNT_OF(recur->by_month_day);
    *nth = days != 0;
    if (dates > 1 || (dates && days))
        return false;
    if (*nth)
        return read_nth(recur, days, week, rule);
    if (COUNT_OF(recur->by_set_pos))
        return false;
    int day = dates ? recur->by_month_day[0] : start.day;
    if (day == -1) {
        *nth = true;
        rule->week_of_month = WEEK_LAST;
        rule->day_of_week = EVERY_DAY;
        return true;
    }
    rule->day_of_month = (uint8_t)day;
    return day >= 1 && day <= 31;
}

static bool read_yearly(const struct icalrecurrencetype *recur, struct icaltimetype start, struct calendar_rule *rule)
{
    size_t months = COUNT_OF(recur->by_month);
    int month = months ? recur->by_month[0] : start.month;
    rule->month_of_year = (uint8_t)month;
    return months <= 1 && month >= 1 && month <= 12;
}

static bool read_limits(const struct icalrecurrencetype *recur, const struct calendar_zone *zone,
                        struct calendar_rule *rule)
{
    if (recur->interval < 1 || recur->interval > INTERVAL_MAX || recur->count < 0 || recur->count > OCCURRENCES_MAX)
        return false;
    rule->interval = (uint16_t)recur->interval;
    rule->occurrences = (uint16_t)recur->count;
    rule->first_day_of_week = (uint8_t)(recur->week_start >= ICAL_SUNDAY_WEEKDAY ? recur->week_start - 1 : 1);
    if (!icaltime_is_null_time(recur->until)) {
        int64_t seconds = calendar_seconds(recur->until);
        bool local = !recur->until.is_date && !icaltime_is_utc(recur->until);
        rule->until_us = (seconds - (local ? calendar_zone_offset_s(zone, seconds) : 0)) * 1000000;
    }
    return true;
}

static bool has_more(const struct icalrecurrencetype *recur)
{
    return COUNT_OF(recur->by_second) || COUNT_OF(recur->by_minute) || COUNT_OF(recur->by_hour) ||
           COUNT_OF(recur->by_year_day) || COUNT_OF(recur->by_week_no) ||
           (recur->rscale && !slice_eq_nocase(slice_of(recur->rscale), SLICE_LIT("GREGORIAN")));
}

bool calendar_rule_read(const struct icalrecurrencetype *recur, struct icaltimetype start,
                        const struct calendar_zone *zone, struct calendar_rule *rule)
{
    uint8_t days;
    int week;
    bool nth = false;
    *rule = (struct calendar_rule){ 0 };
    if (has_more(recur) || !read_limits(recur, zone, rule) || !read_days(recur, &days, &week))
        return false;
    bool in_month = COUNT_OF(recur->by_month_day) || COUNT_OF(recur->by_set_pos);
    bool ok = false;
    switch (recur->freq) {
    case ICAL_DAILY_RECURRENCE:
        rule->type = CALENDAR_DAILY;
        return !in_month && !COUNT_OF(recur->by_month) && read_daily(days, week, rule);
    case ICAL_WEEKLY_RECURRENCE: return !in_month && !COUNT_OF(recur->by_month) && read_weekly(days, week, start, rule);
    case ICAL_MONTHLY_RECURRENCE:
        ok = !COUNT_OF(recur->by_month) && read_month(recur, days, week, start, rule, &nth);
        rule->type = nth ? CALENDAR_MONTHLY_NTH : CALENDAR_MONTHLY;
        return ok;
    case ICAL_YEARLY_RECURRENCE:
        ok = read_yearly(recur, start, rule) && read_month(recur, days, week, start, rule, &nth);
        rule->type = nth ? CALENDAR_YEARLY_NTH : CALENDAR_YEARLY;
        return ok;
    default: return false;
    }
}
