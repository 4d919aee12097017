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

struct device {
    struct device_id id;
    const char *key;  // DeviceId from the wire
    const char *type; // DeviceType
    const char *user_agent, *model, *os, *friendly_name, *phone_number;
    const char *protocol_version; // last seen, "14.1"
    enum device_access access;
    uint32_t policy_key;         // acknowledged; 0: none
    uint32_t policy_key_pending; // given in phase one
    uint64_t policy_hash;        // of the policy that policy_key acknowledged
    int64_t first_seen_us, last_seen_us;
    int32_t ping_heartbeat_s;    // 0: none remembered
    struct slice ping_folders;   // packed by server/eas, opaque here
    struct slice sync_request;   // last complete Sync request (for empty and Partial ones), opaque here
};

/* Finds the device or makes it (allowed). Strings in the arena. errors: ERR_SYNTAX (key empty or too long), ERR_LIMIT
 * (more than `devices_max` devices) */
MUST_USE enum err device_open(struct db *db, struct arena *arena, struct account_id account, struct slice key,
                              struct slice type, int32_t devices_max, struct device *device);
MUST_USE enum err device_list(struct db *db, struct arena *arena, struct account_id account, struct device **devices,
                              size_t *count);
/* NULL fields stay as they are. */
MUST_USE enum err device_set_information(struct db *db, struct account_id account, struct device_id device,
                                         const struct device *info);
MUST_USE enum err device_set_policy(struct db *db, struct account_id account, struct device_id device, uint32_t key,
                                    uint32_t key_pending, uint64_t policy_hash);
MUST_USE enum err device_set_ping(struct db *db, struct account_id account, struct device_id device,
                                  int32_t heartbeat_s, struct slice folders);
MUST_USE enum err device_set_sync_request(struct db *db, struct account_id account, struct device_id device,
                                          struct slice request);
/* Access decisions raise auth_version and report CHANGE_AUTH. */
MUST_USE enum err device_set_access(struct db *db, struct account_id account, struct device_id device,
                                    enum device_access access, struct change_set *changes);
/* Forgets all sync states: the device starts over. */
MUST_USE enum err device_reset(struct db *db, struct account_id account, struct device_id device);

struct device_seen {
    struct account_id account;
    struct device_id device;
    int64_t at_us;
};
/* last_seen of many devices in one statement: gathered in memory, written once a minute (hard case 32). */
MUST_USE enum err device_touch(struct db *db, const struct device_seen *seen, size_t count);
