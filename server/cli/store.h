/* The store for a process: the external database, or the embedded cluster, found running or started for our own time.
 * Every user of the cluster holds a shared lock on a file in the data directory; who is last stops it. */
#pragma once

#include "base/err.h"
#include "server/settings.h"

struct store;

/* Drops root to the owner of the data directory first, when the cluster is the embedded one.
 * errors: ERR_UNAVAILABLE, ERR_STATE, ERR_DENIED; the story is in trace */
MUST_USE enum err store_open(const struct settings *settings, int connections_max, struct trace *trace,
                             struct store **store);
const char *store_url(const struct store *store);
void store_close(struct store **store);
