#include <assert.h>

#include "base/log.h"
#include "server/http/front_internal.h"

/* ---- jobs ---- */

void exchange_job(struct http_request *req, void (*run)(struct job *job, struct worker *worker),
                  void (*done)(struct job *job), enum job_owner owner)
{
    assert(!req->job_running);
    memset(&req->job, 0, sizeof req->job);
    req->job.run = run;
    req->job.done = done;
    req->job.ctx = req;
    req->job.home = req->fl->loop;
    if (owner == JOB_OF_LOGINS)
        req->job.account = ACCOUNT_LOGINS;
    else if (owner == JOB_OF_ACCOUNT && req->app->account)
        req->job.account = req->app->account(req, &req->job.writes);
    req->job_running = true;
    request_ref(req);
    worker_submit(req->fl->front->workers, &req->job);
}

void exchange_cancel(struct http_request *req)
{
    atomic_store(&req->cancelled, true);
    if (req->job_running)
        job_cancel(req->fl->front->workers, &req->job);
}

static struct http_client *client_of(struct http_request *req)
{
    return http_cancelled(req) ? NULL : client_find(req->fl, req->client);
}

static void resume(struct http_request *req)
{
    MHD_resume_connection(req->mhd);
    req->fl->mhd_due = true;
    front_kick(req->fl);
}

static void head_run(struct job *job, struct worker *worker)
{
    struct http_request *req = job->ctx;
    req->head_result = http_cancelled(req) ? HTTP_READ_BODY : req->app->head(req, worker);
    assert(req->head_result != HTTP_NEED_WORKER);
}

static void head_done(struct job *job)
{
    struct http_request *req = job->ctx;
    req->job_running = false;
    req->phase = REQUEST_HEAD_DONE;
    resume(req);
    request_unref(req);
}

static void run_run(struct job *job, struct worker *worker)
{
    struct http_request *req = job->ctx;
    if (http_cancelled(req))
        return;
    req->app->run(req, worker);
    if (req->rerun && req->outcome == OUTCOME_STREAM)
        answer_render_stream(req, worker);
}

/* An app that ended in nothing is at fault, but its client is told. */
static void need_outcome(struct http_request *req)
{
    if (req->outcome != OUTCOME_NONE)
        return;
    log_event(LOG_ERROR, "http_no_answer", LOG_I("session", req->number), LOG_S("path", req->path));
    answer_plain(req, MHD_HTTP_INTERNAL_SERVER_ERROR);
}

static void drop_park_outcome(struct http_request *req)
{
    if (req->outcome == OUTCOME_PARK && req->park_ops->freed)
        req->park_ops->freed(req->park_ctx);
}

static void run_done(struct job *job)
{
    struct http_request *req = job->ctx;
    struct http_client *client = client_of(req);
    req->job_running = false;
    req->phase = REQUEST_RUN_DONE;
    if (!client)
        drop_park_outcome(req);
    else if (need_outcome(req), req->outcome == OUTCOME_PARK)
        park_begin(client, req);
    resume(req);
    request_unref(req);
}

/* ---- the access handler's steps ---- */

static bool must_close(const struct http_request *req, const struct http_client *client)
{
    return req->fl->stopping || client->wire->frame.at == FRAME_PASS;
}

static enum MHD_Result refuse_with(struct http_request *req, int status)
{
    req->outcome = OUTCOME_NONE;
    answer_plain(req, status);
    return answer_queue(req, true);
}

