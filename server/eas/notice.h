/* The mail that tells a user why his new phone may not sync. */
#pragma once

#include "server/eas/eas_internal.h"

/* Delivers it into the Inbox, once for each device; trouble is logged. */
void eas_notice_send(struct eas_request *req);
