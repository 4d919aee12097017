/* The follow-up flag in the store: "flag" in placement.extra, JSON (hard case 18). */
#pragma once

#include "base/arena.h"
#include "protocol/eas/email.h"

/* JSON object of a flag; in the arena. */
struct slice eas_followup_pack(struct arena *arena, const struct eas_flag *flag);
/* From placement.extra and \Flagged: the bit decides whether the flag is active, the details say the rest. */
void eas_followup_unpack(struct arena *arena, struct slice extra, bool flagged, struct eas_flag *flag);
