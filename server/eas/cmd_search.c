#include <stdio.h>

#include "server/eas/directory.h"
#include "server/eas/item.h"
#include "server/eas/mail_search.h"

#define ANSWER_OCTETS_MAX (1u << 20) // an answer with so much in it ends, its Range says where (hard case 33)
#define SEARCH_TIMED_OUT 10          // MS-ASCMD 2.2.3.177.13 (Status, Search)

/* ---- what stands around the results ---- */

static void begin_store(struct eas_request *req, int status)
{
    eas_begin(req, WB_Search_Search);
    wbxml_u64(&req->writer, WB_Search_Status, EAS_SEARCH_OK);
    wbxml_start(&req->writer, WB_Search_Response);
    wbxml_start(&req->writer, WB_Search_Store);
    wbxml_u64(&req->writer, WB_Search_Status, (uint64_t)status);
    req->status = status;
}

static void end_store(struct eas_request *req)
{
    wbxml_end(&req->writer, WB_Search_Store);
    wbxml_end(&req->writer, WB_Search_Response);
    wbxml_end(&req->writer, WB_Search_Search);
    eas_answer(req);
}

static void refuse(struct eas_request *req, int status)
{
    begin_store(req, status);
    end_store(req);
}

static void refuse_err(struct eas_request *req, enum err err)
{
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED)
        eas_answer_unavailable(req);
    else
        refuse(req, err == ERR_NOT_FOUND ? EAS_SEARCH_FOLDERS
                    : err == ERR_LIMIT   ? SEARCH_TIMED_OUT
                                         : EAS_SEARCH_SERVER_ERROR);
}

/* The range that was really given. Nothing found is one empty Result: some phones wait for it. */
static void write_range(struct eas_request *req, uint64_t first, uint64_t written, uint64_t total)
{
    char range[48];
    if (total == 0)
        wbxml_empty(&req->writer, WB_Search_Result);
    uint64_t last = first + (written ? written - 1 : 0);
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)first, (unsigned long long)last);
    wbxml_cstr(&req->writer, WB_Search_Range, range);
    wbxml_u64(&req->writer, WB_Search_Total, total);
}

/* ---- mail ---- */

static enum err write_mail(struct eas_request *req, const struct eas_search_request *request, struct found_hit hit)
{
    struct wbxml_writer *writer = &req->writer;
    struct eas_item_view view = { .req = req, .options = &request->options, .mailbox = hit.mailbox };
    struct sync_item item;
    char id[EAS_ID_SIZE];
    view.no_body = request->options.preference_count == 0 && !request->options.has_part;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), (struct mailbox_id){ hit.mailbox }, hit.item,
                                 &item, &view.keywords, &view.keyword_count);
    if (err)
        return err;
    view.role = item.role;
    wbxml_start(writer, WB_Search_Result);
    wbxml_cstr(writer, WB_AirSync_Class, "Email");
    eas_item_id_format((struct eas_item_id){ hit.mailbox, hit.item }, id);
    wbxml_cstr(writer, WB_Search_LongId, id);
    eas_folder_id_format(hit.mailbox, id);
    wbxml_cstr(writer, WB_AirSync_CollectionId, id);
    wbxml_start(writer, WB_Search_Properties);
    err = eas_item_write(&view, writer, &item);
    wbxml_end(writer, WB_Search_Properties);
    wbxml_end(writer, WB_Search_Result);
    return err;
}

static void search_mail(struct eas_request *req, const struct eas_search_request *request)
{
    struct found_hit *hits;
    size_t count, at = request->range.first;
    enum err err = eas_mail_search(req, request, true, &hits, &count);
    if (err) {
        refuse_err(req, err);
        return;
    }
    if (at > 0 && at >= count) {
        refuse(req, EAS_SEARCH_RANGE);
        return;
    }
    begin_store(req, EAS_SEARCH_OK);
    for (; at < count && at <= request->range.last && !err; at++) {
        if (at > request->range.first && buf_len(&req->out) >= ANSWER_OCTETS_MAX)
            break;
        err = write_mail(req, request, hits[at]);
        if (err == ERR_NOT_FOUND) // gone since it was found
            err = ERR_OK;
    }
    if (err) {
        eas_answer_unavailable(req);
        return;
    }
    write_range(req, request->range.first, at - request->range.first, count);
    end_store(req);
}

/* ---- people ---- */

static void search_people(struct eas_request *req, const struct eas_search_request *request)
{
    struct wbxml_writer *writer = &req->writer;
    struct person *people;
    size_t count, at = request->range.first;
    enum err err = eas_directory_find(req, request->text, EAS_SEARCH_HITS_MAX, &people, &count);
    if (err) {
        refuse_err(req, err);
        return;
    }
    if (at > 0 && at >= count) {
        refuse(req, EAS_SEARCH_RANGE);
        return;
    }
    bool pictures = request->wants_picture && req->version >= 141;
    begin_store(req, EAS_SEARCH_OK);
    for (; at < count && at <= request->range.last; at++) {
        wbxml_start(writer, WB_Search_Result);
        wbxml_start(writer, WB_Search_Properties);
        eas_directory_write(writer, &people[at], pictures ? WB_GAL_Picture : 0, WB_GAL_Status);
        wbxml_end(writer, WB_Search_Properties);
        wbxml_end(writer, WB_Search_Result);
    }
    write_range(req, request->range.first, at - request->range.first, count);
    end_store(req);
}

static void search_run(struct eas_request *req)
{
    struct eas_search_request request;
    if (eas_search_parse(req->root, req->arena, &request))
        eas_answer_status(req, EAS_SEARCH_INVALID);
    else if (request.status != EAS_SEARCH_OK)
        refuse(req, request.status);
    else if (request.store == EAS_STORE_GAL)
        search_people(req, &request);
    else
        search_mail(req, &request);
}

const struct eas_command eas_search = {
    .name = "Search",
    .source = "MS-ASCMD 2.2.1.16",
    .root = WB_Search_Search,
    .status = WB_Search_Status,
    .run = search_run,
};
