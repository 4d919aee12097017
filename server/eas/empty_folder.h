/* EmptyFolderContents of ItemOperations (MS-ASCMD 2.2.3.60). */
#pragma once

#include "server/eas/eas_internal.h"

/* Removes all messages of a folder (restorable), and its subfolders when wished. The phone hears of it at its next Sync.
 * errors: ERR_NOT_FOUND, ERR_STATE (a special folder would go with them: nothing is done), ERR_UNAVAILABLE */
MUST_USE enum err eas_empty_folder(struct eas_request *req, struct slice id, bool subfolders);
