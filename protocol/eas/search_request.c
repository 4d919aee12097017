#include "protocol/eas/search_request.h"

#include "protocol/eas/base64.h"
#include "protocol/eas/date.h"
#include "protocol/eas/ids.h"

#define FIND_ID_MAX 64u // octets of a SearchId: a GUID, with or without braces

bool eas_range_parse(struct slice text, uint32_t max, struct eas_range *range)
{
    uint64_t first, last;
    struct slice head = slice_trim(slice_cut(&text, '-'));
    if (!slice_to_u64(head, max, &first) || !slice_to_u64(slice_trim(text), max, &last) || first > last)
        return false;
    range->first = (uint32_t)first;
    range->last = (uint32_t)(last - first < EAS_SEARCH_RESULTS_MAX ? last : first + EAS_SEARCH_RESULTS_MAX - 1);
    return true;
}

/* ---- conversations ---- */

/* Opaque, or the base64 that some clients write. */
static bool parse_conversation(const struct wbxml_node *node, struct arena *arena, int64_t *thread)
{
    struct slice octets = node->text;
    if (!node->opaque && base64_take(slice_trim(node->text), arena, &octets))
        return false;
    return eas_conversation_parse(octets, thread);
}

/* ---- the query tree of a mailbox ---- */

/* Several collections are their union; "0" is the whole mailbox. */
static int add_collection(struct slice text, struct eas_mail_query *mail)
{
    text = slice_trim(text);
    if (mail->collection_count == EAS_SEARCH_COLLECTIONS_MAX)
        return EAS_SEARCH_COMPLEX;
    if (slice_eq(text, SLICE_LIT("0")))
        mail->everywhere = true;
    else if (slice_eq(text, SLICE_LIT(EAS_OUTBOX_ID)))
        mail->collections[mail->collection_count++] = 0; // nothing is ever in it
    else if (!eas_folder_id_parse(text, &mail->collections[mail->collection_count]))
        return EAS_SEARCH_COMPLEX;
    else
        mail->collection_count++;
    return EAS_SEARCH_OK;
}

/* GreaterThan or LessThan: DateReceived and its Value. */
static int parse_date(const struct wbxml_node *node, bool *has, int64_t *us)
{
    const struct wbxml_node *value = wbxml_child(node, WB_Search_Value);
    if (*has || !wbxml_child(node, WB_Email_DateReceived) || !value || !eas_date_parse(slice_trim(value->text), us))
        return EAS_SEARCH_INVALID;
    *has = true;
    return EAS_SEARCH_OK;
}

static int parse_free_text(struct slice text, struct arena *arena, struct eas_mail_query *mail)
{
    if (mail->terms)
        return EAS_SEARCH_INVALID;
    if (eas_free_text_parse(text, arena, &mail->terms, &mail->term_count))
        return EAS_SEARCH_COMPLEX;
    return EAS_SEARCH_OK;
}

struct classes {
    bool any, email;
};

static void note_class(struct slice text, struct classes *classes)
{
    classes->any = true;
    classes->email |= slice_eq_nocase(slice_trim(text), SLICE_LIT("Email"));
}

static int parse_condition(const struct wbxml_node *node, struct arena *arena, struct eas_mail_query *mail,
                           struct classes *classes)
{
    switch (node->tag) {
    case WB_AirSync_Class: note_class(node->text, classes); return EAS_SEARCH_OK;
    case WB_AirSync_CollectionId: return add_collection(node->text, mail);
    case WB_Search_FreeText: return parse_free_text(node->text, arena, mail);
    case WB_Search_ConversationId:
        if (mail->has_conversation)
            return EAS_SEARCH_COMPLEX;
        mail->has_conversation = true;
        mail->no_mail |= !parse_conversation(node, arena, &mail->conversation);
        return EAS_SEARCH_OK;
    case WB_Search_GreaterThan: return parse_date(node, &mail->has_after, &mail->after_us);
    case WB_Search_LessThan: return parse_date(node, &mail->has_before, &mail->before_us);
    case WB_Search_And:
    case WB_Search_Or:
    case WB_Search_EqualTo: return EAS_SEARCH_COMPLEX;
    default: // elements of mail, of another page
        return EAS_SEARCH_INVALID;
    }
}

