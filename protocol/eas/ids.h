/* The ids that phones see (hard case 10). A folder is its mailbox's number; an item "mailbox:item"; an attachment
 * "mailbox:item:part", part being the index in the message's part map. A LongId is an item's id. None is reused. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define EAS_ID_SIZE 48u // any of them and a NUL

struct eas_item_id {
    int64_t mailbox;
    uint32_t item;
};
struct eas_attachment_id {
    struct eas_item_id item;
    uint32_t part;
};

/* The Outbox is listed because Windows clients look for it; it is always empty and not stored. */
#define EAS_OUTBOX_ID "outbox"

/* false for text that we never gave out. */
bool eas_folder_id_parse(struct slice text, int64_t *mailbox);
bool eas_item_id_parse(struct slice text, struct eas_item_id *id);
bool eas_attachment_id_parse(struct slice text, struct eas_attachment_id *id);
void eas_folder_id_format(int64_t mailbox, char text[EAS_ID_SIZE]);
void eas_item_id_format(struct eas_item_id id, char text[EAS_ID_SIZE]);
void eas_attachment_id_format(struct eas_attachment_id id, char text[EAS_ID_SIZE]);

/* The ConversationId of a thread, and back; false for one that we never gave out. */
#define EAS_CONVERSATION_ID_LEN 16u
void eas_conversation_id(int64_t thread, uint8_t id[EAS_CONVERSATION_ID_LEN]);
bool eas_conversation_parse(struct slice id, int64_t *thread);
