/* Requests of Search and Find as structs: MS-ASCMD 2.2.1.16 (Search), 2.2.1.2 (Find). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "protocol/eas/free_text.h"
#include "protocol/eas/options.h"
#include "protocol/wbxml/wbxml.h"

#define EAS_SEARCH_RESULTS_MAX 100u     // results of one answer
#define EAS_SEARCH_HITS_MAX 1000u       // results that a search keeps: Range ends at 999
#define EAS_SEARCH_COLLECTIONS_MAX 200u // folders of one query

enum eas_search_store { EAS_STORE_MAILBOX, EAS_STORE_GAL, EAS_STORE_DOCUMENTS };

/* MS-ASCMD 2.2.3.177.13 (Status, Search): of the store */
enum eas_search_status {
    EAS_SEARCH_OK = 1,
    EAS_SEARCH_INVALID = 2,
    EAS_SEARCH_SERVER_ERROR = 3,
    EAS_SEARCH_DENIED = 5,
    EAS_SEARCH_COMPLEX = 8,
    EAS_SEARCH_FOLDERS = 11, // FolderSync first
    EAS_SEARCH_RANGE = 12,
    EAS_SEARCH_PART_TYPE = 164,
};

struct eas_range { // zero-based, inclusive; at most EAS_SEARCH_RESULTS_MAX results
    uint32_t first, last;
};

struct eas_mail_query {
    bool no_mail;         // classes were named and Email is not among them: nothing is found
    bool everywhere;      // no folder or "0"
    int64_t *collections; // mailboxes
    size_t collection_count;
    struct eas_term *terms;
    size_t term_count;
    int64_t conversation; // the thread; has_conversation
    bool has_conversation;
    bool has_after, has_before;
    int64_t after_us, before_us; // later than, earlier than
};

struct eas_search_request {
    enum eas_search_store store;
    int status;                 // EAS_SEARCH_OK, or why the store refuses
    struct eas_mail_query mail; // EAS_STORE_MAILBOX
    struct slice text;          // EAS_STORE_GAL
    struct eas_range range;
    bool deep, rebuild;
    bool wants_picture;
    struct eas_options options;
    struct slice id; // SearchId of Find
};

/* Reads Search. What is wrong inside the store is told by request->status. errors: ERR_SYNTAX (no Store at all) */
MUST_USE enum err eas_search_parse(const struct wbxml_node *root, struct arena *arena,
                                   struct eas_search_request *request);
/* Reads Find; status is EAS_SEARCH_OK, _INVALID or _RANGE. errors: ERR_SYNTAX (no SearchId, no criterion) */
MUST_USE enum err eas_find_parse(const struct wbxml_node *root, struct arena *arena,
                                 struct eas_search_request *request);
/* What makes two requests the same search, page and form of the results apart. Appended. */
void eas_search_key(const struct eas_search_request *request, struct buf *out);

/* "m-n"; cut to the most that one answer holds. */
bool eas_range_parse(struct slice text, uint32_t max, struct eas_range *range);
