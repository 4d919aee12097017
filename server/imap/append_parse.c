#include "server/imap/append.h"
#include "server/imap/mailbox_name.h"

enum err append_parse_head(struct imap_session *s, struct slice *in, bool replace, struct append_args **args)
{
    struct append_args *a = arena_new(s->arena, struct append_args, 1);
    *args = a;
    a->replace = replace;
    if (replace) {
        enum err err = scan_sp(in) ? uidset_parse(in, s->arena, &a->target) : ERR_SYNTAX;
        if (err)
            return err;
        if (a->target.saved || a->target.count != 1 || a->target.runs[0].first != a->target.runs[0].last)
            return ERR_SYNTAX; // one message
    }
    return mailbox_name_parse(s, in, &a->path);
}

struct append_piece *append_add_piece(struct append_args *a, struct arena *arena)
{
    struct append_message *m = &a->messages[a->count - 1];
    if (!m->pieces)
        m->pieces = arena_new(arena, struct append_piece, APPEND_PIECES_MAX);
    return m->piece_count == APPEND_PIECES_MAX ? NULL : &m->pieces[m->piece_count++];
}

static bool is_at_literal(struct slice in, const struct scan_announced *literal)
{
    return in.len == 0 && literal;
}

/* [flag-list SP] [date-time SP] and what opens the message's octets; *done: a literal is next. */
static enum err open_message(struct append_args *a, struct slice *in, struct arena *arena,
                             const struct scan_announced *literal, bool *done)
{
    if (!a->messages)
        a->messages = arena_new(arena, struct append_message, APPEND_MESSAGES_MAX);
    if (a->count == APPEND_MESSAGES_MAX)
        return ERR_LIMIT;
    if (a->count && a->replace)
        return ERR_SYNTAX;
    struct append_message *m = &a->messages[a->count++];
    if (in->len && in->at[0] == '(') {
        enum err err = scan_flag_list(in, arena, false, &m->flags);
        if (err || !scan_sp(in))
            return err ? err : ERR_SYNTAX;
    }
    if (in->len && in->at[0] == '"' && (!scan_date_time(in, &m->internal_us) || !scan_sp(in)))
        return ERR_SYNTAX;
    if (is_at_literal(*in, literal)) {
        m->binary = literal->binary;
        *done = true;
        return ERR_OK;
    }
    if (scan_word(in, "CATENATE") && scan_sp(in) && slice_take(in, '(')) {
        a->place = IN_CATENATE_FIRST;
        return ERR_OK;
    }
    if (!scan_word(in, "UTF8") || !scan_sp(in) || !slice_take(in, '(') || !is_at_literal(*in, literal) ||
        !literal->binary)
        return ERR_SYNTAX;
    m->binary = true;
    a->place = BEHIND_UTF8;
    *done = true;
    return ERR_OK;
}

/* cat-part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")" */
static enum err open_part(struct append_args *a, struct slice *in, struct arena *arena,
                          const struct scan_announced *literal, bool *done)
{
    a->place = IN_CATENATE;
    if (scan_word(in, "TEXT") && scan_sp(in) && is_at_literal(*in, literal)) {
        a->messages[a->count - 1].binary |= literal->binary;
        *done = true;
        return ERR_OK;
    }
    if (scan_word(in, "UTF8") && scan_sp(in) && slice_take(in, '(') && is_at_literal(*in, literal) && literal->binary) {
        a->place = BEHIND_CATENATE_UTF8;
        *done = true;
        return ERR_OK;
    }
    if (!scan_word(in, "URL") || !scan_sp(in))
        return ERR_SYNTAX;
    if (is_at_literal(*in, literal)) {
        a->literal_is_url = true;
        *done = true;
        return literal->size > APPEND_URL_MAX ? ERR_LIMIT : ERR_OK;
    }
    struct slice url;
    struct append_piece *piece = append_add_piece(a, arena);
    enum err err = piece ? scan_astring(in, arena, &url) : ERR_LIMIT;
    if (!err)
        piece->url = url.len ? arena_copy(arena, url) : SLICE_LIT(" ");
    return err ? err : url.len > APPEND_URL_MAX ? ERR_LIMIT : ERR_OK;
}

enum err append_parse_more(struct append_args *a, struct slice in, struct arena *arena,
                           const struct scan_announced *literal)
{
    bool done = false;
    enum err err = ERR_OK;
    a->literal_is_url = false;
    while (!err && !done) {
        switch (a->place) {
        case BETWEEN_MESSAGES:
            if (in.len == 0 && !literal)
                return a->count ? ERR_OK : ERR_SYNTAX;
            err = scan_sp(&in) ? open_message(a, &in, arena, literal, &done) : ERR_SYNTAX;
            break;
        case BEHIND_UTF8:
        case BEHIND_CATENATE_UTF8:
            err = slice_take(&in, ')') ? ERR_OK : ERR_SYNTAX;
            a->place = a->place == BEHIND_UTF8 ? BETWEEN_MESSAGES : IN_CATENATE;
            break;
        case IN_CATENATE:
            if (slice_take(&in, ')'))
                a->place = BETWEEN_MESSAGES;
            else
                err = scan_sp(&in) ? open_part(a, &in, arena, literal, &done) : ERR_SYNTAX;
            break;
        case IN_CATENATE_FIRST:
            err = open_part(a, &in, arena, literal, &done);
            break;
        }
    }
    return err;
}
