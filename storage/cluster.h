/* The embedded PostgreSQL cluster below the data directory: made, started, adopted, stopped (hard case 13).
 * Its postmaster runs in its own session, as the calling user (never root), listens on a unix socket only. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct cluster;

/* dir: the data directory; the cluster lives in dir/postgres, its socket in dir/run (or a short path below /tmp or
 * /run when that would pass the 107 octets of a socket address).
 * Makes it when missing (initdb UTF-8, checksums), adopts a live one left by a killed server, else starts it and waits
 * until it answers. unsafe_no_fsync: for tests only.
 * errors: ERR_STATE (made by another PostgreSQL major version: says how to go on), ERR_UNAVAILABLE */
MUST_USE enum err cluster_start(const char *dir, int connections_max, bool unsafe_no_fsync, struct trace *trace,
                                struct cluster **cluster);
/* libpq connection string. Owned by cluster. */
const char *cluster_url(const struct cluster *cluster);
/* Whether a live one was adopted. */
bool cluster_was_running(const struct cluster *cluster);
/* Fast shutdown and wait, if this process started or adopted it as a server (leave: detach and let it run). */
void cluster_stop(struct cluster **cluster);
void cluster_leave(struct cluster **cluster);
