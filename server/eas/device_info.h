/* DeviceInformation, as Settings and Provision carry it (MS-ASCMD 2.2.3.53). */
#pragma once

#include "server/eas/eas_internal.h"

/* Stores what Set holds. errors: ERR_SYNTAX (no Set, a value over 1,024 octets), ERR_UNAVAILABLE */
MUST_USE enum err eas_device_information(struct eas_request *req, const struct wbxml_node *node);
