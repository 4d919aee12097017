/* Requests that wait: a parked Ping or hanging Sync, its watcher at the hub, its looks at the store and the quiet time.
 * A wait lives on its loop; looks run on workers with a copy of what they need. */
#pragma once

#include "server/eas/devices.h"
#include "server/eas/eas_internal.h"

/* Parks the request: it is looked at once more when it is parked, and after each event that may concern it.
 * Ping is answered with its Status; a Sync is run again when there is news, and ends empty. */
void eas_wait_begin(struct eas_request *req, enum eas_wait_kind kind, const struct sync_watch *watches, size_t count,
                    uint32_t heartbeat_s);
