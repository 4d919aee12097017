/* Who may log in: password hashes by crypt(3), a cache of verified credentials, slowing of failures.
 * Every protocol asks here. Verification is slow on purpose and runs on workers with a bounded share. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "server/net/worker.h"
#include "server/push/hub.h"
#include "storage/account.h"

struct auth;

struct auth_settings {
    int cache_s;            // how long a verified credential counts (300)
    int failures_max;       // failures per account or address before they are slowed (5)
    int slow_ms;            // first delay; doubles with each further failure, to slow_max_ms
    int slow_max_ms;
    int concurrent_max;     // hashes computed at a time
};
MUST_USE enum err auth_open(const struct auth_settings *settings, struct hub *hub, struct auth **auth);
void auth_close(struct auth **auth);

/* The last use of app passwords is written once a minute from now on; stopped before the workers are closed. */
void auth_start_writing(struct auth *auth, struct workers *workers, struct loop *loop);
void auth_stop_writing(struct auth *auth); // writes what is known

struct auth_result {
    struct account_id account;
    int64_t auth_version;
    bool eas_enabled;
    char login[LOGIN_MAX + 1];
};
/* From the cache only: no SQL, any thread. ERR_NOT_FOUND: ask auth_verify on a worker. */
MUST_USE enum err auth_cached(struct auth *auth, struct slice login, struct slice password, struct auth_result *result);
/* On a worker. peer: address text, for slowing and the log. ERR_DENIED: wrong (unknown logins hash a dummy: same time);
 * *delay_ms is how long the caller should wait (on a timer, not on the worker) before answering. ERR_LIMIT: too many
 * hashes at once, try later. ERR_UNAVAILABLE. */
MUST_USE enum err auth_verify(struct auth *auth, struct worker *worker, struct slice login, struct slice password,
                              const char *peer, const char *protocol, struct auth_result *result, int *delay_ms);
/* How long a new attempt from this peer or for this login should be held back before it is looked at (0: not). */
int auth_delay_ms(struct auth *auth, struct slice login, const char *peer);
/* crypt(3) hash with a fresh yescrypt salt, malloc-ed; NULL when the password is too long (1,024 octets) or holds NUL. */
char *auth_hash_password(struct slice password);
