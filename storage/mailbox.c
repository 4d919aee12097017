#include "storage/mailbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "storage/db_internal.h"
#include "storage/mailbox_internal.h"

/* ---- paths ---- */

static size_t utf8_len(const unsigned char *at, size_t left)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] >= 0xe0 && at[0] < 0xf0 ? 3
                 : at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return overlong || outside ? 0 : len;
}

bool mailbox_name_is_good(struct slice name)
{
    if (name.len == 0 || name.len > MAILBOX_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len;) {
        const unsigned char *at = (const unsigned char *)name.at + i;
        if (at[0] < 0x20 || at[0] == 0x7f || at[0] == '/')
            return false;
        size_t len = utf8_len(at, name.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* Cuts a path into its levels. "inbox" in any case as the first level is INBOX. */
static bool split_path(struct slice path, struct slice names[MAILBOX_DEPTH_MAX], size_t *count)
{
    *count = 0;
    size_t levels = slice_count(path, '/') + 1;
    if (levels > MAILBOX_DEPTH_MAX)
        return false;
    struct slice rest = path;
    for (size_t i = 0; i < levels; i++) {
        names[i] = slice_cut(&rest, '/');
        if (!mailbox_name_is_good(names[i]))
            return false;
    }
    if (slice_eq_nocase(names[0], SLICE_LIT("INBOX")))
        names[0] = SLICE_LIT("INBOX");
    *count = levels;
    return true;
}

/* ---- reading ---- */

static void read_mailbox(struct arena *arena, const PGresult *result, int row, struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){
        .id.n = res_i64(result, row, 0),
        .parent.n = res_i64(result, row, 1),
        .name = res_text(arena, result, row, 2),
        .role = (enum mailbox_role)res_i64(result, row, 3),
        .subscribed = res_bool(result, row, 4),
        .uidvalidity = (uint32_t)res_i64(result, row, 5),
        .uidnext = (uint32_t)res_i64(result, row, 6),
        .modseq_items = res_i64(result, row, 7),
        .modseq_hierarchy = res_i64(result, row, 8),
        .modseq_born = res_i64(result, row, 9),
        .purged_modseq = res_i64(result, row, 10),
        .recent_uid = (uint32_t)res_i64(result, row, 11),
        .total = res_i64(result, row, 12),
        .unseen = res_i64(result, row, 13),
        .deleted = res_i64(result, row, 14),
        .bytes = res_i64(result, row, 15),
        .deleted_us = res_time(result, row, 17),
    };
    mailbox->keywords = res_text_array(arena, result, row, 16, &mailbox->keyword_count);
}

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct mailbox *)a)->id.n, y = ((const struct mailbox *)b)->id.n;
    return (x > y) - (x < y);
}

/* Path order: level by level, so that "A/B" stands right behind "A" whatever "A B" sorts to; INBOX's tree first. */
static int by_path(const void *a, const void *b)
{
    const char *x = ((const struct mailbox *)a)->path, *y = ((const struct mailbox *)b)->path;
    bool x_inbox = strncmp(x, "INBOX", 5) == 0 && (x[5] == 0 || x[5] == '/');
    bool y_inbox = strncmp(y, "INBOX", 5) == 0 && (y[5] == 0 || y[5] == '/');
    if (x_inbox != y_inbox)
        return x_inbox ? -1 : 1;
    while (*x && *x == *y) {
        x++;
        y++;
    }
    int i = *x == '/' ? 1 : (unsigned char)*x, j = *y == '/' ? 1 : (unsigned char)*y;
    return i - j;
}

/* rows are in id order. A parent may have a higher id than its child (after a rename). */
static void set_path(struct arena *arena, struct mailbox *rows, size_t count, struct mailbox *mailbox, unsigned depth)
{
    if (mailbox->path)
        return;
    struct mailbox key = { .id = mailbox->parent };
    struct mailbox *parent = mailbox->parent.n ? bsearch(&key, rows, count, sizeof *rows, by_id) : NULL;
    if (!parent || depth > MAILBOXES_MAX) {
        mailbox->path = mailbox->name;
        return;
    }
    parent->has_children = true;
    set_path(arena, rows, count, parent, depth + 1);
    mailbox->path = arena_printf(arena, "%s/%s", parent->path, mailbox->name);
}

/* Rows of a result in id order with their paths, for lists and for single mailboxes (which come with their parents). */
struct mailbox *mailbox_read_all(struct arena *arena, const PGresult *result, size_t *count)
{
    *count = (size_t)PQntuples(result);
    struct mailbox *rows = arena_new(arena, struct mailbox, *count);
    for (size_t i = 0; i < *count; i++)
        read_mailbox(arena, result, (int)i, &rows[i]);
    qsort(rows, *count, sizeof *rows, by_id);
    for (size_t i = 0; i < *count; i++)
        set_path(arena, rows, *count, &rows[i], 0);
    return rows;
}

