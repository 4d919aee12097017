/* The postman takes whole messages from LMTP and submission, describes them, and commits them in batches:
 * queued deliveries are taken together, ordered by account. */
#pragma once

#include "base/err.h"
#include "server/net/worker.h"
#include "server/push/hub.h"
#include "storage/message.h"

struct postman;
struct recipients; // server/smtp/recipients.h
struct autoreply;  // server/smtp/autoreply.h
MUST_USE enum err postman_open(struct workers *workers, struct hub *hub, struct autoreply *autoreply,
                               struct postman **postman);
void postman_close(struct postman **postman); // after all listeners stopped; finishes what is queued

/* A delivery on its way. The octets (normalised to CRLF) stay the caller's until done. */
struct parcel {
    struct delivery delivery; // message.octets, targets (account, prefix), internal_date_us, flags; the rest is filled in
    void (*done)(struct parcel *parcel); // on `home`: every target has its result
    struct loop *home;
    void *ctx;
    /* private */
    struct parcel *next;
    struct loop_task done_task;
};
struct recipients *postman_recipients(struct postman *postman); // who an address is; lives as long as the postman
void postman_send(struct postman *postman, struct parcel *parcel); // any thread
