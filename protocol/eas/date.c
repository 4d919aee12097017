#include "protocol/eas/date.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define YEAR_MIN 1601
#define YEAR_MAX 9999
#define SECONDS_MAX INT64_C(253402300799) // the last second of that year

void eas_date_format(int64_t us, char text[EAS_DATE_SIZE])
{
    int64_t seconds = us / US_PER_S, rest = us % US_PER_S;
    if (rest < 0) {
        rest += US_PER_S;
        seconds--;
    }
    time_t at = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&at, &tm) || tm.tm_year + 1900 > YEAR_MAX || tm.tm_year + 1900 < YEAR_MIN) {
        snprintf(text, EAS_DATE_SIZE, "1970-01-01T00:00:00.000Z");
        return;
    }
    size_t len = strftime(text, EAS_DATE_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + len, EAS_DATE_SIZE - len, ".%03uZ", (unsigned)(rest / 1000) % 1000u);
}

static bool take_digits(struct slice *in, size_t count, int min, int max, int *number)
{
    uint64_t value;
    if (in->len < count || !slice_to_u64(slice_head(*in, count), (uint64_t)max, &value) || (int)value < min)
        return false;
    *number = (int)value;
    *in = slice_tail(*in, count);
    return true;
}

static int64_t take_fraction(struct slice *in)
{
    int64_t us = 0, unit = US_PER_S / 10;
    if (!slice_take(in, '.'))
        return 0;
    while (in->len && in->at[0] >= '0' && in->at[0] <= '9') {
        us += (in->at[0] - '0') * unit;
        unit /= 10;
        *in = slice_tail(*in, 1);
    }
    return us;
}

bool eas_date_parse(struct slice text, int64_t *us)
{
    struct slice in = slice_trim(text);
    struct tm tm = { 0 };
    int year, month;
    if (!take_digits(&in, 4, YEAR_MIN, YEAR_MAX, &year))
        return false;
    slice_take(&in, '-');
    if (!take_digits(&in, 2, 1, 12, &month))
        return false;
    slice_take(&in, '-');
    if (!take_digits(&in, 2, 1, 31, &tm.tm_mday) || !slice_take(&in, 'T') || !take_digits(&in, 2, 0, 23, &tm.tm_hour))
        return false;
    slice_take(&in, ':');
    if (!take_digits(&in, 2, 0, 59, &tm.tm_min))
        return false;
    slice_take(&in, ':');
    if (!take_digits(&in, 2, 0, 60, &tm.tm_sec))
        return false;
    int64_t fraction = take_fraction(&in);
    slice_take(&in, 'Z');
    if (in.len)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (tm.tm_mday > days[month - 1] || (month == 2 && tm.tm_mday == 29 && !leap))
        return false;
    int64_t seconds = timegm(&tm);
    if (seconds > SECONDS_MAX) // a leap second behind the last year
        return false;
    *us = seconds * US_PER_S + fraction;
    return true;
}
