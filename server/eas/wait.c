#include "server/eas/wait.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/eas/trace.h"

#define PING_EXPIRED 1
#define PING_CHANGES 2
#define PING_FOLDER_SYNC 7
#define SYNC_FOLDER_SYNC 12

struct eas_wait { // under 512 octets with ten folders
    struct eas_wait_link link;
    struct eas_app *app;
    struct http_park *park; // NULL once it is over
    struct hub_watcher *watcher;
    int64_t auth_version;    // of the login
    struct loop_timer quiet; // armed: changes wait for the end of the quiet time
    int64_t trace_until_us;
    uint32_t refs;           // the park, and a look that is under way
    bool looking, again, listed, settled; // settled: the first look is done
    uint32_t count;
    struct sync_watch watches[];
};

_Static_assert(sizeof(struct eas_wait) + 10 * sizeof(struct sync_watch) <= 512, "a parked Ping stays small");

struct look {
    struct job job;
    struct eas_wait *wait; // on its loop only
    struct account_id account;
    struct device_id device;
    enum err err;
    bool hierarchy_changed;
    uint32_t count;
    struct sync_watch watches[];
};

static void release(struct eas_wait *wait)
{
    if (--wait->refs == 0)
        free(wait);
}

/* ---- endings: each answers the park ---- */

static void trace_answer(struct eas_wait *wait, const char *command, struct slice answer)
{
    struct device device = { .id = wait->link.device, .trace_until_us = wait->trace_until_us };
    eas_trace_waited(wait->app, wait->link.account, &device, command, answer, wait->link.loop);
}

static void answer_ping(struct eas_wait *wait, int status)
{
    struct buf out = { 0 };
    struct wbxml_writer writer;
    wbxml_writer_init(&writer, &out);
    wbxml_start(&writer, WB_Ping_Ping);
    wbxml_u64(&writer, WB_Ping_Status, (uint64_t)status);
    if (status == PING_CHANGES) {
        wbxml_start(&writer, WB_Ping_Folders);
        for (uint32_t i = 0; i < wait->count; i++) {
            if (wait->watches[i].news)
                wbxml_u64(&writer, WB_Ping_Folder, (uint64_t)wait->watches[i].mailbox.n);
        }
        wbxml_end(&writer, WB_Ping_Folders);
    }
    wbxml_end(&writer, WB_Ping_Ping);
    log_event(LOG_INFO, "eas_ping_answered", LOG_I("account", wait->link.account.n),
              LOG_I("device", wait->link.device.n), LOG_I("status", status));
    trace_answer(wait, "Ping", buf_slice(&out));
    http_unpark(wait->park, 200, EAS_CONTENT_TYPE, SLICE_LIT("MS-Server-ActiveSync: " EAS_VERSION_HIGHEST "\r\n"),
                buf_slice(&out));
    buf_free(&out);
}

static void answer_sync(struct eas_wait *wait, int status)
{
    struct buf out = { 0 };
    struct wbxml_writer writer;
    if (status) {
        wbxml_writer_init(&writer, &out);
        wbxml_start(&writer, WB_AirSync_Sync);
        wbxml_u64(&writer, WB_AirSync_Status, (uint64_t)status);
        wbxml_end(&writer, WB_AirSync_Sync);
    }
    trace_answer(wait, "Sync", buf_slice(&out));
    http_unpark(wait->park, 200, EAS_CONTENT_TYPE, SLICE_LIT("MS-Server-ActiveSync: " EAS_VERSION_HIGHEST "\r\n"),
                buf_slice(&out));
    buf_free(&out);
}

static void end_quietly(struct eas_wait *wait)
{
    if (!wait->park)
        return;
    if (wait->link.kind == EAS_WAIT_PING)
        answer_ping(wait, PING_EXPIRED);
    else
        answer_sync(wait, 0);
}

static void end_with_folder_sync(struct eas_wait *wait)
{
    if (wait->link.kind == EAS_WAIT_PING)
        answer_ping(wait, PING_FOLDER_SYNC);
    else
        answer_sync(wait, SYNC_FOLDER_SYNC);
}

static void end_with_news(struct eas_wait *wait)
{
    if (wait->link.kind == EAS_WAIT_PING)
        answer_ping(wait, PING_CHANGES);
    else
        http_unpark_rerun(wait->park);
}

/* ---- looks ---- */

static void look_run(struct job *job, struct worker *worker)
{
    struct look *look = job->ctx;
    struct db *db = worker_db(worker);
    look->err = db ? sync_news(db, look->account, look->device, look->watches, look->count, &look->hierarchy_changed)
                   : ERR_UNAVAILABLE;
}

static void look_start(struct eas_wait *wait);

static void quiet_over(void *ctx)
{
    look_start(ctx);
}

/* New mail is told at once; a change or a removal at once if none was told lately, else when the quiet time ends. */
static void weigh(struct eas_wait *wait, unsigned news)
{
    if (!news)
        return;
    if (!(news & CHANGE_NEW)) {
        int64_t quiet_s = settings_int(wait->app->server->settings, SETTING_PUSH_QUIET_S);
        int64_t left_s = eas_devices_quiet_s(wait->app->devices, wait->link.account, wait->link.device, quiet_s);
        if (left_s > 0) {
            loop_timer_set(wait->link.loop, &wait->quiet, left_s, quiet_over, wait);
            return;
        }
    }
    end_with_news(wait);
}

