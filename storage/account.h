/* The directory (login -> account, password hash, status) and the account row with its clock and counters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "storage/change.h"
#include "storage/db.h"
#include "storage/ids.h"

#define LOGIN_MAX 254u // octets of "local@domain"

enum account_status { ACCOUNT_ACTIVE, ACCOUNT_DISABLED, ACCOUNT_DELETED };

struct account {
    struct account_id id;
    const char *login;         // "local@domain", lower case
    const char *name;          // what the address book shows; "" when none is set (directory_set_name)
    const char *password_hash; // crypt(3) form; "" refuses every password
    enum account_status status;
    int64_t auth_version; // rises with every change that must end sessions (hard case 13)
    bool eas_enabled;
    int64_t modseq, used_bytes, used_count, quota_bytes; // quota_bytes 0: no limit
    int64_t created_us;
};

/* Makes the account with its mailboxes INBOX, Drafts, Sent, Trash, Junk and Archive (roles set, all subscribed).
 * login is lower-cased. errors: ERR_EXISTS, ERR_SYNTAX (not local@domain), ERR_UNAVAILABLE */
MUST_USE enum err account_create(struct db *db, struct slice login, const char *password_hash, int64_t quota_bytes,
                                 struct account_id *id);
/* Finds a live (active or disabled) account by login, whatever its case. Strings live in the arena.
 * errors: ERR_NOT_FOUND, ERR_UNAVAILABLE */
MUST_USE enum err account_find(struct db *db, struct arena *arena, struct slice login, struct account *account);
/* As account_find; *app is the account's app password with this hash (storage/app_password.h), 0 for none. */
MUST_USE enum err account_find_app(struct db *db, struct arena *arena, struct slice login, struct slice hash,
                                   struct account *account, int64_t *app);
MUST_USE enum err account_get(struct db *db, struct arena *arena, struct account_id id, struct account *account);
/* Finds the account that gets mail for an address: exact, else with "+tag" cut off the local part. Disabled accounts
 * still get mail. errors: ERR_NOT_FOUND */
MUST_USE enum err account_find_recipient(struct db *db, struct arena *arena, struct slice address,
                                         struct account *account);
/* Whether the domain has any account: mail to it is local. */
MUST_USE enum err account_domain_is_local(struct db *db, struct slice domain, bool *local);
MUST_USE enum err account_list(struct db *db, struct arena *arena, struct account **accounts, size_t *count);
/* These raise auth_version and report CHANGE_AUTH. errors: ERR_NOT_FOUND */
MUST_USE enum err account_set_password(struct db *db, struct account_id id, const char *password_hash,
                                       struct change_set *changes);
MUST_USE enum err account_set_status(struct db *db, struct account_id id, enum account_status status,
                                     struct change_set *changes);
MUST_USE enum err account_set_eas(struct db *db, struct account_id id, bool on, struct change_set *changes);
MUST_USE enum err account_set_quota(struct db *db, struct account_id id, int64_t quota_bytes);
/* Marks the account deleted (its rows stay for the retention time); its login is free again. */
MUST_USE enum err account_delete(struct db *db, struct account_id id, const struct actor *by,
                                 struct change_set *changes);
/* The clocks of many accounts in one statement: for the once-a-minute recheck. modseq[i] is 0 for one that is gone. */
MUST_USE enum err account_clocks(struct db *db, const struct account_id *ids, size_t count, int64_t *modseq,
                                 int64_t *auth_version);
