#include "base/clock.h"
#include "protocol/eas/ids.h"
#include "protocol/eas/options.h"
#include "server/eas/folder.h"

/* MS-ASCMD 2.2.3.177.8 (Status, GetItemEstimate) */
enum { ESTIMATE_OK = 1, ESTIMATE_INVALID = 2, ESTIMATE_NOT_PRIMED = 3, ESTIMATE_KEY_INVALID = 4 };

#define COLLECTIONS_MAX 1000u
#define ESTIMATE_MAX 1000000u
#define HOUR_US (INT64_C(3600) * US_PER_S)

#define FILTER_MAIL_MAX 7 // 6 and 7 are honoured, as in Sync
#define FILTER_MAX 8u     // incomplete tasks

/* The filter of the request; -1: the sticky one counts, -2: not one of the numbers. */
static int filter_of(const struct wbxml_node *collection)
{
    const struct wbxml_node *node = wbxml_child(collection, WB_AirSync_FilterType), *options;
    uint64_t filter;
    for (options = wbxml_child(collection, WB_AirSync_Options); options && !node; options = wbxml_same(options)) {
        if (!slice_eq_nocase(wbxml_child_text(options, WB_AirSync_Class), SLICE_LIT("SMS")))
            node = wbxml_child(options, WB_AirSync_FilterType);
    }
    if (!node)
        return -1;
    return wbxml_number(node, FILTER_MAX, &filter) ? (int)filter : -2;
}

static const char *class_of(struct slice id)
{
    const struct eas_fixed_folder *fixed = eas_fixed_folder(id);
    return fixed ? fixed->class : "Email";
}

static enum err estimate(struct eas_request *req, const struct wbxml_node *collection, struct slice id, int filter,
                         uint32_t *count)
{
    struct slice key = slice_trim(wbxml_child_text(collection, WB_AirSync_SyncKey));
    struct mailbox_id mailbox;
    struct sync_cut cut = { 0, 0 };
    *count = 0;
    if (key.len == 0 || slice_eq(key, SLICE_LIT("0")))
        return ERR_STATE;
    if (eas_fixed_folder(id))
        return ERR_OK;
    if (!eas_folder_id_parse(id, &mailbox.n))
        return ERR_NOT_FOUND;
    int64_t age_s = filter >= 0 ? eas_filter_age_s((uint8_t)filter) : 0;
    if (age_s) {
        cut.date_us = clock_wall_us() - age_s * US_PER_S;
        cut.date_us -= cut.date_us % HOUR_US;
    }
    return sync_estimate(req->db, eas_account(req), req->device.id, mailbox, key, filter >= 0 ? &cut : NULL,
                         ESTIMATE_MAX, count);
}

static int status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return ESTIMATE_OK;
    case ERR_STATE:
        return ESTIMATE_NOT_PRIMED;
    case ERR_CONFLICT:
        return ESTIMATE_KEY_INVALID;
    default:
        return ESTIMATE_INVALID;
    }
}

static enum err write_response(struct eas_request *req, const struct wbxml_node *collection)
{
    struct wbxml_writer *writer = &req->writer;
    struct slice id = wbxml_child_text(collection, WB_GetItemEstimate_CollectionId);
    uint32_t count;
    enum err err = estimate(req, collection, id, filter_of(collection), &count);
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED)
        return err;
    wbxml_start(writer, WB_GetItemEstimate_Response);
    wbxml_u64(writer, WB_GetItemEstimate_Status, (uint64_t)status_of(err));
    wbxml_start(writer, WB_GetItemEstimate_Collection);
    if (req->version < 140)
        wbxml_cstr(writer, WB_GetItemEstimate_Class, class_of(id));
    wbxml_text(writer, WB_GetItemEstimate_CollectionId, id);
    if (!err)
        wbxml_u64(writer, WB_GetItemEstimate_Estimate, count);
    wbxml_end(writer, WB_GetItemEstimate_Collection);
    wbxml_end(writer, WB_GetItemEstimate_Response);
    return ERR_OK;
}

/* 0, or the status that refuses the request. */
static int check(const struct wbxml_node *list)
{
    const struct wbxml_node *node = wbxml_child(list, WB_GetItemEstimate_Collection);
    if (!node || wbxml_count(list, WB_GetItemEstimate_Collection) > COLLECTIONS_MAX)
        return EAS_INVALID_XML;
    for (; node; node = wbxml_same(node)) {
        int filter = filter_of(node);
        struct slice id = wbxml_child_text(node, WB_GetItemEstimate_CollectionId);
        if (id.len == 0 || filter == -2)
            return EAS_INVALID_XML;
        bool is_mail = slice_eq(slice_of(class_of(id)), SLICE_LIT("Email"));
        if (!is_mail && wbxml_child(node, WB_AirSync_ConversationMode))
            return EAS_INVALID_XML;
        if (filter > FILTER_MAIL_MAX)
            return EAS_SERVER_ERROR; // MS-ASCMD 2.2.3.64.1 (FilterType, GetItemEstimate): not of this class
    }
    return 0;
}

static void get_item_estimate_run(struct eas_request *req)
{
    const struct wbxml_node *list = wbxml_child(req->root, WB_GetItemEstimate_Collections);
    int status = check(list);
    if (status) {
        eas_answer_error(req, status);
        return;
    }
    eas_begin(req, WB_GetItemEstimate_GetItemEstimate);
    enum err err = ERR_OK;
    const struct wbxml_node *node = wbxml_child(list, WB_GetItemEstimate_Collection);
    for (; node && !err; node = wbxml_same(node))
        err = write_response(req, node);
    if (err) {
        eas_answer_unavailable(req);
        return;
    }
    wbxml_end(&req->writer, WB_GetItemEstimate_GetItemEstimate);
    req->status = ESTIMATE_OK;
    eas_answer(req);
}

const struct eas_command eas_get_item_estimate = {
    .name = "GetItemEstimate",
    .source = "MS-ASCMD 2.2.1.9",
    .root = WB_GetItemEstimate_GetItemEstimate,
    .status = WB_GetItemEstimate_Status,
    .run = get_item_estimate_run,
};
