/* The one error enum, in words a caller can act on. The enum goes to the caller, the story to the trace. */
#pragma once

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err {
    ERR_OK = 0,
    ERR_SYNTAX,      // malformed input
    ERR_STATE,       // not allowed in this state
    ERR_DENIED,      // authentication or permission refused
    ERR_NOT_FOUND,   // no such account, mailbox, message, key
    ERR_EXISTS,      // the name is taken
    ERR_CONFLICT,    // somebody else changed it first
    ERR_LIMIT,       // a named limit was passed (too big, too deep, too many)
    ERR_QUOTA,       // over quota
    ERR_UNAVAILABLE, // temporary: database trouble, stopping; worth a retry
    ERR_CANCELLED,   // the peer hung up or the work was called off
};

#define ERR_COUNT (ERR_CANCELLED + 1)

/* The enum's name in lower case, such as "not_found"; for logs and JSON. */
const char *err_name(enum err err);

/* A place for the story of a failure. Plain value; zero-initialised means "no story". */
struct trace {
    char text[320];
};

/* Writes the story and returns err, so that refusing is one line:
 *   return fail(trace, ERR_CONFLICT, "mailbox=%" PRIi64 " changed first", id.n);
 * trace may be NULL. */
MUST_USE enum err fail(struct trace *trace, enum err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
