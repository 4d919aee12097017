/* EMAILID and THREADID values (RFC 8474): "M" and "T" in front of numbers, so that the two never coincide. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

void objectid_write_email(int64_t message, struct buf *out); // "M27": the message's id in its account
void objectid_write_thread(int64_t thread, struct buf *out); // "T" and 16 digits: the conversation's hash
/* Only what is written above is read back. */
bool objectid_read_email(struct slice id, int64_t *message);
bool objectid_read_thread(struct slice id, int64_t *thread);
