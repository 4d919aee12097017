/* Phones that do the same work again and again: the same Sync key with the same items, FolderSync, Provision or a first
 * Sync over and over. An episode is logged once, counted in the device's row, and answered in the way that heals:
 *
 *     the same Sync key    a window of one item, then that item in its degraded form, then Status 3 once
 *     all others           503 with Retry-After, until the time is over in which the repeats are counted */
#pragma once

#include "server/eas/eas_internal.h"

#define EAS_LOOP_STEP 3u   // repeats for each step of healing
#define EAS_LOOP_PAUSE_S 60 // Retry-After

struct eas_loops;

struct eas_loops *eas_loops_open(int64_t repeats, int64_t window_s);
void eas_loops_close(struct eas_loops **loops);
/* Before a request is run: sets req->heal. false: answered. */
bool eas_loops_check(struct eas_request *req);
/* Once it is answered and req->worked says that it gave something out: counts it. */
void eas_loops_note(struct eas_request *req);
