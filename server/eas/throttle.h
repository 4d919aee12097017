/* How many requests one phone may make in a minute (eas.requests_per_minute): a bucket that fills evenly. */
#pragma once

#include "base/slice.h"
#include "storage/ids.h"

struct eas_throttle;

struct eas_throttle *eas_throttle_open(int64_t per_minute); // 0: any number
void eas_throttle_close(struct eas_throttle **throttle);
/* Takes one request of the phone at now_us (monotonic): 0, or after how many seconds it may come again. Any thread. */
int64_t eas_throttle_take(struct eas_throttle *throttle, struct account_id account, struct slice device, int64_t now_us);
