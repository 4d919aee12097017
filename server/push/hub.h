/* The hub: account -> watchers. After each commit it is told what changed and tells the watchers, each on its own loop.
 * Publication is after the commit; watchers register, then look, then wait (check, register, check again). */
#pragma once

#include <stdint.h>

#include "server/net/loop.h"
#include "server/net/worker.h"
#include "storage/account.h"
#include "storage/change.h"

struct hub;
struct hub_watcher;

struct hub_settings {
    const char *database_url;
    int recheck_s; // 60; 0: never (tests): look at the clocks of all watched accounts
};
/* Starts the thread that LISTENs and the one that NOTIFYs in batches. */
MUST_USE enum err hub_open(const struct hub_settings *settings, struct hub **hub);
void hub_close(struct hub **hub);

/* For processes without a hub (the CLI): tells every running server what was committed, by NOTIFY. */
MUST_USE enum err hub_notify(struct db *db, const struct change_set *changes);

/* After a commit in this process: wakes local watchers now, and queues the NOTIFY for other processes. Any thread. */
void hub_publish(struct hub *hub, const struct change_set *changes);

typedef void (*hub_fn)(void *ctx, const struct change *change); // on the watcher's loop

/* Watches an account for the kinds in mask (CHANGE_* bits). Loop thread. auth_version: with which the watcher logged in,
 * so that a CHANGE_AUTH whose event was lost is still told. The watcher is freed by hub_unwatch, after which fn is not
 * called any more (both on the same loop). change->mailbox 0 means "any". */
struct hub_watcher *hub_watch(struct hub *hub, struct loop *loop, struct account_id account, int64_t auth_version,
                              unsigned mask, hub_fn fn, void *ctx);
void hub_unwatch(struct hub *hub, struct hub_watcher **watcher);
/* Process-wide observers of every change (snapshot cache, credential cache): called on the publishing thread, must be
 * quick, registered before any loop runs. change->account 0: events were lost, whatever account may have changed. */
void hub_observe(struct hub *hub, hub_fn fn, void *ctx);
