#include <stdio.h>

#include "server/eas/attachment.h"
#include "server/eas/empty_folder.h"
#include "server/eas/extents.h"
#include "server/eas/item.h"
#include "server/eas/move_conversation.h"

/* MS-ASCMD 2.2.3.177.9 (Status, ItemOperations) */
enum operation_status {
    OPERATION_OK = 1,
    OPERATION_PROTOCOL_ERROR = 2,
    OPERATION_SERVER_ERROR = 3,
    OPERATION_NOT_FOUND = 6,
    OPERATION_RANGE = 8,
    OPERATION_STORE = 9,
    OPERATION_TOO_MANY = 11,
    OPERATION_ATTACHMENT = 15,
    OPERATION_NO_RECIPIENT_FOLDER = 105, // Move or EmptyFolderContents of the recipient information
    OPERATION_DESTINATION = 156,         // Move to what takes no mail
};

#define OPERATIONS_MAX 100u
#define INLINE_BYTES (512u * 1024) // attachments up to here are read while the answer is composed, as many as fit in
#define INLINE_TOTAL (2u << 20)    // so much; all others are read while it is sent
#define BODIES_TOTAL (32u << 20)   // octets of the items of one answer; further ones are refused
#define RECIPIENT_FOLDER "RI"      // the recipient information cache: not a folder of ours

struct multipart_piece { // MS-ASCMD 2.2.1.10.1 (MultiPartResponse)
    struct multipart_piece *next;
    struct buf octets;                    // a body
    const struct eas_attachment *attachment; // or a range of one
    uint64_t from, len;
};

struct operations {
    struct eas_request *req;
    bool multipart;
    struct multipart_piece *first, *last;
    uint32_t piece_count;
    struct eas_extents *extents; // inline answers: what stands before the writer's octets
    uint64_t inline_octets, body_octets;
    enum err fatal;
};

static struct multipart_piece *add_piece(struct operations *operations)
{
    struct multipart_piece *piece = arena_new(operations->req->arena, struct multipart_piece, 1);
    if (operations->last)
        operations->last->next = piece;
    else
        operations->first = piece;
    operations->last = piece;
    operations->piece_count++;
    return piece;
}

static uint32_t add_body(void *ctx, struct slice data)
{
    struct operations *operations = ctx;
    struct multipart_piece *piece = add_piece(operations);
    buf_add(&piece->octets, data);
    piece->len = data.len;
    operations->body_octets += data.len;
    return operations->piece_count;
}

static bool note_fatal(struct operations *operations, enum err err)
{
    if (err == ERR_UNAVAILABLE || err == ERR_CANCELLED)
        operations->fatal = err;
    return operations->fatal != ERR_OK;
}

/* ---- the answer to one Fetch ---- */

static void begin_fetch(struct operations *operations, const struct wbxml_node *fetch, int status)
{
    static const uint16_t echoed[] = { WB_AirSync_CollectionId, WB_AirSync_ServerId, WB_Search_LongId };
    struct wbxml_writer *writer = &operations->req->writer;
    wbxml_start(writer, WB_ItemOperations_Fetch);
    wbxml_u64(writer, WB_ItemOperations_Status, (uint64_t)status);
    for (size_t i = 0; i < sizeof echoed / sizeof *echoed; i++) {
        struct slice text = wbxml_child_text(fetch, echoed[i]);
        if (text.len)
            wbxml_text(writer, echoed[i], text);
    }
    struct slice reference = wbxml_child_text(fetch, WB_AirSyncBase_FileReference);
    if (reference.len && status == OPERATION_OK)
        wbxml_text(writer, WB_AirSyncBase_FileReference, reference);
}

static void refuse_fetch(struct operations *operations, const struct wbxml_node *fetch, int status)
{
    begin_fetch(operations, fetch, status);
    wbxml_end(&operations->req->writer, WB_ItemOperations_Fetch);
}

/* "m-n", zero-based and inclusive; the end is cut to the size. */
static bool parse_range(struct slice text, uint64_t size, uint64_t *from, uint64_t *len)
{
    uint64_t last;
    struct slice first = slice_trim(slice_cut(&text, '-'));
    if (!slice_to_u64(first, UINT32_MAX, from) || !slice_to_u64(slice_trim(text), UINT64_MAX - 1, &last) ||
        *from > last || *from >= size)
        return false;
    *len = (last < size ? last + 1 : size) - *from;
    return true;
}

