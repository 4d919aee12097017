#include "protocol/mime/calendar.h"

#include <string.h>

#include "protocol/mime/calendar_internal.h"
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

#define US_PER_S INT64_C(1000000)
#define DAY_S 86400
#define YEAR_MIN 1601
#define YEAR_MAX 4500 // where the dates of phones end
#define DURATION_MAX_S (INT64_C(10) * 366 * DAY_S)
#define REMINDER_MAX_S (INT64_C(366) * DAY_S)

/* libical goes down into components and keeps all it reads: their number and depth are bounded first. */
static enum err check_shape(struct slice text)
{
    size_t lines = 0, components = 0, depth = 0;
    if (text.len > CALENDAR_MAX)
        return ERR_LIMIT;
    while (text.len) {
        size_t end = slice_find(text, '\n');
        struct slice line = slice_trim(slice_head(text, end == SIZE_MAX ? text.len : end));
        text = slice_tail(text, end == SIZE_MAX ? text.len : end + 1);
        if (++lines > CALENDAR_LINES_MAX)
            return ERR_LIMIT;
        if (slice_starts_nocase(line, SLICE_LIT("BEGIN"))) {
            depth++;
            components++;
        } else if (slice_starts_nocase(line, SLICE_LIT("END")) && depth) {
            depth--;
        }
        if (depth > CALENDAR_DEPTH_MAX || components > CALENDAR_COMPONENTS_MAX)
            return ERR_LIMIT;
    }
    return ERR_OK;
}

/* ---- properties ---- */

bool calendar_property_fits(icalproperty *property)
{
    icalvalue *value = property ? icalproperty_get_value(property) : NULL;
    icalvalue_kind type = value ? icalvalue_isa(value) : ICAL_NO_VALUE;
    switch (property ? icalproperty_isa(property) : ICAL_NO_PROPERTY) {
    case ICAL_DTSTART_PROPERTY:
    case ICAL_DTEND_PROPERTY:
    case ICAL_DTSTAMP_PROPERTY:
    case ICAL_RECURRENCEID_PROPERTY:
        return type == ICAL_DATE_VALUE || type == ICAL_DATETIME_VALUE || type == ICAL_DATETIMEDATE_VALUE;
    case ICAL_DURATION_PROPERTY:
    case ICAL_TRIGGER_PROPERTY: // one at a time of its own is of no use to a phone
        return type == ICAL_DURATION_VALUE;
    case ICAL_RRULE_PROPERTY: return type == ICAL_RECUR_VALUE;
    case ICAL_TZOFFSETTO_PROPERTY: return type == ICAL_UTCOFFSET_VALUE;
    case ICAL_SEQUENCE_PROPERTY: return type == ICAL_INTEGER_VALUE;
    default: return type == ICAL_TEXT_VALUE || type == ICAL_URI_VALUE || type == ICAL_CALADDRESS_VALUE;
    }
}

icalproperty *calendar_property(icalcomponent *component, icalproperty_kind kind)
{
    icalproperty *property = icalcomponent_get_first_property(component, kind);
    return calendar_property_fits(property) ? property : NULL;
}

static const char *text_of(icalproperty *property)
{
    const char *text = property ? icalproperty_get_value_as_string(property) : NULL;
    return text ? text : "";
}

static const char *text_at(icalcomponent *component, icalproperty_kind kind)
{
    return text_of(icalcomponent_get_first_property(component, kind));
}

static icalproperty *find_x(icalcomponent *component, const char *name)
{
    for (icalproperty *p = icalcomponent_get_first_property(component, ICAL_X_PROPERTY); p;
         p = icalcomponent_get_next_property(component, ICAL_X_PROPERTY)) {
        const char *found = icalproperty_get_x_name(p);
        if (found && slice_eq_nocase(slice_of(found), slice_of(name)))
            return p;
    }
    return NULL;
}

static struct slice clean_text(const char *text, bool one_line, size_t max, struct arena *arena)
{
    struct buf clean = { 0 };
    mime_clean_utf8(slice_of(text), one_line, &clean);
    struct slice copy = arena_copy(arena, mime_cut_utf8(slice_trim(buf_slice(&clean)), max));
    buf_free(&clean);
    return copy;
}

static struct slice kept(const char *text, struct arena *arena)
{
    return clean_text(text, true, CALENDAR_TEXT_MAX, arena);
}

static struct slice without_mailto(const char *value)
{
    struct slice address = slice_trim(slice_of(value));
    return slice_starts_nocase(address, SLICE_LIT("mailto:")) ? slice_tail(address, sizeof "mailto:" - 1) : address;
}

