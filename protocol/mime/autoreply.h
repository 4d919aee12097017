/* Whether a message may be answered automatically, and the answer (RFC 3834; RFC 5230 4.6). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

enum auto_reply_verdict {
    AUTO_REPLY_YES,
    AUTO_REPLY_NO_RETURN_PATH, // null or missing: RFC 3834 2
    AUTO_REPLY_AUTOMATIC,      // Auto-Submitted, reports, X-Auto-Response-Suppress
    AUTO_REPLY_LIST,           // List-*, Precedence
    AUTO_REPLY_ROBOT,          // owner-, -request, MAILER-DAEMON ...
    AUTO_REPLY_OWN,            // from the account itself
    AUTO_REPLY_NOT_NAMED,      // the account is neither in To nor in Cc
};

struct auto_reply_to { // what the answer needs of the message; in the arena
    struct slice sender;     // the return path
    struct slice subject;    // decoded
    struct slice message_id; // with <>; empty when none
    struct slice references; // of the answer: the message's own and its id
};

/* header: of the delivered message, Return-Path first, as the delivery wrote it. own: the account's address; one with
 * "+tag" behind its local part is the same person. *to is filled for AUTO_REPLY_YES. */
enum auto_reply_verdict mime_auto_reply_judge(struct slice header, struct slice own, struct arena *arena,
                                              struct auto_reply_to *to);
/* For the log. */
const char *mime_auto_reply_word(enum auto_reply_verdict verdict);
/* The answer: from own, text or HTML (both UTF-8). */
void mime_auto_reply_compose(const struct auto_reply_to *to, struct slice own, struct slice body, bool html,
                             struct buf *out);
/* Whether an address list as mime_meta has it ("Name <a@b>, ...") names an address, whatever its case. */
bool mime_addresses_name(struct slice list, struct slice address, struct arena *arena);
