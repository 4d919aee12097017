/* HTTP Basic credentials as phones and Outlook send them (RFC 7617). */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define EAS_CREDENTIALS_MAX 1024u // octets of the header's value

/* Reads an Authorization header: the login in the form that accounts have, and the password, both UTF-8 without NUL.
 * "user@domain" and "DOMAIN\user@domain" are logins; "example.org\user" means user@example.org.
 * errors  ERR_SYNTAX: another scheme, no credentials; ERR_LIMIT */
MUST_USE enum err eas_basic_parse(struct slice header, struct arena *arena, struct slice *user, struct slice *password);