static struct slice read_organizer(icalcomponent *event, struct arena *arena)
{
    icalproperty *organizer = calendar_property(event, ICAL_ORGANIZER_PROPERTY);
    const char *value = organizer ? icalproperty_get_organizer(organizer) : NULL;
    if (!value)
        return SLICE_LIT("");
    struct slice address = kept(arena_text(arena, without_mailto(value)), arena);
    icalparameter *cn = icalproperty_get_first_parameter(organizer, ICAL_CN_PARAMETER);
    struct slice name = cn && icalparameter_get_cn(cn) ? kept(icalparameter_get_cn(cn), arena) : SLICE_LIT("");
    if (!name.len || slice_find(name, '"') != SIZE_MAX || slice_find(name, '\\') != SIZE_MAX)
        return address;
    return slice_of(arena_printf(arena, "\"%.*s\" <%.*s>", SLICE_ARG(name), SLICE_ARG(address)));
}

/* ---- times ---- */

struct when {
    struct icaltimetype local;
    int64_t us;
    bool found;
};

/* The zone of a property; the meeting's own when it names none. */
static enum err zone_of(icalcomponent *calendar, icalproperty *property, int64_t at_s, struct arena *arena,
                        struct calendar_zone *zone)
{
    icalparameter *tzid = icalproperty_get_first_parameter(property, ICAL_TZID_PARAMETER);
    const char *name = tzid ? icalparameter_get_tzid(tzid) : NULL;
    return name ? calendar_zone_find(calendar, name, at_s, arena, zone) : ERR_OK;
}

static enum err read_when(icalcomponent *calendar, icalproperty *property, struct icaltimetype value,
                          struct arena *arena, struct calendar_zone *zone, struct when *when)
{
    if (icaltime_is_null_time(value) || value.year < YEAR_MIN || value.year > YEAR_MAX || value.month < 1 ||
        value.month > 12 || value.day < 1 || value.day > 31)
        return ERR_SYNTAX;
    int64_t seconds = calendar_seconds(value);
    if (!icaltime_is_utc(value)) {
        if (zone_of(calendar, property, seconds, arena, zone))
            return ERR_SYNTAX;
        seconds -= calendar_zone_offset_s(zone, seconds);
    }
    *when = (struct when){ .local = value, .us = seconds * US_PER_S, .found = true };
    return ERR_OK;
}

/* A whole day stands in no zone: the calendar's only one is the organizer's. */
static void take_only_zone(icalcomponent *calendar, int64_t at_s, struct arena *arena, struct calendar_zone *zone)
{
    icalcomponent *only = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    icalproperty *id = only ? calendar_property(only, ICAL_TZID_PROPERTY) : NULL;
    const char *name = id ? icalproperty_get_tzid(id) : NULL;
    if (name && calendar_zone_find(calendar, name, at_s, arena, zone))
        *zone = (struct calendar_zone){ 0 };
}

static enum err read_end(icalcomponent *calendar, icalcomponent *event, struct arena *arena, const struct when *start,
                         struct calendar_meeting *meeting)
{
    icalproperty *end = calendar_property(event, ICAL_DTEND_PROPERTY);
    icalproperty *duration = calendar_property(event, ICAL_DURATION_PROPERTY);
    struct calendar_zone zone = meeting->zone;
    struct when when = { 0 };
    enum err err = ERR_OK;
    int64_t length_s = meeting->all_day ? DAY_S : 0;
    if (end)
        err = read_when(calendar, end, icalproperty_get_dtend(end), arena, &zone, &when);
    else if (duration)
        length_s = icaldurationtype_as_int(icalproperty_get_duration(duration));
    if (err || length_s < 0 || length_s > DURATION_MAX_S)
        return ERR_SYNTAX;
    meeting->end_us = when.found ? when.us : start->us + length_s * US_PER_S;
    if (when.found && meeting->all_day && when.us == start->us)
        meeting->end_us = start->us + DAY_S * US_PER_S;
    return meeting->end_us >= meeting->start_us ? ERR_OK : ERR_SYNTAX;
}

