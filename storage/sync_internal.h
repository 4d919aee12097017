/* Shared within storage/: keys of sync states. */
#pragma once

#include "storage/db_internal.h"
#include "storage/sync.h"

#define CLIENT_ID_KEPT "7 days" // so long a repeated SendMail sends once
#define SYNC_ADVANCE_ROWS 200 // a look that passed over so many rows for nothing is worth a write

void sync_key_new(char key[SYNC_KEY_MAX + 1]);
/* A key that can be one of ours; errors: ERR_CONFLICT */
MUST_USE enum err sync_key_check(struct db *db, struct slice key);
/* Remembers what a request did, in the caller's transaction. */
MUST_USE enum err sync_result_put(struct db *db, struct account_id account, struct device_id device,
                                  struct mailbox_id mailbox, struct slice key, struct slice client_id,
                                  const struct sync_result *result);
