/* App passwords of an account: made at random, shown once, hashed at rest with a fast hash. */
#pragma once

#include "storage/account.h"

#define APP_PASSWORD_LEN 29u // 24 characters of 5 random bits, in groups of 4 with "-" between
#define APP_PASSWORD_NAME_MAX 64u
#define APP_PASSWORDS_MAX 100 // of one account

struct app_password {
    const char *name;
    int64_t created_us, last_used_us; // 0: never used
};
struct app_use {
    int64_t account, app, at_us;
};

/* Makes one; its text is written to `text` and can never be read again. Audited. errors: ERR_EXISTS (name in use),
 * ERR_SYNTAX (name empty, too long, not printable or with a blank or one of "/?#%"), ERR_LIMIT (APP_PASSWORDS_MAX), ERR_NOT_FOUND (no such account) */
MUST_USE enum err app_password_create(struct db *db, struct account_id account, struct slice name,
                                      const struct actor *by, char text[APP_PASSWORD_LEN + 1]);
MUST_USE enum err app_password_list(struct db *db, struct arena *arena, struct account_id account,
                                    struct app_password **list, size_t *count);
/* Raises auth_version and reports CHANGE_AUTH: sessions end at once. Audited. errors: ERR_NOT_FOUND */
MUST_USE enum err app_password_revoke(struct db *db, struct account_id account, struct slice name,
                                      const struct actor *by, struct change_set *changes);
/* As account_find; *app is the app password of this account that the text is, 0 for none. One round trip. */
MUST_USE enum err app_password_find(struct db *db, struct arena *arena, struct slice login, struct slice password,
                                    struct account *account, int64_t *app);
/* Last use of many in one statement: gathered in memory, written once a minute (hard case 32). */
MUST_USE enum err app_password_touch(struct db *db, const struct app_use *uses, size_t count);
