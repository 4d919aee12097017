/* The policy of the settings' section [policy] (MS-ASPROV 2.2.2.27, EASProvisionDoc), and whether a request's key shows
 * that the phone has acknowledged it. */
#pragma once

#include "server/eas/eas_internal.h"

/* Of everything that is asked for; never 0. Rises with no order: another policy has another hash. */
uint64_t eas_policy_hash(const struct settings *settings);
/* Whether the version has all elements that are asked for: 12.0 has the first group only. */
bool eas_policy_fits(const struct settings *settings, int version);
/* Data's content: what differs from the default, as far as the version has it; password rows only with a password. */
void eas_policy_write(struct wbxml_writer *writer, const struct settings *settings, int version);

/* 0, or the status that sends the phone to Provision first (139, 142, 143, 144). */
int eas_policy_check(const struct eas_request *req);
/* 0: no wipe; EAS_WIPE_REQUESTED: Provision will hand it out; EAS_DEVICE_BLOCKED: it was wiped, or cannot be by us. */
int eas_wipe_check(const struct eas_request *req);