/* The head's word on the body: how much of it the client may send now. */
static enum MHD_Result expect_body(struct http_request *req, struct http_client *client)
{
    struct slice length = http_header(req, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool chunked = http_header(req, MHD_HTTP_HEADER_TRANSFER_ENCODING).at != NULL;
    uint64_t octets = 0;
    if (!chunked && length.at && !slice_to_u64(slice_trim(length), UINT64_MAX, &octets))
        return refuse_with(req, MHD_HTTP_BAD_REQUEST);
    if (octets > req->body_max)
        return refuse_with(req, MHD_HTTP_CONTENT_TOO_LARGE);
    frame_expect(&client->wire->frame, chunked, octets);
    req->phase = REQUEST_BODY;
    client_later(client);
    return MHD_YES;
}

/* Answered from the head: a body that was announced is never read, so the client is closed. Without
 * one the answer waits for the end of the request, before which libmicrohttpd takes an answer for
 * such a refusal. */
static enum MHD_Result answer_from_head(struct http_request *req, struct http_client *client)
{
    struct slice length = http_header(req, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool body = http_header(req, MHD_HTTP_HEADER_TRANSFER_ENCODING).at ||
                (length.at && !slice_eq(slice_trim(length), SLICE_LIT("0")));
    if (body)
        return answer_queue(req, true);
    frame_expect(&client->wire->frame, false, 0);
    req->phase = REQUEST_RUN_DONE;
    return MHD_YES;
}

static enum MHD_Result act_on_head(struct http_request *req, struct http_client *client)
{
    switch (req->head_result) {
    case HTTP_READ_BODY:
        return expect_body(req, client);
    case HTTP_ANSWERED:
        need_outcome(req);
        return answer_from_head(req, client);
    case HTTP_NEED_WORKER:
        break;
    }
    req->phase = REQUEST_HEAD_JOB;
    MHD_suspend_connection(req->mhd); // before a worker can see it
    exchange_job(req, head_run, head_done, JOB_OF_LOGINS);
    return MHD_YES;
}

static bool method_is(const struct http_request *req, const char *name)
{
    return slice_eq(req->method, slice_of(name));
}

static enum MHD_Result begin(struct http_request *req, struct http_client *client,
                             const char *method, const char *version)
{
    client->wire->req = req;
    request_fill(req, client, method, version);
    if (method_is(req, "CONNECT") || method_is(req, "TRACE")) {
        answer_plain(req, MHD_HTTP_NOT_IMPLEMENTED);
        return answer_from_head(req, client);
    }
    // RFC 9112 3.2: a server MUST answer 400.
    if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0 && !http_header(req, MHD_HTTP_HEADER_HOST).at) {
        answer_plain(req, MHD_HTTP_BAD_REQUEST);
        return answer_from_head(req, client);
    }
    if (!req->app) {
        answer_plain(req, MHD_HTTP_NOT_FOUND);
        return answer_from_head(req, client);
    }
    req->head_seen = true;
    req->head_result = req->app->head ? req->app->head(req, NULL) : HTTP_READ_BODY;
    return act_on_head(req, client);
}

static enum MHD_Result take_body(struct http_request *req, struct http_client *client,
                                 struct slice bytes)
{
    struct trace trace = { 0 };
    if (req->body.size + bytes.len > req->body_max) { // chunked: its length was not announced
        answer_refuse(client, MHD_HTTP_CONTENT_TOO_LARGE);
        return MHD_NO;
    }
    if (spool_add(&req->body, req->fl->front->spool_dir, bytes, &trace) == ERR_OK)
        return MHD_YES;
    log_event(LOG_ERROR, "http_spool", LOG_I("session", req->number), LOG_T("error", trace.text));
    answer_refuse(client, MHD_HTTP_SERVICE_UNAVAILABLE);
    return MHD_NO;
}

static enum MHD_Result start_run(struct http_request *req, struct http_client *client)
{
    struct trace trace = { 0 };
    if (spool_end(&req->body, &trace)) {
        log_event(LOG_ERROR, "http_spool", LOG_I("session", req->number),
                  LOG_T("error", trace.text));
        answer_refuse(client, MHD_HTTP_SERVICE_UNAVAILABLE);
        return MHD_NO;
    }
    req->phase = REQUEST_RUN_JOB;
    MHD_suspend_connection(req->mhd);
    exchange_job(req, run_run, run_done, JOB_OF_ACCOUNT);
    return MHD_YES;
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **req_ctx)
{
    (void)ctx;
    (void)url;
    struct http_request *req = *req_ctx;
    if (!req || req->left_mhd)
        return MHD_NO;
    struct http_client *client = client_of(req);
    if (!client || !client->wire)
        return MHD_NO;
    req->mhd = mhd;
    switch (req->phase) {
    case REQUEST_NEW:
        return begin(req, client, method, version);
    case REQUEST_HEAD_DONE:
        return act_on_head(req, client);
    case REQUEST_BODY:
        if (*upload_len == 0)
            return start_run(req, client);
        size_t len = *upload_len;
        *upload_len = 0;
        return take_body(req, client, slice_make(upload, len));
    case REQUEST_RUN_DONE:
        return answer_queue(req, must_close(req, client));
    case REQUEST_HEAD_JOB:
    case REQUEST_RUN_JOB:
    case REQUEST_ANSWERING:
        break;
    }
    return MHD_NO;
}

static struct client_id pair_owner(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct client_id id;
    memcpy(&id, (const char *)info->client_addr + sizeof(struct sockaddr_in6), sizeof id);
    return id;
}

/* The request line, raw, before anything is decoded. What is returned becomes the connection's
 * context. */
static void *on_request_line(void *ctx, const char *uri, struct MHD_Connection *mhd)
{
    struct http_request *req = request_open(ctx, pair_owner(mhd), uri);
    req->mhd = mhd;
    return req;
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **req_ctx,
                         enum MHD_RequestTerminationCode how)
{
    (void)ctx;
    (void)mhd;
    (void)how;
    struct http_request *req = *req_ctx;
    if (!req)
        return;
    *req_ctx = NULL;
    struct http_client *client = client_find(req->fl, req->client);
    if (client && client->wire && client->wire->req == req) {
        client->wire->req = NULL;
        if (client->wire->frame.at == FRAME_WHOLE)
            frame_next(&client->wire->frame);
        client_request_ends(client);
        client_later(client);
    }
    req->left_mhd = true;
    request_unref(req);
}

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)mhd;
    (void)socket_ctx;
    struct front_loop *fl = ctx;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        fl->mhd_conns++;
        atomic_fetch_add_explicit(&fl->stat_active, 1, memory_order_relaxed);
        return;
    }
    fl->mhd_conns--;
    atomic_fetch_sub_explicit(&fl->stat_active, 1, memory_order_relaxed);
    queue_next(fl);
    front_check_drained(fl);
}