enum err mailbox_list(struct db *db, struct arena *arena, struct account_id account, struct mailbox **mailboxes,
                      size_t *count, int64_t *modseq)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    PGresult *result = NULL;
    enum err err = db_run(db,
                          "select " MAILBOX_COLUMNS ", a.modseq from account a"
                          " join mailbox b on b.account_id = a.account_id and b.deleted_at is null"
                          " where a.account_id = $1",
                          &args, &result);
    if (!err && PQntuples(result) == 0) // an account always has INBOX
        err = fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, account.n);
    if (!err) {
        *mailboxes = mailbox_read_all(arena, result, count);
        *modseq = res_i64(result, 0, MAILBOX_COLUMN_COUNT);
        qsort(*mailboxes, *count, sizeof **mailboxes, by_path);
    }
    PQclear(result);
    return err;
}

/* The mailbox and those above it. has_children is looked up, since its children do not come along. */
#define MAILBOX_AND_PARENTS                                                                                         \
    "with recursive up (id) as (select $2::bigint union all"                                                        \
    " select b.parent_id from up join mailbox b on b.account_id = $1 and b.mailbox_id = up.id and b.parent_id <> 0)" \
    " select " MAILBOX_COLUMNS ","                                                                                  \
    " exists (select 1 from mailbox c where c.account_id = $1 and c.parent_id = $2 and c.deleted_at is null)"       \
    " from up join mailbox b on b.account_id = $1 and b.mailbox_id = up.id"

enum err mailbox_get(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id id,
                     struct mailbox *mailbox)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, id.n);
    PGresult *result = NULL;
    enum err err = db_run(db, MAILBOX_AND_PARENTS, &args, &result);
    if (err)
        return err;
    size_t count = 0;
    struct mailbox key = { .id = id }, *rows = mailbox_read_all(arena, result, &count);
    struct mailbox *found = bsearch(&key, rows, count, sizeof *rows, by_id);
    if (found && !found->deleted_us) {
        found->has_children = res_bool(result, 0, MAILBOX_COLUMN_COUNT);
        *mailbox = *found;
    } else {
        err = fail(&db->trace, ERR_NOT_FOUND, "mailbox=%" PRIi64, id.n);
    }
    PQclear(result);
    return err;
}

enum err mailbox_find(struct db *db, struct arena *arena, struct account_id account, struct slice path,
                      struct mailbox *mailbox)
{
    struct slice names[MAILBOX_DEPTH_MAX];
    size_t levels = 0;
    if (!split_path(path, names, &levels))
        return fail(&db->trace, ERR_NOT_FOUND, "not a mailbox path");
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_text_array(&args, names, levels);
    PGresult *result = NULL;
    enum err err = db_run(db,
                          "with recursive down (id, level) as (select 0::bigint, 0 union all"
                          " select b.mailbox_id, down.level + 1 from down join mailbox b on b.account_id = $1"
                          "  and b.parent_id = down.id and b.name = normalize(($2::text[])[down.level + 1], nfc)"
                          "  and b.deleted_at is null)"
                          " select " MAILBOX_COLUMNS ","
                          " exists (select 1 from mailbox c where c.account_id = $1 and c.parent_id = b.mailbox_id"
                          "          and c.deleted_at is null), down.level"
                          " from down join mailbox b on b.account_id = $1 and b.mailbox_id = down.id"
                          " order by down.level",
                          &args, &result);
    if (err)
        return err;
    int rows = PQntuples(result);
    if ((size_t)rows == levels) {
        int64_t id = res_i64(result, rows - 1, 0);
        size_t count = 0;
        struct mailbox key = { .id.n = id }, *all = mailbox_read_all(arena, result, &count);
        struct mailbox *found = bsearch(&key, all, count, sizeof *all, by_id);
        found->has_children = res_bool(result, rows - 1, MAILBOX_COLUMN_COUNT);
        *mailbox = *found;
    } else {
        err = fail(&db->trace, ERR_NOT_FOUND, "no such mailbox");
    }
    PQclear(result);
    return err;
}

/* ---- writing ---- */

static void note_hierarchy(struct change_set *changes, struct account_id account, int64_t id, int64_t clock,
                           unsigned more)
{
    change_set_add(changes, (struct change){ .account = account, .mailbox.n = id, .modseq = clock,
                                             .kinds = CHANGE_HIERARCHY | more });
}

enum err mailbox_create(struct db *db, struct account_id account, struct slice path, enum mailbox_role role,
                        struct mailbox_id *id, struct change_set *changes)
{
    struct slice names[MAILBOX_DEPTH_MAX];
    size_t levels = 0;
    if (!split_path(path, names, &levels))
        return fail(&db->trace, ERR_SYNTAX, "not a mailbox path");
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_text_array(&args, names, levels);
    args_i32(&args, (int32_t)role);
    PGresult *result = NULL;
    enum err err = db_run(db, "select * from mailbox_create_2($1, $2, $3)", &args, &result);
    if (!err) {
        id->n = res_i64(result, 0, 0);
        note_hierarchy(changes, account, levels > 1 ? 0 : id->n, res_i64(result, 0, 1), 0);
    }
    PQclear(result);
    return err;
}

