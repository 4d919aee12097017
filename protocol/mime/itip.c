#include "protocol/mime/itip.h"

#include <libical/ical.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* libical takes whatever comes, and lets go of components inside each other by calling itself. */
static bool fits(struct slice text)
{
    size_t lines = 0, components = 0;
    if (text.len > ITIP_MAX)
        return false;
    while (text.len && lines <= ITIP_LINES_MAX && components <= ITIP_COMPONENTS_MAX) {
        lines++;
        components += slice_starts_nocase(slice_trim(slice_cut(&text, '\n')), SLICE_LIT("BEGIN"));
    }
    return lines <= ITIP_LINES_MAX && components <= ITIP_COMPONENTS_MAX;
}

/* The calendar, freed by the caller; NULL when there is none. */
static icalcomponent *parse(struct slice calendar)
{
    char *text = mem_alloc(calendar.len + 1);
    if (calendar.len)
        memcpy(text, calendar.at, calendar.len);
    icalcomponent *root = icalparser_parse_string(text);
    free(text);
    return root;
}

static icalcomponent *calendar_of(icalcomponent *root)
{
    if (!root || icalcomponent_isa(root) == ICAL_VCALENDAR_COMPONENT)
        return root;
    return icalcomponent_get_first_component(root, ICAL_VCALENDAR_COMPONENT);
}

static icalcomponent *first_event(icalcomponent *calendar)
{
    return icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
}

static bool is_recurring(icalcomponent *event)
{
    return icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY) ||
           icalcomponent_get_first_property(event, ICAL_RDATE_PROPERTY);
}

static struct slice address_of(const char *uri)
{
    struct slice s = slice_trim(slice_of(uri ? uri : ""));
    return slice_starts_nocase(s, SLICE_LIT("mailto:")) ? slice_tail(s, 7) : s;
}

static icalproperty *organizer_of(icalcomponent *event)
{
    return icalcomponent_get_first_property(event, ICAL_ORGANIZER_PROPERTY);
}

/* errors: ERR_SYNTAX: nobody is asked */
static enum err check(icalcomponent *calendar)
{
    icalcomponent *event = calendar ? first_event(calendar) : NULL;
    if (!event || icalcomponent_get_method(calendar) != ICAL_METHOD_REQUEST || !icalcomponent_get_uid(event))
        return ERR_SYNTAX;
    icalproperty *organizer = organizer_of(event);
    struct slice address = organizer ? address_of(icalproperty_get_organizer(organizer)) : SLICE_LIT("");
    return slice_find(address, '@') == SIZE_MAX ? ERR_SYNTAX : ERR_OK;
}

enum err itip_read(struct slice text, struct arena *arena, struct itip_request *request)
{
    if (!fits(text))
        return ERR_LIMIT;
    icalcomponent *root = parse(text), *calendar = calendar_of(root);
    enum err err = check(calendar);
    if (!err) {
        icalcomponent *event = first_event(calendar);
        const char *summary = icalcomponent_get_summary(event);
        *request = (struct itip_request){
            .uid = arena_copy(arena, slice_of(icalcomponent_get_uid(event))),
            .summary = arena_copy(arena, slice_of(summary ? summary : "")),
            .organizer = arena_copy(arena, address_of(icalproperty_get_organizer(organizer_of(event)))),
        };
        for (; event; event = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT))
            request->recurring |= is_recurring(event);
    }
    if (root)
        icalcomponent_free(root);
    return err;
}

/* ---- the answer ---- */

static struct icaltimetype utc(int64_t us)
{
    return icaltime_from_timet_with_zone((time_t)(us / US_PER_S), 0, icaltimezone_get_utc_timezone());
}

/* The event of one instance when the request holds it apart, else the first. */
static icalcomponent *event_of(icalcomponent *calendar, int64_t instance_us)
{
    icalcomponent *event = first_event(calendar);
    for (icalcomponent *e = event; instance_us && e; e = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT)) {
        struct icaltimetype id = icalcomponent_get_recurrenceid(e);
        if (!icaltime_is_null_time(id) && icaltime_compare(id, utc(instance_us)) == 0)
            return e;
    }
    return event;
}

