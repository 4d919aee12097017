/* The query string of a request, plain or base64: MS-ASHTTP 2.2.1.1.1 (Request-URI). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define EAS_QUERY_MAX 4096u       // octets of the raw query
#define EAS_DEVICE_ID_MAX 32u     // Status 108 beyond
#define EAS_DEVICE_TYPE_MAX 32u   // Status 109 beyond

/* X(code, Name): MS-ASHTTP 2.2.1.1.1.1.2 (Command codes) */
#define EAS_COMMAND_CODES(X) \
    X(0, Sync) X(1, SendMail) X(2, SmartForward) X(3, SmartReply) X(4, GetAttachment) X(5, GetHierarchy) \
    X(9, FolderSync) X(10, FolderCreate) X(11, FolderDelete) X(12, FolderUpdate) X(13, MoveItems) \
    X(14, GetItemEstimate) X(15, MeetingResponse) X(16, Search) X(17, Settings) X(18, Ping) X(19, ItemOperations) \
    X(20, Provision) X(21, ResolveRecipients) X(22, ValidateCert) X(23, Find)

struct eas_query {
    bool is_base64;
    int version;            // base64 only, else 0
    struct slice command;   // name; empty: none, or a code without a name
    struct slice device_id; // binary ids of the base64 form as upper-case hex; empty when absent
    struct slice device_type;
    bool has_policy_key;    // base64 only
    uint32_t policy_key;
    struct slice user, attachment_name, collection_id, item_id, long_id;
    bool save_in_sent, accept_multipart;
};

/* Everything in *query lives in the arena or in raw.
 * errors: ERR_SYNTAX (bad percent or base64 code, cut fields, no command), ERR_LIMIT (longer than EAS_QUERY_MAX) */
MUST_USE enum err eas_query_parse(struct slice raw, struct arena *arena, struct eas_query *query);
/* 1..32 octets of letters, digits and "-_.{}". */
bool eas_device_id_is_good(struct slice id);
bool eas_device_type_is_good(struct slice type);
