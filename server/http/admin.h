/* The admin API as an application of the HTTP front. It belongs on a listener of its own (hard case 25). */
#pragma once

#include "server/http/front.h"
#include "server/server.h"

/* Lives until closed; hub must be set in server. Close it after the front. */
const struct http_app *admin_app_open(struct server *server);
void admin_app_close(const struct http_app **app);
