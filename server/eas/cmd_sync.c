#include "base/clock.h"
#include "server/eas/folder.h"
#include "server/eas/sync_internal.h"
#include "server/eas/wait.h"

static void answer_limit(struct eas_request *req, int status, int64_t limit)
{
    req->status = status;
    eas_begin(req, WB_AirSync_Sync);
    wbxml_u64(&req->writer, WB_AirSync_Status, (uint64_t)status);
    wbxml_u64(&req->writer, WB_AirSync_Limit, (uint64_t)limit);
    wbxml_end(&req->writer, WB_AirSync_Sync);
    eas_answer(req);
}

/* The waiting time in the unit it came in, and how many folders may be watched; false: answered. */
static bool wait_is_good(struct sync_run *run)
{
    const struct settings *settings = run->req->app->server->settings;
    const struct eas_sync_request *sync = &run->sync;
    if (!sync->wait_given && !sync->heartbeat_given)
        return true;
    int64_t min = settings_int(settings, SETTING_EAS_HEARTBEAT_MIN_S),
            max = settings_int(settings, SETTING_EAS_HEARTBEAT_MAX_S),
            folders = settings_int(settings, SETTING_EAS_FOLDERS_MAX), value = (int64_t)sync->wait_value;
    if (sync->wait_given) {
        min = (min + 59) / 60;
        max = max / 60 > 0 ? max / 60 : 1;
    }
    if (value < min || value > max) {
        answer_limit(run->req, SYNC_WAIT_RANGE, value < min ? min : max);
        return false;
    }
    if ((int64_t)sync->collection_count > folders) {
        answer_limit(run->req, SYNC_TOO_MANY, folders);
        return false;
    }
    return true;
}

/* Kept collections go on from the newest key that the phone was given. */
static enum err fill_keys(struct sync_run *run)
{
    struct eas_request *req = run->req;
    for (size_t i = 0; i < run->sync.collection_count; i++) {
        struct eas_collection *collection = &run->sync.collections[i];
        struct mailbox_id mailbox;
        char key[SYNC_KEY_MAX + 1] = "1";
        if (collection->key_given)
            continue;
        run->keys_filled = true;
        if (!eas_fixed_folder(collection->id)) {
            if (!eas_folder_id_parse(collection->id, &mailbox.n))
                return ERR_NOT_FOUND;
            enum err err = sync_current_key(req->db, eas_account(req), req->device.id, mailbox, key);
            if (err)
                return err;
        }
        collection->key = arena_copy(req->arena, slice_of(key));
        collection->key_given = true;
    }
    return ERR_OK;
}

/* An empty request repeats the last complete one, a Partial one builds on it. */
static enum err recall(struct sync_run *run)
{
    struct eas_request *req = run->req;
    struct eas_sync_request kept;
    enum err err = eas_sync_unpack(req->device.sync_request, req->arena, &kept);
    if (err)
        return err;
    if (req->root)
        eas_sync_merge(&run->sync, &kept, req->arena);
    else
        run->sync = kept;
    return fill_keys(run);
}

/* What came with a later version is no part of an earlier one: 12.0 has no waiting and no Partial, 12.1 no heartbeat. */
static bool version_has(const struct sync_run *run)
{
    const struct eas_sync_request *sync = &run->sync;
    if (run->req->version < 121)
        return !sync->wait_given && !sync->heartbeat_given && !sync->partial;
    return run->req->version >= 140 || !sync->heartbeat_given;
}

static bool read_request(struct sync_run *run)
{
    struct eas_request *req = run->req;
    if (!req->root && req->version < 121) {
        eas_answer_error(req, EAS_INVALID_CONTENT);
        return false;
    }
    enum err err = req->root ? eas_sync_parse(req->root, req->arena, &run->sync) : ERR_OK;
    if (err == ERR_LIMIT) {
        answer_limit(req, SYNC_TOO_MANY, EAS_COLLECTIONS_MAX);
        return false;
    }
    if (err || !version_has(run)) {
        eas_answer_status(req, SYNC_PROTOCOL_ERROR);
        return false;
    }
    if (!req->root || run->sync.partial)
        err = recall(run);
    if (err == ERR_NOT_FOUND)
        eas_answer_status(req, SYNC_INCOMPLETE);
    else if (err)
        eas_answer_unavailable(req);
    return err == ERR_OK;
}

