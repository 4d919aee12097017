/* Which addresses are proxies that may speak for their clients, and what a request from one says
 * (hard case: a proxy on loopback must not make the whole world a loopback client). Addresses are
 * IPv6, IPv4 ones mapped. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

struct proxies;

/* list: addresses and networks ("10.0.0.0/8, ::1"), separated by commas or blanks. errors:
 * ERR_SYNTAX */
MUST_USE enum err proxies_open(const char *list, struct trace *trace, struct proxies **proxies);
void proxies_close(struct proxies **proxies);
bool proxies_has(const struct proxies *proxies, const struct in6_addr *address);

/* "192.0.2.1", "192.0.2.1:99", "::1", "[::1]", "[::1]:99"; false for anything else. */
bool address_parse(struct slice text, struct in6_addr *address);
void address_print(const struct in6_addr *address, char text[INET6_ADDRSTRLEN]);
bool address_is_loopback(const struct in6_addr *address);

/* What a request's own headers say. */
struct forwarding {
    bool any;                 // some header says that a proxy passed the request on
    struct slice for_clients; // all X-Forwarded-For lines, joined by commas in their order
    struct slice proto;       // the last X-Forwarded-Proto; empty: none
};
struct peer {
    struct in6_addr address;
    bool secure;
};
/* The client behind a connection from `socket`: the last address in X-Forwarded-For that is no
 * trusted proxy, when the connection comes from one. */
struct peer proxies_peer(const struct proxies *proxies, const struct in6_addr *socket, bool tls,
                         const struct forwarding *forwarding);
