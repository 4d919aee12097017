/* Settings Oof: what an absent user answers (MS-ASCMD 2.2.3.123), kept as storage/vacation.h has it. */
#pragma once

#include "server/eas/eas_internal.h"

/* Answers the Oof element of a Settings request with its part of the reply. */
void eas_oof(struct eas_request *req, const struct wbxml_node *node);