static enum err write_data(struct operations *operations, const struct eas_attachment *attachment, uint64_t from,
                           uint64_t len)
{
    struct eas_request *req = operations->req;
    struct wbxml_writer *writer = &req->writer;
    if (operations->multipart) {
        struct multipart_piece *piece = add_piece(operations);
        piece->attachment = attachment;
        piece->from = from;
        piece->len = len;
        wbxml_u64(writer, WB_ItemOperations_Part, operations->piece_count);
        return ERR_OK;
    }
    if (len == 0) {
        wbxml_empty(writer, WB_ItemOperations_Data);
        return ERR_OK;
    }
    wbxml_text_open(writer, WB_ItemOperations_Data);
    enum err err = ERR_OK;
    operations->inline_octets += attachment->part.body_len;
    if (attachment->part.body_len > INLINE_BYTES || operations->inline_octets > INLINE_TOTAL) {
        eas_extents_add(operations->extents, &req->out);
        eas_extents_add_part(operations->extents, &attachment->row, &attachment->part, from, len, true);
    } else {
        struct eas_extents *small = eas_extents_open();
        eas_extents_add_part(small, &attachment->row, &attachment->part, from, len, true);
        err = eas_extents_read(small, req->worker, &req->out);
        eas_extents_close(&small);
    }
    wbxml_text_close(writer, WB_ItemOperations_Data);
    return err;
}

static void fetch_attachment(struct operations *operations, const struct wbxml_node *fetch, struct slice reference)
{
    struct eas_request *req = operations->req;
    struct wbxml_writer *writer = &req->writer;
    struct eas_attachment *attachment = arena_new(req->arena, struct eas_attachment, 1);
    struct slice range = wbxml_child_text(wbxml_child(fetch, WB_ItemOperations_Options), WB_ItemOperations_Range);
    enum err err = eas_attachment_find(req, reference, attachment);
    if (note_fatal(operations, err))
        return;
    if (err) {
        refuse_fetch(operations, fetch, OPERATION_ATTACHMENT);
        return;
    }
    uint64_t from = 0, len = attachment->size;
    if (range.len && !parse_range(range, attachment->size, &from, &len)) {
        refuse_fetch(operations, fetch, OPERATION_RANGE);
        return;
    }
    begin_fetch(operations, fetch, OPERATION_OK);
    wbxml_start(writer, WB_ItemOperations_Properties);
    if (range.len) { // an unasked Range breaks iOS
        char text[64];
        snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)from, (unsigned long long)(from + len - 1));
        wbxml_cstr(writer, WB_ItemOperations_Range, text);
        wbxml_u64(writer, WB_ItemOperations_Total, attachment->size);
    }
    wbxml_cstr(writer, WB_AirSyncBase_ContentType, attachment->content_type);
    note_fatal(operations, write_data(operations, attachment, from, len));
    wbxml_end(writer, WB_ItemOperations_Properties);
    wbxml_end(writer, WB_ItemOperations_Fetch);
}

/* Without any preference the body comes whole in its own form. */
static void add_native_preferences(struct eas_options *options)
{
    if (options->preference_count || options->has_part)
        return;
    options->preferences[options->preference_count++] = (struct eas_body_preference){ .type = EAS_BODY_HTML };
    options->preferences[options->preference_count++] = (struct eas_body_preference){ .type = EAS_BODY_TEXT };
}

/* ---- Schema: only some elements of an item ---- */

static void copy_node(struct wbxml_writer *writer, const struct wbxml_node *node)
{
    if (node->opaque) {
        wbxml_opaque(writer, node->tag, node->text);
    } else if (node->child) {
        wbxml_start(writer, node->tag);
        for (const struct wbxml_node *child = node->child; child; child = child->next) // as deep as the Email class
            copy_node(writer, child);
        wbxml_end(writer, node->tag);
    } else {
        wbxml_text(writer, node->tag, node->text);
    }
}

