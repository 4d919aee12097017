#include "protocol/eas/date.h"
#include "server/eas/directory.h"

/* MS-ASCMD 2.2.3.177.11 (Status, ResolveRecipients) */
enum resolve_status {
    RESOLVE_OK = 1,
    RESOLVE_AMBIGUOUS = 2,
    RESOLVE_PARTIAL = 3, // ambiguous, and not all are told
    RESOLVE_NONE = 4,
    RESOLVE_PROTOCOL_ERROR = 5,
    RESOLVE_NO_CERTIFICATE = 7,
    RESOLVE_NO_FREE_BUSY = 163,
};

#define RECIPIENTS_MAX 100u // To of one request
#define TO_MAX 256u         // octets of one
#define SUGGESTIONS_MAX 20u // people of an ambiguous name, unless MaxAmbiguousRecipients says less
#define PEOPLE_MAX 1000u    // RecipientCount goes so far
#define TYPE_DIRECTORY 1u

struct resolve_options {
    bool certificates, availability, picture;
    uint32_t suggestions;
};

static bool parse_number(const struct wbxml_node *options, uint16_t tag, uint64_t min, uint64_t max, uint64_t *number)
{
    const struct wbxml_node *node = wbxml_child(options, tag);
    return !node || (wbxml_number(node, max, number) && *number >= min);
}

static bool parse_availability(const struct wbxml_node *node)
{
    int64_t start, end;
    return eas_date_parse(slice_trim(wbxml_child_text(node, WB_ResolveRecipients_StartTime)), &start) &&
           eas_date_parse(slice_trim(wbxml_child_text(node, WB_ResolveRecipients_EndTime)), &end) && start < end;
}

static bool parse_options(const struct eas_request *req, struct resolve_options *wanted)
{
    const struct wbxml_node *options = wbxml_child(req->root, WB_ResolveRecipients_Options),
                            *availability = wbxml_child(options, WB_ResolveRecipients_Availability);
    uint64_t retrieval = 1, certificates = 0, suggestions = SUGGESTIONS_MAX;
    bool good = parse_number(options, WB_ResolveRecipients_CertificateRetrieval, 1, 3, &retrieval) &&
                parse_number(options, WB_ResolveRecipients_MaxCertificates, 0, 9999, &certificates) &&
                parse_number(options, WB_ResolveRecipients_MaxAmbiguousRecipients, 0, 9999, &suggestions);
    wanted->certificates = retrieval > 1;
    wanted->suggestions = (uint32_t)(suggestions < SUGGESTIONS_MAX ? suggestions : SUGGESTIONS_MAX);
    wanted->availability = availability && req->version >= 140;
    wanted->picture = wbxml_child(options, WB_ResolveRecipients_Picture) && req->version >= 141;
    return good && (!wanted->availability || parse_availability(availability));
}

/* "Name <address>" is the address. */
static struct slice address_of(struct slice to)
{
    size_t open = slice_find(to, '<');
    if (open == SIZE_MAX)
        return to;
    struct slice inner = slice_tail(to, open + 1);
    return slice_trim(slice_cut(&inner, '>'));
}

/* An address is that person alone; else all whom the text may mean. */
static enum err resolve(struct eas_request *req, struct slice to, struct person **people, size_t *count)
{
    struct slice text = address_of(to);
    *people = arena_new(req->arena, struct person, 1);
    *count = 1;
    enum err err = eas_directory_get(req, text, *people);
    return err == ERR_NOT_FOUND ? eas_directory_find(req, text, PEOPLE_MAX, people, count) : err;
}

static void write_status(struct wbxml_writer *writer, uint16_t tag, uint64_t status)
{
    wbxml_start(writer, tag);
    wbxml_u64(writer, WB_ResolveRecipients_Status, status);
    wbxml_end(writer, tag);
}

