/* Mailbox names in commands. */
#pragma once

#include "server/imap/session.h"

/* SP astring: modified UTF-7 or UTF-8, to UTF-8. errors: ERR_SYNTAX */
MUST_USE enum err mailbox_name_parse(struct slice *in, struct arena *arena, struct slice *path);
/* The same for a name to be made, which must be listed later as it came: broken modified UTF-7 gives the empty path, which
 * no mailbox can have. */
MUST_USE enum err mailbox_name_parse_new(struct slice *in, struct arena *arena, struct slice *path);
