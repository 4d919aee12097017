/* Answers to meeting requests (RFC 5546 3.2.3 REPLY, 3.2.7 COUNTER), by libical. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define ITIP_MAX 262144u          // octets of a calendar that is read
#define ITIP_COMPONENTS_MAX 500u  // in it, inside each other or not
#define ITIP_LINES_MAX 20000u

enum itip_answer { ITIP_ACCEPTED = 1, ITIP_TENTATIVE = 2, ITIP_DECLINED = 3 };

struct itip_request {
    struct slice uid, summary; // UTF-8, in the arena
    struct slice organizer;    // address without "mailto:"
    bool recurring;            // a series
};

/* Reads a text/calendar part. errors: ERR_SYNTAX (no calendar, or one that asks nobody: METHOD is not REQUEST, no VEVENT,
 * UID or ORGANIZER), ERR_LIMIT (over a limit above) */
MUST_USE enum err itip_read(struct slice calendar, struct arena *arena, struct itip_request *request);

struct itip_reply {
    struct slice attendee; // address of who answers
    enum itip_answer answer;
    int64_t instance_us;                   // one meeting of a series; 0: what the request is about
    int64_t proposed_start_us, proposed_end_us; // both or none: a COUNTER with these times
    int64_t now_us;
};
/* Writes the answer's calendar: UID, SEQUENCE, ORGANIZER and RECURRENCE-ID are the request's.
 * errors: as itip_read */
MUST_USE enum err itip_reply_write(struct slice calendar, const struct itip_reply *reply, struct buf *out);
static inline bool itip_is_counter(const struct itip_reply *reply)
{
    return reply->proposed_start_us != 0;
}
