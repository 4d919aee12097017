/* Answers to meeting requests (MS-ASCMD 2.2.1.11): the request goes to Deleted Items; at 16.0 and later the server mails
 * the answer when SendResponse asks for it, before that the phone mails it itself. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "protocol/eas/date.h"
#include "protocol/eas/ids.h"
#include "server/eas/meeting.h"

#define REQUESTS_MAX 100u // of one MeetingResponse

/* MS-ASCMD 2.2.3.177.9 (Status, MeetingResponse) */
enum { MEETING_OK = 1, MEETING_INVALID = 2, MEETING_MAILBOX_ERROR = 3, MEETING_SERVER_ERROR = 4 };

struct response {
    struct eas_request *req;
    struct slice request_id, long_id; // one of them; told again
    struct eas_item_id id;
    struct eas_meeting_answer answer;
    bool send;
    struct itip_request meeting;
};

/* ---- the request ---- */

static int take_date(const struct wbxml_node *node, uint16_t tag, int64_t *us)
{
    struct slice text = slice_trim(wbxml_child_text(node, tag));
    *us = 0;
    return text.len && !eas_date_parse(text, us) ? EAS_INVALID_DATE : 0;
}

static int parse_send(struct response *r, const struct wbxml_node *node)
{
    const struct wbxml_node *body = wbxml_child(node, WB_AirSyncBase_Body);
    struct itip_reply *reply = &r->answer.reply;
    uint64_t type = 1;
    r->send = true;
    if (body && (!wbxml_number(wbxml_child(body, WB_AirSyncBase_Type), 2, &type) || type == 0))
        return MEETING_INVALID;
    r->answer.body = wbxml_child_text(body, WB_AirSyncBase_Data);
    r->answer.html = type == 2;
    if (r->req->version < 161)
        return 0;
    int status = take_date(node, WB_MeetingResponse_ProposedStartTime, &reply->proposed_start_us);
    if (!status)
        status = take_date(node, WB_MeetingResponse_ProposedEndTime, &reply->proposed_end_us);
    if (!status && reply->proposed_start_us != reply->proposed_end_us && reply->proposed_end_us <= reply->proposed_start_us)
        status = MEETING_INVALID; // one without the other, or in the wrong order
    return status;
}

/* 0, or a status. */
static int parse(struct response *r, const struct wbxml_node *node)
{
    struct eas_request *req = r->req;
    const struct wbxml_node *send = req->version >= 160 ? wbxml_child(node, WB_MeetingResponse_SendResponse) : NULL;
    uint64_t answer;
    int64_t folder;
    r->request_id = wbxml_child_text(node, WB_MeetingResponse_RequestId);
    r->long_id = wbxml_child_text(node, WB_Search_LongId);
    if (!r->request_id.len == !r->long_id.len)
        return MEETING_INVALID;
    if (!wbxml_number(wbxml_child(node, WB_MeetingResponse_UserResponse), ITIP_DECLINED, &answer) || answer == 0)
        return MEETING_INVALID;
    if (!eas_item_id_parse(r->request_id.len ? r->request_id : r->long_id, &r->id))
        return MEETING_INVALID;
    // An item of another folder is not the one that is meant; a calendar item is never one of ours.
    if (r->request_id.len && (!eas_folder_id_parse(wbxml_child_text(node, WB_MeetingResponse_CollectionId), &folder) ||
                              folder != r->id.mailbox))
        return MEETING_INVALID;
    r->answer.reply.attendee = slice_of(req->login.login);
    r->answer.reply.answer = (enum itip_answer)answer;
    r->answer.reply.now_us = clock_wall_us();
    int status = req->version >= 141 ? take_date(node, WB_MeetingResponse_InstanceId, &r->answer.reply.instance_us) : 0;
    if (!status && send)
        status = parse_send(r, send);
    r->answer.client_id = slice_of(arena_printf(req->arena, "meeting:%" PRIi64 ":%" PRIu32 ":%d:%" PRIi64, r->id.mailbox,
                                                r->id.item, (int)answer, r->answer.reply.instance_us));
    return status;
}

/* ---- doing it ---- */

static int status_of(enum err err)
{
    return err == ERR_OK ? 0 : err == ERR_UNAVAILABLE || err == ERR_CANCELLED ? MEETING_SERVER_ERROR : MEETING_INVALID;
}

static int read_request(struct response *r, const struct sync_item *item, struct slice *calendar)
{
    struct buf raw = { 0 };
    enum err err = message_read(r->req->db, &item->message, 0, item->message.size, &raw);
    if (!err)
        *calendar = eas_meeting_calendar(r->req->arena, buf_slice(&raw));
    buf_free(&raw);
    if (err)
        return MEETING_SERVER_ERROR;
    if (itip_read(*calendar, r->req->arena, &r->meeting))
        return MEETING_INVALID;
    return r->answer.reply.instance_us && !r->meeting.recurring ? EAS_NOT_RECURRING : 0;
}

