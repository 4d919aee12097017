/* LOGIN and AUTHENTICATE PLAIN. */
// OpenSSL has an ERR_STATE of its own.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/evp.h>
#undef ERR_STATE

#include "server/imap/session.h"

#define BASE64_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define SASL_LINE_MAX 2048u // of base64: authzid, login and password

struct login_args {
    struct slice login, password;
    struct slice initial; // AUTHENTICATE's initial response; at NULL: none
    bool plain;           // AUTHENTICATE PLAIN (another mechanism: false)
    int delay_ms; // of the refusal: the connection waits, no worker does
};

bool imap_may_login(const struct imap_session *s)
{
    return s->tls || s->loopback || settings_bool(s->server->settings, SETTING_AUTH_PLAINTEXT);
}

static enum err parse_login(struct slice *in, struct arena *arena, void **args)
{
    struct login_args *a = arena_new(arena, struct login_args, 1);
    *args = a;
    if (!scan_sp(in) || scan_astring(in, arena, &a->login) || !scan_sp(in) || scan_astring(in, arena, &a->password))
        return ERR_SYNTAX;
    return ERR_OK;
}

static enum imap_result welcome(struct imap_session *s, const struct auth_result *who)
{
    struct buf list = { 0 };
    imap_logged_in(s, who);
    imap_capabilities(s, &list);
    imap_reply(s, "OK [CAPABILITY %.*s] logged in", SLICE_ARG(buf_slice(&list)));
    buf_free(&list);
    return IMAP_DONE;
}

static void refuse(struct imap_session *s, enum err err)
{
    if (err == ERR_DENIED)
        imap_reply(s, "NO [AUTHENTICATIONFAILED] wrong login or password");
    else if (err == ERR_LIMIT)
        imap_reply(s, "NO [UNAVAILABLE] too many logins at once, try again");
    else
        imap_reply_err(s, err, s->command->name);
}

static void on_delay_over(void *ctx)
{
    struct imap_session *s = ctx;
    if (s->state != IMAP_ENDED) // BYE was the last word
        imap_finish_later(s);
}

static enum imap_result verify(struct imap_session *s, struct worker *worker)
{
    struct login_args *a = s->args;
    struct auth_result who;
    if (auth_cached(s->server->auth, a->login, a->password, &who) == ERR_OK)
        return welcome(s, &who);
    if (!worker)
        return IMAP_NEED_WORKER;
    enum err err = auth_verify(s->server->auth, worker, a->login, a->password, s->peer, "imap", &who, &a->delay_ms);
    if (!err)
        return welcome(s, &who);
    refuse(s, err);
    return IMAP_DONE;
}

static enum imap_result run_login(struct imap_session *s, struct worker *worker)
{
    struct login_args *a = s->args;
    if (!imap_may_login(s))
        return imap_reply(s, "NO [PRIVACYREQUIRED] no passwords without TLS: use STARTTLS first");
    enum imap_result result = verify(s, worker);
    if (result != IMAP_DONE || s->state != IMAP_GREETED || a->delay_ms == 0)
        return result;
    s->delayed_ms = a->delay_ms;
    return IMAP_STAY; // the refusal stands in reply: told when the delay is over
}

void imap_start_delay(struct imap_session *s)
{
    loop_timer_set(s->loop, &s->delay, (s->delayed_ms + 999) / 1000, on_delay_over, s);
    s->delayed_ms = 0;
}

/* ---- AUTHENTICATE ---- */

static enum err parse_authenticate(struct slice *in, struct arena *arena, void **args)
{
    struct login_args *a = arena_new(arena, struct login_args, 1);
    struct slice mechanism;
    *args = a;
    if (!scan_sp(in) || !scan_atom(in, &mechanism))
        return ERR_SYNTAX;
    a->plain = slice_eq_nocase(mechanism, SLICE_LIT("PLAIN"));
    if (scan_sp(in)) { // SASL-IR (RFC 4959 3); "=" is an empty response
        size_t len = slice_span(*in, BASE64_CHARS "=");
        a->initial = slice_head(*in, len);
        *in = slice_tail(*in, len);
    }
    return ERR_OK;
}

/* Strict: EVP_DecodeBlock alone would pass blanks and "=" in the middle. */
static bool decode_base64(struct arena *arena, struct slice base64, struct slice *decoded)
{
    size_t body = slice_span(base64, BASE64_CHARS), padding = base64.len - body;
    if (base64.len > SASL_LINE_MAX || base64.len % 4 || padding > 2 || slice_span(slice_tail(base64, body), "=") != padding)
        return false;
    unsigned char *octets = arena_alloc(arena, base64.len / 4 * 3 + 1);
    int len = base64.len ? EVP_DecodeBlock(octets, (const unsigned char *)base64.at, (int)base64.len) : 0;
    if (len < (int)padding)
        return false;
    *decoded = slice_make(octets, (size_t)len - padding);
    return true;
}

/* [authzid] NUL authcid NUL passwd (RFC 4616 2) */
static bool split_plain(struct imap_session *s, struct slice rest)
{
    struct login_args *a = s->args;
    if (slice_count(rest, '\0') != 2)
        return false;
    struct slice authzid = slice_cut(&rest, '\0');
    a->login = slice_cut(&rest, '\0');
    a->password = rest;
    // Acting for somebody else is not offered.
    return a->login.len && (authzid.len == 0 || slice_eq_nocase(authzid, a->login));
}

/* The client's response to PLAIN; false: refused, the reply is set. */
static bool take_response(struct imap_session *s, struct slice base64)
{
    struct slice message;
    if (!decode_base64(s->arena, base64, &message)) {
        imap_reply(s, "BAD the response is not base64"); // RFC 9051 6.2.2
        return false;
    }
    if (split_plain(s, message))
        return true;
    imap_reply(s, "NO [AUTHENTICATIONFAILED] the response is no PLAIN message");
    return false;
}

static enum err on_sasl_line(struct imap_session *s, struct slice line)
{
    s->sasl = NULL;
    if (slice_eq(line, SLICE_LIT("*"))) {
        imap_reply(s, "BAD AUTHENTICATE called off");
        imap_finish_later(s);
    } else if (!take_response(s, line)) {
        imap_finish_later(s);
    } else {
        imap_continue(s);
    }
    return ERR_OK;
}

static enum imap_result run_authenticate(struct imap_session *s, struct worker *worker)
{
    struct login_args *a = s->args;
    if (!a->plain)
        return imap_reply(s, "NO [CANNOT] only PLAIN is known");
    if (!imap_may_login(s))
        return imap_reply(s, "NO [PRIVACYREQUIRED] no passwords without TLS: use STARTTLS first");
    if (a->login.at)
        return run_login(s, worker);
    if (!a->initial.at) {
        imap_write(s, "+ \r\n");
        s->sasl = on_sasl_line;
        return IMAP_STAY;
    }
    if (slice_eq(a->initial, SLICE_LIT("="))) // RFC 4959 3: no octets
        a->initial = SLICE_LIT("");
    return take_response(s, a->initial) ? run_login(s, worker) : IMAP_DONE;
}

extern const struct imap_command imap_login, imap_authenticate;
const struct imap_command imap_login = {
    .name = "LOGIN",
    .source = "RFC 3501 6.2.3",
    .states = IMAP_GREETED,
    .parse = parse_login,
    .run = run_login,
};
const struct imap_command imap_authenticate = {
    .name = "AUTHENTICATE",
    .source = "RFC 3501 6.2.2, RFC 4959",
    .states = IMAP_GREETED,
    .parse = parse_authenticate,
    .run = run_authenticate,
};
