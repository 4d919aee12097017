/* Move of ItemOperations: a whole conversation (MS-ASCMD 2.2.3.117.1; MS-ASCON 3.1.4.7). */
#pragma once

#include "server/eas/eas_internal.h"

/* Moves what the conversation has in any folder but Sent and the target. to: the DstFldId.
 * errors: ERR_NOT_FOUND (no such conversation or target), ERR_DENIED (the target takes no mail), ERR_UNAVAILABLE */
MUST_USE enum err eas_move_conversation(struct eas_request *req, struct slice conversation, struct slice to);