static enum err read_times(icalcomponent *calendar, icalcomponent *event, struct arena *arena, struct when *start,
                           struct calendar_meeting *meeting)
{
    icalproperty *from = calendar_property(event, ICAL_DTSTART_PROPERTY);
    icalproperty *stamp = calendar_property(event, ICAL_DTSTAMP_PROPERTY);
    icalproperty *instance = calendar_property(event, ICAL_RECURRENCEID_PROPERTY);
    struct when when = { 0 };
    if (!from)
        return ERR_SYNTAX;
    struct icaltimetype value = icalproperty_get_dtstart(from);
    take_only_zone(calendar, icaltime_is_null_time(value) ? 0 : calendar_seconds(value), arena, &meeting->zone);
    enum err err = read_when(calendar, from, value, arena, &meeting->zone, start);
    if (err)
        return err;
    meeting->start_us = start->us;
    meeting->all_day = start->local.is_date;
    if (stamp &&
        !read_when(calendar, stamp, icalproperty_get_dtstamp(stamp), arena, &(struct calendar_zone){ 0 }, &when))
        meeting->stamp_us = when.us;
    if (instance) {
        struct calendar_zone zone = meeting->zone;
        err = read_when(calendar, instance, icalproperty_get_recurrenceid(instance), arena, &zone, &when);
        if (err)
            return err;
        meeting->is_instance = true;
        meeting->recurrence_id_us = when.us;
        meeting->is_moved = when.us != meeting->start_us;
    }
    return read_end(calendar, event, arena, start, meeting);
}

/* ---- the rest ---- */

static bool is_text(const char *text, const char *word)
{
    return slice_eq_nocase(slice_trim(slice_of(text)), slice_of(word));
}

static uint8_t read_busy(icalcomponent *event)
{
    static const char *const words[] = { "FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE" };
    icalproperty *property = find_x(event, "X-MICROSOFT-CDO-INTENDEDSTATUS");
    if (!property)
        property = find_x(event, "X-MICROSOFT-CDO-BUSYSTATUS");
    for (uint8_t i = 0; property && i < sizeof words / sizeof *words; i++)
        if (is_text(text_of(property), words[i]))
            return i;
    return is_text(text_at(event, ICAL_TRANSP_PROPERTY), "TRANSPARENT") ? 0 : 2;
}

static uint8_t read_sensitivity(icalcomponent *event)
{
    static const char *const words[] = { "PUBLIC", "X-PERSONAL", "PRIVATE", "CONFIDENTIAL" };
    for (uint8_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_text(text_at(event, ICAL_CLASS_PROPERTY), words[i]))
            return i;
    return 0;
}

static int32_t read_reminder(icalcomponent *event)
{
    icalcomponent *alarm = icalcomponent_get_first_component(event, ICAL_VALARM_COMPONENT);
    icalproperty *trigger = alarm ? calendar_property(alarm, ICAL_TRIGGER_PROPERTY) : NULL;
    if (!trigger)
        return -1;
    int64_t before = -(int64_t)icaldurationtype_as_int(icalvalue_get_duration(icalproperty_get_value(trigger)));
    return before >= 0 && before <= REMINDER_MAX_S ? (int32_t)before : -1;
}

static bool read_rsvp(icalcomponent *event, struct slice owner)
{
    bool any = false;
    for (icalproperty *p = icalcomponent_get_first_property(event, ICAL_ATTENDEE_PROPERTY); p;
         p = icalcomponent_get_next_property(event, ICAL_ATTENDEE_PROPERTY)) {
        icalparameter *rsvp = icalproperty_get_first_parameter(p, ICAL_RSVP_PARAMETER);
        bool wants = rsvp && icalparameter_get_rsvp(rsvp) == ICAL_RSVP_TRUE;
        const char *value = calendar_property_fits(p) ? icalproperty_get_attendee(p) : NULL;
        if (owner.len && value && slice_eq_nocase(without_mailto(value), owner))
            return wants;
        any |= wants;
    }
    return any;
}

static bool read_answer(icalcomponent *event, enum calendar_answer *answer)
{
    icalproperty *attendee = icalcomponent_get_first_property(event, ICAL_ATTENDEE_PROPERTY);
    icalparameter *status = attendee ? icalproperty_get_first_parameter(attendee, ICAL_PARTSTAT_PARAMETER) : NULL;
    switch (status ? icalparameter_get_partstat(status) : ICAL_PARTSTAT_NONE) {
    case ICAL_PARTSTAT_ACCEPTED: *answer = CALENDAR_ACCEPTED; return true;
    case ICAL_PARTSTAT_TENTATIVE: *answer = CALENDAR_TENTATIVE; return true;
    case ICAL_PARTSTAT_DECLINED: *answer = CALENDAR_DECLINED; return true;
    default: return false;
    }
}

/* A property that libical could not read is gone from the event: without these it would say something else. */
static bool lost_what_counts(icalcomponent *event)
{
    for (icalproperty *p = icalcomponent_get_first_property(event, ICAL_XLICERROR_PROPERTY); p;
         p = icalcomponent_get_next_property(event, ICAL_XLICERROR_PROPERTY)) {
        const char *text = text_of(p);
        if (strstr(text, "RRULE") || strstr(text, "RECURRENCE-ID") || strstr(text, "DTEND") || strstr(text, "DURATION"))
            return true;
    }
    return false;
}

