/* What a node remembers of phones in memory: when each was last seen (written once a minute, hard case 32), when it was
 * last told of a change that is not new mail (hard case 30), and which of its requests wait here. */
#pragma once

#include "server/server.h"
#include "storage/device.h"

struct eas_devices;
struct eas_wait; // wait.h

enum eas_wait_kind { EAS_WAIT_PING, EAS_WAIT_SYNC };

struct eas_devices *eas_devices_open(struct server *server);
void eas_devices_close(struct eas_devices **devices); // no request is left

/* Numbers requests in order of arrival. */
uint64_t eas_devices_serial(struct eas_devices *devices);
void eas_devices_seen(struct eas_devices *devices, struct account_id account, struct device_id device);

/* Quiet time: 0 means tell now (and starts it), else how many seconds are left. */
int64_t eas_devices_quiet_s(struct eas_devices *devices, struct account_id account, struct device_id device,
                            int64_t quiet_s);

/* A request with the serial has come: the waits of the kinds in mask (1 << kind) that came before it end, here and,
 * should they be about to wait, then. Any thread. */
void eas_devices_supersede(struct eas_devices *devices, struct account_id account, struct device_id device,
                           uint64_t serial, unsigned mask);

struct eas_wait_link { // in each wait; private to devices.c but for the first line
    struct account_id account;
    struct device_id device;
    enum eas_wait_kind kind;
    uint64_t serial;
    struct loop *loop;
    void (*end)(struct eas_wait *wait); // on loop: a newer request is there
    struct eas_wait *wait;
    struct eas_wait_link *next;
};
/* On the wait's loop. false: a newer request came meanwhile, end at once (it is not listed then). */
bool eas_devices_add_wait(struct eas_devices *devices, struct eas_wait_link *link);
void eas_devices_remove_wait(struct eas_devices *devices, struct eas_wait_link *link);
