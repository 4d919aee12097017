/* Which account an address is, remembered for half a minute: a busy sender's RCPT asks the store nothing. A deletion in
 * between is met by the delivery itself, which says so per recipient. */
#pragma once

#include "base/slice.h"
#include "storage/ids.h"

struct recipients;

struct recipients *recipients_open(void);
void recipients_close(struct recipients **recipients);
bool recipients_find(struct recipients *recipients, struct slice address, struct account_id *account); // any thread
void recipients_put(struct recipients *recipients, struct slice address, struct account_id account);
/* The store says otherwise. */
void recipients_forget(struct recipients *recipients, struct slice address);
