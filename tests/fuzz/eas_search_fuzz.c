/* Search and Find as phones send them: what is accepted keeps its promises. */
#include <stdlib.h>

#include "protocol/eas/ids.h"
#include "protocol/eas/search_request.h"

static void check_terms(const struct eas_term *terms, size_t count)
{
    if (count > EAS_TERMS_MAX || (count && terms[count - 1].or_next))
        abort();
    for (size_t i = 0; i < count; i++) {
        if (terms[i].kind < EAS_TERM_ATTACHMENT && terms[i].text.len == 0)
            abort();
    }
}

static void check_request(const struct eas_search_request *request)
{
    struct buf key = { 0 };
    if (request->status != EAS_SEARCH_OK)
        return;
    if (request->range.first > request->range.last ||
        request->range.last - request->range.first >= EAS_SEARCH_RESULTS_MAX)
        abort();
    if (request->mail.collection_count > EAS_SEARCH_COLLECTIONS_MAX)
        abort();
    if (request->store == EAS_STORE_GAL ? request->text.len == 0
                                        : !request->mail.everywhere && request->mail.collection_count == 0)
        abort();
    check_terms(request->mail.terms, request->mail.term_count);
    eas_search_key(request, &key);
    buf_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct wbxml_node *root;
    struct eas_search_request request;
    struct eas_term *terms;
    size_t count;
    int64_t thread;
    if (wbxml_parse(slice_make(data, size), arena, &root, NULL) == ERR_OK) {
        if (eas_search_parse(root, arena, &request) == ERR_OK)
            check_request(&request);
        if (eas_find_parse(root, arena, &request) == ERR_OK)
            check_request(&request);
    }
    if (eas_free_text_parse(slice_make(data, size), arena, &terms, &count) == ERR_OK)
        check_terms(terms, count);
    if (eas_conversation_parse(slice_make(data, size), &thread)) {
        uint8_t id[EAS_CONVERSATION_ID_LEN];
        eas_conversation_id(thread, id);
        if (memcmp(id, data, sizeof id) != 0)
            abort();
    }
    arena_close(&arena);
    return 0;
}
