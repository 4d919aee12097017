/* Values to the wire: strings, flags, dates (RFC 9051 section 9). Appends to out. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* A quoted string when it can be one (no CR, LF, NUL, 8-bit; at most 1,024 octets), else a literal. */
void write_string(struct buf *out, struct slice s);
void write_nstring(struct buf *out, struct slice s); // at NULL: NIL
/* An atom when it can be one, else a string. */
void write_astring(struct buf *out, struct slice s);
/* A mailbox path in UTF-8, as modified UTF-7. */
void write_mailbox(struct buf *out, struct slice utf8_path);
/* The same for a client that takes UTF-8 (IMAP4rev2, UTF8=ACCEPT). */
void write_mailbox_utf8(struct buf *out, struct slice utf8_path);
/* "{n}" CRLF; the caller appends the n octets. */
void write_literal_head(struct buf *out, uint64_t size);
/* DQUOTE "dd-Mon-yyyy hh:mm:ss +0000" DQUOTE, UTC */
void write_date_time(struct buf *out, int64_t us);
/* System flags (SCAN_* bits, \Recent too) and the keywords whose bits from 8 on are set, as "(\Seen $Forwarded)". */
void write_flags(struct buf *out, uint64_t flags, const char *const *keywords, size_t keyword_count);
