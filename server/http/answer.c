#include <assert.h>
#include <inttypes.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/http/front_internal.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* ---- by libmicrohttpd ---- */

static void stream_run(struct job *job, struct worker *worker)
{
    struct http_request *req = job->ctx;
    uint64_t left = req->stream_size - req->stream_made;
    req->stream_err = http_cancelled(req) ? ERR_CANCELLED
                                          : req->stream_read(req->stream_ctx, worker,
                                                             req->stream_made, &req->answer);
    if (req->stream_err == ERR_OK && (buf_len(&req->answer) == 0 || buf_len(&req->answer) > left)) {
        log_event(LOG_ERROR, "http_stream_size", LOG_I("session", req->number),
                  LOG_I("size", req->stream_size), LOG_I("at", req->stream_made),
                  LOG_I("piece", buf_len(&req->answer)));
        req->stream_err = ERR_STATE;
    }
    req->stream_made += buf_len(&req->answer);
}

static void stream_done(struct job *job)
{
    struct http_request *req = job->ctx;
    req->job_running = false;
    MHD_resume_connection(req->mhd);
    req->fl->mhd_due = true;
    front_kick(req->fl);
    request_unref(req);
}

/* libmicrohttpd wants bytes: those of the last piece, or it waits until a worker made the next one.
 */
static ssize_t stream_content(void *ctx, uint64_t at, char *to, size_t room)
{
    (void)at;
    struct http_request *req = ctx;
    if (http_cancelled(req) || req->stream_err)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = buf_len(&req->answer);
    if (len == 0) {
        if (req->stream_made == req->stream_size)
            return MHD_CONTENT_READER_END_OF_STREAM;
        MHD_suspend_connection(req->mhd);
        exchange_job(req, stream_run, stream_done, JOB_OF_NOBODY);
        return 0;
    }
    size_t n = len < room ? len : room;
    memcpy(to, buf_slice(&req->answer).at, n);
    buf_consume(&req->answer, n);
    return (ssize_t)n;
}

static struct MHD_Response *make_response(struct http_request *req)
{
    if (req->outcome == OUTCOME_STREAM && req->stream_size)
        return MHD_create_response_from_callback(req->stream_size, STREAM_BLOCK_BYTES,
                                                 stream_content, req, NULL);
    struct slice body = buf_slice(&req->answer);
    return MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.at,
                                           MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result answer_queue(struct http_request *req, bool close)
{
    struct MHD_Response *response = make_response(req);
    if (!response)
        return MHD_NO;
    if (req->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, req->content_type);
    for (const struct http_field *f = req->answer_fields; f; f = f->next)
        MHD_add_response_header(response, f->name, f->value);
    if (close)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    req->phase = REQUEST_ANSWERING;
    enum MHD_Result result = MHD_queue_response(req->mhd, (unsigned)req->status, response);
    MHD_destroy_response(response);
    log_event(LOG_DEBUG, "http", LOG_I("session", req->number), LOG_S("method", req->method),
              LOG_S("path", req->path), LOG_I("status", req->status));
    return result;
}

void answer_plain(struct http_request *req, int status)
{
    struct buf body = { 0 };
    buf_printf(&body, "%d %s\n", status, MHD_get_reason_phrase_for((unsigned)status));
    http_answer(req, status, TEXT_PLAIN, &body);
}

/* ---- by the front ---- */

void answer_head(struct buf *out, int status, const char *content_type, struct slice headers,
                 bool close, size_t body_len)
{
    char date[64];
    time_t now = (time_t)(clock_wall_us() / US_PER_S);
    struct tm utc;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    buf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n",
               status, MHD_get_reason_phrase_for((unsigned)status), date, body_len,
               close ? "close" : "keep-alive");
    if (content_type)
        buf_printf(out, "Content-Type: %s\r\n", content_type);
    buf_add(out, headers);
    buf_add_text(out, "\r\n");
}

void answer_fields_print(const struct http_request *req, struct buf *out)
{
    for (const struct http_field *f = req->answer_fields; f; f = f->next)
        buf_printf(out, "%s: %s\r\n", f->name, f->value);
}

void answer_render_stream(struct http_request *req, struct worker *worker)
{
    uint64_t size = req->stream_size;
    while (buf_len(&req->answer) < size && req->stream_err == ERR_OK) {
        size_t before = buf_len(&req->answer);
        req->stream_err = http_cancelled(req)
                              ? ERR_CANCELLED
                              : req->stream_read(req->stream_ctx, worker, before, &req->answer);
        if (req->stream_err == ERR_OK &&
            (buf_len(&req->answer) == before || buf_len(&req->answer) > size))
            req->stream_err = ERR_STATE;
    }
}

void answer_refuse(struct http_client *client, int status)
{
    struct buf out = { 0 }, body = { 0 };
    buf_printf(&body, "%d %s\n", status, MHD_get_reason_phrase_for((unsigned)status));
    answer_head(&out, status, TEXT_PLAIN, SLICE_LIT(""), true, buf_len(&body));
    buf_add(&out, buf_slice(&body));
    struct wire *wire = client_wire(client);
    if (wire->pair >= 0)
        client_drain_pair(client);
    client_pair_close(client);
    client->finish = true;
    bool sent = client_write(client, buf_slice(&out));
    buf_free(&out);
    buf_free(&body);
    if (sent)
        client_settle(client);
    else
        client_drop(client);
}
