#include "server/push/wire.h"

#include <inttypes.h>

void wire_start(struct buf *payload, uint64_t sender)
{
    buf_clear(payload);
    buf_printf(payload, "%016" PRIx64, sender);
}

bool wire_add(struct buf *payload, const struct change *change)
{
    if (buf_len(payload) + WIRE_ENTRY_MAX > WIRE_PAYLOAD_MAX)
        return false;
    buf_printf(payload, " %" PRIi64 ":%" PRIi64 ":%" PRIi64 ":%u", change->account.n, change->mailbox.n, change->modseq,
               change->kinds);
    return true;
}

bool wire_read_sender(struct slice *payload, uint64_t *sender)
{
    uint64_t value = 0;
    if (payload->len < WIRE_SENDER_LEN)
        return false;
    for (size_t i = 0; i < WIRE_SENDER_LEN; i++) {
        char c = payload->at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *payload = slice_tail(*payload, WIRE_SENDER_LEN);
    *sender = value;
    return true;
}

bool wire_read(struct slice *payload, struct change *change)
{
    if (!slice_take(payload, ' '))
        return false;
    struct slice entry = slice_cut(payload, ' ');
    if (payload->len) { // give the blank back: it opens the next entry
        payload->at--;
        payload->len++;
    }
    uint64_t account, mailbox, modseq, kinds;
    if (!slice_to_u64(slice_cut(&entry, ':'), INT64_MAX, &account) ||
        !slice_to_u64(slice_cut(&entry, ':'), INT64_MAX, &mailbox) ||
        !slice_to_u64(slice_cut(&entry, ':'), INT64_MAX, &modseq) || !slice_to_u64(entry, UINT32_MAX, &kinds))
        return false;
    *change = (struct change){ { (int64_t)account }, { (int64_t)mailbox }, (int64_t)modseq, (unsigned)kinds };
    return true;
}
