/* Events between processes, as the text of a NOTIFY: "SENDER account:mailbox:modseq:kinds ...", numbers in decimal.
 * SENDER is 16 hex digits; a server skips what it sent itself. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "storage/change.h"

#define WIRE_PAYLOAD_MAX 7900u // PostgreSQL takes less than 8,000 octets
#define WIRE_ENTRY_MAX 96u     // the longest entry
#define WIRE_SENDER_LEN 16u

void wire_start(struct buf *payload, uint64_t sender);
/* false when it does not fit any more: send, and start another. */
bool wire_add(struct buf *payload, const struct change *change);
/* Reads the sender off the front of *payload. */
bool wire_read_sender(struct slice *payload, uint64_t *sender);
/* The next entry; false at the end or at something that is no entry. */
bool wire_read(struct slice *payload, struct change *change);
