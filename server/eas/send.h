/* Sending a message for a phone, by one transaction of the store: to local mailboxes, to the outbox for others, a copy
 * into Sent, the source marked, the ClientId remembered (storage/submission.h). */
#pragma once

#include "server/eas/eas_internal.h"

/* The message that a SmartReply or SmartForward is about. */
struct eas_source {
    struct mailbox_id mailbox;
    struct sync_item item;
    bool found;
};

/* Email2 LastVerbExecuted (MS-ASEMAIL 2.2.2.44); kept in placement.extra as "verb": {"n": 1, "at": "2026-01-02T..."}. */
enum eas_verb { EAS_VERB_REPLY = 1, EAS_VERB_REPLY_ALL = 2, EAS_VERB_FORWARD = 3 };

struct eas_sending {
    struct slice raw; // the message as the phone composed it. Sender is the account, whatever From says.
    bool save;        // a copy in Sent
    struct slice client_id;          // counts for 7 days; empty: none
    const struct eas_source *source; // NULL or not found: none; gets \Answered or $Forwarded and the verb
    bool forward;
    struct mailbox_id draft_mailbox; // the draft it was, which goes; item 0: none
    uint32_t draft_item;
};

/* Returns 0, or the status (MS-ASCMD 2.2.2) that says why nothing was sent: EAS_INVALID_MIME, EAS_NO_RECIPIENT,
 * EAS_RECIPIENT_UNRESOLVED, EAS_TOO_LARGE, EAS_QUOTA_EXCEEDED (the copy does not fit), EAS_PREVIOUSLY_SENT,
 * EAS_ITEM_NOT_FOUND (the draft has gone), EAS_SUBMISSION_FAILED (for good), EAS_SERVER_ERROR_RETRY. */
int eas_send_once(struct eas_request *req, const struct eas_sending *sending);
/* SendMail, SmartReply, SmartForward. */
void eas_send_mail_run(struct eas_request *req);
void eas_smart_run(struct eas_request *req, bool forward);