static enum err write_some(struct operations *operations, const struct eas_item_view *view, const struct sync_item *item,
                           const struct wbxml_node *schema)
{
    struct arena *arena = operations->req->arena;
    struct wbxml_writer whole;
    struct wbxml_node *root;
    struct buf out = { 0 };
    wbxml_writer_init(&whole, &out);
    wbxml_start(&whole, WB_ItemOperations_Properties);
    enum err err = eas_item_write(view, &whole, item);
    wbxml_end(&whole, WB_ItemOperations_Properties);
    if (!err && wbxml_parse(buf_slice(&out), arena, &root, NULL) == ERR_OK) {
        for (const struct wbxml_node *child = root->child; child; child = child->next) {
            if (wbxml_child(schema, child->tag))
                copy_node(&operations->req->writer, child);
        }
    }
    buf_free(&out);
    return err;
}

/* ---- Fetch of an item ---- */

/* The item of an id; the CollectionId beside it, if any, must be its folder. */
static enum err find_item(struct operations *operations, const struct wbxml_node *fetch, struct slice id_text,
                          struct eas_item_view *view, struct sync_item *item)
{
    struct eas_request *req = operations->req;
    struct eas_item_id id;
    int64_t collection;
    struct slice collection_text = slice_trim(wbxml_child_text(fetch, WB_AirSync_CollectionId));
    if (!eas_item_id_parse(slice_trim(id_text), &id))
        return ERR_NOT_FOUND;
    if (collection_text.len && (!eas_folder_id_parse(collection_text, &collection) || collection != id.mailbox))
        return ERR_NOT_FOUND;
    view->mailbox = id.mailbox;
    enum err err = sync_get_item(req->db, req->arena, eas_account(req), (struct mailbox_id){ id.mailbox }, id.item, item,
                                 &view->keywords, &view->keyword_count);
    if (!err)
        view->role = item->role;
    return err;
}

static void write_item(struct operations *operations, const struct wbxml_node *fetch, const struct eas_item_view *view,
                       const struct sync_item *item, const struct wbxml_node *schema)
{
    struct wbxml_writer *writer = &operations->req->writer;
    size_t before = buf_len(&operations->req->out);
    begin_fetch(operations, fetch, OPERATION_OK);
    wbxml_cstr(writer, WB_AirSync_Class, "Email");
    wbxml_start(writer, WB_ItemOperations_Properties);
    note_fatal(operations, schema ? write_some(operations, view, item, schema) : eas_item_write(view, writer, item));
    wbxml_end(writer, WB_ItemOperations_Properties);
    wbxml_end(writer, WB_ItemOperations_Fetch);
    operations->body_octets += buf_len(&operations->req->out) - before;
}

static void fetch_item(struct operations *operations, const struct wbxml_node *fetch, struct slice id_text)
{
    const struct wbxml_node *wanted = wbxml_child(fetch, WB_ItemOperations_Options),
                            *schema = wbxml_child(wanted, WB_ItemOperations_Schema);
    struct eas_options options = EAS_OPTIONS_DEFAULT;
    struct eas_item_view view = { .req = operations->req, .options = &options };
    struct sync_item item;
    enum err err = eas_options_parse(wanted, &options);
    if (err || (schema && !schema->child)) {
        refuse_fetch(operations, fetch, err == ERR_DENIED ? (int)EAS_BODY_PART_TYPE : (int)OPERATION_PROTOCOL_ERROR);
        return;
    }
    add_native_preferences(&options);
    view.no_body = schema && !wbxml_child(schema, WB_AirSyncBase_Body);
    if (operations->multipart) {
        view.add_part = add_body;
        view.add_part_ctx = operations;
    }
    err = find_item(operations, fetch, id_text, &view, &item);
    if (note_fatal(operations, err))
        return;
    if (err)
        refuse_fetch(operations, fetch, OPERATION_NOT_FOUND);
    else if (operations->body_octets > BODIES_TOTAL)
        refuse_fetch(operations, fetch, OPERATION_TOO_MANY);
    else
        write_item(operations, fetch, &view, &item, schema);
}

