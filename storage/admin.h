/* Bearer tokens of the admin API: hashed at rest, with scopes, perhaps limited to one domain (hard case 27). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "storage/change.h"
#include "storage/db.h"

#define ADMIN_TOKEN_LEN 68u     // "gwt_" and 64 hexadecimal digits
#define ADMIN_TOKEN_NAME_MAX 64u

enum admin_scope { ADMIN_READ = 1, ADMIN_RESTORE = 2, ADMIN_MANAGE = 4 };
#define ADMIN_ALL (ADMIN_READ | ADMIN_RESTORE | ADMIN_MANAGE)

struct admin_token {
    const char *name;
    unsigned scopes;    // ADMIN_* bits
    const char *domain; // lower case; NULL: every domain
    int64_t created_us;
};

/* Makes a token; its text is written to `token` and can never be read again. domain may be NULL. Audited.
 * errors: ERR_EXISTS (name in use), ERR_SYNTAX (name empty, too long or not printable) */
MUST_USE enum err admin_token_create(struct db *db, struct slice name, unsigned scopes, const char *domain,
                                     const struct actor *by, char token[ADMIN_TOKEN_LEN + 1]);
/* errors: ERR_DENIED (unknown or revoked) */
MUST_USE enum err admin_token_verify(struct db *db, struct arena *arena, struct slice token, struct admin_token *found);
MUST_USE enum err admin_token_list(struct db *db, struct arena *arena, struct admin_token **tokens, size_t *count);
/* errors: ERR_NOT_FOUND */
MUST_USE enum err admin_token_revoke(struct db *db, struct slice name, const struct actor *by);
