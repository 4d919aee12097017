/* Calendars of meeting requests as mail brings them: first octet: whom and what to answer, the rest: the calendar. And the
 * header of a message that an absent user may answer. */
#include <assert.h>
#include <stdint.h>

#include "protocol/mime/autoreply.h"
#include "protocol/mime/itip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *arena = arena_open();
    struct buf out = { 0 };
    struct slice text = slice_make(data + 1, size - 1);
    struct itip_request request;
    struct auto_reply_to to;
    struct itip_reply reply = {
        .attendee = SLICE_LIT("me@example.test"),
        .answer = (enum itip_answer)(1 + data[0] % 3),
        .instance_us = data[0] & 4 ? INT64_C(1764237600000000) : 0,
        .proposed_start_us = data[0] & 8 ? INT64_C(1764241200000000) : 0,
        .proposed_end_us = data[0] & 8 ? INT64_C(1764244800000000) : 0,
        .now_us = INT64_C(1764230400000000),
    };
    if (itip_read(text, arena, &request) == ERR_OK) {
        assert(slice_find(request.organizer, '@') != SIZE_MAX);
        enum err err = itip_reply_write(text, &reply, &out);
        assert(err == ERR_OK && buf_len(&out) > 0);
    }
    if (mime_auto_reply_judge(text, SLICE_LIT("me@example.test"), arena, &to) == AUTO_REPLY_YES) {
        assert(to.sender.len);
        mime_auto_reply_compose(&to, SLICE_LIT("me@example.test"), text, data[0] & 1, &out);
    }
    buf_free(&out);
    arena_close(&arena);
    return 0;
}
