/* What a client wants of items: FilterType, MIMESupport, BodyPreference ... (MS-ASCMD 2.2.3.125 Options, MS-ASAIRS
 * 2.2.2.12 BodyPreference). Sticky per collection: kept packed with the sync state. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "protocol/wbxml/wbxml.h"

enum eas_body_type { EAS_BODY_NONE, EAS_BODY_TEXT, EAS_BODY_HTML, EAS_BODY_RTF, EAS_BODY_MIME };

#define EAS_PREFERENCES_MAX 4u // one of each type
#define EAS_PREVIEW_MAX 255u   // characters

struct eas_body_preference {
    uint8_t type;            // enum eas_body_type
    bool all_or_none;
    uint8_t preview;         // characters, 0: none
    bool has_truncation;
    uint32_t truncation;     // octets
};

struct eas_options {
    uint8_t filter;          // FilterType 0..7
    uint8_t mime_support;    // 0 never, 1 for S/MIME, 2 always
    uint8_t mime_truncation; // 0..8; 8: whole
    uint8_t conflict;        // 0 client wins, 1 server wins
    uint8_t conversation_mode;
    uint8_t preference_count;
    bool has_part;           // BodyPartPreference
    struct eas_body_preference preferences[EAS_PREFERENCES_MAX];
    struct eas_body_preference part;
};

#define EAS_OPTIONS_DEFAULT ((struct eas_options){ .mime_truncation = 8, .conflict = 1 })

/* Reads the children of an Options element of Sync, ItemOperations or GetItemEstimate over *options, which should be
 * EAS_OPTIONS_DEFAULT. errors: ERR_SYNTAX (bad values, a type twice), ERR_DENIED (BodyPartPreference that is not HTML:
 * Status 164) */
MUST_USE enum err eas_options_parse(const struct wbxml_node *node, struct eas_options *options);
void eas_options_pack(const struct eas_options *options, struct buf *out);
/* Bytes of another version or none give the default. */
void eas_options_unpack(struct slice packed, struct eas_options *options);

/* Where FilterType cuts: seconds of age, 0 for all. */
int64_t eas_filter_age_s(uint8_t filter);
/* Octets that MIMETruncation allows; UINT32_MAX: no limit. */
uint32_t eas_mime_truncation_octets(uint8_t mime_truncation);
