#include "base/clock.h"
#include "base/log.h"
#include "server/eas/folder.h"
#include "server/eas/sync_internal.h"

#define HOUR_US (INT64_C(3600) * US_PER_S)

/* Where the FilterType cuts now, rounded down to the hour, so that it moves seldom (hard case 8). */
static struct sync_cut target_cut(uint8_t filter)
{
    int64_t age_s = eas_filter_age_s(filter);
    if (age_s == 0)
        return (struct sync_cut){ 0, 0 };
    int64_t at = clock_wall_us() - age_s * US_PER_S;
    return (struct sync_cut){ at - at % HOUR_US, 0 };
}

static void begin_collections(struct sync_run *run)
{
    if (run->told)
        return;
    run->told = true;
    eas_begin(run->req, WB_AirSync_Sync);
    wbxml_start(&run->req->writer, WB_AirSync_Collections);
}

static void begin_collection(struct sync_run *run, const struct eas_collection *collection, const char *key, int status)
{
    struct wbxml_writer *writer = &run->req->writer;
    begin_collections(run);
    wbxml_start(writer, WB_AirSync_Collection);
    if (run->req->version < 140) {
        const struct eas_fixed_folder *fixed = eas_fixed_folder(collection->id);
        wbxml_cstr(writer, WB_AirSync_Class, fixed ? fixed->class : "Email");
    }
    if (key)
        wbxml_cstr(writer, WB_AirSync_SyncKey, key);
    else
        wbxml_text(writer, WB_AirSync_SyncKey, collection->key);
    wbxml_text(writer, WB_AirSync_CollectionId, collection->id);
    wbxml_u64(writer, WB_AirSync_Status, (uint64_t)status);
}

static void write_refusal(struct sync_run *run, const struct eas_collection *collection, int status)
{
    run->may_wait = false;
    run->starts_over |= status == SYNC_KEY_INVALID;
    run->req->status = status;
    begin_collection(run, collection, collection->key_given ? NULL : "0", status);
    wbxml_end(&run->req->writer, WB_AirSync_Collection);
}

static void write_key(struct sync_run *run, const struct eas_collection *collection, const char *key, bool more)
{
    begin_collection(run, collection, key, SYNC_OK);
    if (more)
        wbxml_empty(&run->req->writer, WB_AirSync_MoreAvailable);
    wbxml_end(&run->req->writer, WB_AirSync_Collection);
}

/* Storage's refusals in words; true when the collection is done with. */
static bool refused(struct sync_run *run, const struct eas_collection *collection, enum err err)
{
    switch (err) {
    case ERR_OK:
        return false;
    case ERR_NOT_FOUND:
        write_refusal(run, collection, SYNC_FOLDER_SYNC);
        break;
    case ERR_CONFLICT:
        write_refusal(run, collection, SYNC_KEY_INVALID);
        break;
    case ERR_UNAVAILABLE:
    case ERR_CANCELLED:
        run->fatal = err;
        break;
    default:
        write_refusal(run, collection, SYNC_SERVER_ERROR);
    }
    return true;
}

/* An empty answer says that nothing changed; 12.0 does not know it and is told of every collection. */
static bool tells_all(const struct sync_run *run)
{
    return run->req->version < 121;
}

static bool is_prime(const struct eas_collection *collection)
{
    return slice_eq(collection->key, SLICE_LIT("0"));
}

/* An empty folder takes nothing: what a phone would add or change in it is refused item by item. */
static void refuse_commands(struct wbxml_writer *writer, const struct eas_collection *collection)
{
    static const uint16_t tags[] = { [EAS_SYNC_ADD] = WB_AirSync_Add, [EAS_SYNC_CHANGE] = WB_AirSync_Change,
                                     [EAS_SYNC_FETCH] = WB_AirSync_Fetch };
    bool begun = false;
    for (size_t i = 0; i < collection->command_count; i++) {
        const struct eas_sync_command *command = &collection->commands[i];
        bool add = command->kind == EAS_SYNC_ADD;
        if (command->kind == EAS_SYNC_DELETE)
            continue; // what is gone is as wished
        if (!begun)
            wbxml_start(writer, WB_AirSync_Responses);
        begun = true;
        wbxml_start(writer, tags[command->kind]);
        wbxml_text(writer, add ? WB_AirSync_ClientId : WB_AirSync_ServerId, add ? command->client_id : command->server_id);
        wbxml_u64(writer, WB_AirSync_Status, add ? SYNC_CONVERSION_ERROR : SYNC_NOT_FOUND);
        wbxml_end(writer, tags[command->kind]);
    }
    if (begun)
        wbxml_end(writer, WB_AirSync_Responses);
}

