/* Payloads of NOTIFY: whoever may connect to the database may send them. What is read is written back the same. */
#include <assert.h>
#include <stdint.h>

#include "server/push/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice payload = slice_make(data, size), start = payload;
    uint64_t sender;
    struct change change, again;
    if (!wire_read_sender(&payload, &sender))
        return 0;
    struct buf out = { 0 };
    wire_start(&out, sender);
    assert(slice_eq(buf_slice(&out), slice_head(start, WIRE_SENDER_LEN)));
    while (wire_read(&payload, &change)) {
        size_t before = buf_len(&out);
        if (!wire_add(&out, &change)) {
            wire_start(&out, sender);
            before = buf_len(&out);
            bool fits = wire_add(&out, &change);
            assert(fits);
        }
        assert(buf_len(&out) <= WIRE_PAYLOAD_MAX && buf_len(&out) - before <= WIRE_ENTRY_MAX);
        struct slice entry = slice_tail(buf_slice(&out), before);
        bool good = wire_read(&entry, &again);
        assert(good && entry.len == 0 && again.account.n == change.account.n && again.mailbox.n == change.mailbox.n &&
               again.modseq == change.modseq && again.kinds == change.kinds);
    }
    buf_free(&out);
    return 0;
}
