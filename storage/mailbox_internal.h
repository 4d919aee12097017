/* Shared within storage/: reading mailbox rows. */
#pragma once

#include "storage/db_internal.h"
#include "storage/mailbox.h"

/* The columns that mailbox_read_all reads, of a table aliased b. */
#define MAILBOX_COLUMNS                                                                                              \
    "b.mailbox_id, b.parent_id, b.name, b.role, b.subscribed, b.uidvalidity, b.uidnext, b.modseq_items,"            \
    " b.modseq_hierarchy, b.modseq_born, b.purged_modseq, b.recent_uid, b.total, b.unseen, b.deleted, b.bytes,"     \
    " b.keywords, b.deleted_at"
#define MAILBOX_COLUMN_COUNT 18 // further columns of the caller begin here

/* All rows in id order, with paths and has_children as far as parents and children are among them. In the arena. */
struct mailbox *mailbox_read_all(struct arena *arena, const PGresult *result, size_t *count);

/* One level's name: 1 to MAILBOX_NAME_MAX octets of UTF-8, no control characters, no "/". */
bool mailbox_name_is_good(struct slice name);