/* To Deleted Items, and told to all devices: the phone that answered has no id of it there. */
static enum err put_away(struct response *r)
{
    struct eas_request *req = r->req;
    struct actor by = eas_actor(req, false);
    struct change_set changes = { .count = 0 };
    struct mailbox trash = { .id = { 0 } };
    bool fresh;
    enum err err = eas_find_role(req, ROLE_TRASH, &trash);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (trash.id.n != r->id.mailbox)
        err = sync_delete(req->db, eas_account(req), (struct device_id){ 0 }, (struct mailbox_id){ r->id.mailbox }, &r->id.item,
                          1, true, &by, &changes);
    else
        err = ERR_OK;
    eas_publish(req, &changes);
    // So that a repeat finds that it was done; the mail's own claim says the same.
    if (!err)
        err = sync_claim_client_id(req->db, eas_account(req), req->device.id, r->answer.client_id, &fresh);
    return err;
}

/* The request has gone: was it this answer, given before? */
static int repeated(struct response *r)
{
    bool known = false;
    enum err err = sync_client_id_known(r->req->db, eas_account(r->req), r->req->device.id, r->answer.client_id, &known);
    return err ? MEETING_SERVER_ERROR : known ? MEETING_OK : MEETING_INVALID;
}

static int respond(struct response *r, const struct wbxml_node *node)
{
    struct eas_request *req = r->req;
    struct sync_item item;
    struct slice calendar = SLICE_LIT("");
    const char *const *keywords;
    size_t keyword_count;
    int status = parse(r, node);
    if (status)
        return status;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), (struct mailbox_id){ r->id.mailbox }, r->id.item, &item,
                                 &keywords, &keyword_count);
    if (err == ERR_NOT_FOUND)
        return repeated(r);
    status = err ? status_of(err) : read_request(r, &item, &calendar);
    if (!status && r->send && eas_meeting_send(req, calendar, &r->meeting, &r->answer))
        status = MEETING_MAILBOX_ERROR; // the request stays where it is
    if (!status)
        status = status_of(put_away(r));
    return status ? status : MEETING_OK;
}

/* ---- the answer ---- */

/* The calendar's id of a meeting that was accepted. There is no calendar to sync, so nothing but this answer has it; it is
 * the same for every answer to the same meeting. */
static struct slice calendar_id(struct response *r)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < r->meeting.uid.len; i++)
        hash = (hash ^ (unsigned char)r->meeting.uid.at[i]) * 1099511628211u;
    return slice_of(arena_printf(r->req->arena, "meeting:%016" PRIx64, hash));
}

static void write_result(struct response *r, int status)
{
    struct wbxml_writer *writer = &r->req->writer;
    wbxml_start(writer, WB_MeetingResponse_Result);
    if (r->request_id.len)
        wbxml_text(writer, WB_MeetingResponse_RequestId, r->request_id);
    else if (r->long_id.len)
        wbxml_text(writer, WB_Search_LongId, r->long_id);
    wbxml_u64(writer, WB_MeetingResponse_Status, (uint64_t)status);
    if (status == MEETING_OK && r->meeting.uid.len && r->answer.reply.answer != ITIP_DECLINED)
        wbxml_text(writer, WB_MeetingResponse_CalendarId, calendar_id(r));
    wbxml_end(writer, WB_MeetingResponse_Result);
}

static void meeting_response_run(struct eas_request *req)
{
    size_t count = wbxml_count(req->root, WB_MeetingResponse_Request);
    if (count == 0 || count > REQUESTS_MAX) {
        eas_answer_error(req, EAS_INVALID_XML);
        return;
    }
    eas_begin(req, WB_MeetingResponse_MeetingResponse);
    const struct wbxml_node *node = wbxml_child(req->root, WB_MeetingResponse_Request);
    for (; node; node = wbxml_same(node)) {
        struct response response = { .req = req };
        int status = respond(&response, node);
        log_event(status == MEETING_OK ? LOG_INFO : LOG_WARN, "eas_meeting", LOG_I("account", eas_account(req).n),
                  LOG_I("answer", response.answer.reply.answer), LOG_I("status", status));
        write_result(&response, status);
    }
    wbxml_end(&req->writer, WB_MeetingResponse_MeetingResponse);
    req->status = MEETING_OK;
    eas_answer(req);
}

const struct eas_command eas_meeting_response = {
    .name = "MeetingResponse",
    .source = "MS-ASCMD 2.2.1.11",
    .root = WB_MeetingResponse_MeetingResponse,
    .status = WB_MeetingResponse_Status,
    .flags = EAS_WRITES,
    .run = meeting_response_run,
};
