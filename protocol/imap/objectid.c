#include "protocol/imap/objectid.h"

void objectid_write_email(int64_t message, struct buf *out)
{
    buf_add_byte(out, 'M');
    buf_add_u64(out, (uint64_t)message);
}

void objectid_write_thread(int64_t thread, struct buf *out)
{
    buf_printf(out, "T%016llx", (unsigned long long)thread);
}

bool objectid_read_email(struct slice id, int64_t *message)
{
    uint64_t n;
    if (!slice_take(&id, 'M') || !id.len || id.at[0] == '0' || !slice_to_u64(id, INT64_MAX, &n))
        return false;
    *message = (int64_t)n;
    return true;
}

bool objectid_read_thread(struct slice id, int64_t *thread)
{
    uint64_t n = 0;
    if (!slice_take(&id, 'T') || id.len != 16)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *thread = (int64_t)n;
    return true;
}
