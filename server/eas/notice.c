#include "server/eas/notice.h"

#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "protocol/mime/meta.h"
#include "storage/message.h"

/* What a phone says of itself must not become a header or a line of its own. */
static const char *printable(struct arena *arena, struct slice text)
{
    char *copy = arena_text(arena, text);
    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    }
    return copy;
}

static void write_mail(struct eas_request *req, struct buf *mail, int64_t id)
{
    bool waits = req->device.access == DEVICE_QUARANTINED;
    char date[64];
    time_t now = (time_t)(clock_wall_us() / US_PER_S);
    struct tm t;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &t));
    const char *host = req->app->server->hostname;
    const char *device = printable(req->arena, req->query.device_id);
    struct slice agent = http_header(req->http, "User-Agent");
    buf_printf(mail,
               "From: Godwit <postmaster@%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%llx.device@%s>\r\n"
               "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
               host, req->login.login,
               waits ? "A new device waits for approval" : "A new device may not read your mail", date,
               (unsigned long long)id, host);
    buf_printf(mail, "Somebody logged in with your password from a device that was not seen before:\r\n\r\n"
                     "  Device:  %s\r\n  Type:    %s\r\n  Program: %s\r\n\r\n",
               device, printable(req->arena, req->query.device_type),
               printable(req->arena, slice_head(agent, agent.len > 200 ? 200 : agent.len)));
    buf_add_text(mail, waits ? "It gets no mail until your administrator approves it. " : "New devices get no mail here. ");
    buf_printf(mail, "If it is yours, tell your administrator\r\nthe device's name:\r\n\r\n"
                     "  godwit device allow %s %s\r\n\r\nIf it is not yours, change your password.\r\n",
               req->login.login, device);
}

static enum err deliver(struct eas_request *req, int64_t id)
{
    struct buf mail = { 0 }, packed = { 0 };
    struct mime_meta meta;
    struct change_set changes = { .count = 0 };
    write_mail(req, &mail, id);
    mime_describe(buf_slice(&mail), req->arena, &meta);
    mime_meta_pack(&meta, &packed);
    struct delivery_target target = { .account = eas_account(req) };
    struct delivery delivery = { .message = { .octets = { buf_slice(&mail), -1, (int64_t)buf_len(&mail) },
                                              .meta = buf_slice(&packed), .thread = meta.thread,
                                              .sent_us = meta.date_us },
                                 .delivery_id = id, .internal_date_us = clock_wall_us(), .targets = &target,
                                 .target_count = 1 };
    struct delivery *one = &delivery;
    enum err err = message_deliver(req->db, &one, 1, &changes);
    eas_publish(req, &changes);
    buf_free(&mail);
    buf_free(&packed);
    return err ? err : target.result;
}

static int64_t random_id(void)
{
    int64_t id = 0;
    while (id == 0) {
        if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
            id = 0;
        id &= INT64_MAX;
    }
    return id;
}

void eas_notice_send(struct eas_request *req)
{
    bool due = false;
    if (!req->device.notice_due)
        return;
    enum err err = device_take_notice(req->db, eas_account(req), req->device.id, &due);
    if (!err && due)
        err = deliver(req, random_id());
    if (err)
        log_event(LOG_WARN, "eas_notice_not_delivered", LOG_I("account", eas_account(req).n),
                  LOG_T("device", req->device.key), LOG_T("result", err_name(err)));
}