static void copy_property(icalcomponent *to, icalcomponent *from, icalproperty_kind kind)
{
    icalproperty *property = icalcomponent_get_first_property(from, kind);
    if (property)
        icalcomponent_add_property(to, icalproperty_new_clone(property));
}

static icalproperty *attendee_of(icalcomponent *event, struct slice address)
{
    icalproperty *p = icalcomponent_get_first_property(event, ICAL_ATTENDEE_PROPERTY);
    while (p && !slice_eq_nocase(address_of(icalproperty_get_attendee(p)), address))
        p = icalcomponent_get_next_property(event, ICAL_ATTENDEE_PROPERTY);
    if (p)
        return icalproperty_new_clone(p);
    char *uri = mem_alloc(address.len + 8);
    memcpy(uri, "mailto:", 7);
    memcpy(uri + 7, address.at, address.len);
    p = icalproperty_new_attendee(uri);
    free(uri);
    return p;
}

static icalproperty *answering(icalcomponent *event, const struct itip_reply *reply)
{
    static const icalparameter_partstat words[] = { [ITIP_ACCEPTED] = ICAL_PARTSTAT_ACCEPTED,
                                                    [ITIP_TENTATIVE] = ICAL_PARTSTAT_TENTATIVE,
                                                    [ITIP_DECLINED] = ICAL_PARTSTAT_DECLINED };
    icalproperty *attendee = attendee_of(event, reply->attendee);
    icalproperty_remove_parameter_by_kind(attendee, ICAL_RSVP_PARAMETER);
    icalproperty_set_parameter(attendee, icalparameter_new_partstat(words[reply->answer]));
    return attendee;
}

static void add_times(icalcomponent *answer, icalcomponent *event, const struct itip_reply *reply)
{
    if (itip_is_counter(reply)) {
        icalcomponent_set_dtstart(answer, utc(reply->proposed_start_us));
        icalcomponent_set_dtend(answer, utc(reply->proposed_end_us));
        return;
    }
    copy_property(answer, event, ICAL_DTSTART_PROPERTY);
    copy_property(answer, event, ICAL_DTEND_PROPERTY);
}

static icalcomponent *answer_event(icalcomponent *event, const struct itip_reply *reply)
{
    icalcomponent *answer = icalcomponent_new_vevent();
    bool apart = !icaltime_is_null_time(icalcomponent_get_recurrenceid(event));
    copy_property(answer, event, ICAL_UID_PROPERTY);
    icalcomponent_set_dtstamp(answer, utc(reply->now_us));
    copy_property(answer, event, ICAL_SEQUENCE_PROPERTY);
    copy_property(answer, event, ICAL_ORGANIZER_PROPERTY);
    icalcomponent_add_property(answer, answering(event, reply));
    if (apart)
        copy_property(answer, event, ICAL_RECURRENCEID_PROPERTY);
    else if (reply->instance_us)
        icalcomponent_set_recurrenceid(answer, utc(reply->instance_us));
    if (apart || !reply->instance_us || itip_is_counter(reply))
        add_times(answer, event, reply);
    copy_property(answer, event, ICAL_SUMMARY_PROPERTY);
    return answer;
}

enum err itip_reply_write(struct slice text, const struct itip_reply *reply, struct buf *out)
{
    if (!fits(text))
        return ERR_LIMIT;
    icalcomponent *root = parse(text), *calendar = calendar_of(root);
    enum err err = check(calendar);
    if (!err) {
        icalcomponent *answer = icalcomponent_new_vcalendar();
        icalcomponent_add_property(answer, icalproperty_new_prodid("-//Godwit//EN"));
        icalcomponent_add_property(answer, icalproperty_new_version("2.0"));
        icalcomponent_set_method(answer, itip_is_counter(reply) ? ICAL_METHOD_COUNTER : ICAL_METHOD_REPLY);
        for (icalcomponent *zone = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT); zone;
             zone = icalcomponent_get_next_component(calendar, ICAL_VTIMEZONE_COMPONENT))
            icalcomponent_add_component(answer, icalcomponent_new_clone(zone));
        icalcomponent_add_component(answer, answer_event(event_of(calendar, reply->instance_us), reply));
        char *written = icalcomponent_as_ical_string_r(answer);
        buf_add_text(out, written);
        free(written);
        icalcomponent_free(answer);
    }
    if (root)
        icalcomponent_free(root);
    return err;
}