enum err mailbox_rename(struct db *db, struct account_id account, struct mailbox_id id, struct slice path,
                        const struct actor *by, struct change_set *changes)
{
    struct slice names[MAILBOX_DEPTH_MAX];
    size_t levels = 0;
    if (!split_path(path, names, &levels))
        return fail(&db->trace, ERR_SYNTAX, "not a mailbox path");
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, id.n);
    args_text_array(&args, names, levels);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    PGresult *result = NULL;
    enum err err = db_run(db, "select * from mailbox_rename_1($1, $2, $3, $4, $5)", &args, &result);
    if (!err) {
        int64_t made = res_i64(result, 0, 0), clock = res_i64(result, 0, 1);
        note_hierarchy(changes, account, 0, clock, 0); // missing parents may have been made
        if (made) {
            note_hierarchy(changes, account, made, clock, CHANGE_NEW);
            change_set_add(changes, (struct change){ account, id, clock, CHANGE_REMOVED });
        }
    }
    PQclear(result);
    return err;
}

enum err mailbox_delete(struct db *db, struct account_id account, struct mailbox_id id, bool recursive,
                        const struct actor *by, struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, id.n);
    args_bool(&args, recursive);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    PGresult *result = NULL;
    enum err err = db_run(db, "select * from mailbox_delete_1($1, $2, $3, $4, $5)", &args, &result);
    for (int row = 0; !err && row < PQntuples(result); row++)
        note_hierarchy(changes, account, res_i64(result, row, 0), res_i64(result, row, 1), CHANGE_REMOVED);
    PQclear(result);
    return err;
}

enum err mailbox_deleted_bytes(struct db *db, struct account_id account, const struct mailbox *mailboxes, size_t count,
                               int64_t *bytes)
{
    struct db_args args = { 0 };
    int64_t *ids = mem_alloc((count + 1) * sizeof *ids);
    PGresult *result = NULL;
    for (size_t i = 0; i < count; i++) {
        ids[i] = mailboxes[i].deleted ? mailboxes[i].id.n : 0;
        bytes[i] = 0;
    }
    args_i64(&args, account.n);
    args_i64_array(&args, ids, count);
    enum err err = db_run(db,
                          "select u.nth, sum(p.size)::bigint from unnest($2::bigint[]) with ordinality u(id, nth)"
                          " join placement p on p.account_id = $1 and p.mailbox_id = u.id and p.removed_at is null"
                          "  and p.flags & 8 <> 0 where u.id <> 0 group by u.nth",
                          &args, &result);
    for (int i = 0; !err && i < PQntuples(result); i++)
        bytes[res_i64(result, i, 0) - 1] = res_i64(result, i, 1);
    PQclear(result);
    free(ids);
    return err;
}

enum err mailbox_subscribe(struct db *db, struct account_id account, struct slice path, bool on,
                           struct change_set *changes)
{
    struct slice names[MAILBOX_DEPTH_MAX];
    size_t levels = 0;
    if (!split_path(path, names, &levels))
        return fail(&db->trace, ERR_NOT_FOUND, "not a mailbox path");
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_text_array(&args, names, levels);
    args_bool(&args, on);
    PGresult *result = NULL;
    // Neither clock moves: no message changed, and phones know no subscriptions.
    enum err err = db_run(db,
                          "with found as materialized (select mailbox_walk_1($1, $2, false, 0) as id),"
                          " done as (update mailbox b set subscribed = $3 from found"
                          "  where b.account_id = $1 and b.mailbox_id = found.id and b.subscribed <> $3 returning 1)"
                          " select found.id, a.modseq, exists (select 1 from done) from found, account a"
                          " where a.account_id = $1 and found.id is not null",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such mailbox");
    if (!err && res_bool(result, 0, 2))
        note_hierarchy(changes, account, res_i64(result, 0, 0), res_i64(result, 0, 1), 0);
    PQclear(result);
    return err;
}

enum err mailbox_take_recent(struct db *db, struct account_id account, struct mailbox_id id, uint32_t *first_recent)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, id.n);
    PGresult *result = NULL;
    enum err err = db_run(db,
                          "update mailbox b set recent_uid = b.uidnext from"
                          " (select recent_uid from mailbox where account_id = $1 and mailbox_id = $2 for update) was"
                          " where b.account_id = $1 and b.mailbox_id = $2 and b.deleted_at is null"
                          " returning was.recent_uid",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "mailbox=%" PRIi64, id.n);
    if (!err)
        *first_recent = (uint32_t)res_i64(result, 0, 0);
    PQclear(result);
    return err;
}
