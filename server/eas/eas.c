#include "server/eas/eas_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/eas/found.h"
#include "server/eas/gzip.h"
#include "server/eas/loop.h"
#include "server/eas/notice.h"
#include "server/eas/policy.h"
#include "server/eas/throttle.h"
#include "server/eas/trace.h"

#define EAS_PATH "/Microsoft-Server-ActiveSync"
#define SMALL_BODY_MAX (1u << 20) // requests that carry no messages
#define RETRY_AFTER_S 30

static const struct eas_command *const commands[] = {
#define X(name) &eas_##name,
    EAS_COMMANDS(X)
#undef X
};

static const struct eas_command *find_command(struct slice name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (slice_eq_nocase(name, slice_of(commands[i]->name)))
            return commands[i];
    }
    return NULL;
}

/* ---- answers ---- */

void eas_add_headers(struct eas_request *req)
{
    http_answer_header(req->http, "MS-Server-ActiveSync", EAS_VERSION_HIGHEST);
    http_answer_header(req->http, "Cache-Control", "private");
}

static void log_answer(const struct eas_request *req, int http_status)
{
    log_event(LOG_INFO, "eas", LOG_I("session", http_number(req->http)),
              LOG_T("command", req->command ? req->command->name : NULL), LOG_I("account", req->login.account.n),
              LOG_S("device", req->query.device_id), LOG_I("version", req->version), LOG_I("http", http_status),
              LOG_I("status", req->status), LOG_T("peer", http_peer(req->http)),
              LOG_MS("ms", (double)(clock_mono_us() - req->started_us) / 1000));
}

/* The packed answer, when the phone takes it and it pays; else the plain one. */
static struct buf *pack_answer(struct eas_request *req, struct buf *body, struct buf *packed)
{
    if (!body || buf_len(body) < EAS_GZIP_MIN || !settings_bool(req->app->server->settings, SETTING_EAS_GZIP) ||
        !eas_gzip_is_wanted(http_header(req->http, "Accept-Encoding")) || !eas_gzip(buf_slice(body), packed))
        return body;
    http_answer_header(req->http, "Content-Encoding", "gzip");
    http_answer_header(req->http, "Vary", "Accept-Encoding");
    return packed;
}

static void finish(struct eas_request *req, int http_status, struct buf *body)
{
    struct buf packed = { 0 };
    eas_add_headers(req);
    log_answer(req, http_status);
    eas_trace_write(req, http_status, body ? buf_slice(body) : SLICE_LIT(""));
    if (http_status == 200)
        eas_loops_note(req);
    http_answer(req->http, http_status, EAS_CONTENT_TYPE, pack_answer(req, body, &packed));
    buf_free(&packed);
}

void eas_answer(struct eas_request *req)
{
    finish(req, 200, &req->out);
    buf_free(&req->out);
}

void eas_answer_empty(struct eas_request *req)
{
    buf_free(&req->out);
    finish(req, 200, NULL);
}

void eas_answer_http(struct eas_request *req, int status)
{
    buf_free(&req->out);
    finish(req, status, NULL);
}

void eas_answer_retry(struct eas_request *req, int64_t after_s)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)after_s);
    http_answer_header(req->http, "Retry-After", text);
    eas_answer_http(req, 503);
}

void eas_answer_unavailable(struct eas_request *req)
{
    eas_answer_retry(req, RETRY_AFTER_S);
}

void eas_begin(struct eas_request *req, uint16_t root)
{
    buf_clear(&req->out);
    wbxml_writer_init(&req->writer, &req->out);
    wbxml_start(&req->writer, root);
}

void eas_answer_status(struct eas_request *req, int status)
{
    req->status = status;
    eas_begin(req, req->command->root);
    wbxml_u64(&req->writer, req->command->status, (uint64_t)status);
    wbxml_end(&req->writer, req->command->root);
    eas_answer(req);
}

void eas_answer_error(struct eas_request *req, int status)
{
    req->status = status;
    if (req->version >= 140 && req->command && req->command->root)
        eas_answer_status(req, status);
    else if (eas_http_of_status(status) == 503)
        eas_answer_unavailable(req);
    else if (status == EAS_WIPE_REQUESTED && !req->has_policy_key)
        eas_answer_http(req, 403); // it would not know what to do about a policy
    else
        eas_answer_http(req, eas_http_of_status(status));
}

/* ---- helpers ---- */