static enum err read_series(icalcomponent *event, const struct when *start, struct calendar_meeting *meeting)
{
    icalproperty *rule = calendar_property(event, ICAL_RRULE_PROPERTY);
    if (!rule || meeting->is_instance)
        return icalcomponent_get_first_property(event, ICAL_RDATE_PROPERTY) ? ERR_SYNTAX : ERR_OK;
    struct icalrecurrencetype recur = icalproperty_get_rrule(rule);
    meeting->is_series = true;
    return calendar_rule_read(&recur, start->local, &meeting->zone, &meeting->rule) ? ERR_OK : ERR_SYNTAX;
}

/* The series itself when it is there, else its first instance. */
static icalcomponent *find_event(icalcomponent *calendar)
{
    icalcomponent *first = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
    for (icalcomponent *event = first; event; event = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT))
        if (!calendar_property(event, ICAL_RECURRENCEID_PROPERTY))
            return event;
    return first;
}

static enum err read_method(icalcomponent *calendar, enum calendar_method *method)
{
    static const struct {
        icalproperty_method name;
        enum calendar_method method;
    } rows[] = {
        { ICAL_METHOD_REQUEST, CALENDAR_REQUEST },
        { ICAL_METHOD_CANCEL, CALENDAR_CANCEL },
        { ICAL_METHOD_REPLY, CALENDAR_REPLY },
        { ICAL_METHOD_COUNTER, CALENDAR_COUNTER },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (icalcomponent_get_method(calendar) == rows[i].name) {
            *method = rows[i].method;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err read_event(icalcomponent *calendar, icalcomponent *event, struct slice owner, struct arena *arena,
                           struct calendar_meeting *meeting)
{
    struct when start;
    icalproperty *sequence = calendar_property(event, ICAL_SEQUENCE_PROPERTY);
    icalproperty *uid_property = calendar_property(event, ICAL_UID_PROPERTY);
    const char *uid = uid_property ? icalproperty_get_uid(uid_property) : NULL;
    if (!uid || !*uid || strlen(uid) > CALENDAR_UID_MAX || !mime_is_utf8(slice_of(uid)) || lost_what_counts(event))
        return ERR_SYNTAX;
    enum err err = read_times(calendar, event, arena, &start, meeting);
    if (!err)
        err = read_series(event, &start, meeting);
    if (err)
        return err;
    if (meeting->method == CALENDAR_REPLY && !read_answer(event, &meeting->answer))
        return ERR_SYNTAX;
    icalproperty *location = calendar_property(event, ICAL_LOCATION_PROPERTY);
    icalproperty *summary = calendar_property(event, ICAL_SUMMARY_PROPERTY);
    icalproperty *description = calendar_property(event, ICAL_DESCRIPTION_PROPERTY);
    meeting->uid = arena_copy(arena, slice_of(uid));
    meeting->location = kept(location ? icalproperty_get_location(location) : "", arena);
    meeting->summary = kept(summary ? icalproperty_get_summary(summary) : "", arena);
    meeting->description = clean_text(description ? icalproperty_get_description(description) : "", false,
                                      CALENDAR_DESCRIPTION_MAX, arena);
    meeting->organizer = read_organizer(event, arena);
    meeting->reminder_s = read_reminder(event);
    meeting->wants_answer = meeting->method == CALENDAR_REQUEST && read_rsvp(event, owner);
    meeting->refuses_proposals = is_text(text_of(find_x(event, "X-MICROSOFT-DISALLOW-COUNTER")), "TRUE");
    meeting->sensitivity = read_sensitivity(event);
    meeting->busy = read_busy(event);
    int number = sequence ? icalproperty_get_sequence(sequence) : 0;
    meeting->sequence = number > 0 ? (uint32_t)number : 0;
    return ERR_OK;
}

enum err calendar_read(struct slice text, struct slice owner, struct arena *arena, struct calendar_meeting *meeting)
{
    struct calendar_meeting found = { 0 };
    enum err err = check_shape(text);
    if (err)
        return err;
    icalcomponent *root = icalparser_parse_string(arena_text(arena, text)), *calendar = root;
    if (root && icalcomponent_isa(root) != ICAL_VCALENDAR_COMPONENT)
        calendar = icalcomponent_get_first_component(root, ICAL_VCALENDAR_COMPONENT);
    err = calendar ? read_method(calendar, &found.method) : ERR_SYNTAX;
    icalcomponent *event = err ? NULL : find_event(calendar);
    if (!err && !event)
        err = ERR_NOT_FOUND;
    if (!err)
        err = read_event(calendar, event, owner, arena, &found);
    if (root)
        icalcomponent_free(root);
    if (!err)
        *meeting = found;
    return err;
}
