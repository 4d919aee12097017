/* HTTP Basic (RFC 7617) before the body is read (hard case 28). */
#include "protocol/eas/basic.h"
#include "server/eas/eas_internal.h"

#define HELD_BODY_MAX 65536u // octets that are read of somebody who is not logged in yet

bool eas_take_credentials(struct eas_request *req)
{
    if (eas_basic_parse(http_header(req->http, "Authorization"), req->arena, &req->user, &req->password))
        return false;
    // A short name is completed from the User parameter, which some set-ups fill with the address.
    if (slice_find(req->user, '@') == SIZE_MAX && slice_find(req->query.user, '@') != SIZE_MAX) {
        struct slice local = req->query.user;
        if (slice_eq_nocase(slice_cut(&local, '@'), req->user))
            req->user = req->query.user;
    }
    return true;
}

void eas_answer_denied(struct eas_request *req)
{
    eas_add_headers(req);
    http_answer_header(req->http, "WWW-Authenticate", "Basic realm=\"Godwit\", charset=\"UTF-8\"");
    http_answer(req->http, 401, NULL, NULL);
}

static void forget_password(struct eas_request *req)
{
    req->logged_in = true;
    req->password = SLICE_LIT("");
}

static enum err verify(struct eas_request *req, struct worker *worker, int *delay_ms)
{
    *delay_ms = 0;
    enum err err = auth_verify(req->app->server->auth, worker, req->user, req->password, http_peer(req->http), "eas",
                               &req->login, delay_ms);
    if (!err)
        forget_password(req);
    return err;
}

/* Somebody held back may be who he says: his mail is asked for again, not refused as too big. */
static bool may_wait(const struct eas_request *req)
{
    struct slice length = http_header(req->http, "Content-Length");
    uint64_t octets = 0;
    return !http_header(req->http, "Transfer-Encoding").at &&
           (!length.at || slice_to_u64(slice_trim(length), HELD_BODY_MAX, &octets));
}

enum http_head_result eas_login_head(struct eas_request *req, struct worker *worker)
{
    struct auth *auth = req->app->server->auth;
    if (auth_cached(auth, req->user, req->password, &req->login) == ERR_OK) {
        forget_password(req);
        return HTTP_READ_BODY;
    }
    req->hold_ms = auth_delay_ms(auth, req->user, http_peer(req->http));
    if (req->hold_ms > 0 && may_wait(req))
        return HTTP_READ_BODY; // run waits before it looks
    if (req->hold_ms > 0) {
        eas_answer_unavailable(req);
        return HTTP_ANSWERED;
    }
    if (!worker)
        return HTTP_NEED_WORKER;
    enum err err = verify(req, worker, &req->denied_ms);
    if (err == ERR_OK)
        return HTTP_READ_BODY;
    if (err == ERR_DENIED && req->denied_ms > 0 && may_wait(req))
        return HTTP_READ_BODY; // run waits before it refuses
    if (err == ERR_DENIED)
        eas_answer_denied(req);
    else
        eas_answer_unavailable(req); // never 401 for trouble of our own: phones forget their password
    return HTTP_ANSWERED;
}

static void denied_ended(struct http_park *park, void *ctx, enum park_end why)
{
    (void)ctx;
    (void)why;
    http_unpark(park, 401, NULL, SLICE_LIT("WWW-Authenticate: Basic realm=\"Godwit\", charset=\"UTF-8\"\r\n"),
                SLICE_LIT(""));
}

static void hold_ended(struct http_park *park, void *ctx, enum park_end why)
{
    (void)ctx;
    (void)why;
    http_unpark_rerun(park);
}

static const struct park_ops denied_ops = { .ended = denied_ended };
static const struct park_ops hold_ops = { .ended = hold_ended };

static uint32_t seconds_of(int ms)
{
    return (uint32_t)(ms + 999) / 1000;
}

bool eas_login_run(struct eas_request *req)
{
    if (req->logged_in)
        return true;
    if (req->denied_ms > 0) {
        http_park(req->http, &denied_ops, NULL, seconds_of(req->denied_ms));
        return false;
    }
    if (req->hold_ms > 0) {
        uint32_t hold_s = seconds_of(req->hold_ms);
        req->hold_ms = 0;
        http_keep_request(req->http);
        http_park(req->http, &hold_ops, NULL, hold_s);
        return false;
    }
    int delay_ms; // the wait is behind us
    enum err err = verify(req, req->worker, &delay_ms);
    if (err == ERR_DENIED)
        eas_answer_denied(req);
    else if (err)
        eas_answer_unavailable(req);
    return err == ERR_OK;
}
