/* The address book: the accounts of some domains as people. Who may see which domain is the caller's business (hard
 * case 27). */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "storage/db.h"
#include "storage/ids.h"

#define DIRECTORY_NAME_MAX 256u // octets of a display name
#define DIRECTORY_WORDS_MAX 16u // words of a question; further ones are not looked at

struct person {
    struct account_id id;
    const char *login; // the address
    const char *name;  // display name; "" when none is set
};

/* The active accounts of the domains (lower case) for which each word of the text is the beginning of the address, of a
 * word of the name or of a word of the address's local part, in the order of names; at most limit. No word: nobody.
 * *people and its strings live in the arena. errors: ERR_UNAVAILABLE */
MUST_USE enum err directory_find(struct db *db, struct arena *arena, const struct slice *domains, size_t domain_count,
                                 struct slice text, uint32_t limit, struct person **people, size_t *count);
/* The one active account of the domains with that address. errors: ERR_NOT_FOUND, ERR_UNAVAILABLE */
MUST_USE enum err directory_get(struct db *db, struct arena *arena, const struct slice *domains, size_t domain_count,
                                struct slice address, struct person *person);
/* Whether storage takes the text as a name, were it UTF-8. */
bool directory_name_is_good(struct slice name);
/* Sets a display name; "" takes it away. errors: ERR_NOT_FOUND, ERR_SYNTAX (too long, control characters) */
MUST_USE enum err directory_set_name(struct db *db, struct account_id id, struct slice name);