static int finish_mail(struct eas_mail_query *mail, const struct classes *classes)
{
    bool any = mail->term_count || mail->collection_count || mail->everywhere || mail->has_conversation ||
               mail->has_after || mail->has_before || classes->any;
    mail->no_mail |= classes->any && !classes->email;
    mail->everywhere |= mail->collection_count == 0;
    return any ? EAS_SEARCH_OK : EAS_SEARCH_INVALID;
}

static int parse_mail_query(const struct wbxml_node *query, struct arena *arena, struct eas_mail_query *mail)
{
    struct classes classes = { 0 };
    const struct wbxml_node *and = query ? query->child : NULL;
    mail->collections = arena_new(arena, int64_t, EAS_SEARCH_COLLECTIONS_MAX);
    if (!and)
        return EAS_SEARCH_INVALID;
    for (const struct wbxml_node *node = and; node; node = node->next) {
        if (node->tag != WB_Search_And || node != and) { // a condition outside of And, an Or, a second And
            int status = parse_condition(node, arena, &(struct eas_mail_query){ .collections = mail->collections },
                                         &(struct classes){ 0 });
            return status == EAS_SEARCH_INVALID ? status : EAS_SEARCH_COMPLEX;
        }
    }
    for (const struct wbxml_node *node = and->child; node; node = node->next) {
        int status = parse_condition(node, arena, mail, &classes);
        if (status != EAS_SEARCH_OK)
            return status;
    }
    return finish_mail(mail, &classes);
}

/* ---- Search ---- */

static int parse_range_child(const struct wbxml_node *options, uint16_t tag, struct eas_range *range)
{
    const struct wbxml_node *node = wbxml_child(options, tag);
    *range = (struct eas_range){ 0, EAS_SEARCH_RESULTS_MAX - 1 };
    return !node || eas_range_parse(node->text, UINT32_MAX - 1, range) ? EAS_SEARCH_OK : EAS_SEARCH_INVALID;
}

static int parse_search_options(const struct wbxml_node *options, struct eas_search_request *request)
{
    int status = parse_range_child(options, WB_Search_Range, &request->range);
    request->deep = wbxml_bool(wbxml_child(options, WB_Search_DeepTraversal), false);
    request->rebuild = wbxml_bool(wbxml_child(options, WB_Search_RebuildResults), false);
    request->wants_picture = wbxml_child(options, WB_Search_Picture) != NULL;
    if (status != EAS_SEARCH_OK)
        return status;
    enum err err = eas_options_parse(options, &request->options);
    return err == ERR_DENIED ? EAS_SEARCH_PART_TYPE : err ? EAS_SEARCH_INVALID : EAS_SEARCH_OK;
}

static int parse_gal_query(const struct wbxml_node *query, struct slice *text)
{
    *text = query ? slice_trim(query->text) : SLICE_LIT("");
    return !query || query->child || text->len == 0 || text->len > EAS_FREE_TEXT_MAX ? EAS_SEARCH_INVALID
                                                                                     : EAS_SEARCH_OK;
}

static bool parse_store(struct slice name, enum eas_search_store *store)
{
    static const struct slice names[] = { { "Mailbox", 7 }, { "GAL", 3 }, { "DocumentLibrary", 15 } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *store = (enum eas_search_store)i;
        if (slice_eq_nocase(slice_trim(name), names[i]))
            return true;
    }
    return slice_eq_nocase(slice_trim(name), SLICE_LIT("Document Library"));
}

enum err eas_search_parse(const struct wbxml_node *root, struct arena *arena, struct eas_search_request *request)
{
    const struct wbxml_node *store = wbxml_child(root, WB_Search_Store), *query = wbxml_child(store, WB_Search_Query);
    *request = (struct eas_search_request){ .status = EAS_SEARCH_INVALID, .options = EAS_OPTIONS_DEFAULT };
    if (!store)
        return ERR_SYNTAX;
    if (!parse_store(wbxml_child_text(store, WB_Search_Name), &request->store))
        return ERR_OK;
    if (request->store == EAS_STORE_DOCUMENTS) {
        request->status = EAS_SEARCH_DENIED; // there is none
        return ERR_OK;
    }
    request->status = parse_search_options(wbxml_child(store, WB_Search_Options), request);
    if (request->status == EAS_SEARCH_OK)
        request->status = request->store == EAS_STORE_GAL ? parse_gal_query(query, &request->text)
                                                          : parse_mail_query(query, arena, &request->mail);
    return ERR_OK;
}