/* Fixed folders have two keys, so that an answer to commands can bring a new one. */
static void sync_fixed(struct sync_run *run, const struct eas_collection *collection)
{
    bool second = slice_eq(collection->key, SLICE_LIT("2"));
    if (is_prime(collection)) {
        write_key(run, collection, "1", false);
    } else if (!second && !slice_eq(collection->key, SLICE_LIT("1"))) {
        write_refusal(run, collection, SYNC_KEY_INVALID);
    } else if (collection->command_count) {
        run->may_wait = false;
        begin_collection(run, collection, second ? "1" : "2", SYNC_OK);
        refuse_commands(&run->req->writer, collection);
        wbxml_end(&run->req->writer, WB_AirSync_Collection);
    } else if (tells_all(run)) {
        begin_collection(run, collection, NULL, SYNC_OK);
        wbxml_end(&run->req->writer, WB_AirSync_Collection);
    }
}

static struct slice pack_options(struct arena *arena, const struct eas_options *options)
{
    struct buf packed = { 0 };
    eas_options_pack(options, &packed);
    struct slice copy = arena_copy(arena, buf_slice(&packed));
    buf_free(&packed);
    return copy;
}

static void prime(struct sync_run *run, const struct eas_collection *collection, struct mailbox_id mailbox)
{
    struct eas_request *req = run->req;
    struct sync_state state;
    enum err err = sync_reset(req->db, req->arena, eas_account(req), req->device.id, mailbox,
                              pack_options(req->arena, &collection->options), &state);
    if (refused(run, collection, err))
        return;
    run->req->worked = true;
    write_key(run, collection, state.key, false);
}

/* ---- what the server has for the phone ---- */

struct sync_answer {
    struct buf items;
    struct wbxml_writer writer; // fragment on the AirSync page
    struct sync_look look;
    size_t sent;
    bool looked, more;
    struct sync_position next;
};

static enum err write_item(struct sync_target *target, struct sync_answer *answer, const struct eas_item_view *view,
                           const struct sync_item *item)
{
    static const uint16_t tags[] = { [SYNC_ADD] = WB_AirSync_Add, [SYNC_CHANGE] = WB_AirSync_Change,
                                     [SYNC_DELETE] = WB_AirSync_Delete, [SYNC_SOFT_DELETE] = WB_AirSync_SoftDelete };
    struct wbxml_writer *writer = &answer->writer;
    char id[EAS_ID_SIZE];
    enum err err = ERR_OK;
    eas_item_id_format((struct eas_item_id){ target->mailbox.n, item->item }, id);
    wbxml_start(writer, tags[item->op]);
    wbxml_cstr(writer, WB_AirSync_ServerId, id);
    if (item->op == SYNC_ADD || item->op == SYNC_CHANGE) {
        wbxml_start(writer, WB_AirSync_ApplicationData);
        if (item->op == SYNC_ADD || item->full)
            err = eas_item_write(view, writer, item);
        else
            eas_item_write_flags(view, writer, item);
        wbxml_end(writer, WB_AirSync_ApplicationData);
    }
    wbxml_end(writer, tags[item->op]);
    return err;
}

static bool is_full(const struct sync_run *run, const struct sync_answer *answer)
{
    return buf_len(&run->req->out) + buf_len(&answer->items) > SYNC_ANSWER_BYTES ||
           clock_mono_us() - run->req->started_us > run->answer_us || http_cancelled(run->req->http);
}

static enum err write_items(struct sync_target *target, struct sync_answer *answer)
{
    struct sync_run *run = target->run;
    const struct sync_look *look = &answer->look;
    struct eas_item_view view = { .req = run->req, .options = &target->options, .mailbox = target->mailbox.n,
                                  .role = target->role, .keywords = look->keywords,
                                  .keyword_count = look->keyword_count,
                                  .degraded = run->req->heal == HEAL_DEGRADED };
    enum err err = ERR_OK;
    size_t i = 0;
    for (; i < look->count && !err && (i == 0 || !is_full(run, answer)); i++)
        err = write_item(target, answer, &view, &look->items[i]);
    answer->sent = i;
    answer->more = look->more || i < look->count;
    answer->next = i < look->count ? sync_position_after(&target->state.at, look, i) : look->next;
    run->window -= i < run->window ? (uint32_t)i : run->window;
    return err;
}

/* One window; the time of a request that waited begins anew. */
static enum err look_for_changes(struct sync_target *target, struct sync_answer *answer)
{
    struct sync_run *run = target->run;
    struct eas_request *req = run->req;
    const struct eas_collection *collection = target->collection;
    answer->next = target->state.at;
    if (!collection->get_changes)
        return ERR_OK;
    uint32_t window = collection->window < run->window ? collection->window : run->window;
    if (req->heal && window > 1)
        window = 1; // the phone loops: it may get past what it does not understand
    bool exhausted = window == 0 || is_full(run, answer);
    // A draft that is replaced gets a new date under its old id: a cut by date would lose it.
    uint8_t filter = target->role == ROLE_DRAFTS ? 0 : target->options.filter;
    enum err err = sync_look(req->db, req->arena, eas_account(req), req->device.id, target->mailbox, &target->state.at,
                             target_cut(filter), exhausted ? 1 : window, &answer->look);
    if (err)
        return err;
    answer->looked = true;
    if (!exhausted)
        return write_items(target, answer);
    answer->more = answer->look.count > 0; // it keeps its key and is asked again
    return ERR_OK;
}

