/* The octets behind DATA: dot-stuffing undone, bare CR and LF made CRLF, the end found. RFC 5321 4.5.2.
 * Only CRLF "." CRLF as sent ends the message: a bare LF around the dot never does (SMTP smuggling). */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

struct smtp_data {
    enum { DATA_LINE_START, DATA_IN_LINE, DATA_CR, DATA_DOT, DATA_DOT_CR } state; // zero: the first line begins
};

/* Takes octets off the front of *in and appends the message to out. true when the end was found: *in then begins behind
 * it. */
bool smtp_data_take(struct smtp_data *data, struct slice *in, struct buf *out);
