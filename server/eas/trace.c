#include "server/eas/trace.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct eas_trace {
    char *data_dir;
    int64_t size_max;
    pthread_mutex_t lock; // one writer, so that entries stay whole
};

struct eas_trace *eas_trace_open(const char *data_dir, int64_t size_max)
{
    struct eas_trace *trace = mem_new(struct eas_trace);
    trace->data_dir = mem_text(data_dir);
    trace->size_max = size_max;
    pthread_mutex_init(&trace->lock, NULL);
    return trace;
}

void eas_trace_close(struct eas_trace **trace)
{
    if (!*trace)
        return;
    pthread_mutex_destroy(&(*trace)->lock);
    free((*trace)->data_dir);
    free(*trace);
    *trace = NULL;
}

void eas_trace_path(const char *data_dir, struct account_id account, struct device_id device,
                    char path[EAS_TRACE_PATH_MAX])
{
    // Numbers, since a DeviceId may hold anything.
    snprintf(path, EAS_TRACE_PATH_MAX, "%s/trace/%lld-%lld.txt", data_dir, (long long)account.n, (long long)device.n);
}

bool eas_trace_is_on(const struct device *device)
{
    return device->trace_until_us > clock_wall_us();
}

/* ---- decoding ---- */

enum privacy { OPEN, CONTENT, SECRET };

static enum privacy privacy_of(uint16_t tag)
{
    switch (tag) {
    case WB_Settings_Password:
    case WB_ItemOperations_Password:
    case WB_Search_Password:
    case WB_ItemOperations_UserName:
    case WB_Search_UserName:
        return SECRET;
    case WB_Email_Subject:
    case WB_Email_ThreadTopic:
    case WB_Email_To:
    case WB_Email_Cc:
    case WB_Email_From:
    case WB_Email_ReplyTo:
    case WB_Email_DisplayTo:
    case WB_Email_Location:
    case WB_Email_Organizer:
    case WB_Email_Category:
    case WB_Email2_Bcc:
    case WB_Email2_Sender:
    case WB_Tasks_Subject: // of a follow-up
    case WB_AirSyncBase_Data:
    case WB_AirSyncBase_Preview:
    case WB_AirSyncBase_Content:
    case WB_AirSyncBase_DisplayName:
    case WB_AirSyncBase_Location:
    case WB_ItemOperations_Data:
    case WB_ComposeMail_Mime:
    case WB_ComposeMail_ForwardeeName:
    case WB_ComposeMail_ForwardeeEmail:
    case WB_Search_Query: // of the address book
    case WB_Search_FreeText:
    case WB_Find_FreeText:
    case WB_Find_Preview:
    case WB_Find_DisplayCc:
    case WB_Find_DisplayBcc:
    case WB_ResolveRecipients_To:
    case WB_ResolveRecipients_DisplayName:
    case WB_ResolveRecipients_EmailAddress:
    case WB_GAL_DisplayName:
    case WB_GAL_Alias:
    case WB_GAL_FirstName:
    case WB_GAL_LastName:
    case WB_GAL_EmailAddress:
    case WB_Settings_ReplyMessage:
        return CONTENT;
    default:
        return OPEN;
    }
}

static void add_indent(struct buf *out, uint32_t depth)
{
    buf_add_byte(out, '\n');
    for (uint32_t i = 0; i <= depth; i++)
        buf_add_text(out, "  ");
}

/* A line of its own must not come out of what a phone sends. */
static void add_text(struct buf *out, struct slice text)
{
    size_t shown = text.len < EAS_TRACE_TEXT_MAX ? text.len : EAS_TRACE_TEXT_MAX;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_byte(out, (char)c);
    }
    if (shown < text.len)
        buf_printf(out, " [%zu octets more]", text.len - shown);
}

static void add_value(struct buf *out, const struct wbxml_token *token, uint16_t tag, bool content)
{
    enum privacy privacy = privacy_of(tag);
    buf_add_text(out, " = ");
    if (privacy == SECRET)
        buf_add_text(out, "[left out]");
    else if ((privacy == CONTENT && !content) || (token->event == WBXML_OPAQUE && privacy != CONTENT))
        buf_printf(out, "[%zu octets]", token->text.len);
    else
        add_text(out, token->text);
}

