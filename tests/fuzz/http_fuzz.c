/* What comes in over HTTP before libmicrohttpd reads it, and the addresses that proxies name; the first octet chooses. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/http/frame.h"
#include "server/http/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Hands the octets over in pieces of at most `piece`; how many belong to the first request. */
static size_t take_all(struct frame *frame, struct slice bytes, size_t piece, bool chunked, uint64_t octets)
{
    size_t at = 0;
    while (at < bytes.len) {
        struct slice in = slice_tail(bytes, at);
        in = slice_head(in, in.len < piece ? in.len : piece);
        if (frame->at == FRAME_HEAD_SENT)
            frame_expect(frame, chunked, octets);
        if (!frame_wants(frame))
            break;
        size_t taken = frame_take(frame, in);
        assert(taken <= in.len);
        assert(taken > 0 || !frame_wants(frame));
        at += taken;
    }
    return at;
}

static void check_frame(struct slice in)
{
    if (in.len < 2)
        return;
    bool chunked = in.at[0] & 1;
    uint64_t octets = (uint8_t)in.at[1];
    in = slice_tail(in, 2);
    struct frame whole = { 0 }, pieces = { 0 };
    size_t end = take_all(&whole, in, SIZE_MAX, chunked, octets);
    size_t end_again = take_all(&pieces, in, 1, chunked, octets);
    assert(end == end_again && whole.at == pieces.at);
    if (whole.at == FRAME_WHOLE && !chunked) // the head, and what was said to follow it
        assert(end >= octets + 2);
    frame_next(&whole);
    assert(frame_wants(&whole));
}

static void check_address(struct slice in)
{
    struct in6_addr address, again;
    char text[INET6_ADDRSTRLEN];
    if (!address_parse(in, &address))
        return;
    address_print(&address, text);
    bool good = address_parse(slice_of(text), &again);
    assert(good && memcmp(&address, &again, sizeof address) == 0);
    address_is_loopback(&address);
}

/* "NETWORKS NUL X-Forwarded-For NUL X-Forwarded-Proto" */
static void check_peer(struct slice in)
{
    struct proxies *proxies;
    struct slice list = slice_cut(&in, '\0');
    char *text = mem_alloc(list.len + 1);
    if (list.len)
        memcpy(text, list.at, list.len);
    if (proxies_open(text, NULL, &proxies) == ERR_OK) {
        struct forwarding forwarding = { .any = true, .for_clients = slice_cut(&in, '\0'), .proto = in };
        struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
        struct peer peer = proxies_peer(proxies, &loopback, false, &forwarding);
        if (!proxies_has(proxies, &loopback)) // nobody trusted speaks: nothing is believed
            assert(memcmp(&peer.address, &loopback, sizeof loopback) == 0 && !peer.secure);
        else
            assert(peer.secure == slice_eq_nocase(forwarding.proto, SLICE_LIT("https")));
        proxies_close(&proxies);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct slice in = slice_make(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        check_frame(in);
        break;
    case 1:
        check_address(in);
        break;
    default:
        check_peer(in);
        break;
    }
    return 0;
}
