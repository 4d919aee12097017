/* Requests of Sync and Ping as structs: MS-ASCMD 2.2.1.21 (Sync), 2.2.1.13 (Ping). */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "protocol/eas/options.h"
#include "protocol/wbxml/wbxml.h"

#define EAS_WINDOW_MAX 512u
#define EAS_WINDOW_DEFAULT 100u
#define EAS_COMMANDS_MAX 1000u  // Add, Change, Delete, Fetch of one request
#define EAS_ID_MAX 64u          // octets of SyncKey, ClientId and the id of a watched folder
#define EAS_COLLECTIONS_MAX 1000u

enum eas_sync_kind { EAS_SYNC_ADD, EAS_SYNC_CHANGE, EAS_SYNC_DELETE, EAS_SYNC_FETCH };

struct eas_sync_command {
    enum eas_sync_kind kind;
    struct slice server_id, client_id;
    bool has_class; // Class SMS: refused item by item
    bool send;      // Email2:Send, 16.x
    const struct wbxml_node *data; // ApplicationData; NULL when absent
};

struct eas_collection {
    struct slice key, id;
    bool key_given;
    bool get_changes;      // as it applies: 7.5 of the digest
    bool deletes_as_moves; // default true
    uint32_t window;       // 1..512
    struct slice class;    // as given, in Collection or Options, not SMS; empty when absent
    bool has_options, has_mode;
    enum err options_err;  // ERR_SYNTAX: Status 4; ERR_DENIED: 164
    struct eas_options options;
    const struct eas_sync_command *commands; // without Fetches of nothing
    size_t command_count;
};

struct eas_sync_request {
    struct eas_collection *collections;
    size_t collection_count;
    uint32_t window;     // over all collections; 0: not given
    uint32_t wait_s;     // 0: answer at once
    bool wait_given;     // in minutes: Status 14's Limit speaks the same unit
    bool heartbeat_given;
    uint64_t wait_value; // as given
    bool partial;
};

/* errors: ERR_SYNTAX (Status 4; too many commands too), ERR_LIMIT (too many collections: Status 15) */
MUST_USE enum err eas_sync_parse(const struct wbxml_node *root, struct arena *arena, struct eas_sync_request *request);

/* What an empty or Partial request repeats: collections (ids, windows, DeletesAsMoves), waiting time and window; keys
 * and options are with the sync states. */
void eas_sync_pack(const struct eas_sync_request *request, struct buf *out);
/* Lives in the arena. errors: ERR_NOT_FOUND (nothing kept) */
MUST_USE enum err eas_sync_unpack(struct slice packed, struct arena *arena, struct eas_sync_request *request);
/* A Partial request on top of the kept one: given collections replace or join those kept, the rest stays; so with the
 * waiting time and window. Kept collections have an empty key. */
void eas_sync_merge(struct eas_sync_request *partial, const struct eas_sync_request *kept, struct arena *arena);

struct eas_ping_request {
    bool has_heartbeat, has_folders;
    uint64_t heartbeat_s;
    struct slice *folders; // ids
    size_t folder_count;
};
/* errors: ERR_SYNTAX (no children, the same id twice, bad numbers: Status 4) */
MUST_USE enum err eas_ping_parse(const struct wbxml_node *root, struct arena *arena, struct eas_ping_request *request);
void eas_ping_pack(const struct eas_ping_request *request, struct buf *out); // the folders only
MUST_USE enum err eas_ping_unpack(struct slice packed, struct arena *arena, struct eas_ping_request *request);
