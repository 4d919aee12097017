#include "protocol/eas/ids.h"
#include "protocol/eas/sync_request.h"
#include "server/eas/folder.h"
#include "server/eas/wait.h"

/* MS-ASCMD 2.2.3.177.11 (Status, Ping) */
enum { PING_INCOMPLETE = 3, PING_SYNTAX = 4, PING_INTERVAL = 5, PING_FOLDERS = 6, PING_HIERARCHY = 7, PING_ERROR = 8 };

static void answer_bound(struct eas_request *req, int status, uint16_t tag, int64_t bound)
{
    req->status = status;
    eas_begin(req, WB_Ping_Ping);
    wbxml_u64(&req->writer, WB_Ping_Status, (uint64_t)status);
    wbxml_u64(&req->writer, tag, (uint64_t)bound);
    wbxml_end(&req->writer, WB_Ping_Ping);
    eas_answer(req);
}

/* What was left out is what the phone sent last; false: answered. */
static bool complete(struct eas_request *req, struct eas_ping_request *ping)
{
    struct eas_ping_request kept;
    if (!ping->has_heartbeat && req->device.ping_heartbeat_s > 0) {
        ping->heartbeat_s = (uint64_t)req->device.ping_heartbeat_s;
        ping->has_heartbeat = true;
    }
    if (!ping->has_folders && eas_ping_unpack(req->device.ping_folders, req->arena, &kept) == ERR_OK) {
        ping->folders = kept.folders;
        ping->folder_count = kept.folder_count;
        ping->has_folders = true;
    }
    if (ping->has_heartbeat && ping->has_folders)
        return true;
    eas_answer_status(req, PING_INCOMPLETE);
    return false;
}

static bool in_bounds(struct eas_request *req, const struct eas_ping_request *ping)
{
    const struct settings *settings = req->app->server->settings;
    int64_t min = settings_int(settings, SETTING_EAS_HEARTBEAT_MIN_S),
            max = settings_int(settings, SETTING_EAS_HEARTBEAT_MAX_S),
            folders = settings_int(settings, SETTING_EAS_FOLDERS_MAX);
    int64_t heartbeat = (int64_t)ping->heartbeat_s;
    if (heartbeat < min || heartbeat > max) {
        answer_bound(req, PING_INTERVAL, WB_Ping_HeartbeatInterval, heartbeat < min ? min : max);
        return false;
    }
    if ((int64_t)ping->folder_count > folders) {
        answer_bound(req, PING_FOLDERS, WB_Ping_MaxFolders, folders);
        return false;
    }
    return true;
}

static enum err keep(struct eas_request *req, const struct eas_ping_request *ping)
{
    struct buf packed = { 0 };
    eas_ping_pack(ping, &packed);
    enum err err = ERR_OK;
    if ((uint64_t)req->device.ping_heartbeat_s != ping->heartbeat_s ||
        !slice_eq(req->device.ping_folders, buf_slice(&packed)))
        err = device_set_ping(req->db, eas_account(req), req->device.id, (int32_t)ping->heartbeat_s, buf_slice(&packed));
    buf_free(&packed);
    return err;
}

static void ping_run(struct eas_request *req)
{
    struct eas_ping_request ping = { 0 };
    enum err err = req->root ? eas_ping_parse(req->root, req->arena, &ping) : ERR_OK;
    if (err == ERR_LIMIT) {
        answer_bound(req, PING_FOLDERS, WB_Ping_MaxFolders,
                     settings_int(req->app->server->settings, SETTING_EAS_FOLDERS_MAX));
        return;
    }
    if (err) {
        eas_answer_status(req, PING_SYNTAX);
        return;
    }
    if (!complete(req, &ping) || !in_bounds(req, &ping))
        return;
    struct sync_watch *watches = arena_new(req->arena, struct sync_watch, ping.folder_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < ping.folder_count; i++) {
        if (eas_fixed_folder(ping.folders[i]))
            continue; // never has news
        if (!eas_folder_id_parse(ping.folders[i], &watches[count++].mailbox.n)) {
            eas_answer_status(req, PING_HIERARCHY);
            return;
        }
    }
    if (keep(req, &ping) != ERR_OK) {
        eas_answer_status(req, PING_ERROR);
        return;
    }
    eas_devices_supersede(req->app->devices, eas_account(req), req->device.id, req->serial,
                          1u << EAS_WAIT_PING | 1u << EAS_WAIT_SYNC);
    eas_wait_begin(req, EAS_WAIT_PING, watches, count, (uint32_t)ping.heartbeat_s);
}

const struct eas_command eas_ping = {
    .name = "Ping",
    .source = "MS-ASCMD 2.2.1.13",
    .root = WB_Ping_Ping,
    .status = WB_Ping_Status,
    .flags = EAS_EMPTY_BODY,
    .run = ping_run,
};
