/* Categories of phones and keywords of IMAP (hard case 18). A category is a keyword of the same name if that is an atom
 * (RFC 3501 9), else "cat." and its name in modified UTF-7 in which whatever no atom may hold is shifted too. Keywords
 * that begin with "$", and Junk, NonJunk and NotJunk, are never categories. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define EAS_CATEGORIES_MAX 300u  // MS-ASEMAIL 2.2.2.9 (Categories)
#define EAS_CATEGORY_NAME_MAX 60u // octets: its keyword fits storage's limit whatever it holds

/* errors: ERR_SYNTAX (empty or no UTF-8), ERR_LIMIT (too long) */
MUST_USE enum err eas_category_to_keyword(struct slice name, struct arena *arena, struct slice *keyword);
/* false: the keyword is no category. */
bool eas_category_from_keyword(struct slice keyword, struct arena *arena, struct slice *name);
