/* VANISHED (RFC 7162 3.2.10): what is gone, by uid. */
#pragma once

#include "server/imap/session.h"

/* What of the view is gone, for clients that enabled QRESYNC. uids ascend. */
void imap_write_vanished(struct imap_session *s, const uint32_t *uids, size_t count);

struct vanished_ask {
    struct uidset known;    // what the client knows; runs may be in any order, "*" is the last uid ever given
    bool all_known;         // in the place of known: all that ever was
    uint64_t since;         // modseq
    uint32_t matched;       // the client knows all that is gone up to this uid (RFC 7162 3.2.5.2)
};
/* VANISHED (EARLIER) of what is not in the view and was removed after `since`; if the store does not remember so far,
 * everything that is not in the view: it tells too much rather than too little. On a worker. */
enum err imap_write_vanished_earlier(struct imap_session *s, struct db *db, const struct vanished_ask *ask);
