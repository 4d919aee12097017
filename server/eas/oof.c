#include "server/eas/oof.h"

#include "protocol/eas/date.h"
#include "protocol/mime/render.h"
#include "storage/vacation.h"

/* MS-ASCMD 2.2.3.177.15 (Status, Settings) */
enum { OOF_OK = 1, OOF_PROTOCOL_ERROR = 2, OOF_UNAVAILABLE = 4, OOF_INVALID = 5, OOF_CONFLICT = 6 };

static const uint16_t audiences[VACATION_AUDIENCES] = {
    [VACATION_INTERNAL] = WB_Settings_AppliesToInternal,
    [VACATION_KNOWN] = WB_Settings_AppliesToExternalKnown,
    [VACATION_UNKNOWN] = WB_Settings_AppliesToExternalUnknown,
};

/* ---- Get ---- */

static void convert(const struct vacation_message *message, bool html, struct buf *out)
{
    if (message->html == html)
        buf_add(out, message->body);
    else if (html)
        mime_text_to_html(message->body, out);
    else
        mime_html_to_text(message->body, out);
}

static void write_message(struct wbxml_writer *writer, uint16_t audience, const struct vacation_message *message, bool html)
{
    struct buf body = { 0 };
    wbxml_start(writer, WB_Settings_OofMessage);
    wbxml_empty(writer, audience);
    wbxml_cstr(writer, WB_Settings_Enabled, message->enabled ? "1" : "0");
    if (message->body.len) {
        convert(message, html, &body);
        wbxml_text(writer, WB_Settings_ReplyMessage, buf_slice(&body));
        wbxml_cstr(writer, WB_Settings_BodyType, html ? "HTML" : "Text");
    }
    wbxml_end(writer, WB_Settings_OofMessage);
    buf_free(&body);
}

static void write_date(struct wbxml_writer *writer, uint16_t tag, int64_t us)
{
    char text[EAS_DATE_SIZE];
    eas_date_format(us, text);
    wbxml_cstr(writer, tag, text);
}

static void write_oof(struct eas_request *req, const struct vacation *vacation, bool html)
{
    struct wbxml_writer *writer = &req->writer;
    wbxml_start(writer, WB_Settings_Get);
    wbxml_u64(writer, WB_Settings_OofState, (uint64_t)vacation->state);
    if (vacation->starts_us && vacation->ends_us) {
        write_date(writer, WB_Settings_StartTime, vacation->starts_us);
        write_date(writer, WB_Settings_EndTime, vacation->ends_us);
    }
    for (size_t i = 0; i < VACATION_AUDIENCES; i++)
        write_message(writer, audiences[i], &vacation->messages[i], html);
    wbxml_end(writer, WB_Settings_Get);
}

/* ---- Set ---- */

/* BodyType, whatever its case. false: neither of the two. */
static bool take_type(struct slice text, bool *html)
{
    text = slice_trim(text);
    *html = slice_eq_nocase(text, SLICE_LIT("HTML"));
    return *html || slice_eq_nocase(text, SLICE_LIT("Text"));
}

static int take_message(const struct wbxml_node *node, bool seen[VACATION_AUDIENCES], struct vacation *vacation)
{
    struct slice body = wbxml_child_text(node, WB_Settings_ReplyMessage);
    struct slice type = wbxml_child_text(node, WB_Settings_BodyType);
    const struct wbxml_node *enabled = wbxml_child(node, WB_Settings_Enabled);
    uint64_t on = 0;
    bool html = false, named = false;
    if (enabled && !wbxml_number(enabled, 1, &on))
        return OOF_PROTOCOL_ERROR;
    if (type.len && !take_type(type, &html))
        return OOF_INVALID;
    if (body.len && !type.len)
        return OOF_PROTOCOL_ERROR;
    if (body.len > VACATION_BODY_MAX)
        return OOF_INVALID;
    for (size_t i = 0; i < VACATION_AUDIENCES; i++) {
        if (!wbxml_child(node, audiences[i]))
            continue;
        if (seen[i])
            return OOF_CONFLICT;
        named = seen[i] = true;
        vacation->messages[i].enabled = on;
        if (body.at) {
            vacation->messages[i].body = body;
            vacation->messages[i].html = html;
        }
    }
    return named ? 0 : OOF_PROTOCOL_ERROR;
}

static int take_times(const struct wbxml_node *set, struct vacation *vacation)
{
    struct slice start = slice_trim(wbxml_child_text(set, WB_Settings_StartTime));
    struct slice end = slice_trim(wbxml_child_text(set, WB_Settings_EndTime));
    if (!start.len != !end.len || (vacation->state == VACATION_BETWEEN && !start.len))
        return OOF_PROTOCOL_ERROR;
    if (!start.len)
        return 0;
    if (!eas_date_parse(start, &vacation->starts_us) || !eas_date_parse(end, &vacation->ends_us))
        return OOF_INVALID;
    return vacation->state == VACATION_BETWEEN && vacation->ends_us <= vacation->starts_us ? OOF_INVALID : 0;
}

/* What the phone leaves out stays as it is. */
static int take_set(const struct wbxml_node *set, struct vacation *vacation)
{
    const struct wbxml_node *state = wbxml_child(set, WB_Settings_OofState);
    const struct wbxml_node *message = wbxml_child(set, WB_Settings_OofMessage);
    bool seen[VACATION_AUDIENCES] = { false };
    uint64_t number;
    if (!state && !message)
        return OOF_PROTOCOL_ERROR;
    if (state) {
        if (!wbxml_number(state, VACATION_BETWEEN, &number))
            return OOF_PROTOCOL_ERROR;
        vacation->state = (enum vacation_state)number;
    }
    int status = take_times(set, vacation);
    for (; message && !status; message = wbxml_same(message))
        status = take_message(message, seen, vacation);
    return status;
}

static int store(struct eas_request *req, const struct wbxml_node *set)
{
    struct vacation vacation;
    if (vacation_get(req->db, req->arena, eas_account(req), &vacation))
        return OOF_UNAVAILABLE;
    int status = take_set(set, &vacation);
    if (status)
        return status;
    enum err err = vacation_set(req->db, eas_account(req), &vacation);
    return err == ERR_OK ? OOF_OK : err == ERR_SYNTAX || err == ERR_LIMIT ? OOF_INVALID : OOF_UNAVAILABLE;
}

/* ---- both ---- */

void eas_oof(struct eas_request *req, const struct wbxml_node *node)
{
    const struct wbxml_node *get = wbxml_child(node, WB_Settings_Get), *set = wbxml_child(node, WB_Settings_Set);
    struct vacation vacation;
    bool html = false;
    int status = OOF_PROTOCOL_ERROR;
    if (set && !get)
        status = store(req, set);
    else if (get && !set && !wbxml_child(get, WB_Settings_BodyType))
        status = OOF_PROTOCOL_ERROR;
    else if (get && !set && !take_type(wbxml_child_text(get, WB_Settings_BodyType), &html))
        status = OOF_INVALID;
    else if (get && !set)
        status = vacation_get(req->db, req->arena, eas_account(req), &vacation) ? OOF_UNAVAILABLE : OOF_OK;
    wbxml_start(&req->writer, WB_Settings_Oof);
    wbxml_u64(&req->writer, WB_Settings_Status, (uint64_t)status);
    if (get && status == OOF_OK)
        write_oof(req, &vacation, html);
    wbxml_end(&req->writer, WB_Settings_Oof);
}
