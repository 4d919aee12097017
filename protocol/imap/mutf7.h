/* Mailbox names on the wire: modified UTF-7 (RFC 3501 5.1.3), and what a name may be. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Decodes to UTF-8. errors: ERR_SYNTAX: a form that encoding would never give (8-bit octets, "&" that is not closed,
 * printable ASCII inside base64, lone surrogates, superfluous shifts). */
MUST_USE enum err mutf7_decode(struct slice name, struct arena *arena, struct slice *utf8);
/* As clients really send them: modified UTF-7, or, if that fails, plain UTF-8 is taken as it is ("Entw\xc3\xbcrfe",
 * "R&D"). errors: ERR_SYNTAX: not even UTF-8 */
MUST_USE enum err mutf7_decode_lenient(struct slice name, struct arena *arena, struct slice *utf8);
/* Encodes valid UTF-8; appends to out. */
void mutf7_encode(struct slice utf8, struct buf *out);

/* Whether s is UTF-8 as RFC 3629 has it: no overlong forms, surrogates, or anything above U+10FFFF. */
bool utf8_is_valid(struct slice s);
