/* Automatic replies of people who are away: EAS Oof now, Sieve vacation later (RFC 3834, RFC 5230). Whoever commits a
 * delivery is told by delivery_target.auto_reply that there may be one; the reply itself is server/smtp/autoreply.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/db.h"
#include "storage/ids.h"

#define VACATION_BODY_MAX 65536u // octets of a message

enum vacation_state { VACATION_OFF, VACATION_ON, VACATION_BETWEEN };
enum vacation_audience { VACATION_INTERNAL, VACATION_KNOWN, VACATION_UNKNOWN, VACATION_AUDIENCES };

struct vacation_message {
    bool enabled, html;
    struct slice body; // UTF-8
};

struct vacation {
    enum vacation_state state;
    int64_t starts_us, ends_us; // 0: none; both count with VACATION_BETWEEN only
    struct vacation_message messages[VACATION_AUDIENCES];
};

/* Off and empty for an account that never had one. Bodies live in the arena. */
MUST_USE enum err vacation_get(struct db *db, struct arena *arena, struct account_id account, struct vacation *vacation);
/* Replaces all of it. An absence that begins, or gets other dates, answers everybody anew.
 * errors: ERR_LIMIT (a body over VACATION_BODY_MAX), ERR_SYNTAX (VACATION_BETWEEN without two dates in order),
 * ERR_NOT_FOUND (account) */
MUST_USE enum err vacation_set(struct db *db, struct account_id account, const struct vacation *vacation);
bool vacation_is_on(const struct vacation *vacation, int64_t now_us);
/* Takes the right to answer a sender, whatever the case of the address: *fresh is false within the period since the last
 * answer. Committed before the answer is sent, since one too few is better than two. */
MUST_USE enum err vacation_claim(struct db *db, struct account_id account, struct slice sender, int period_days, bool *fresh);
/* Ids of the newest live messages in the Sent mailbox, in the arena; none without one. */
MUST_USE enum err vacation_newest_sent(struct db *db, struct arena *arena, struct account_id account, uint32_t max,
                                       struct message_id **ids, size_t *count);
