/* What the files of the calendar share. */
#pragma once

#include <libical/ical.h>

#include "protocol/mime/calendar.h"

/* The first property of a kind, if its value is of that kind's own type: VALUE=INTEGER on a text is none. */
icalproperty *calendar_property(icalcomponent *component, icalproperty_kind kind);
bool calendar_property_fits(icalproperty *property);
/* Seconds since 1970 of a time as it stands, as if it were UTC. */
int64_t calendar_seconds(struct icaltimetype time);
/* The zone of a TZID: a VTIMEZONE of the calendar, else one that the system knows. at_s: local time that counts.
 * errors: ERR_NOT_FOUND */
MUST_USE enum err calendar_zone_find(icalcomponent *calendar, const char *tzid, int64_t at_s, struct arena *arena,
                                     struct calendar_zone *zone);
/* What an RRULE says; start: the first time it gives. false: a phone has no words for it. */
bool calendar_rule_read(const struct icalrecurrencetype *recur, struct icaltimetype start,
                        const struct calendar_zone *zone, struct calendar_rule *rule);
