#include <criterion/criterion.h>

#include "server/http/proxy.h"

static const struct {
    const char *name, *list, *socket;
    bool tls;
    const char *for_clients, *proto; // NULL: not there
    const char *peer;
    bool secure;
} rows[] = {
    { "direct, plain", "", "192.0.2.1", false, NULL, NULL, "192.0.2.1", false },
    { "direct, TLS", "", "192.0.2.1", true, NULL, NULL, "192.0.2.1", true },
    { "direct, loopback", "", "127.0.0.1", false, NULL, NULL, "127.0.0.1", true },
    { "direct, loopback v6", "", "::1", false, NULL, NULL, "::1", true },
    { "stranger's header does not count", "10.0.0.1", "192.0.2.1", true, "198.51.100.7", "https",
      "192.0.2.1", true },
    { "stranger's header gives no TLS", "10.0.0.1", "192.0.2.1", false, "198.51.100.7", "https",
      "192.0.2.1", false },
    { "unknown proxy on loopback", "", "127.0.0.1", false, "198.51.100.7", "https", "127.0.0.1",
      false },
    { "proxy on loopback, https", "127.0.0.1", "127.0.0.1", false, "198.51.100.7", "https",
      "198.51.100.7", true },
    { "proxy on loopback, http", "127.0.0.1", "127.0.0.1", false, "198.51.100.7", "http",
      "198.51.100.7", false },
    { "proxy without proto", "127.0.0.1", "127.0.0.1", false, "198.51.100.7", NULL, "198.51.100.7",
      false },
    { "proto counts through TLS", "10.0.0.1", "10.0.0.1", true, "198.51.100.7", "http",
      "198.51.100.7", false },
    { "client's own claim stands left", "10.0.0.1", "10.0.0.1", false, "6.6.6.6, 198.51.100.7",
      "https", "198.51.100.7", true },
    { "two proxies", "10.0.0.0/8", "10.0.0.1", false, "198.51.100.7, 10.9.8.7", "https",
      "198.51.100.7", true },
    { "all are proxies: the first", "10.0.0.0/8", "10.0.0.1", false, "10.1.1.1,10.2.2.2", "https",
      "10.1.1.1", true },
    { "garbage ends the walk", "10.0.0.0/8", "10.0.0.1", false, "1.2.3.4, unknown, 10.2.2.2",
      "https", "10.2.2.2", true },
    { "network v6", "2001:db8::/32", "2001:db8:1::5", false, "2001:db9::1", "HTTPS", "2001:db9::1",
      true },
    { "outside of network v6", "2001:db8::/32", "2001:db9::5", false, "2001:db8::1", "https",
      "2001:db9::5", false },
    { "odd prefix inside", "172.16.0.0/12", "172.31.255.1", false, "9.9.9.9", "https", "9.9.9.9",
      true },
    { "odd prefix outside", "172.16.0.0/12", "172.32.0.1", false, "9.9.9.9", "https", "172.32.0.1",
      false },
    { "v4 net is no v6 net", "0.0.0.0/0", "2001:db8::1", false, "9.9.9.9", "https", "2001:db8::1",
      false },
    { "list with blanks", " 10.0.0.1 ,\t192.0.2.0/24", "192.0.2.77", false, "9.9.9.9", "https",
      "9.9.9.9", true },
    { "port in the header", "10.0.0.1", "10.0.0.1", false, "9.9.9.9:4711", "https", "9.9.9.9",
      true },
    { "v6 with port in the header", "10.0.0.1", "10.0.0.1", false, "[2001:db8::9]:4711", "https",
      "2001:db8::9", true },
};

Test(proxy, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct proxies *proxies = NULL;
        struct in6_addr socket;
        cr_assert_eq(proxies_open(rows[i].list, NULL, &proxies), ERR_OK, "%s", rows[i].name);
        cr_assert(address_parse(slice_of(rows[i].socket), &socket), "%s", rows[i].name);
        struct forwarding forwarding = {
            .any = rows[i].for_clients || rows[i].proto,
            .for_clients = slice_of(rows[i].for_clients ? rows[i].for_clients : ""),
            .proto = slice_of(rows[i].proto ? rows[i].proto : ""),
        };
        struct peer peer = proxies_peer(proxies, &socket, rows[i].tls, &forwarding);
        char text[INET6_ADDRSTRLEN];
        address_print(&peer.address, text);
        cr_expect_str_eq(text, rows[i].peer, "%s: %s", rows[i].name, text);
        cr_expect_eq(peer.secure, rows[i].secure, "%s", rows[i].name);
        proxies_close(&proxies);
    }
}

Test(proxy, bad_lists_are_refused)
{
    static const char *const lists[] = { "10.0.0.256",    "10.0.0.0/33", "::/129",
                                         "proxy.example", "10.0.0.0/",   "/8" };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct proxies *proxies = NULL;
        struct trace trace = { 0 };
        cr_expect_eq(proxies_open(lists[i], &trace, &proxies), ERR_SYNTAX, "%s", lists[i]);
        cr_expect(trace.text[0], "%s", lists[i]);
    }
}
