/* Calendars of anybody, read for the phone. */
#include <stdlib.h>

#include "protocol/mime/calendar.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct arena *arena = arena_open();
    struct calendar_meeting meeting;
    if (calendar_read(slice_make(data, size), SLICE_LIT("bob@x.test"), arena, &meeting) == ERR_OK) {
        if (!meeting.uid.len || meeting.end_us < meeting.start_us || meeting.rule.interval > 999)
            abort();
        calendar_zone_offset_s(&meeting.zone, meeting.start_us / 1000000);
    }
    arena_close(&arena);
    return 0;
}
