/* Sending a message, in one transaction: a client that repeats it, a server that is killed at any instant, and two
 * requests at once neither lose nor double it. */
#pragma once

#include "base/err.h"
#include "storage/message.h"

struct submission {
    struct account_id account; // who sends
    struct device_id device;
    struct slice client_id; // remembered for 7 days for (account, device); empty: nothing is remembered

    struct message_new message; // what the recipients get; its prefix is ignored
    int64_t internal_date_us;
    struct delivery_target *targets; // local recipients, to their INBOX; results as of message_deliver
    const struct slice *addresses;   // the targets' addresses, for the outbox
    size_t target_count;
    struct slice sender; // envelope sender of the outbox entry
    const struct slice *far; // recipients for the outbox
    size_t far_count;

    const struct message_new *copy; // for the Sent mailbox, read; NULL: none. The same octets are stored once.

    /* The message it answers or forwards: gets flags, a keyword, and members of `extra`. source_item 0: none. */
    struct mailbox_id source_mailbox;
    uint32_t source_item;
    uint64_t source_flags;
    struct slice source_keyword; // may be empty
    struct slice source_extra;   // JSON object

    /* The draft it was: removed for all devices. draft_item 0: none. */
    struct mailbox_id draft_mailbox;
    uint32_t draft_item;

    const struct actor *by;
};

/* Delivers to local recipients, queues the rest, files the copy, marks the source, removes the draft and remembers the
 * ClientId, or does nothing of all that. A local recipient that is gone or over quota is queued (its result says why),
 * unless nobody else gets the message. An account without a Sent mailbox keeps no copy; a source that is gone meanwhile
 * is passed over. Locks: blobs, then all accounts by id.
 * errors: ERR_EXISTS (this ClientId was sent before), ERR_NOT_FOUND (the draft is gone: somebody else sent it),
 * ERR_QUOTA (the copy does not fit), ERR_CONFLICT (no recipient takes it), ERR_LIMIT (over BLOB_MAX),
 * ERR_UNAVAILABLE (also when the commit's answer was lost: repeat it with the same ClientId) */
MUST_USE enum err submission_send(struct db *db, struct submission *submission, struct change_set *changes);
