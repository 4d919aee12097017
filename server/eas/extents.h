/* Big answers as a list of extents, each of known length: runs of octets that stand ready, and parts of stored messages
 * that are read, decoded and, inside WBXML, encoded again while they are sent (hard case 33). */
#pragma once

#include "protocol/mime/meta.h"
#include "server/eas/eas_internal.h"

struct eas_extents;

struct eas_extents *eas_extents_open(void);
void eas_extents_close(struct eas_extents **extents);
/* Moves the octets of buf behind what is there. */
void eas_extents_add(struct eas_extents *extents, struct buf *octets);
/* The decoded octets [from, from + len) of a part, as base64 when wished. */
void eas_extents_add_part(struct eas_extents *extents, const struct message_row *row, const struct mime_part *part,
                          uint64_t from, uint64_t len, bool as_base64);
uint64_t eas_extents_size(const struct eas_extents *extents);
/* How many octets a part has once it is decoded: reads it through. */
MUST_USE enum err eas_part_size(struct db *db, const struct message_row *row, const struct mime_part *part,
                                uint64_t *size);
/* Reads them all at once, appending to out; on a worker. */
MUST_USE enum err eas_extents_read(struct eas_extents *extents, struct worker *worker, struct buf *out);
/* Sends them; extents is taken over. */
void eas_extents_answer(struct eas_extents **extents, struct eas_request *req, const char *content_type);
