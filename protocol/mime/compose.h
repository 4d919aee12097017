/* Making and changing messages, by GMime: replies and forwards, EAS drafts, notices, demo mail. CRLF output. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "protocol/mime/meta.h"

struct mime_attachment {
    struct slice name, type, content_id, octets; // type "text/plain"; "" gives application/octet-stream
    bool is_inline;
    bool is_message; // octets are a message: message/rfc822
};

struct mime_draft {
    struct slice from, to, cc, bcc, reply_to, subject; // UTF-8, address lists as users write them
    struct slice message_id, in_reply_to, references, date; // date and message_id "" are made up
    struct slice text, html;                            // UTF-8; either or both ("alternative")
    struct slice calendar; // text/calendar beside the text; empty: none
    const char *method;    // its METHOD, such as "REPLY"
    uint8_t importance;
    const struct mime_attachment *attachments;
    size_t attachment_count;
};
void mime_compose(const struct mime_draft *draft, struct buf *out);

/* A message as it is, to the octet, with attachments behind it in a multipart/mixed around its body. */
void mime_attach(struct slice raw, const struct mime_attachment *attachments, size_t count, struct buf *out);

/* Envelope recipients (To, Cc, Bcc) and sender of a message about to be sent; addresses only. */
void mime_recipients(struct slice raw, struct arena *arena, struct slice **recipients, size_t *count,
                     struct slice *from);
/* Copies raw to out with the Bcc and Resent-Bcc headers removed, and with Date, Message-ID and From (if absent) added. */
void mime_prepare_sending(struct slice raw, struct slice from, struct buf *out);
/* Whether the header has a Message-ID or a Date. */
bool mime_says_when(struct slice raw);
/* What may stand between <> without quoting: enough for an address that somebody picked from a list. */
#define MIME_ADDRESS_PLAIN \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~.@"
/* EAS SmartReply / SmartForward: the new message with the original quoted into its body (reply), quoted with its
 * attachments kept (forward), or attached whole as message/rfc822. */
enum mime_quote { MIME_QUOTE_INLINE, MIME_ATTACH_ORIGINAL, MIME_QUOTE_WITH_ATTACHMENTS };
void mime_quote_original(struct slice reply, struct slice original, enum mime_quote how, struct buf *out);