static void run_fetch(struct operations *operations, const struct wbxml_node *fetch)
{
    const struct wbxml_node *store = wbxml_child(fetch, WB_ItemOperations_Store),
                            *reference = wbxml_child(fetch, WB_AirSyncBase_FileReference);
    struct slice server_id = wbxml_child_text(fetch, WB_AirSync_ServerId),
                 long_id = wbxml_child_text(fetch, WB_Search_LongId);
    if (store && !slice_eq_nocase(slice_trim(store->text), SLICE_LIT("Mailbox")))
        refuse_fetch(operations, fetch, OPERATION_STORE);
    else if (!store || (reference != NULL) + (server_id.len > 0) + (long_id.len > 0) != 1 ||
             wbxml_count(fetch, WB_AirSyncBase_FileReference) > 1)
        refuse_fetch(operations, fetch, OPERATION_PROTOCOL_ERROR);
    else if (reference)
        fetch_attachment(operations, fetch, reference->text);
    else
        fetch_item(operations, fetch, server_id.len ? server_id : long_id);
}

/* ---- the other operations ---- */

static int empty_status(enum err err)
{
    switch (err) {
    case ERR_OK:
        return OPERATION_OK;
    case ERR_SYNTAX:
        return OPERATION_PROTOCOL_ERROR;
    case ERR_NOT_FOUND:
        return OPERATION_NOT_FOUND;
    case ERR_DENIED:
        return OPERATION_NO_RECIPIENT_FOLDER;
    default:
        return OPERATION_SERVER_ERROR;
    }
}

static void run_empty(struct operations *operations, const struct wbxml_node *node)
{
    struct eas_request *req = operations->req;
    struct wbxml_writer *writer = &req->writer;
    struct slice id = slice_trim(wbxml_child_text(node, WB_AirSync_CollectionId));
    const struct wbxml_node *subfolders =
        wbxml_child(wbxml_child(node, WB_ItemOperations_Options), WB_ItemOperations_DeleteSubFolders);
    enum err err = id.len == 0 ? ERR_SYNTAX : slice_eq(id, SLICE_LIT(RECIPIENT_FOLDER)) ? ERR_DENIED : ERR_OK;
    if (!err)
        err = eas_empty_folder(req, id, wbxml_bool(subfolders, false));
    if (note_fatal(operations, err))
        return;
    wbxml_start(writer, WB_ItemOperations_EmptyFolderContents);
    wbxml_u64(writer, WB_ItemOperations_Status, (uint64_t)empty_status(err));
    if (id.len)
        wbxml_text(writer, WB_AirSync_CollectionId, id);
    wbxml_end(writer, WB_ItemOperations_EmptyFolderContents);
}

/* A conversation is moved as it is now. MoveAlways asks for its future mail too, which nobody would move here: refused, so
 * that nobody relies on it. */
static int move_conversation(struct operations *operations, const struct wbxml_node *node)
{
    const struct wbxml_node *conversation = wbxml_child(node, WB_ItemOperations_ConversationId),
                            *always = wbxml_child(wbxml_child(node, WB_ItemOperations_Options), WB_ItemOperations_MoveAlways);
    struct slice to = slice_trim(wbxml_child_text(node, WB_ItemOperations_DstFldId));
    if (!conversation || conversation->text.len == 0 || to.len == 0)
        return OPERATION_PROTOCOL_ERROR;
    if (slice_eq(to, SLICE_LIT(RECIPIENT_FOLDER)))
        return OPERATION_NO_RECIPIENT_FOLDER;
    if (wbxml_bool(always, false))
        return OPERATION_SERVER_ERROR;
    enum err err = eas_move_conversation(operations->req, conversation->text, to);
    note_fatal(operations, err);
    return err == ERR_OK ? OPERATION_OK : err == ERR_NOT_FOUND ? OPERATION_NOT_FOUND
                                      : err == ERR_DENIED      ? OPERATION_DESTINATION
                                                               : OPERATION_SERVER_ERROR;
}

static void run_move(struct operations *operations, const struct wbxml_node *node)
{
    struct wbxml_writer *writer = &operations->req->writer;
    int status = move_conversation(operations, node);
    struct slice conversation = wbxml_child_text(node, WB_ItemOperations_ConversationId);
    wbxml_start(writer, WB_ItemOperations_Move);
    wbxml_u64(writer, WB_ItemOperations_Status, (uint64_t)status);
    if (conversation.len)
        wbxml_opaque(writer, WB_ItemOperations_ConversationId, conversation);
    wbxml_end(writer, WB_ItemOperations_Move);
}

