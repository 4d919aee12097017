/* Arguments of LIST: RFC 3501 6.3.8, RFC 5258 (extended), RFC 6154 (SPECIAL-USE), RFC 5819 (STATUS); and the items of
 * STATUS: RFC 9051 6.3.11, RFC 7162 3.1.7, RFC 8438, RFC 8474 4.3, RFC 7889 3.2, RFC 9208 4.1.4. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define LIST_PATTERNS_MAX 32u // of one LIST

enum list_select { LIST_SUBSCRIBED = 1, LIST_REMOTE = 2, LIST_RECURSIVE = 4, LIST_SPECIAL = 8 };
enum list_return { LIST_RETURN_SUBSCRIBED = 1, LIST_RETURN_CHILDREN = 2, LIST_RETURN_SPECIAL = 4, LIST_RETURN_STATUS = 8 };

enum status_item {
    STATUS_MESSAGES = 1,
    STATUS_RECENT = 2,
    STATUS_UIDNEXT = 4,
    STATUS_UIDVALIDITY = 8,
    STATUS_UNSEEN = 16,
    STATUS_HIGHESTMODSEQ = 32,
    STATUS_SIZE = 64,
    STATUS_DELETED = 128,
    STATUS_MAILBOXID = 256,
    STATUS_APPENDLIMIT = 512,
    STATUS_DELETED_STORAGE = 1024,
};

struct list_command {
    struct slice reference; // as it stands on the wire
    const struct slice *patterns;
    size_t pattern_count;
    bool extended;    // in the syntax of RFC 5258
    unsigned select;  // enum list_select
    unsigned returns; // enum list_return
    unsigned status;  // enum status_item, of RETURN (STATUS (...))
};

/* From the space behind "LIST" to the end. errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err list_parse(struct slice *in, struct arena *arena, struct list_command *command);
/* "(" item *(SP item) ")" of STATUS. errors: ERR_SYNTAX */
MUST_USE enum err status_items_parse(struct slice *in, unsigned *items);
/* The name of one bit of status_item. */
const char *status_item_name(unsigned bit);
