/* Mailbox names in commands. */
#pragma once

#include "server/imap/session.h"

/* SP astring: modified UTF-7 or UTF-8, to UTF-8. errors: ERR_SYNTAX */
MUST_USE enum err mailbox_name_parse(struct slice *in, struct arena *arena, struct slice *path);
