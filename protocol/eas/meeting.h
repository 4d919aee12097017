/* MeetingRequest: what a phone shows of a meeting in mail (MS-ASEMAIL 2.2.2.48). */
#pragma once

#include "protocol/mime/calendar.h"
#include "protocol/wbxml/wbxml.h"

#define EAS_TIME_ZONE_SIZE 172u // octets of the TimeZone structure (MS-ASDTYPE 2.7.6)

/* received_us stands in for a missing DTSTAMP. */
void eas_meeting_write(struct wbxml_writer *writer, int version, const struct calendar_meeting *meeting,
                       int64_t received_us);
/* IPM.Schedule.Meeting... (MS-ASEMAIL 2.2.2.49 MessageClass). */
const char *eas_meeting_class(const struct calendar_meeting *meeting);
void eas_time_zone_pack(const struct calendar_zone *zone, uint8_t octets[EAS_TIME_ZONE_SIZE]);
/* The identifier that Exchange gives a meeting; appended to out, not in base64. */
void eas_global_object_id(const struct calendar_meeting *meeting, struct buf *out);
