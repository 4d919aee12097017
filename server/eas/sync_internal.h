/* Between the parts of the Sync command: cmd_sync.c (the request as a whole), sync_collection.c (one collection),
 * sync_commands.c (what the phone changed), draft.c (its drafts). */
#pragma once

#include "protocol/eas/email.h"
#include "protocol/eas/sync_request.h"
#include "server/eas/item.h"

/* MS-ASCMD 2.2.3.177.17 (Status, Sync) */
enum sync_status {
    SYNC_OK = 1,
    SYNC_KEY_INVALID = 3,
    SYNC_PROTOCOL_ERROR = 4,
    SYNC_SERVER_ERROR = 5,
    SYNC_CONVERSION_ERROR = 6,
    SYNC_CONFLICT = 7,
    SYNC_NOT_FOUND = 8,
    SYNC_NO_SPACE = 9,
    SYNC_FOLDER_SYNC = 12,
    SYNC_INCOMPLETE = 13,
    SYNC_WAIT_RANGE = 14,
    SYNC_TOO_MANY = 15,
};

#define SYNC_ANSWER_BYTES (1u << 20) // a window is cut here (hard case 33), or after eas.sync_answer_ms

struct sync_run { // one request
    struct eas_request *req;
    struct eas_sync_request sync;
    uint32_t window;    // items left over all collections
    int64_t answer_us;  // eas.sync_answer_ms
    bool told;          // a collection stands in the answer
    bool keys_filled;   // the phone left keys to us: it repeats what was kept
    bool may_wait;      // nothing has been told that forbids waiting
    bool starts_over;   // a collection has to: the offer of versions goes with the answer
    enum err fatal;     // the whole request cannot be answered
};

struct sync_target { // one collection, while it is worked on
    struct sync_run *run;
    const struct eas_collection *collection;
    struct mailbox_id mailbox;
    enum mailbox_role role;
    struct eas_options options;
    struct sync_state state;
    struct buf responses;
    struct wbxml_writer responses_writer; // fragment on the AirSync page
    size_t response_count;
};

/* Works on one collection and writes it, if there is something to tell. */
void eas_sync_collection(struct sync_run *run, const struct eas_collection *collection);
/* Applies the phone's commands and writes their responses into the fragment. errors: ERR_UNAVAILABLE */
MUST_USE enum err eas_sync_commands(struct sync_target *target);
/* The status word of a refused item. */
int eas_sync_item_status(enum err err);

/* Drafts at 16.x: results as item status words. */
struct draft_result {
    int status;
    uint32_t item;       // 0 when none
    bool has_added;      // attachments that have a FileReference now
    struct slice detail; // what eas_draft_write_result says; in the arena
};
MUST_USE enum err eas_draft_add(struct sync_target *target, const struct eas_sync_command *command,
                                struct draft_result *result);
MUST_USE enum err eas_draft_change(struct sync_target *target, const struct eas_sync_command *command, uint32_t item,
                                   struct draft_result *result);
/* The ApplicationData of a draft's response: its conversation, and where its new attachments are (MS-ASAIRS 2.2.2.7). */
void eas_draft_write_result(const struct sync_target *target, struct wbxml_writer *writer, const struct draft_result *result);
/* Read, Flag and Categories of an item. */
MUST_USE enum err eas_sync_change_flags(struct sync_target *target, const struct eas_change *change, uint32_t item);
