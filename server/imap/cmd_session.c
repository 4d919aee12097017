/* CAPABILITY, NOOP, CHECK, LOGOUT, ID, ENABLE, NAMESPACE, STARTTLS, IDLE: no mailbox needed. */
#include "server/imap/session.h"

/* RFC 2971 3.3 */
#define ID_FIELDS_MAX 30u
#define ID_KEY_MAX 30u
#define ID_VALUE_MAX 1024u

static enum imap_result run_capability(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    buf_add_text(&s->out, "* CAPABILITY ");
    imap_capabilities(s, &s->out);
    buf_add_text(&s->out, "\r\n");
    return imap_reply(s, "OK CAPABILITY completed");
}

static enum imap_result run_noop(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    return imap_reply(s, "OK %s completed", s->command->name);
}

static enum imap_result run_logout(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_write(s, "* BYE see you\r\n");
    return imap_reply(s, "OK LOGOUT completed");
}

static enum err parse_id(struct slice *in, struct arena *arena, void **args)
{
    struct slice text;
    bool nil;
    (void)args;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    if (scan_word(in, "NIL"))
        return ERR_OK;
    if (!slice_take(in, '('))
        return ERR_SYNTAX;
    if (slice_take(in, ')'))
        return ERR_OK;
    for (unsigned i = 0; i < ID_FIELDS_MAX; i++) {
        enum err err = scan_string(in, arena, &text);
        if (!err && text.len > ID_KEY_MAX)
            err = ERR_LIMIT;
        if (!err && !scan_sp(in))
            err = ERR_SYNTAX;
        if (!err)
            err = scan_nstring(in, arena, &text, &nil);
        if (!err && text.len > ID_VALUE_MAX)
            err = ERR_LIMIT;
        if (err)
            return err;
        if (slice_take(in, ')'))
            return ERR_OK;
        if (!scan_sp(in))
            return ERR_SYNTAX;
    }
    return ERR_LIMIT;
}

static enum imap_result run_id(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_write(s, "* ID (\"name\" \"Godwit\")\r\n");
    return imap_reply(s, "OK ID completed");
}

enum { ENABLE_CONDSTORE = 1, ENABLE_QRESYNC = 2, ENABLE_REV2 = 4, ENABLE_UTF8 = 8 };

static const struct {
    const char *name;
    unsigned bit;
} enable_words[] = { { "CONDSTORE", ENABLE_CONDSTORE },
                     { "QRESYNC", ENABLE_QRESYNC },
                     { "IMAP4rev2", ENABLE_REV2 },
                     { "UTF8=ACCEPT", ENABLE_UTF8 } };

struct enable_args {
    unsigned bits;
};

static enum err parse_enable(struct slice *in, struct arena *arena, void **args)
{
    struct enable_args *a = arena_new(arena, struct enable_args, 1);
    struct slice word;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    do {
        if (!scan_atom(in, &word))
            return ERR_SYNTAX;
        for (size_t i = 0; i < sizeof enable_words / sizeof *enable_words; i++)
            if (slice_eq_nocase(word, slice_of(enable_words[i].name)))
                a->bits |= enable_words[i].bit;
    } while (scan_sp(in));
    *args = a;
    return ERR_OK;
}

static enum imap_result run_enable(struct imap_session *s, struct worker *worker)
{
    const struct enable_args *a = s->args;
    (void)worker;
    unsigned had = (s->condstore ? ENABLE_CONDSTORE : 0u) | (s->qresync ? ENABLE_QRESYNC : 0u) |
                   (s->rev2 ? ENABLE_REV2 : 0u) | (s->utf8 ? ENABLE_UTF8 : 0u);
    unsigned new = a->bits & ~had;
    buf_add_text(&s->out, "* ENABLED"); // only what is new (RFC 5161 3.2), and always (RFC 9051 6.3.1)
    for (size_t i = 0; i < sizeof enable_words / sizeof *enable_words; i++)
        if (new & enable_words[i].bit)
            imap_write(s, " %s", enable_words[i].name);
    buf_add_text(&s->out, "\r\n");
    s->rev2 = s->rev2 || (new & ENABLE_REV2);
    s->utf8 = s->utf8 || (new & ENABLE_UTF8);
    s->qresync = s->qresync || (new & ENABLE_QRESYNC);
    if (new & (ENABLE_CONDSTORE | ENABLE_QRESYNC)) // QRESYNC implies CONDSTORE (RFC 7162 3.2.3)
        imap_enable_condstore(s);
    return imap_reply(s, "OK ENABLE completed");
}

