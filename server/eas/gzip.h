/* Answers in gzip (RFC 1952) for phones that ask for it: a mail in WBXML is mostly text, and the air is slow. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#define EAS_GZIP_MIN 1024u // octets; below that it does not pay

/* Whether an Accept-Encoding header takes gzip (RFC 9110 12.5.3). */
bool eas_gzip_is_wanted(struct slice accept_encoding);
/* Packs into *out; false when that is no shorter, and then *out is empty. */
bool eas_gzip(struct slice plain, struct buf *out);
