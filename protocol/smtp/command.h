/* SMTP and LMTP command lines: RFC 5321 4.1, RFC 2033 4.1, with the parameters of SIZE (RFC 1870), 8BITMIME (RFC 6152) and
 * SMTPUTF8 (RFC 6531). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define SMTP_LINE_MAX 2048u     // octets of a command line (RFC 5321 4.5.3.1.4 and the extensions' additions)
#define SMTP_PATH_MAX 320u      // octets of an address without its angle brackets

enum smtp_verb {
    SMTP_UNKNOWN,
    SMTP_LHLO,
    SMTP_HELO,
    SMTP_EHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_RSET,
    SMTP_NOOP,
    SMTP_VRFY,
    SMTP_QUIT,
    SMTP_STARTTLS,
};

struct smtp_command {
    enum smtp_verb verb;
    struct slice argument; // what follows the verb, trimmed
    struct slice path;     // MAIL, RCPT: the address; empty for MAIL FROM:<>
    uint64_t size;         // MAIL: SIZE=, 0 when absent
    bool smtputf8, body_8bit;
};

/* line: without its line end. errors: ERR_SYNTAX: known verb, malformed argument (501); ERR_NOT_FOUND: a parameter that is
 * not known (555); the verb is set in every case. */
MUST_USE enum err smtp_parse(struct slice line, struct arena *arena, struct smtp_command *command);
