/* Sending a message for a phone: to local mailboxes at once, to the outbox for others, a copy into Sent. */
#pragma once

#include "server/eas/eas_internal.h"

/* raw: the message as the phone composed it. Sender is the account, whatever From says. save: a copy in Sent.
 * Returns 0, or the status (MS-ASCMD 2.2.2) that says why nothing was sent. */
int eas_send(struct eas_request *req, struct slice raw, bool save);

/* What SendMail, SmartReply and SmartForward have in common, of 12.1's query and 14.0's WBXML. */
struct eas_compose {
    struct slice client_id; // empty at 12.1
    struct slice mime;
    bool save, replace_mime;
    struct slice folder_id, item_id; // source; item_id "mailbox:item"
};
/* 0, or a status. */
int eas_compose_parse(struct eas_request *req, struct eas_compose *compose);
/* Sends once per ClientId and answers: an empty body is success. source_flag: FLAG_ANSWERED or 0, keyword "$Forwarded" or
 * NULL, set on the source message when one is given. */
struct eas_source {
    struct mailbox_id mailbox;
    struct sync_item item;
    bool found;
};
void eas_compose_send(struct eas_request *req, const struct eas_compose *compose, struct slice raw,
                      const struct eas_source *source, uint64_t source_flag, const char *source_keyword);
/* Finds the source of a SmartReply or SmartForward. errors: ERR_NOT_FOUND, ERR_UNAVAILABLE */
MUST_USE enum err eas_compose_source(struct eas_request *req, const struct eas_compose *compose,
                                     struct eas_source *source);
/* SmartReply and SmartForward but for how the original is quoted. */
void eas_smart_send(struct eas_request *req, bool forward);
