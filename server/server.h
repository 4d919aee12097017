/* The one struct server, built in serve.c and passed down; there is no other mutable global. */
#pragma once

#include "server/auth.h"
#include "server/http/front.h"
#include "server/net/conn.h"
#include "server/net/tls.h"
#include "server/net/worker.h"
#include "server/push/hub.h"
#include "server/settings.h"

struct snapshots; // server/imap/snapshot.h
struct postman;   // server/smtp/postman.h: delivery queue
struct autoreply; // server/smtp/autoreply.h

struct server {
    const struct settings *settings;
    const char *hostname;
    struct loops *loops;
    struct workers *workers;
    struct hub *hub;
    struct auth *auth;
    struct tls *tls; // NULL: no certificate configured
    struct snapshots *snapshots;
    struct postman *postman;
    struct autoreply *autoreply;
    struct http_front *front;
    const char *database_url;
};

/* What each line protocol gives its listeners; their ctx is struct server *. */
extern const struct conn_proto imap_proto; // server/imap/session.c
extern const struct conn_proto lmtp_proto; // server/smtp/lmtp.c
