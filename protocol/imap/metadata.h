/* Arguments of GETMETADATA and SETMETADATA (RFC 5464 4.2, 4.3). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

#define METADATA_ENTRY_MAX 255u   // octets of an entry's name
#define METADATA_LIST_MAX 256u    // entries of one command
#define METADATA_VALUE_MAX 32768u // octets of a value

enum metadata_depth { METADATA_SELF, METADATA_CHILDREN, METADATA_ALL };

struct metadata_item {
    struct slice entry; // lower case
    struct slice value; // SETMETADATA; at NULL: NIL
};

struct metadata_command {
    struct slice mailbox; // as on the wire; empty: the server
    const struct metadata_item *items;
    size_t count;
    enum metadata_depth depth;
    bool has_max;
    uint64_t max; // MAXSIZE
};

/* From the space behind the command's name to the end. errors: ERR_SYNTAX (entries that are no "/private/..." or
 * "/shared/..." too), ERR_LIMIT */
MUST_USE enum err metadata_parse_get(struct slice *in, struct arena *arena, struct metadata_command *command);
MUST_USE enum err metadata_parse_set(struct slice *in, struct arena *arena, struct metadata_command *command);
/* Whether what was asked for with this depth means the entry. */
bool metadata_covers(struct slice asked, enum metadata_depth depth, struct slice entry);