struct MHD_Daemon *exchange_daemon(struct front_loop *fl, uint32_t conns_max)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
                            NULL, NULL, on_access, fl, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, (unsigned)conns_max,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
                            MHD_OPTION_URI_LOG_CALLBACK, on_request_line, fl,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, fl, MHD_OPTION_END);
}

/* ---- a parked request runs again ---- */

static void rerun_answer(struct http_client *client, struct http_request *req)
{
    if (req->stream_err) {
        client_drop(client);
        return;
    }
    bool close = !req->keep_alive || req->fl->stopping;
    struct buf out = { 0 }, headers = { 0 };
    answer_fields_print(req, &headers);
    answer_head(&out, req->status, req->content_type, buf_slice(&headers), close,
                buf_len(&req->answer));
    bool sent =
        client_write(client, buf_slice(&out)) && client_write(client, buf_slice(&req->answer));
    buf_free(&headers);
    buf_free(&out);
    if (!sent) {
        client_drop(client);
        return;
    }
    client->finish = close;
    client_request_ends(client);
    client_later(client);
    client_settle(client);
}

static void rerun_done(struct job *job)
{
    struct http_request *req = job->ctx;
    struct http_client *client = client_of(req);
    req->job_running = false;
    if (!client) {
        drop_park_outcome(req);
    } else {
        client->rerun = NULL;
        client->state = CLIENT_OPEN;
        need_outcome(req);
        if (req->outcome == OUTCOME_PARK)
            park_begin(client, req);
        else
            rerun_answer(client, req);
    }
    request_unref(req);
}

void exchange_rerun(struct http_client *client, struct http_request *req)
{
    client->state = CLIENT_RERUN;
    client->rerun = req;
    req->rerun = true;
    req->outcome = OUTCOME_NONE;
    req->answer_fields = NULL;
    req->answer_end = &req->answer_fields;
    exchange_job(req, run_run, rerun_done, JOB_OF_ACCOUNT);
    client_settle(client);
}
