/* Exchange ActiveSync over HTTP: /Microsoft-Server-ActiveSync (MS-ASHTTP). The application of the HTTP front that logs
 * phones in, finds their device and runs one command a request. */
#pragma once

#include "server/http/front.h"

struct server;

/* After hub, auth, workers and postman, before http_front_open. Owned by the caller. */
const struct http_app *eas_app_open(struct server *server);
/* After http_front_close, before the workers and loops are closed. Writes what is known of last_seen. */
void eas_app_close(const struct http_app **app);