/* There are no calendars, no certificates and no pictures here: each is asked about and answered by itself. */
static void write_recipient(struct wbxml_writer *writer, const struct person *person,
                            const struct resolve_options *wanted)
{
    wbxml_start(writer, WB_ResolveRecipients_Recipient);
    wbxml_u64(writer, WB_ResolveRecipients_Type, TYPE_DIRECTORY);
    wbxml_text(writer, WB_ResolveRecipients_DisplayName, eas_directory_name(person));
    wbxml_cstr(writer, WB_ResolveRecipients_EmailAddress, person->login);
    if (wanted->availability)
        write_status(writer, WB_ResolveRecipients_Availability, RESOLVE_NO_FREE_BUSY);
    if (wanted->certificates) {
        wbxml_start(writer, WB_ResolveRecipients_Certificates);
        wbxml_u64(writer, WB_ResolveRecipients_Status, RESOLVE_NO_CERTIFICATE);
        wbxml_u64(writer, WB_ResolveRecipients_CertificateCount, 0);
        wbxml_u64(writer, WB_ResolveRecipients_RecipientCount, 1);
        wbxml_end(writer, WB_ResolveRecipients_Certificates);
    }
    if (wanted->picture)
        write_status(writer, WB_ResolveRecipients_Picture, EAS_NO_PICTURE);
    wbxml_end(writer, WB_ResolveRecipients_Recipient);
}

static enum err write_response(struct eas_request *req, struct slice to, const struct resolve_options *wanted)
{
    struct wbxml_writer *writer = &req->writer;
    struct person *people;
    size_t count;
    enum err err = resolve(req, to, &people, &count);
    if (err)
        return err;
    size_t shown = count > 1 && count > wanted->suggestions ? wanted->suggestions : count;
    int status = count == 0      ? RESOLVE_NONE
                 : count == 1    ? RESOLVE_OK
                 : shown < count ? RESOLVE_PARTIAL
                                 : RESOLVE_AMBIGUOUS;
    wbxml_start(writer, WB_ResolveRecipients_Response);
    wbxml_text(writer, WB_ResolveRecipients_To, to);
    wbxml_u64(writer, WB_ResolveRecipients_Status, (uint64_t)status);
    wbxml_u64(writer, WB_ResolveRecipients_RecipientCount, count);
    for (size_t i = 0; i < shown; i++)
        write_recipient(writer, &people[i], wanted);
    wbxml_end(writer, WB_ResolveRecipients_Response);
    return ERR_OK;
}

static bool recipients_are_good(const struct wbxml_node *root)
{
    const struct wbxml_node *to = wbxml_child(root, WB_ResolveRecipients_To);
    bool good = to && wbxml_count(root, WB_ResolveRecipients_To) <= RECIPIENTS_MAX;
    for (; to && good; to = wbxml_same(to)) {
        size_t len = slice_trim(to->text).len;
        good = len > 0 && len <= TO_MAX;
    }
    return good;
}

static void resolve_recipients_run(struct eas_request *req)
{
    struct resolve_options wanted;
    if (!recipients_are_good(req->root) || !parse_options(req, &wanted)) {
        eas_answer_status(req, RESOLVE_PROTOCOL_ERROR);
        return;
    }
    eas_begin(req, WB_ResolveRecipients_ResolveRecipients);
    wbxml_u64(&req->writer, WB_ResolveRecipients_Status, RESOLVE_OK);
    enum err err = ERR_OK;
    const struct wbxml_node *to = wbxml_child(req->root, WB_ResolveRecipients_To);
    for (; to && !err; to = wbxml_same(to))
        err = write_response(req, slice_trim(to->text), &wanted);
    if (err) {
        eas_answer_unavailable(req);
        return;
    }
    wbxml_end(&req->writer, WB_ResolveRecipients_ResolveRecipients);
    req->status = RESOLVE_OK;
    eas_answer(req);
}

const struct eas_command eas_resolve_recipients = {
    .name = "ResolveRecipients",
    .source = "MS-ASCMD 2.2.1.15",
    .root = WB_ResolveRecipients_ResolveRecipients,
    .status = WB_ResolveRecipients_Status,
    .run = resolve_recipients_run,
};
