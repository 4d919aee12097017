#include "server/imap/mailbox_name.h"

#include "protocol/imap/mutf7.h"

static enum err take_name(struct slice *in, struct arena *arena, struct slice *wire)
{
    return scan_sp(in) ? scan_astring(in, arena, wire) : ERR_SYNTAX;
}

enum err mailbox_name_parse(struct slice *in, struct arena *arena, struct slice *path)
{
    struct slice wire;
    enum err err = take_name(in, arena, &wire);
    return err ? err : mutf7_decode_lenient(wire, arena, path);
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] & 0x80)
            return false;
    return true;
}

enum err mailbox_name_parse_new(struct slice *in, struct arena *arena, struct slice *path)
{
    struct slice wire;
    enum err err = take_name(in, arena, &wire);
    if (!err && is_ascii(wire) && mutf7_decode(wire, arena, path))
        *path = SLICE_LIT("");
    else if (!err)
        err = mutf7_decode_lenient(wire, arena, path);
    return err;
}
