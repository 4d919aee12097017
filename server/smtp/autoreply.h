/* Automatic replies, after the commit of a delivery and beside it: the delivery says which accounts may want to answer,
 * a job of the account decides and sends (RFC 3834). Replies have a null return path and wait for nobody; a server that
 * stops in between leaves one out and never sends two. */
#pragma once

#include "server/net/worker.h"
#include "server/push/hub.h"
#include "server/settings.h"
#include "storage/message.h"

#define AUTOREPLY_HEADER_MAX 65536u // octets of a header; a longer one is not answered
#define AUTOREPLY_QUEUE_MAX 1000u   // replies under way; further ones are left out, and logged
#define AUTOREPLY_KNOWN_LOOK 1000u  // newest messages in Sent whose recipients are known correspondents

struct autoreply;

MUST_USE enum err autoreply_open(struct workers *workers, struct loops *loops, struct hub *hub,
                                 const struct settings *settings, const char *hostname, struct autoreply **autoreply);
void autoreply_close(struct autoreply **autoreply); // after whoever delivers; waits for what runs; the loops still run
/* targets: as a delivery left them; those without auto_reply cost nothing. raw: the message without the targets'
 * prefixes. Any thread; copies what it needs. */
void autoreply_note(struct autoreply *autoreply, const struct delivery_target *targets, size_t count, struct slice raw);
