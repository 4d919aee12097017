/* LIST patterns: RFC 9051 6.3.9. "%" matches anything but the delimiter, "*" anything. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

#define LIST_DELIMITER '/'

/* Whether the whole path (UTF-8) matches; "INBOX" at its front matches without case. No slower than the
 * path's length squared, whatever the pattern; no recursion. */
bool list_matches(struct slice path, struct slice pattern);
