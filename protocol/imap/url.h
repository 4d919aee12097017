/* Relative IMAP URLs of messages and their parts (RFC 5092 7, RFC 4469 3, RFC 5550 3.1):
 * "/INBOX;UIDVALIDITY=385759045/;UID=20/;SECTION=1.2/;PARTIAL=0.1024". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "protocol/imap/fetch.h"

struct imap_url {
    struct slice mailbox; // UTF-8; at NULL: the selected one
    uint32_t uidvalidity; // 0: not said
    uint32_t uid;
    struct fetch_item section; // as of BODY.PEEK[...]
};

/* Strings live in the arena. false: no relative URL of a message. */
bool imap_url_parse(struct slice text, struct arena *arena, struct imap_url *url);
