/* What a committed write changed: the caller publishes it to the hub and by NOTIFY after the commit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/ids.h"

enum change_kind {
    CHANGE_NEW = 1,       // rows were added to the mailbox
    CHANGE_FLAGS = 2,     // flags, keywords or extra changed
    CHANGE_REMOVED = 4,   // rows were removed
    CHANGE_HIERARCHY = 8, // a mailbox was created, renamed, deleted, undeleted, (un)subscribed
    CHANGE_AUTH = 16,     // password, status or device decision: drop cached credentials, end sessions
    CHANGE_DEVICE = 32,   // what its phones are to do next (a trace): parked requests end
};

struct change {
    struct account_id account;
    struct mailbox_id mailbox; // 0 for CHANGE_AUTH, CHANGE_DEVICE and for CHANGE_HIERARCHY that concerns all
    int64_t modseq;            // the account clock after the change
    unsigned kinds;            // CHANGE_* bits
};

#define CHANGES_MAX 128u // one write touches few mailboxes, a batch of deliveries as many accounts as it has recipients

struct change_set {
    struct change items[CHANGES_MAX];
    size_t count;
    bool overflow; // more accounts changed than fit: whoever publishes rechecks the clock of every watched account
};

/* Adds one, folding it into an entry of the same account and mailbox; when full, folds into {account, mailbox 0}, and
 * sets `overflow` for an account that has no entry. */
void change_set_add(struct change_set *set, struct change change);

/* Who does it: for removed_by and the audit, and for echo suppression (hard case 5). */
enum actor_protocol {
    BY_SYSTEM, // retention, migration
    BY_LMTP,
    BY_IMAP,
    BY_POP3,
    BY_EAS,
    BY_SUBMISSION,
    BY_ADMIN, // admin API or CLI
};

struct actor {
    enum actor_protocol protocol;
    struct device_id device; // EAS only, else 0
    const char *name;        // device, address or admin; kept with what it removes; may be NULL
};
