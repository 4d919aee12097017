/* Meeting requests in mail: finding the calendar in a message, and answering it (MS-ASCMD 2.2.1.11 MeetingResponse). */
#pragma once

#include "protocol/mime/itip.h"
#include "server/eas/eas_internal.h"

/* The decoded text/calendar part of a whole message, in the arena; empty when there is none. */
struct slice eas_meeting_calendar(struct arena *arena, struct slice raw);
/* Whether the message asks for a series of meetings. */
bool eas_meeting_is_series(struct arena *arena, struct slice raw);

struct eas_meeting_answer {
    struct itip_reply reply;
    struct slice body; // what the user wrote to the organizer; may be empty
    bool html;
    struct slice client_id; // a repeat of the request sends no second answer
};
/* Mails the answer to the organizer, with a copy in Sent. Returns 0, or a common status. */
int eas_meeting_send(struct eas_request *req, struct slice calendar, const struct itip_request *request,
                     const struct eas_meeting_answer *answer);