static void look_done(struct job *job)
{
    struct look *look = job->ctx;
    struct eas_wait *wait = look->wait;
    wait->looking = false;
    bool again = wait->again;
    if (wait->park && look->err) {
        http_unpark(wait->park, 503, NULL, SLICE_LIT("Retry-After: 30\r\n"), SLICE_LIT(""));
    } else if (wait->park) {
        unsigned news = 0;
        bool gone = look->hierarchy_changed;
        for (uint32_t i = 0; i < look->count; i++) {
            wait->watches[i] = look->watches[i];
            news |= look->watches[i].news;
            gone |= look->watches[i].gone;
        }
        if (gone)
            end_with_folder_sync(wait);
        else
            weigh(wait, news);
    }
    if (wait->park && !wait->settled)
        log_event(LOG_DEBUG, "eas_waiting", LOG_I("account", wait->link.account.n), LOG_I("device", wait->link.device.n),
                  LOG_I("folders", wait->count), LOG_T("kind", wait->link.kind == EAS_WAIT_PING ? "Ping" : "Sync"));
    wait->settled = true;
    if (wait->park && again)
        look_start(wait);
    free(look);
    release(wait);
}

static void look_start(struct eas_wait *wait)
{
    if (!wait->park)
        return;
    if (wait->looking) {
        wait->again = true;
        return;
    }
    struct look *look = mem_alloc(sizeof *look + wait->count * sizeof *look->watches);
    look->wait = wait;
    look->account = wait->link.account;
    look->device = wait->link.device;
    look->count = wait->count;
    for (uint32_t i = 0; i < wait->count; i++)
        look->watches[i] = wait->watches[i];
    look->job = (struct job){ .run = look_run, .done = look_done, .ctx = look, .home = wait->link.loop,
                              .account = wait->link.account };
    wait->refs++;
    wait->looking = true;
    wait->again = false;
    worker_submit(wait->app->server->workers, &look->job);
}

static bool concerns(const struct eas_wait *wait, const struct change *change)
{
    if (change->mailbox.n == 0 || (change->kinds & CHANGE_HIERARCHY))
        return true;
    for (uint32_t i = 0; i < wait->count; i++) {
        if (wait->watches[i].mailbox.n == change->mailbox.n)
            return true;
    }
    return false;
}

static void on_change(void *ctx, const struct change *change)
{
    struct eas_wait *wait = ctx;
    if (!wait->park)
        return;
    if (change->kinds & (CHANGE_AUTH | CHANGE_DEVICE)) { // it must log in again, or be traced from its next request on
        end_quietly(wait);
        return;
    }
    bool urgent = change->kinds & (CHANGE_NEW | CHANGE_HIERARCHY);
    if (concerns(wait, change) && (urgent || !loop_timer_armed(&wait->quiet)))
        look_start(wait);
}

/* ---- the park ---- */

static void parked(struct http_park *park, void *ctx)
{
    struct eas_wait *wait = ctx;
    wait->park = park;
    wait->link.loop = park_loop(park);
    wait->listed = eas_devices_add_wait(wait->app->devices, &wait->link);
    if (!wait->listed) {
        end_quietly(wait);
        return;
    }
    wait->watcher = hub_watch(wait->app->server->hub, wait->link.loop, wait->link.account, wait->auth_version,
                              CHANGE_NEW | CHANGE_FLAGS | CHANGE_REMOVED | CHANGE_HIERARCHY | CHANGE_AUTH | CHANGE_DEVICE,
                              on_change, wait);
    look_start(wait); // registered, so look again: what came before has been seen by nobody
}

static void ended(struct http_park *park, void *ctx, enum park_end why)
{
    (void)park;
    (void)why;
    end_quietly(ctx);
}

static void freed(void *ctx)
{
    struct eas_wait *wait = ctx;
    wait->park = NULL;
    if (wait->watcher)
        hub_unwatch(wait->app->server->hub, &wait->watcher);
    if (wait->link.loop)
        loop_timer_clear(wait->link.loop, &wait->quiet);
    if (wait->listed)
        eas_devices_remove_wait(wait->app->devices, &wait->link);
    release(wait);
}

static const struct park_ops wait_ops = { .parked = parked, .ended = ended, .freed = freed };

void eas_wait_begin(struct eas_request *req, enum eas_wait_kind kind, const struct sync_watch *watches, size_t count,
                    uint32_t heartbeat_s)
{
    struct eas_wait *wait = mem_alloc(sizeof *wait + count * sizeof *wait->watches);
    wait->link = (struct eas_wait_link){ .account = eas_account(req), .device = req->device.id, .kind = kind,
                                         .serial = req->serial, .end = end_quietly, .wait = wait };
    wait->app = req->app;
    wait->trace_until_us = req->device.trace_until_us;
    eas_trace_write(req, 0, SLICE_LIT(""));
    wait->auth_version = req->login.auth_version;
    wait->refs = 1;
    wait->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        wait->watches[i] = watches[i];
    if (kind == EAS_WAIT_SYNC)
        http_keep_request(req->http);
    http_park(req->http, &wait_ops, wait, heartbeat_s);
}
