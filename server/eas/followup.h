/* What the store keeps beside the flags, JSON in placement.extra (hard case 18): "flag" and "verb". */
#pragma once

#include "base/arena.h"
#include "protocol/eas/email.h"

/* JSON object of a flag; in the arena. */
struct slice eas_followup_pack(struct arena *arena, const struct eas_flag *flag);
/* From placement.extra and \Flagged: the bit decides whether the flag is active, the details say the rest. */
void eas_followup_unpack(struct arena *arena, struct slice extra, bool flagged, struct eas_flag *flag);
/* The last verb, "verb" in placement.extra: {"n": 1, "at": "2026-01-02T03:04:05.000Z"}. */
void eas_verb_unpack(struct arena *arena, struct slice extra, struct eas_email *email);