void eas_trace_decode(struct slice document, bool content, struct buf *out)
{
    struct wbxml_reader reader;
    struct wbxml_token token = { .event = WBXML_START };
    uint16_t open[WBXML_DEPTH_MAX] = { 0 };
    uint32_t depth = 0;
    enum err err = wbxml_reader_init(&reader, document);
    while (!err && token.event != WBXML_DONE && buf_len(out) < EAS_TRACE_ENTRY_MAX) {
        err = wbxml_read(&reader, &token);
        if (err)
            break;
        if (token.event == WBXML_START) {
            add_indent(out, depth);
            buf_add_text(out, token.known ? wbxml_name(token.tag) : "an unknown element");
            if (depth < WBXML_DEPTH_MAX)
                open[depth] = token.tag;
            depth++;
        } else if (token.event == WBXML_END && depth > 0) {
            depth--;
        } else if ((token.event == WBXML_TEXT || token.event == WBXML_OPAQUE) && depth > 0) {
            add_value(out, &token, open[depth - 1], content);
        }
    }
    if (err)
        buf_printf(out, "\n  [not readable as WBXML: %s, %zu octets]", err_name(err), document.len);
    else if (token.event != WBXML_DONE)
        buf_add_text(out, "\n  [cut here]");
    buf_add_byte(out, '\n');
}

/* ---- the file ---- */

static void append(struct eas_trace *trace, struct account_id account, struct device_id device, struct slice text)
{
    char path[EAS_TRACE_PATH_MAX], folder[EAS_TRACE_PATH_MAX], older[EAS_TRACE_PATH_MAX + 2];
    struct stat stat;
    eas_trace_path(trace->data_dir, account, device, path);
    snprintf(folder, sizeof folder, "%.4000s/trace", trace->data_dir);
    snprintf(older, sizeof older, "%s.1", path);
    pthread_mutex_lock(&trace->lock);
    (void)mkdir(folder, 0700);
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0 && fstat(file, &stat) == 0 && stat.st_size > 0 && stat.st_size + (int64_t)text.len > trace->size_max) {
        close(file);
        (void)rename(path, older);
        file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    bool good = file >= 0 && write(file, text.at, text.len) == (ssize_t)text.len;
    if (file >= 0)
        close(file);
    pthread_mutex_unlock(&trace->lock);
    if (!good)
        log_event(LOG_WARN, "eas_trace_not_written", LOG_T("path", path));
}

static void begin_entry(struct buf *out, const char *command)
{
    char now[32];
    int64_t us = clock_wall_us();
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &t));
    buf_printf(out, "---- %s.%03dZ %s", now, (int)(us % US_PER_S / 1000), command);
}

static void add_request(const struct eas_request *req, struct buf *out)
{
    struct slice body = http_body(req->http);
    buf_printf(out, " version=%d.%d session=%llu policy_key=%lu octets=%zu\n>", req->version / 10, req->version % 10,
               (unsigned long long)http_number(req->http), (unsigned long)req->policy_key, body.len);
    if (body.len == 0)
        buf_add_text(out, " [empty]\n");
    else if (body.at[0] != 0x03)
        buf_printf(out, " [message, %zu octets]\n", body.len);
    else
        eas_trace_decode(body, req->device.trace_content, out);
}

static void add_answer(struct slice answer, bool content, struct buf *out)
{
    if (answer.len == 0)
        buf_add_text(out, " [empty]\n");
    else
        eas_trace_decode(answer, content, out);
}

void eas_trace_write(struct eas_request *req, int http_status, struct slice answer)
{
    struct buf text = { 0 };
    if (!req->command || req->device.id.n == 0 || !eas_trace_is_on(&req->device))
        return;
    begin_entry(&text, req->command->name);
    add_request(req, &text);
    if (http_status == 0) {
        buf_add_text(&text, "< [waits]\n");
    } else {
        struct buf out = { 0 };
        buf_printf(&text, "< HTTP %d", http_status);
        add_answer(answer, req->device.trace_content, &out);
        buf_add(&text, buf_slice(&out));
        buf_free(&out);
    }
    append(req->app->trace, eas_account(req), req->device.id, buf_slice(&text));
    buf_free(&text);
}

struct waited {
    struct job job;
    struct eas_trace *trace;
    struct account_id account;
    struct device_id device;
    struct buf text;
};

static void write_waited(struct job *job, struct worker *worker)
{
    struct waited *waited = job->ctx;
    (void)worker;
    append(waited->trace, waited->account, waited->device, buf_slice(&waited->text));
    log_event(LOG_DEBUG, "eas_trace_followed", LOG_I("account", waited->account.n), LOG_I("device", waited->device.n));
}

static void free_waited(struct job *job)
{
    struct waited *waited = job->ctx;
    buf_free(&waited->text);
    free(waited);
}

void eas_trace_waited(struct eas_app *app, struct account_id account, const struct device *device, const char *command,
                      struct slice answer, struct loop *home)
{
    if (!eas_trace_is_on(device))
        return;
    struct waited *waited = mem_new(struct waited);
    waited->trace = app->trace;
    waited->account = account;
    waited->device = device->id;
    begin_entry(&waited->text, command);
    buf_add_text(&waited->text, " waited\n< HTTP 200");
    add_answer(answer, device->trace_content, &waited->text);
    waited->job = (struct job){ .run = write_waited, .done = free_waited, .ctx = waited, .home = home };
    worker_submit(app->server->workers, &waited->job);
}