static void write_answer(struct sync_target *target, struct sync_answer *answer, const char *key)
{
    struct sync_run *run = target->run;
    struct wbxml_writer *writer = &run->req->writer;
    begin_collection(run, target->collection, key, SYNC_OK);
    run->req->worked |= answer->sent || target->response_count;
    if (answer->more)
        wbxml_empty(writer, WB_AirSync_MoreAvailable);
    if (answer->sent) {
        wbxml_start(writer, WB_AirSync_Commands);
        wbxml_splice(writer, &answer->writer, WB_PAGE_AirSync);
        wbxml_end(writer, WB_AirSync_Commands);
    }
    if (target->response_count) {
        // The tag of Responses itself comes back to the page that the fragment began on.
        wbxml_start(writer, WB_AirSync_Responses);
        wbxml_splice(writer, &target->responses_writer, WB_PAGE_AirSync);
        wbxml_end(writer, WB_AirSync_Responses);
    }
    wbxml_end(writer, WB_AirSync_Collection);
}

/* Commit first, answer then: what is told is stored. */
static enum err store_and_write(struct sync_target *target, struct sync_answer *answer, struct slice options)
{
    struct eas_request *req = target->run->req;
    bool new_key = answer->sent || target->collection->command_count || !target->state.primed ||
                   !slice_eq(options, target->state.options);
    char key[SYNC_KEY_MAX + 1];
    if (!new_key) {
        if (answer->more || tells_all(target->run))
            write_answer(target, answer, target->state.key);
        if (answer->looked && !answer->more)
            return sync_advance(req->db, eas_account(req), req->device.id, target->mailbox, &target->state, &answer->look);
        return ERR_OK;
    }
    enum err err = sync_commit(req->db, eas_account(req), req->device.id, target->mailbox, &target->state, &answer->next,
                               options, key);
    if (!err)
        write_answer(target, answer, key);
    return err;
}

static void sync_known(struct sync_target *target)
{
    struct sync_run *run = target->run;
    struct sync_answer answer = { .sent = 0 };
    wbxml_fragment_init(&answer.writer, &answer.items, WB_PAGE_AirSync);
    wbxml_fragment_init(&target->responses_writer, &target->responses, WB_PAGE_AirSync);
    struct slice options = pack_options(run->req->arena, &target->options);
    if (target->collection->command_count)
        run->may_wait = false;
    enum err err = eas_sync_commands(target);
    if (!err)
        err = look_for_changes(target, &answer);
    if (err) {
        refused(run, target->collection, err);
    } else {
        err = store_and_write(target, &answer, options);
        if (err == ERR_CONFLICT) // a newer request of this device took over: this one ends without an answer
            run->fatal = ERR_CANCELLED;
        else
            refused(run, target->collection, err);
    }
    buf_free(&answer.items);
    buf_free(&target->responses);
}

void eas_sync_collection(struct sync_run *run, const struct eas_collection *collection)
{
    struct eas_request *req = run->req;
    struct sync_target target = { .run = run, .collection = collection };
    if (collection->options_err) {
        write_refusal(run, collection,
                      collection->options_err == ERR_DENIED ? (int)EAS_BODY_PART_TYPE : (int)SYNC_PROTOCOL_ERROR);
        return;
    }
    if (!collection->key_given || collection->key.len > EAS_ID_MAX) {
        write_refusal(run, collection, collection->key_given ? SYNC_KEY_INVALID : SYNC_PROTOCOL_ERROR);
        return;
    }
    const struct eas_fixed_folder *fixed = eas_fixed_folder(collection->id);
    const char *class = fixed ? fixed->class : "Email";
    bool is_mail = slice_eq(slice_of(class), SLICE_LIT("Email"));
    if ((collection->class.len && !slice_eq_nocase(collection->class, slice_of(class))) ||
        (collection->has_mode && !is_mail)) { // only mail has conversations
        write_refusal(run, collection, SYNC_PROTOCOL_ERROR);
        return;
    }
    if (fixed) {
        sync_fixed(run, collection);
        return;
    }
    if (!eas_folder_id_parse(collection->id, &target.mailbox.n)) {
        write_refusal(run, collection, SYNC_FOLDER_SYNC);
        return;
    }
    if (is_prime(collection)) {
        prime(run, collection, target.mailbox);
        return;
    }
    if (req->heal == HEAL_NEW_KEY) {
        write_refusal(run, collection, SYNC_KEY_INVALID);
        return;
    }
    enum err err = sync_begin(req->db, req->arena, eas_account(req), req->device.id, target.mailbox, collection->key,
                              &target.state);
    if (refused(run, collection, err))
        return;
    target.role = (enum mailbox_role)target.state.role;
    eas_options_unpack(target.state.options, &target.options);
    uint8_t mode = target.options.conversation_mode;
    if (collection->has_options)
        target.options = collection->options;
    target.options.conversation_mode = collection->has_mode ? collection->options.conversation_mode : mode;
    sync_known(&target);
}