/* ---- Find ---- */

static int parse_find_query(const struct wbxml_node *query, struct arena *arena, struct eas_mail_query *mail)
{
    struct classes classes = { 0 };
    mail->collections = arena_new(arena, int64_t, EAS_SEARCH_COLLECTIONS_MAX);
    for (const struct wbxml_node *node = query ? query->child : NULL; node; node = node->next) {
        int status = EAS_SEARCH_INVALID;
        if (node->tag == WB_Find_FreeText)
            status = parse_free_text(node->text, arena, mail);
        else if (node->tag == WB_AirSync_Class || node->tag == WB_AirSync_CollectionId)
            status = parse_condition(node, arena, mail, &classes);
        if (status != EAS_SEARCH_OK)
            return EAS_SEARCH_INVALID;
    }
    if (mail->term_count == 0) // without words there is nothing to find
        return EAS_SEARCH_INVALID;
    return finish_mail(mail, &classes);
}

static int parse_find_options(const struct wbxml_node *options, struct eas_search_request *request)
{
    int status = parse_range_child(options, WB_Find_Range, &request->range);
    request->deep = wbxml_bool(wbxml_child(options, WB_Find_DeepTraversal), false);
    request->wants_picture = wbxml_child(options, WB_Find_Picture) != NULL;
    if (status == EAS_SEARCH_OK && request->range.last >= EAS_SEARCH_HITS_MAX)
        status = EAS_SEARCH_RANGE;
    return status;
}

enum err eas_find_parse(const struct wbxml_node *root, struct arena *arena, struct eas_search_request *request)
{
    const struct wbxml_node *execute = wbxml_child(root, WB_Find_ExecuteSearch),
                            *mail = wbxml_child(execute, WB_Find_MailBoxSearchCriterion),
                            *people = wbxml_child(execute, WB_Find_GalSearchCriterion);
    *request = (struct eas_search_request){ .status = EAS_SEARCH_INVALID, .options = EAS_OPTIONS_DEFAULT };
    request->id = slice_trim(wbxml_child_text(root, WB_Find_SearchId));
    if (request->id.len == 0 || request->id.len > FIND_ID_MAX || (mail != NULL) + (people != NULL) != 1)
        return ERR_SYNTAX;
    const struct wbxml_node *criterion = mail ? mail : people, *query = wbxml_child(criterion, WB_Find_Query);
    request->store = mail ? EAS_STORE_MAILBOX : EAS_STORE_GAL;
    request->status = parse_find_options(wbxml_child(criterion, WB_Find_Options), request);
    if (request->status == EAS_SEARCH_OK)
        request->status =
            mail ? parse_find_query(query, arena, &request->mail) : parse_gal_query(query, &request->text);
    return ERR_OK;
}

void eas_search_key(const struct eas_search_request *request, struct buf *out)
{
    const struct eas_mail_query *mail = &request->mail;
    buf_printf(out, "%zu:%.*s %d %d %d %zu", request->id.len, SLICE_ARG(request->id), request->store, request->deep,
               mail->everywhere, mail->collection_count);
    for (size_t i = 0; i < mail->collection_count; i++)
        buf_printf(out, " %lld", (long long)mail->collections[i]);
    buf_printf(out, " %d %lld %d %lld %d %lld", mail->has_conversation, (long long)mail->conversation, mail->has_after,
               (long long)mail->after_us, mail->has_before, (long long)mail->before_us);
    for (size_t i = 0; i < mail->term_count; i++)
        buf_printf(out, " %d%d%d%d%zu:%.*s", mail->terms[i].kind, mail->terms[i].on, mail->terms[i].negated,
                   mail->terms[i].or_next, mail->terms[i].text.len, SLICE_ARG(mail->terms[i].text));
}
