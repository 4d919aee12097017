/* What an LMTP client may send: command lines, and behind DATA a message, in pieces of any size. */
#include <assert.h>
#include <stdint.h>

#include "protocol/smtp/command.h"
#include "protocol/smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line, struct arena *arena, bool *in_data)
{
    struct smtp_command c;
    enum err err = smtp_parse(line, arena, &c);
    assert(err == ERR_OK || err == ERR_SYNTAX || err == ERR_NOT_FOUND);
    assert(err == ERR_OK || c.verb != SMTP_UNKNOWN);
    assert(c.path.len <= SMTP_PATH_MAX);
    for (size_t i = 0; i < c.path.len; i++)
        assert((unsigned char)c.path.at[i] >= 0x20); // it goes into header lines
    *in_data = err == ERR_OK && c.verb == SMTP_DATA;
}

/* The message has CRLF line ends only. */
static void check_message(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        assert(s.at[i] != '\n' || (i > 0 && s.at[i - 1] == '\r'));
        assert(s.at[i] != '\r' || (i + 1 < s.len && s.at[i + 1] == '\n'));
    }
}

/* Octets of the message's end as RFC 5321 4.1.1.4 has it, SIZE_MAX when it did not come. */
static size_t true_end(struct slice s)
{
    if (slice_starts(s, SLICE_LIT(".\r\n")))
        return 3;
    size_t at = slice_find_slice(s, SLICE_LIT("\r\n.\r\n"));
    return at == SIZE_MAX ? SIZE_MAX : at + 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct buf out = { 0 };
    size_t piece = size ? 1 + data[0] % 16 : 1;
    struct slice rest = size ? slice_make(data + 1, size - 1) : SLICE_LIT("");
    bool in_data = false;
    while (rest.len) {
        if (!in_data) {
            check_line(slice_cut(&rest, '\n'), arena, &in_data);
            continue;
        }
        struct smtp_data decoder = { 0 };
        struct slice whole = rest;
        bool end = false;
        buf_clear(&out);
        while (rest.len && !end) {
            struct slice in = slice_head(rest, rest.len < piece ? rest.len : piece);
            size_t len = in.len;
            end = smtp_data_take(&decoder, &in, &out);
            rest = slice_tail(rest, len - in.len);
        }
        size_t want = true_end(whole);
        assert(end == (want != SIZE_MAX));
        assert(!end || whole.len - rest.len == want);
        if (end)
            check_message(buf_slice(&out));
        in_data = false;
    }
    buf_free(&out);
    arena_close(&arena);
    return 0;
}
