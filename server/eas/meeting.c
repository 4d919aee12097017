#include "server/eas/meeting.h"

#include "protocol/mime/compose.h"
#include "protocol/mime/render.h"
#include "server/eas/send.h"

struct slice eas_meeting_calendar(struct arena *arena, struct slice raw)
{
    struct mime_meta meta;
    struct buf text = { 0 };
    mime_describe(raw, arena, &meta);
    if (!meta.is_meeting || meta.meeting_part >= meta.part_count)
        return SLICE_LIT("");
    const struct mime_part *part = &meta.parts[meta.meeting_part];
    if (part->body_at > raw.len || part->body_len > raw.len - part->body_at)
        return SLICE_LIT("");
    struct buf octets = { 0 };
    mime_decode_part(part, slice_make(raw.at + part->body_at, part->body_len), &octets);
    mime_to_utf8(part->charset, buf_slice(&octets), &text);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&octets);
    buf_free(&text);
    return copy;
}

bool eas_meeting_is_series(struct arena *arena, struct slice raw)
{
    struct itip_request request;
    return itip_read(eas_meeting_calendar(arena, raw), arena, &request) == ERR_OK && request.recurring;
}

static const char *title_of(const struct itip_reply *reply)
{
    static const char *const titles[] = { [ITIP_ACCEPTED] = "Accepted", [ITIP_TENTATIVE] = "Tentative",
                                          [ITIP_DECLINED] = "Declined" };
    return itip_is_counter(reply) ? "New Time Proposed" : titles[reply->answer];
}

int eas_meeting_send(struct eas_request *req, struct slice calendar, const struct itip_request *request,
                     const struct eas_meeting_answer *answer)
{
    struct buf ics = { 0 }, raw = { 0 };
    enum err err = itip_reply_write(calendar, &answer->reply, &ics);
    struct slice title = slice_of(arena_printf(req->arena, "%s: %.*s", title_of(&answer->reply), SLICE_ARG(request->summary)));
    struct slice body = answer->body.len ? answer->body : title;
    struct mime_draft draft = {
        .from = answer->reply.attendee,
        .to = request->organizer,
        .subject = title,
        .text = answer->html && answer->body.len ? SLICE_LIT("") : body,
        .html = answer->html && answer->body.len ? body : SLICE_LIT(""),
        .calendar = buf_slice(&ics),
        .method = itip_is_counter(&answer->reply) ? "COUNTER" : "REPLY",
        .importance = 1,
    };
    int status = err ? EAS_SUBMISSION_FAILED : 0;
    if (!status) {
        mime_compose(&draft, &raw);
        struct eas_sending sending = { .raw = buf_slice(&raw), .save = true, .client_id = answer->client_id };
        status = eas_send_once(req, &sending);
    }
    buf_free(&ics);
    buf_free(&raw);
    return status == EAS_PREVIOUSLY_SENT ? 0 : status;
}