void eas_publish(struct eas_request *req, const struct change_set *changes)
{
    if (changes->count)
        hub_publish(req->app->server->hub, changes);
}

struct actor eas_actor(const struct eas_request *req, bool told)
{
    return (struct actor){ BY_EAS, told ? req->device.id : (struct device_id){ 0 }, req->device.key };
}

enum err eas_find_role(struct eas_request *req, enum mailbox_role role, struct mailbox *mailbox)
{
    struct mailbox *all;
    size_t count;
    int64_t modseq;
    enum err err = mailbox_list(req->db, req->arena, eas_account(req), &all, &count, &modseq);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (all[i].role == role) {
            *mailbox = all[i];
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* ---- before the body ---- */

void eas_add_offer(struct eas_request *req)
{
    struct buf names = { 0 };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (i)
            buf_add_byte(&names, ',');
        buf_add_text(&names, commands[i]->name);
    }
    buf_add_byte(&names, '\0');
    http_answer_header(req->http, "MS-ASProtocolVersions", EAS_VERSIONS_OFFERED);
    http_answer_header(req->http, "MS-ASProtocolCommands", buf_slice(&names).at);
    buf_free(&names);
}

static void answer_options(struct eas_request *req)
{
    eas_add_offer(req);
    http_answer_header(req->http, "Public", "OPTIONS,POST");
    http_answer_header(req->http, "Allow", "OPTIONS,POST");
    eas_answer_http(req, 200);
}

static int version_of(const struct eas_request *req)
{
    if (req->query.version)
        return req->query.version;
    struct slice header = http_header(req->http, "MS-ASProtocolVersion");
    return header.at ? eas_version_parse(header) : 0;
}

static void take_policy_key(struct eas_request *req)
{
    struct slice header = http_header(req->http, "X-MS-PolicyKey");
    uint64_t key = req->query.policy_key;
    req->has_policy_key = req->query.has_policy_key;
    if (!req->has_policy_key && header.at)
        req->has_policy_key = slice_to_u64(slice_trim(header), UINT32_MAX, &key);
    req->policy_key = (uint32_t)key;
}

/* What must be right before anybody reads the body; 0 or an HTTP status. */
static int check_head(struct eas_request *req)
{
    req->version = version_of(req);
    take_policy_key(req);
    if (!eas_version_is_served(req->version)) {
        eas_add_offer(req); // says what it could speak instead
        return 505;
    }
    req->command = find_command(req->query.command);
    if (!req->command)
        return 501;
    return 0;
}

static uint64_t body_max(const struct eas_request *req)
{
    if (req->command->flags & EAS_BIG_BODY)
        return (uint64_t)settings_int(req->app->server->settings, SETTING_EAS_REQUEST_MAX);
    return SMALL_BODY_MAX;
}

static struct eas_request *make_request(struct http_request *http)
{
    struct arena *arena = http_arena(http);
    struct eas_request *req = arena_new(arena, struct eas_request, 1);
    req->http = http;
    req->arena = arena;
    req->app = http_app_of(http)->ctx;
    req->serial = eas_devices_serial(req->app->devices);
    req->started_us = clock_mono_us();
    http_set_data(http, req);
    return req;
}

static enum http_head_result refuse(struct eas_request *req, int status)
{
    eas_answer_http(req, status);
    return HTTP_ANSWERED;
}

static enum http_head_result eas_head(struct http_request *http, struct worker *worker)
{
    struct eas_request *req = http_data(http);
    bool is_options = slice_eq(http_method(http), SLICE_LIT("OPTIONS"));
    if (!req) {
        req = make_request(http);
        if (!is_options && !slice_eq(http_method(http), SLICE_LIT("POST")))
            return refuse(req, 501);
        if (!http_peer_is_secure(http) && !settings_bool(req->app->server->settings, SETTING_AUTH_PLAINTEXT))
            return refuse(req, 403);
        enum err err = eas_query_parse(http_query(http), req->arena, &req->query);
        req->status = err && !is_options ? EAS_INVALID_CONTENT : 0; // told after the login
        if (!eas_take_credentials(req)) {
            eas_answer_denied(req);
            return HTTP_ANSWERED;
        }
    }
    enum http_head_result result = eas_login_head(req, worker);
    if (result != HTTP_READ_BODY || !req->logged_in)
        return result;
    if (!req->login.eas_enabled && is_options)
        return refuse(req, 403);
    if (is_options) {
        answer_options(req);
        return HTTP_ANSWERED;
    }
    int http_status = req->status ? 400 : check_head(req);
    if (http_status)
        return refuse(req, http_status);
    if (!req->login.eas_enabled) {
        eas_answer_error(req, EAS_USER_DISABLED);
        return HTTP_ANSWERED;
    }
    http_set_body_max(http, body_max(req));
    return HTTP_READ_BODY;
}

/* ---- with the body ---- */

static bool text_differs(const char *kept, struct slice seen)
{
    return seen.at && seen.len && !slice_eq(slice_of(kept ? kept : ""), seen);
}

/* What the phone says of itself in headers, when it has changed. */
static enum err note_device(struct eas_request *req)
{
    struct slice agent = http_header(req->http, "User-Agent");
    if (agent.len > 200)
        agent = slice_head(agent, 200);
    char *version = arena_printf(req->arena, "%d.%d", req->version / 10, req->version % 10);
    if (!text_differs(req->device.user_agent, agent) && !text_differs(req->device.protocol_version, slice_of(version)))
        return ERR_OK;
    struct device info = { .user_agent = agent.at ? arena_text(req->arena, agent) : NULL, .protocol_version = version };
    return device_set_information(req->db, eas_account(req), req->device.id, &info);
}

static enum device_access access_of_new(const struct settings *settings)
{
    const char *rule = settings_text(settings, SETTING_EAS_NEW_DEVICES);
    return *rule == 'b' ? DEVICE_BLOCKED : *rule == 'q' ? DEVICE_QUARANTINED : DEVICE_ALLOWED;
}

/* 0, or why the phone may not sync. A wipe goes before a block: who blocks a lost phone may wipe it all the same. */
static int access_status(const struct eas_request *req)
{
    int wipe = eas_wipe_check(req);
    if (wipe)
        return wipe == EAS_WIPE_REQUESTED && req->command == &eas_provision ? 0 : wipe;
    return req->device.access == DEVICE_ALLOWED ? 0 : EAS_DEVICE_BLOCKED;
}

static void refuse_device(struct eas_request *req, int status)
{
    if (status == EAS_DEVICE_BLOCKED)
        eas_notice_send(req);
    eas_devices_seen(req->app->devices, eas_account(req), req->device.id);
    eas_answer_error(req, status);
}

/* Finds the phone and whether it may sync; false: answered. */
static bool open_device(struct eas_request *req)
{
    if (!eas_device_id_is_good(req->query.device_id)) {
        eas_answer_error(req, EAS_DEVICE_ID_INVALID);
        return false;
    }
    if (!eas_device_type_is_good(req->query.device_type)) {
        eas_answer_error(req, EAS_DEVICE_TYPE_INVALID);
        return false;
    }
    enum err err = device_open(req->db, req->arena, eas_account(req), req->query.device_id, req->query.device_type,
                               (int32_t)settings_int(req->app->server->settings, SETTING_EAS_DEVICES_MAX),
                               access_of_new(req->app->server->settings), &req->device);
    if (!err)
        err = note_device(req);
    int refusal = err ? 0 : access_status(req);
    if (err == ERR_LIMIT)
        eas_answer_error(req, EAS_MAX_DEVICES);
    else if (err == ERR_SYNTAX)
        eas_answer_error(req, EAS_DEVICE_ID_INVALID);
    else if (err)
        eas_answer_unavailable(req);
    else if (!refusal)
        return true;
    else
        refuse_device(req, refusal);
    return false;
}

static bool is_wbxml_type(struct slice type)
{
    struct slice name = slice_trim(slice_cut(&type, ';'));
    return slice_eq_nocase(name, SLICE_LIT("application/vnd.ms-sync.wbxml")) ||
           slice_eq_nocase(name, SLICE_LIT("application/vnd.ms-sync"));
}

/* Reads the body into req->root; false: answered. */
static bool parse_body(struct eas_request *req)
{
    struct slice body = http_body(req->http);
    if ((req->command->flags & EAS_RAW_AT_12) && req->version < 140)
        return true;
    if (body.len == 0) {
        if (req->command->flags & EAS_EMPTY_BODY)
            return true;
        eas_answer_error(req, EAS_INVALID_CONTENT);
        return false;
    }
    if (!is_wbxml_type(http_header(req->http, "Content-Type"))) {
        eas_answer_error(req, EAS_INVALID_CONTENT);
        return false;
    }
    size_t unknown = 0;
    if (wbxml_parse(body, req->arena, &req->root, &unknown) != ERR_OK) {
        req->root = NULL;
        eas_answer_error(req, EAS_INVALID_WBXML);
        return false;
    }
    if (unknown)
        log_event(LOG_INFO, "eas_unknown_elements", LOG_I("session", http_number(req->http)), LOG_I("count", unknown),
                  LOG_T("command", req->command->name));
    if (req->command->root && req->root->tag != req->command->root) {
        eas_answer_error(req, EAS_INVALID_XML);
        return false;
    }
    return true;
}

/* Whether the phone asks too often; true: answered. A request that waited is no new one. */
static bool is_throttled(struct eas_request *req)
{
    if (http_is_rerun(req->http))
        return false;
    int64_t wait_s = eas_throttle_take(req->app->throttle, eas_account(req), req->query.device_id, req->started_us);
    if (wait_s == 0)
        return false;
    http_answer_header(req->http, "X-MS-ASThrottle", "CommandFrequency");
    eas_answer_retry(req, wait_s);
    return true;
}

static void run_command(struct eas_request *req)
{
    if (is_throttled(req))
        return;
    req->db = worker_db(req->worker);
    if (!req->db) {
        eas_answer_unavailable(req);
        return;
    }
    if (!open_device(req))
        return;
    if (req->command->until && req->version > req->command->until) {
        eas_answer_http(req, 501);
        return;
    }
    if (req->version < req->command->since) {
        eas_answer_error(req, EAS_VERSION_NOT_SUPPORTED);
        return;
    }
    int status = req->command->flags & EAS_NO_POLICY ? 0 : eas_policy_check(req);
    if (status) {
        eas_answer_error(req, status);
        return;
    }
    eas_devices_seen(req->app->devices, eas_account(req), req->device.id);
    if (parse_body(req) && eas_loops_check(req))
        req->command->run(req);
}

static void eas_run(struct http_request *http, struct worker *worker)
{
    struct eas_request *req = http_data(http);
    req->worker = worker;
    if (!eas_login_run(req))
        return;
    if (slice_eq(http_method(http), SLICE_LIT("OPTIONS"))) { // a login that was held back
        if (req->login.eas_enabled)
            answer_options(req);
        else
            eas_answer_http(req, 403);
        return;
    }
    int http_status = req->command ? 0 : req->status ? 400 : check_head(req);
    if (http_status)
        eas_answer_http(req, http_status);
    else if (!req->login.eas_enabled)
        eas_answer_error(req, EAS_USER_DISABLED);
    else
        run_command(req);
}

static struct account_id eas_account_of(struct http_request *http, bool *writes)
{
    const struct eas_request *req = http_data(http);
    *writes = req && req->command && (req->command->flags & EAS_WRITES);
    return req ? req->login.account : (struct account_id){ 0 };
}

static void eas_dropped(struct http_request *http)
{
    struct eas_request *req = http_data(http);
    if (req)
        buf_free(&req->out);
}

const struct http_app *eas_app_open(struct server *server)
{
    struct eas_app *app = mem_new(struct eas_app);
    app->server = server;
    app->devices = eas_devices_open(server);
    app->found = found_open();
    const struct settings *settings = server->settings;
    app->policy_hash = eas_policy_hash(settings);
    app->throttle = eas_throttle_open(settings_int(settings, SETTING_EAS_REQUESTS_PER_MINUTE));
    app->loops = eas_loops_open(settings_int(settings, SETTING_EAS_LOOP_REPEATS),
                                settings_int(settings, SETTING_EAS_LOOP_WINDOW_S));
    app->trace = eas_trace_open(settings_text(settings, SETTING_DATA_DIR), settings_int(settings, SETTING_EAS_TRACE_MAX));
    app->http = (struct http_app){
        .path = EAS_PATH,
        .prefix = true,
        .ctx = app,
        .head = eas_head,
        .run = eas_run,
        .account = eas_account_of,
        .dropped = eas_dropped,
    };
    return &app->http;
}

void eas_app_close(const struct http_app **http)
{
    if (!*http)
        return;
    struct eas_app *app = (*http)->ctx;
    eas_devices_close(&app->devices);
    found_close(&app->found);
    eas_throttle_close(&app->throttle);
    eas_loops_close(&app->loops);
    eas_trace_close(&app->trace);
    free(app);
    *http = NULL;
}