/* ---- the answer as a whole ---- */

static void add_u32_le(struct buf *out, uint64_t number)
{
    for (int i = 0; i < 4; i++)
        buf_add_byte(out, (char)(number >> (8 * i)));
}

static void answer_multipart(struct operations *operations)
{
    struct eas_request *req = operations->req;
    struct eas_extents *extents = operations->extents;
    uint64_t count = 1 + operations->piece_count, offset = 4 + 8 * count, size = buf_len(&req->out);
    struct buf head = { 0 };
    add_u32_le(&head, count);
    add_u32_le(&head, offset);
    add_u32_le(&head, size);
    for (const struct multipart_piece *piece = operations->first; piece; piece = piece->next) {
        offset += size;
        size = piece->len;
        add_u32_le(&head, offset);
        add_u32_le(&head, size);
    }
    eas_extents_add(extents, &head);
    eas_extents_add(extents, &req->out);
    for (struct multipart_piece *piece = operations->first; piece; piece = piece->next) {
        if (piece->attachment)
            eas_extents_add_part(extents, &piece->attachment->row, &piece->attachment->part, piece->from, piece->len, false);
        else
            eas_extents_add(extents, &piece->octets);
    }
    eas_extents_answer(&operations->extents, req, "application/vnd.ms-sync.multipart");
}

static void answer(struct operations *operations)
{
    struct eas_request *req = operations->req;
    req->status = OPERATION_OK;
    if (operations->fatal) {
        eas_answer_unavailable(req);
    } else if (operations->multipart) {
        answer_multipart(operations);
    } else if (eas_extents_size(operations->extents)) {
        eas_extents_add(operations->extents, &req->out);
        eas_extents_answer(&operations->extents, req, EAS_CONTENT_TYPE);
    } else {
        eas_answer(req);
    }
}

static bool wants_multipart(const struct eas_request *req)
{
    return req->query.accept_multipart ||
           slice_eq_nocase(http_header(req->http, "MS-ASAcceptMultiPart"), SLICE_LIT("T"));
}

/* Which operations there are, before any is done. Conversations can be moved from 14.0 on. */
static int check_operations(const struct eas_request *req)
{
    size_t count = 0;
    for (const struct wbxml_node *node = req->root->child; node; node = node->next, count++) {
        bool known = node->tag == WB_ItemOperations_Fetch || node->tag == WB_ItemOperations_EmptyFolderContents ||
                     (node->tag == WB_ItemOperations_Move && req->version >= 140);
        if (!known)
            return OPERATION_PROTOCOL_ERROR;
    }
    return count == 0 ? OPERATION_PROTOCOL_ERROR : count > OPERATIONS_MAX ? OPERATION_TOO_MANY : OPERATION_OK;
}

static void item_operations_run(struct eas_request *req)
{
    struct operations operations = { .req = req, .multipart = wants_multipart(req) };
    int status = check_operations(req);
    if (status != OPERATION_OK) {
        eas_answer_status(req, status);
        return;
    }
    operations.extents = eas_extents_open();
    eas_begin(req, WB_ItemOperations_ItemOperations);
    wbxml_u64(&req->writer, WB_ItemOperations_Status, OPERATION_OK);
    wbxml_start(&req->writer, WB_ItemOperations_Response);
    for (const struct wbxml_node *node = req->root->child; node && !operations.fatal; node = node->next) {
        if (node->tag == WB_ItemOperations_Fetch)
            run_fetch(&operations, node);
        else if (node->tag == WB_ItemOperations_EmptyFolderContents)
            run_empty(&operations, node);
        else
            run_move(&operations, node);
    }
    wbxml_end(&req->writer, WB_ItemOperations_Response);
    wbxml_end(&req->writer, WB_ItemOperations_ItemOperations);
    answer(&operations);
    eas_extents_close(&operations.extents);
    for (struct multipart_piece *piece = operations.first; piece; piece = piece->next)
        buf_free(&piece->octets);
}

const struct eas_command eas_item_operations = {
    .name = "ItemOperations",
    .source = "MS-ASCMD 2.2.1.10",
    .root = WB_ItemOperations_ItemOperations,
    .status = WB_ItemOperations_Status,
    .run = item_operations_run,
};
