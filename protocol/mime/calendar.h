/* Meetings in mail: what a text/calendar part asks for (RFC 5545 iCalendar, RFC 5546 iTIP), as far as MS-ASEMAIL
 * 2.2.2.48 (MeetingRequest) can say it. libical reads the text; time zones are turned into the two yearly turns that
 * Windows knows, with no expansion of rules, so that no calendar costs more than its octets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define CALENDAR_MAX 262144u  // octets of a calendar that is read
#define CALENDAR_DEPTH_MAX 8u // components inside each other
#define CALENDAR_COMPONENTS_MAX 500u
#define CALENDAR_LINES_MAX 20000u
#define CALENDAR_UID_MAX 300u   // octets
#define CALENDAR_TEXT_MAX 1024u // octets of location, summary, names that are kept
#define CALENDAR_DESCRIPTION_MAX 65536u

enum calendar_method { CALENDAR_REQUEST, CALENDAR_CANCEL, CALENDAR_REPLY, CALENDAR_COUNTER };
enum calendar_answer { CALENDAR_ACCEPTED, CALENDAR_TENTATIVE, CALENDAR_DECLINED };

struct calendar_turn { // when the clocks change, told in the time before it
    uint8_t month;     // 1..12
    uint8_t week;      // 1..4, 5: the last
    uint8_t weekday;   // 0: Sunday
    uint8_t hour, minute;
};
struct calendar_zone { // the rule in force at the meeting's start; all zero is UTC
    struct slice name;
    int16_t standard_min, daylight_min; // east of UTC
    bool has_daylight;                  // else the whole year is standard time
    struct calendar_turn to_standard, to_daylight;
};

enum calendar_rule_type { // MS-ASEMAIL 2.2.2.82 Type
    CALENDAR_DAILY = 0,
    CALENDAR_WEEKLY = 1,
    CALENDAR_MONTHLY = 2,
    CALENDAR_MONTHLY_NTH = 3,
    CALENDAR_YEARLY = 5,
    CALENDAR_YEARLY_NTH = 6,
};
struct calendar_rule {         // members that a type does not use are 0
    uint8_t type;              // enum calendar_rule_type
    uint16_t interval;         // 1..999
    uint16_t occurrences;      // 0: none given
    int64_t until_us;          // 0: none given
    uint8_t week_of_month;     // 1..5
    uint8_t day_of_month;      // 1..31
    uint8_t day_of_week;       // bits: 1 Sunday ... 64 Saturday
    uint8_t month_of_year;     // 1..12
    uint8_t first_day_of_week; // 0: Sunday
};

struct calendar_meeting {
    enum calendar_method method;
    enum calendar_answer answer; // of CALENDAR_REPLY
    struct slice uid;            // never empty
    struct slice summary, location;
    struct slice description; // lines end in LF
    struct slice organizer;   // "Name" <address> or address; empty when none
    int64_t start_us, end_us;
    int64_t stamp_us;         // DTSTAMP; 0 when none
    int64_t recurrence_id_us; // with is_instance
    bool all_day;
    bool is_instance; // one of a series, named by RECURRENCE-ID
    bool is_moved;    // such a one, not at its usual time
    bool is_series;
    struct calendar_rule rule; // with is_series
    int32_t reminder_s;        // before the start; -1: none
    bool wants_answer;         // RSVP of `owner`, or of anybody when he is not named
    bool refuses_proposals;
    uint8_t sensitivity; // 0 normal, 1 personal, 2 private, 3 confidential
    uint8_t busy;        // 0 free, 1 tentative, 2 busy, 3 out of office, 4 elsewhere
    uint32_t sequence;
    struct calendar_zone zone;
};

/* Reads the first event of a calendar, UTF-8 text. owner: the reader's address. Strings live in the arena.
 * errors: ERR_SYNTAX (no calendar, or what a meeting needs is missing or cannot be told: no UID, no start, an unknown
 * zone, a rule that phones have no words for), ERR_NOT_FOUND (no event, or none of the methods), ERR_LIMIT */
MUST_USE enum err calendar_read(struct slice text, struct slice owner, struct arena *arena,
                                struct calendar_meeting *meeting);
/* Seconds east of UTC at a local time, told in seconds since 1970 as if it were UTC. */
int32_t calendar_zone_offset_s(const struct calendar_zone *zone, int64_t local_s);
