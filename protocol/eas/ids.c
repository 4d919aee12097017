#include "protocol/eas/ids.h"

#include <inttypes.h>
#include <stdio.h>

static bool take_number(struct slice text, uint64_t max, uint64_t *number)
{
    return text.len > 0 && text.at[0] != '0' && slice_to_u64(text, max, number);
}

bool eas_folder_id_parse(struct slice text, int64_t *mailbox)
{
    uint64_t number;
    if (!take_number(text, INT64_MAX, &number))
        return false;
    *mailbox = (int64_t)number;
    return true;
}

bool eas_item_id_parse(struct slice text, struct eas_item_id *id)
{
    uint64_t item;
    struct slice mailbox = slice_cut(&text, ':');
    if (!eas_folder_id_parse(mailbox, &id->mailbox) || !take_number(text, UINT32_MAX, &item))
        return false;
    id->item = (uint32_t)item;
    return true;
}

bool eas_attachment_id_parse(struct slice text, struct eas_attachment_id *id)
{
    size_t at = text.len;
    while (at && text.at[at - 1] != ':')
        at--;
    uint64_t part;
    if (at == 0 || !slice_to_u64(slice_tail(text, at), UINT32_MAX, &part) ||
        !eas_item_id_parse(slice_head(text, at - 1), &id->item))
        return false;
    id->part = (uint32_t)part;
    return true;
}

void eas_folder_id_format(int64_t mailbox, char text[EAS_ID_SIZE])
{
    snprintf(text, EAS_ID_SIZE, "%" PRIi64, mailbox);
}

void eas_item_id_format(struct eas_item_id id, char text[EAS_ID_SIZE])
{
    snprintf(text, EAS_ID_SIZE, "%" PRIi64 ":%" PRIu32, id.mailbox, id.item);
}

void eas_attachment_id_format(struct eas_attachment_id id, char text[EAS_ID_SIZE])
{
    snprintf(text, EAS_ID_SIZE, "%" PRIi64 ":%" PRIu32 ":%" PRIu32, id.item.mailbox, id.item.item, id.part);
}

/* The thread's hash spread over sixteen octets: equal for all of a thread, for ever. */
static void put_u64(uint8_t *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(number >> (56 - 8 * i));
}

void eas_conversation_id(int64_t thread, uint8_t id[EAS_CONVERSATION_ID_LEN])
{
    put_u64(id, (uint64_t)thread);
    put_u64(id + 8, ((uint64_t)thread ^ UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9));
}

bool eas_conversation_parse(struct slice id, int64_t *thread)
{
    uint8_t ours[EAS_CONVERSATION_ID_LEN];
    uint64_t number = 0;
    if (id.len != sizeof ours)
        return false;
    for (int i = 0; i < 8; i++)
        number = number << 8 | (uint8_t)id.at[i];
    eas_conversation_id((int64_t)number, ours);
    *thread = (int64_t)number;
    return slice_eq(slice_make(ours, sizeof ours), id);
}
