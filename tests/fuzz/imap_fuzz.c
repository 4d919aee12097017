/* Everything in protocol/imap that reads a client's bytes; the first byte chooses the parser. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/fetch.h"
#include "protocol/imap/list.h"
#include "protocol/imap/mutf7.h"
#include "protocol/imap/scan.h"
#include "protocol/imap/search.h"
#include "protocol/imap/uidset.h"
#include "protocol/imap/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_round_trip(struct slice in, struct arena *arena)
{
    struct slice utf8, again;
    if (mutf7_decode(in, arena, &utf8))
        return;
    struct buf wire = { 0 };
    assert(utf8_is_valid(utf8));
    mutf7_encode(utf8, &wire);
    enum err err = mutf7_decode(buf_slice(&wire), arena, &again);
    assert(err == ERR_OK && slice_eq(utf8, again));
    buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena *arena = arena_open();
    struct slice in = slice_make(data + 1, size - 1), text;
    struct buf out = { 0 };
    struct fetch_program fetch;
    struct search_program search;
    struct uidset set, sorted;
    struct scan_flags flags;
    struct scan_announced literal;
    int64_t when;
    enum err err = ERR_OK;
    switch (data[0] % 8) {
    case 0:
        err = fetch_parse(&in, arena, &fetch);
        break;
    case 1:
        err = search_parse(&in, arena, &search);
        break;
    case 2:
        err = uidset_parse(&in, arena, &set);
        if (!err && !set.saved) {
            uidset_normalise(&set, 100, arena, &sorted);
            for (uint32_t uid = 1; uid < 105; uid++)
                assert(uidset_has_sorted(&sorted, uid) == uidset_has(&set, uid, 100));
            for (size_t i = 1; i < sorted.count; i++)
                assert(sorted.runs[i].first > sorted.runs[i - 1].last + 1);
        }
        break;
    case 3:
        name_round_trip(in, arena);
        break;
    case 4: {
        size_t half = in.len / 2;
        list_matches(slice_head(in, half), slice_tail(in, half));
        break;
    }
    case 5:
        err = scan_flag_list(&in, arena, true, &flags);
        break;
    case 6:
        scan_announced_literal(in, &literal);
        if (!scan_date_time(&in, &when))
            scan_date(&in, &when);
        break;
    default:
        err = scan_astring(&in, arena, &text);
        if (!err) {
            write_astring(&out, text);
            write_string(&out, text);
            if (utf8_is_valid(text))
                write_mailbox(&out, text);
        }
        break;
    }
    (void)err;
    buf_free(&out);
    arena_close(&arena);
    return 0;
}
