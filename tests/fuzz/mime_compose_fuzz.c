/* Replies and forwards made of any two messages, and messages made ready for sending: the two are divided by the first
 * pair of NULs. */
#include <assert.h>
#include <stdint.h>

#include "protocol/mime/compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quote(struct slice reply, struct slice original, enum mime_quote how, struct arena *arena)
{
    struct buf out = { 0 }, quoted = { 0 };
    struct mime_meta meta;
    mime_quote_original(reply, original, how, &quoted);
    mime_prepare_sending(buf_slice(&quoted), SLICE_LIT("me@example.test"), &out);
    buf_free(&quoted);
    mime_describe(buf_slice(&out), arena, &meta);
    assert(meta.header_len > 0 && meta.message_id.len > 0);
    if (how == MIME_ATTACH_ORIGINAL)
        assert(meta.has_attachments);
    buf_free(&out);
}

static void check_sending(struct slice raw, struct arena *arena)
{
    struct slice *recipients, from, from_again;
    size_t count, count_again;
    struct buf out = { 0 };
    mime_recipients(raw, arena, &recipients, &count, &from);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < recipients[i].len; k++)
            assert((unsigned char)recipients[i].at[k] >= 0x20); // they go into SMTP lines
    mime_prepare_sending(raw, SLICE_LIT("me@example.test"), &out);
    mime_recipients(buf_slice(&out), arena, &recipients, &count_again, &from_again);
    assert(count_again <= count); // Bcc is gone, nobody is new
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct slice reply = slice_make(data, size), original = SLICE_LIT("");
    size_t at = slice_find_slice(reply, slice_make("\0\0", 2));
    if (at != SIZE_MAX) {
        original = slice_tail(reply, at + 2);
        reply = slice_head(reply, at);
    }
    check_quote(reply, original, MIME_QUOTE_INLINE, arena);
    check_quote(reply, original, MIME_ATTACH_ORIGINAL, arena);
    check_quote(reply, original, MIME_QUOTE_WITH_ATTACHMENTS, arena);
    check_sending(reply, arena);
    arena_close(&arena);
    return 0;
}
