#include "server/imap/mailbox_name.h"

#include <glib.h>

#include "protocol/imap/mutf7.h"
#include "protocol/imap/write.h"

bool mailbox_names_are_utf8(const struct imap_session *s)
{
    return s->rev2 || s->utf8;
}

static enum err take_name(struct imap_session *s, struct slice *in, struct slice *wire)
{
    return scan_sp(in) ? scan_astring(in, s->arena, wire) : ERR_SYNTAX;
}

enum err mailbox_name_decode(struct imap_session *s, struct slice wire, struct slice *path)
{
    if (!mailbox_names_are_utf8(s))
        return mutf7_decode_lenient(wire, s->arena, path);
    *path = wire;
    return utf8_is_valid(wire) ? ERR_OK : ERR_SYNTAX;
}

enum err mailbox_name_parse(struct imap_session *s, struct slice *in, struct slice *path)
{
    struct slice wire;
    enum err err = take_name(s, in, &wire);
    return err ? err : mailbox_name_decode(s, wire, path);
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] & 0x80)
            return false;
    return true;
}

enum err mailbox_name_parse_new(struct imap_session *s, struct slice *in, struct slice *path)
{
    struct slice wire;
    enum err err = take_name(s, in, &wire);
    if (!err && !mailbox_names_are_utf8(s) && is_ascii(wire) && mutf7_decode(wire, s->arena, path))
        *path = SLICE_LIT("");
    else if (!err)
        err = mailbox_name_decode(s, wire, path);
    return err;
}

struct slice mailbox_name_canonical(struct imap_session *s, struct slice path)
{
    struct slice inbox = SLICE_LIT("INBOX"), rest;
    gchar *normal = g_utf8_normalize(path.at, (gssize)path.len, G_NORMALIZE_NFC);
    struct slice canonical = normal ? arena_copy(s->arena, slice_of(normal)) : path;
    g_free(normal);
    if (!slice_starts_nocase(canonical, inbox))
        return canonical;
    rest = slice_tail(canonical, inbox.len);
    return rest.len && rest.at[0] != '/' ? canonical
                                         : slice_of(arena_printf(s->arena, "INBOX%.*s", SLICE_ARG(rest)));
}

void mailbox_name_write(struct imap_session *s, struct slice path)
{
    if (mailbox_names_are_utf8(s))
        write_mailbox_utf8(&s->out, path);
    else
        write_mailbox(&s->out, path);
}
