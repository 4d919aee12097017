/* Mailbox names in commands and replies: UTF-8 once the client enabled it, else modified UTF-7. */
#pragma once

#include "server/imap/session.h"

/* Whether names on the wire are UTF-8: then "&" is a letter like others. */
bool mailbox_names_are_utf8(const struct imap_session *s);
/* A name of the wire to UTF-8. errors: ERR_SYNTAX */
MUST_USE enum err mailbox_name_decode(struct imap_session *s, struct slice wire, struct slice *path);
/* SP astring: a mailbox's name, to UTF-8. errors: ERR_SYNTAX */
MUST_USE enum err mailbox_name_parse(struct imap_session *s, struct slice *in, struct slice *path);
/* The same for a name to be made, which must be listed later as it came: broken modified UTF-7 gives the empty path, which
 * no mailbox can have. */
MUST_USE enum err mailbox_name_parse_new(struct imap_session *s, struct slice *in, struct slice *path);
/* How the store spells the path: INBOX in upper case, NFC. In the arena. */
struct slice mailbox_name_canonical(struct imap_session *s, struct slice path);
void mailbox_name_write(struct imap_session *s, struct slice path);
