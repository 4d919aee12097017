/* Mail to relay: written by submission and EAS SendMail, taken by the relay. */
#pragma once

#include "base/err.h"
#include "storage/message.h"

struct outbox_entry {
    struct account_id account; // the sender
    struct slice sender;       // envelope
    const struct slice *recipients;
    size_t recipient_count;
    struct octets octets;
};
/* One row per entry, committed on return. */
MUST_USE enum err outbox_add(struct db *db, const struct outbox_entry *entry, int64_t *outbox_id);
