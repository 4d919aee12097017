/* Packs what SEARCH looks at first, behind the deliveries: hears of new mail from the hub, waits until the account is
 * quiet, and then packs a step at a time, one job in the whole server. What is not packed is found all the same. */
#pragma once

#include "base/err.h"
#include "server/net/worker.h"
#include "server/push/hub.h"

struct indexer;
/* quiet_ms: how long an account has to be without news before it is packed; an account that never is comes in turn after
 * ten times as long. Starts with the accounts that are behind. */
MUST_USE enum err indexer_open(struct workers *workers, struct loop *home, struct hub *hub, int quiet_ms,
                               struct indexer **indexer);
void indexer_stop(struct indexer *indexer); // before workers and loops end; what is left is packed after the next start
void indexer_close(struct indexer **indexer); // after the hub ended
