/* Octets of own mails by URL, for APPEND CATENATE (RFC 4469). */
#pragma once

#include "server/imap/session.h"

/* Appends what the URL means to out, at most max octets. errors: ERR_NOT_FOUND (no such mail or part, or no URL of one),
 * ERR_LIMIT (more than max), ERR_UNAVAILABLE */
MUST_USE enum err imap_url_read(struct imap_session *s, struct db *db, struct slice url, int64_t max, struct buf *out);
