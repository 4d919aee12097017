#include "server/http/proxy.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct network {
    struct in6_addr address;
    unsigned bits;
};

struct proxies {
    size_t count;
    struct network networks[];
};

static void map_v4(const struct in_addr *v4, struct in6_addr *address)
{
    memset(address, 0, sizeof *address);
    address->s6_addr[10] = address->s6_addr[11] = 0xff;
    memcpy(&address->s6_addr[12], v4, sizeof *v4);
}

static bool parse_plain(struct slice text, struct in6_addr *address)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.at, 0, text.len))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    struct in_addr v4;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        map_v4(&v4, address);
        return true;
    }
    return inet_pton(AF_INET6, copy, address) == 1;
}

static bool is_port(struct slice text)
{
    uint64_t port;
    return slice_to_u64(text, 65535, &port);
}

bool address_parse(struct slice text, struct in6_addr *address)
{
    text = slice_trim(text);
    struct slice rest = text;
    if (slice_take(&rest, '[')) {
        size_t end = slice_find(rest, ']');
        if (end == SIZE_MAX)
            return false;
        struct slice tail = slice_tail(rest, end + 1);
        return (tail.len == 0 || (slice_take(&tail, ':') && is_port(tail))) &&
               parse_plain(slice_head(rest, end), address);
    }
    if (slice_count(text, ':') == 1) {
        struct slice host = slice_cut(&rest, ':');
        return is_port(rest) && parse_plain(host, address);
    }
    return parse_plain(text, address);
}

void address_print(const struct in6_addr *address, char text[INET6_ADDRSTRLEN])
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, &address->s6_addr[12], text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

bool address_is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address) ? address->s6_addr[12] == 127
                                         : IN6_IS_ADDR_LOOPBACK(address);
}

static bool parse_network(struct slice text, struct network *network)
{
    struct slice rest = text;
    struct slice host = slice_cut(&rest, '/');
    if (!parse_plain(host, &network->address))
        return false;
    network->bits = 128;
    if (host.len == text.len)
        return true;
    bool v4 = slice_find(host, ':') == SIZE_MAX;
    uint64_t bits;
    if (!slice_to_u64(rest, v4 ? 32 : 128, &bits))
        return false;
    network->bits = (unsigned)bits + (v4 ? 96 : 0);
    return true;
}

enum err proxies_open(const char *list, struct trace *trace, struct proxies **proxies)
{
    struct slice rest = slice_of(list ? list : "");
    struct proxies *made = mem_alloc(sizeof *made + (rest.len + 1) / 2 * sizeof made->networks[0]);
    while (rest.len) {
        size_t width = 0;
        while (width < rest.len && !strchr(", \t\r\n", rest.at[width]))
            width++;
        struct slice word = slice_head(rest, width);
        rest = slice_tail(rest, width < rest.len ? width + 1 : width);
        if (word.len == 0)
            continue;
        if (!parse_network(word, &made->networks[made->count])) {
            free(made);
            return fail(trace, ERR_SYNTAX, "trusted_proxies: '%.*s' is no address or network",
                        SLICE_ARG(word));
        }
        made->count++;
    }
    *proxies = made;
    return ERR_OK;
}

void proxies_close(struct proxies **proxies)
{
    free(*proxies);
    *proxies = NULL;
}

static bool network_has(const struct network *network, const struct in6_addr *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(&network->address, address, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xffu << (8 - rest) & 0xffu;
    return ((network->address.s6_addr[whole] ^ address->s6_addr[whole]) & mask) == 0;
}

bool proxies_has(const struct proxies *proxies, const struct in6_addr *address)
{
    for (size_t i = 0; i < proxies->count; i++) {
        if (network_has(&proxies->networks[i], address))
            return true;
    }
    return false;
}

/* From the right: what stands left of an address that is no proxy of ours is that client's own
 * claim. */
static struct in6_addr last_untrusted(const struct proxies *proxies, const struct in6_addr *socket,
                                      struct slice list)
{
    struct in6_addr client = *socket, address;
    while (list.len) {
        size_t start = list.len;
        while (start && list.at[start - 1] != ',')
            start--;
        if (!address_parse(slice_tail(list, start), &address))
            break;
        client = address;
        if (!proxies_has(proxies, &address))
            break;
        list = slice_head(list, start ? start - 1 : 0);
    }
    return client;
}

struct peer proxies_peer(const struct proxies *proxies, const struct in6_addr *socket, bool tls,
                         const struct forwarding *forwarding)
{
    struct peer peer = { .address = *socket };
    if (!forwarding->any) {
        peer.secure = tls || address_is_loopback(socket);
    } else if (proxies_has(proxies, socket)) {
        peer.address = last_untrusted(proxies, socket, forwarding->for_clients);
        peer.secure = slice_eq_nocase(forwarding->proto, SLICE_LIT("https"));
    } else {
        // A proxy nobody told us of: its clients are not "on loopback" because it is.
        peer.secure = tls;
    }
    return peer;
}