/* News that went out under a key which the phone did not name: only a request with keys can tell whether it heard them.
 * Nothing is kept to be repeated then, so that it sends one (Status 13) and none of them is lost. */
static bool must_name_keys(const struct sync_run *run)
{
    return run->keys_filled && run->told;
}

static enum err keep_request(struct sync_run *run)
{
    struct eas_request *req = run->req;
    struct buf packed = { 0 };
    if (!must_name_keys(run))
        eas_sync_pack(&run->sync, &packed);
    enum err err = ERR_OK;
    if (!slice_eq(buf_slice(&packed), req->device.sync_request))
        err = device_set_sync_request(req->db, eas_account(req), req->device.id, buf_slice(&packed));
    buf_free(&packed);
    return err;
}

/* Parks for what is left of the waiting time; false: none is left. */
static bool wait_for_news(struct sync_run *run)
{
    struct eas_request *req = run->req;
    if (!req->deadline_us)
        req->deadline_us = req->started_us + run->sync.wait_s * US_PER_S;
    int64_t left_us = req->deadline_us - clock_mono_us();
    if (left_us <= 0)
        return false;
    struct sync_watch *watches = arena_new(req->arena, struct sync_watch, run->sync.collection_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < run->sync.collection_count; i++) {
        const struct eas_collection *collection = &run->sync.collections[i];
        if (collection->get_changes) // it would wake for what it does not send, again and again
            count += eas_folder_id_parse(collection->id, &watches[count].mailbox.n);
    }
    eas_wait_begin(req, EAS_WAIT_SYNC, watches, count, (uint32_t)((left_us + US_PER_S - 1) / US_PER_S));
    return true;
}

static void answer(struct sync_run *run)
{
    struct eas_request *req = run->req;
    if (run->fatal) {
        eas_answer_unavailable(req);
    } else if (run->told) {
        wbxml_end(&req->writer, WB_AirSync_Collections);
        wbxml_end(&req->writer, WB_AirSync_Sync);
        req->status = req->status ? req->status : SYNC_OK;
        if (run->starts_over)
            eas_add_offer(req);
        eas_answer(req);
    } else if (!run->may_wait || run->sync.wait_s == 0 || !wait_for_news(run)) {
        eas_answer_empty(req);
    }
}

static void sync_run(struct eas_request *req)
{
    struct sync_run run = { .req = req, .may_wait = true };
    if (!read_request(&run) || !wait_is_good(&run))
        return;
    bool again = http_is_rerun(req->http) && req->deadline_us;
    if (again) {
        req->started_us = clock_mono_us();
    } else {
        unsigned older = 1u << EAS_WAIT_SYNC | (run.sync.wait_s ? 1u << EAS_WAIT_PING : 0u);
        eas_devices_supersede(req->app->devices, eas_account(req), req->device.id, req->serial, older);
    }
    run.answer_us = settings_int(req->app->server->settings, SETTING_EAS_SYNC_ANSWER_MS) * 1000;
    run.window = run.sync.window ? run.sync.window : EAS_WINDOW_MAX;
    for (size_t i = 0; i < run.sync.collection_count && !run.fatal; i++)
        eas_sync_collection(&run, &run.sync.collections[i]);
    if (!run.fatal && req->status == 0 && (!again || must_name_keys(&run)))
        run.fatal = keep_request(&run);
    answer(&run);
}

const struct eas_command eas_sync = {
    .name = "Sync",
    .source = "MS-ASCMD 2.2.1.21",
    .root = WB_AirSync_Sync,
    .status = WB_AirSync_Status,
    .flags = EAS_EMPTY_BODY | EAS_BIG_BODY,
    .run = sync_run,
};