static enum imap_result run_namespace(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_write(s, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return imap_reply(s, "OK NAMESPACE completed");
}

static enum imap_result run_starttls(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    if (s->tls)
        return imap_reply(s, "BAD TLS is active already");
    if (!s->has_tls)
        return imap_reply(s, "NO [UNAVAILABLE] no certificate is configured");
    return imap_reply(s, "OK begin TLS now");
}

static enum imap_result run_idle(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_write(s, "+ idling\r\n");
    s->idling = true;
    s->woken = s->view != NULL; // register, then look: what came before the IDLE is told now
    return IMAP_STAY;
}

static enum err parse_compress(struct slice *in, struct arena *arena, void **args)
{
    (void)arena;
    (void)args;
    return scan_sp(in) && scan_word(in, "DEFLATE") ? ERR_OK : ERR_SYNTAX;
}

static enum imap_result run_compress(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    if (s->compressed)
        return imap_reply(s, "NO [COMPRESSIONACTIVE] compression is on already");
    return imap_reply(s, "OK compressed from here on");
}

/* Back to the state before the login (RFC 8437): what was enabled, selected and watched is gone, TLS stays. */
static enum imap_result run_unauthenticate(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_deselect(s);
    imap_logged_out(s);
    return imap_reply(s, "OK UNAUTHENTICATE completed");
}

#define SIMPLE(id, text, doc, allowed, bits, cap, parser, runner) \
    extern const struct imap_command imap_##id; \
    const struct imap_command imap_##id = { \
        .name = text, .source = doc, .states = allowed, .flags = bits, .capability = cap, .parse = parser, .run = runner \
    }

SIMPLE(capability, "CAPABILITY", "RFC 3501 6.1.1", IMAP_ANY, 0, NULL, NULL, run_capability);
SIMPLE(noop, "NOOP", "RFC 3501 6.1.2", IMAP_ANY, 0, NULL, NULL, run_noop);
SIMPLE(logout, "LOGOUT", "RFC 3501 6.1.3", IMAP_ANY, IMAP_NO_SYNC, NULL, NULL, run_logout);
SIMPLE(id, "ID", "RFC 2971 3.1", IMAP_ANY, 0, NULL, parse_id, run_id);
SIMPLE(starttls, "STARTTLS", "RFC 3501 6.2.1", IMAP_GREETED, 0, NULL, NULL, run_starttls);
SIMPLE(enable, "ENABLE", "RFC 5161 3.1", IMAP_LOGGED_IN, 0, NULL, parse_enable, run_enable);
SIMPLE(namespace, "NAMESPACE", "RFC 2342 5", IMAP_INSIDE, 0, "NAMESPACE", NULL, run_namespace);
SIMPLE(check, "CHECK", "RFC 3501 6.4.1", IMAP_SELECTED, 0, NULL, NULL, run_noop);
SIMPLE(unauthenticate, "UNAUTHENTICATE", "RFC 8437 3", IMAP_INSIDE, IMAP_NO_SYNC, "UNAUTHENTICATE", NULL,
       run_unauthenticate);
SIMPLE(compress, "COMPRESS", "RFC 4978 3", IMAP_INSIDE, IMAP_NO_SYNC, "COMPRESS=DEFLATE", parse_compress, run_compress);
SIMPLE(idle, "IDLE", "RFC 2177 3", IMAP_INSIDE, IMAP_NO_SYNC, NULL, NULL, run_idle);
