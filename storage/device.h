/* EAS devices of an account: identity, access, policy, ping parameters, remembered requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/change.h"
#include "storage/db.h"

#define DEVICE_KEY_MAX 32u // octets of the DeviceId a phone sends

enum device_access { DEVICE_ALLOWED, DEVICE_BLOCKED, DEVICE_QUARANTINED };

enum device_wipe { WIPE_NONE, WIPE_ORDERED, WIPE_SENT, WIPE_DONE, WIPE_REFUSED };
enum device_wipe_kind { WIPE_ACCOUNT, WIPE_DEVICE }; // the account's data, or all that the phone holds

struct device {
    struct device_id id;
    const char *key;  // DeviceId from the wire
    const char *type; // DeviceType
    const char *user_agent, *model, *os, *friendly_name, *phone_number;
    const char *protocol_version; // last seen, "14.1"
    const char *imei, *os_language, *mobile_operator;
    enum device_access access;
    bool decided;                // by an administrator; else by the rule for new devices
    bool notice_due;             // the user has not been told yet why it may not sync
    enum device_wipe wipe;
    enum device_wipe_kind wipe_kind;
    const char *wipe_by;         // who ordered it
    int64_t wipe_ordered_us, wipe_sent_us, wipe_answered_us; // 0: not yet
    int32_t loops;               // episodes of loops so far
    const char *loop_what;       // the last one
    int64_t loop_us;
    int64_t trace_until_us;      // requests are written to a file until then; 0: never
    bool trace_content;          // subjects and bodies too
    int64_t policy_us;           // when policy_key was acknowledged
    uint32_t policy_key;         // acknowledged; 0: none
    uint32_t policy_key_pending; // given in phase one
    uint64_t policy_hash;        // of the policy that policy_key acknowledged
    int64_t first_seen_us, last_seen_us;
    int32_t ping_heartbeat_s;    // 0: none remembered
    struct slice ping_folders;   // packed by server/eas, opaque here
    struct slice sync_request;   // last complete Sync request (for empty and Partial ones), opaque here
};

/* Finds the device or makes it with `access`. Strings in the arena. errors: ERR_SYNTAX (key empty or too long), ERR_LIMIT
 * (more than `devices_max` devices) */
MUST_USE enum err device_open(struct db *db, struct arena *arena, struct account_id account, struct slice key,
                              struct slice type, int32_t devices_max, enum device_access access, struct device *device);
/* By its key, in any case. errors: ERR_NOT_FOUND */
MUST_USE enum err device_find(struct db *db, struct arena *arena, struct account_id account, struct slice key,
                              struct device *device);
MUST_USE enum err device_list(struct db *db, struct arena *arena, struct account_id account, struct device **devices,
                              size_t *count);
/* NULL fields stay as they are. */
MUST_USE enum err device_set_information(struct db *db, struct account_id account, struct device_id device,
                                         const struct device *info);
MUST_USE enum err device_set_policy(struct db *db, struct account_id account, struct device_id device, uint32_t key,
                                    uint32_t key_pending, uint64_t policy_hash, bool acknowledged);
MUST_USE enum err device_set_ping(struct db *db, struct account_id account, struct device_id device,
                                  int32_t heartbeat_s, struct slice folders);
MUST_USE enum err device_set_sync_request(struct db *db, struct account_id account, struct device_id device,
                                          struct slice request);
/* Access decisions raise auth_version and report CHANGE_AUTH. */
MUST_USE enum err device_set_access(struct db *db, struct account_id account, struct device_id device,
                                    enum device_access access, struct change_set *changes);
/* Whether the mail about its access is due, which it is no more afterwards. */
MUST_USE enum err device_take_notice(struct db *db, struct account_id account, struct device_id device, bool *due);
/* Orders a wipe, in the place of an earlier one; reports CHANGE_AUTH, as an access decision does. */
MUST_USE enum err device_order_wipe(struct db *db, struct account_id account, struct device_id device,
                                    enum device_wipe_kind kind, const char *by, struct change_set *changes);
/* The order was sent, or answered (WIPE_DONE, WIPE_REFUSED). A step that does not follow changes nothing. */
MUST_USE enum err device_step_wipe(struct db *db, struct account_id account, struct device_id device,
                                   enum device_wipe wipe);
/* One more episode of a loop. */
MUST_USE enum err device_note_loop(struct db *db, struct account_id account, struct device_id device, const char *what);
/* Traces until then; 0: no more. Reports CHANGE_DEVICE, so that a parked request comes back and is traced. */
MUST_USE enum err device_set_trace(struct db *db, struct account_id account, struct device_id device, int64_t until_us,
                                   bool content, struct change_set *changes);
/* Forgets all sync states, the policy key and a wipe: the device starts over. */
MUST_USE enum err device_reset(struct db *db, struct account_id account, struct device_id device);

struct device_seen {
    struct account_id account;
    struct device_id device;
    int64_t at_us;
};
/* last_seen of many devices in one statement: gathered in memory, written once a minute (hard case 32). */
MUST_USE enum err device_touch(struct db *db, const struct device_seen *seen, size_t count);
