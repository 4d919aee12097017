#include <stdio.h>

#include "server/eas/directory.h"
#include "server/eas/item.h"
#include "server/eas/mail_search.h"

/* MS-ASCMD 2.2.3.177.2 (Status, Find) */
enum find_status {
    FIND_OK = 1,
    FIND_INVALID = 2,
    FIND_FOLDERS = 3, // FolderSync first
    FIND_RANGE = 4,   // inside Response
};

static void begin_response(struct eas_request *req, const struct eas_search_request *request, int status)
{
    eas_begin(req, WB_Find_Find);
    wbxml_u64(&req->writer, WB_Find_Status, FIND_OK);
    wbxml_start(&req->writer, WB_Find_Response);
    wbxml_cstr(&req->writer, WB_ItemOperations_Store, request->store == EAS_STORE_GAL ? "GAL" : "Mailbox");
    wbxml_u64(&req->writer, WB_Find_Status, (uint64_t)status);
    req->status = status;
}

static void end_response(struct eas_request *req)
{
    wbxml_end(&req->writer, WB_Find_Response);
    wbxml_end(&req->writer, WB_Find_Find);
    eas_answer(req);
}

static void refuse_range(struct eas_request *req, const struct eas_search_request *request)
{
    begin_response(req, request, FIND_RANGE);
    end_response(req);
}

/* Nothing found has no Range. */
static void write_range(struct eas_request *req, uint64_t first, uint64_t written, uint64_t total)
{
    char range[48];
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)first, (unsigned long long)(first + written - 1));
    if (written)
        wbxml_cstr(&req->writer, WB_Find_Range, range);
    wbxml_u64(&req->writer, WB_Find_Total, total);
}

static bool range_is_there(const struct eas_search_request *request, size_t count)
{
    return request->range.first == 0 || request->range.first < count;
}

/* ---- mail ---- */

static void write_text(struct wbxml_writer *writer, uint16_t tag, struct slice text)
{
    if (text.len)
        wbxml_text(writer, tag, text.len > EAS_ADDRESSES_MAX ? eas_body_cut(text, EAS_ADDRESSES_MAX, false) : text);
}

static void write_properties(struct eas_request *req, const struct mime_meta *meta, const struct sync_item *item)
{
    struct wbxml_writer *writer = &req->writer;
    char date[EAS_DATE_SIZE];
    eas_date_format(item->row.internal_us, date);
    wbxml_text(writer, WB_Email_Subject, meta->subject);
    wbxml_cstr(writer, WB_Email_DateReceived, date);
    write_text(writer, WB_Email_DisplayTo, meta->to);
    write_text(writer, WB_Find_DisplayCc, meta->cc);
    if (item->role == ROLE_DRAFTS || item->role == ROLE_SENT)
        write_text(writer, WB_Find_DisplayBcc, meta->bcc);
    wbxml_u64(writer, WB_Email_Importance, meta->importance);
    wbxml_u64(writer, WB_Email_Read, item->row.flags & FLAG_SEEN ? 1 : 0);
    wbxml_u64(writer, WB_Email2_IsDraft, item->role == ROLE_DRAFTS);
    struct slice preview = eas_preview(meta->preview, EAS_PREVIEW_MAX);
    if (preview.len)
        wbxml_text(writer, WB_Find_Preview, preview);
    wbxml_u64(writer, WB_Find_HasAttachments, meta->has_attachments);
    write_text(writer, WB_Email_From, meta->from);
}

static enum err write_mail(struct eas_request *req, struct found_hit hit)
{
    struct wbxml_writer *writer = &req->writer;
    struct sync_item item;
    struct mime_meta meta;
    const char *const *keywords;
    size_t keyword_count;
    char id[EAS_ID_SIZE];
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), (struct mailbox_id){ hit.mailbox }, hit.item,
                                 &item, &keywords, &keyword_count);
    if (err)
        return err;
    if (eas_item_meta(req->arena, &item.message, &meta)) // one bad message never stops the rest
        meta = (struct mime_meta){ .importance = 1 };
    wbxml_start(writer, WB_Find_Result);
    wbxml_cstr(writer, WB_AirSync_Class, "Email");
    eas_item_id_format((struct eas_item_id){ hit.mailbox, hit.item }, id);
    wbxml_cstr(writer, WB_AirSync_ServerId, id);
    eas_folder_id_format(hit.mailbox, id);
    wbxml_cstr(writer, WB_AirSync_CollectionId, id);
    wbxml_start(writer, WB_Find_Properties);
    write_properties(req, &meta, &item);
    wbxml_end(writer, WB_Find_Properties);
    wbxml_end(writer, WB_Find_Result);
    return ERR_OK;
}

static void find_mail(struct eas_request *req, const struct eas_search_request *request)
{
    struct found_hit *hits;
    size_t count, at = request->range.first;
    enum err err = eas_mail_search(req, request, false, &hits, &count);
    if (err == ERR_NOT_FOUND) {
        eas_answer_status(req, FIND_FOLDERS);
        return;
    }
    if (err == ERR_CONFLICT || (!err && !range_is_there(request, count))) {
        refuse_range(req, request);
        return;
    }
    begin_response(req, request, FIND_OK);
    for (; !err && at < count && at <= request->range.last; at++) {
        err = write_mail(req, hits[at]);
        if (err == ERR_NOT_FOUND) // gone since it was found
            err = ERR_OK;
    }
    if (err) {
        eas_answer_unavailable(req);
        return;
    }
    write_range(req, request->range.first, at - request->range.first, count);
    end_response(req);
}

/* ---- people ---- */

static void find_people(struct eas_request *req, const struct eas_search_request *request)
{
    struct wbxml_writer *writer = &req->writer;
    struct person *people;
    size_t count, at = request->range.first;
    enum err err = eas_directory_find(req, request->text, EAS_SEARCH_HITS_MAX, &people, &count);
    if (err) {
        eas_answer_unavailable(req);
        return;
    }
    if (!range_is_there(request, count)) {
        refuse_range(req, request);
        return;
    }
    begin_response(req, request, FIND_OK);
    for (; at < count && at <= request->range.last; at++) {
        wbxml_start(writer, WB_Find_Result);
        wbxml_start(writer, WB_Find_Properties);
        eas_directory_write(writer, &people[at], request->wants_picture ? WB_Find_Picture : 0, WB_Find_Status);
        wbxml_end(writer, WB_Find_Properties);
        wbxml_end(writer, WB_Find_Result);
    }
    write_range(req, request->range.first, at - request->range.first, count);
    end_response(req);
}

static void find_run(struct eas_request *req)
{
    struct eas_search_request request;
    if (eas_find_parse(req->root, req->arena, &request))
        eas_answer_status(req, FIND_INVALID);
    else if (request.status == EAS_SEARCH_RANGE)
        refuse_range(req, &request);
    else if (request.status != EAS_SEARCH_OK)
        eas_answer_status(req, FIND_INVALID);
    else if (request.store == EAS_STORE_GAL)
        find_people(req, &request);
    else
        find_mail(req, &request);
}

const struct eas_command eas_find = {
    .name = "Find",
    .source = "MS-ASCMD 2.2.1.2",
    .root = WB_Find_Find,
    .status = WB_Find_Status,
    .since = 161,
    .run = find_run,
};
