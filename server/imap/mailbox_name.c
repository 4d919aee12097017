#include "server/imap/mailbox_name.h"

#include "protocol/imap/mutf7.h"

enum err mailbox_name_parse(struct slice *in, struct arena *arena, struct slice *path)
{
    struct slice wire;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    enum err err = scan_astring(in, arena, &wire);
    return err ? err : mutf7_decode_lenient(wire, arena, path);
}
