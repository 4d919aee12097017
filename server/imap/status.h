/* The STATUS line, of STATUS and of LIST ... RETURN (STATUS ...); ids of mailboxes. */
#pragma once

#include "protocol/imap/list_command.h"
#include "server/imap/session.h"

/* An untagged STATUS with the items (enum status_item). */
void imap_write_status(struct imap_session *s, const struct mailbox *mailbox, unsigned items, int64_t deleted_bytes);
/* What DELETED-STORAGE needs beside the mailboxes, if it is among the items; in the arena. */
MUST_USE enum err imap_status_deleted(struct imap_session *s, struct db *db, const struct mailbox *mailboxes,
                                      size_t count, unsigned items, int64_t **bytes);
/* What comes after all STATUS lines of a command: asking for HIGHESTMODSEQ enables CONDSTORE. */
void imap_status_done(struct imap_session *s, unsigned items);
/* RFC 8474: "F1-7". In the arena. */
const char *imap_mailbox_id(struct imap_session *s, struct mailbox_id mailbox);

