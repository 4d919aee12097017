/* What a device is to be told: windows, news, estimates, single items. */
#include <inttypes.h>
#include <string.h>

#include "storage/sync_internal.h"

#define NEWS_MAX 1000 // mailboxes of one question

/* The columns of sync_look_1, then those of message. */
#define LOOK_COLUMNS \
    "l.o_step, l.o_op, l.o_full, l.o_item, l.o_uid, l.o_size, l.o_flags, l.o_modseq, l.o_internal, l.o_message, l.o_extra," \
    " m.message_id, m.blob_id, m.prefix, m.meta, m.thread, m.sent_at, m.size"

static enum err read_message(struct db *db, struct arena *arena, const PGresult *r, int row, int at,
                             struct message_row *message)
{
    if (res_null(r, row, at))
        return ERR_OK;
    *message = (struct message_row){
        .id.n = res_i64(r, row, at),
        .blob.n = res_i64(r, row, at + 1),
        .prefix = arena_copy(arena, res_slice(r, row, at + 2)),
        .thread = res_i64(r, row, at + 4),
        .sent_us = res_time(r, row, at + 5),
        .size = res_i64(r, row, at + 6),
    };
    meta_unpack_or_none(db, arena, res_slice(r, row, at + 3), &message->meta);
    return ERR_OK;
}

static void read_row(const PGresult *r, int row, struct placement *placement)
{
    *placement = (struct placement){
        .uid = (uint32_t)res_i64(r, row, 4),
        .size = (uint32_t)res_i64(r, row, 5),
        .flags = (uint64_t)res_i64(r, row, 6),
        .modseq = res_i64(r, row, 7),
        .internal_us = res_time(r, row, 8),
        .message.n = res_i64(r, row, 9),
    };
}

static enum err read_look(struct db *db, struct arena *arena, const PGresult *r, struct sync_look *look)
{
    int rows = PQntuples(r);
    look->items = arena_new(arena, struct sync_item, (size_t)rows + 1);
    for (int i = 0; i < rows; i++) {
        if (res_i64(r, i, 0) == 0) { // the position behind all
            look->more = res_i64(r, i, 1) != 0;
            look->next = (struct sync_position){ .s = res_i64(r, i, 7),
                                                 .a = (uint32_t)res_i64(r, i, 3),
                                                 .b = (uint32_t)res_i64(r, i, 4),
                                                 .cut = { res_time(r, i, 8), (uint32_t)res_i64(r, i, 9) } };
            look->rows_passed = res_i64(r, i, 5);
            look->clock = res_i64(r, i, 6);
            continue;
        }
        struct sync_item *item = &look->items[look->count++];
        item->step = (enum sync_step)res_i64(r, i, 0);
        item->op = (enum sync_op)res_i64(r, i, 1);
        item->full = res_bool(r, i, 2);
        item->item = (uint32_t)res_i64(r, i, 3);
        item->uid = (uint32_t)res_i64(r, i, 4);
        read_row(r, i, &item->row);
        item->extra = arena_copy(arena, res_json(r, i, 10));
        enum err err = read_message(db, arena, r, i, 11, &item->message);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err read_keywords(struct arena *arena, const PGresult *r, const char *const **keywords, size_t *count)
{
    *count = 0;
    if (PQntuples(r) == 0)
        return ERR_NOT_FOUND;
    *keywords = res_text_array(arena, r, 0, 0, count);
    return ERR_OK;
}

enum err sync_look(struct db *db, struct arena *arena, struct account_id account, struct device_id device,
                   struct mailbox_id mailbox, const struct sync_position *from, struct sync_cut target, uint32_t window,
                   struct sync_look *look)
{
    struct db_args args = { 0 }, box = { 0 };
    PGresult *results[2] = { NULL, NULL };
    *look = (struct sync_look){ .next = *from };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, from->s);
    args_i64(&args, from->a);
    args_i64(&args, from->b);
    args_time(&args, from->cut.date_us);
    args_i64(&args, from->cut.item);
    args_time(&args, target.date_us);
    args_i64(&args, target.item);
    args_i32(&args, (int32_t)(window > SYNC_WINDOW_MAX ? SYNC_WINDOW_MAX : window));
    args_i64(&box, account.n);
    args_i64(&box, mailbox.n);
    const struct db_statement statements[] = {
        { "select " LOOK_COLUMNS " from sync_look_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) with ordinality"
          " l(o_step, o_op, o_full, o_item, o_uid, o_size, o_flags, o_modseq, o_internal, o_message, o_extra, nth)"
          // Lateral, since the planner thinks that a function gives 1,000 rows: it would read every message of the account.
          " left join lateral (select * from message x where l.o_step > 0 and l.o_op in (0, 1) and x.account_id = $1"
          "  and x.message_id = l.o_message offset 0) m on true"
          " order by l.nth",
          &args },
        { "select keywords from mailbox where account_id = $1 and mailbox_id = $2", &box },
    };
    enum err err = db_run_snapshot(db, statements, 2, results);
    if (!err)
        err = read_look(db, arena, results[0], look);
    if (!err)
        err = read_keywords(arena, results[1], &look->keywords, &look->keyword_count);
    if (!err && window == 0) { // asks only whether there is anything
        look->next = *from;
        look->count = 0;
    }
    PQclear(results[0]);
    PQclear(results[1]);
    return err;
}

struct sync_position sync_position_after(const struct sync_position *from, const struct sync_look *look, size_t sent)
{
    if (sent >= look->count)
        return look->next;
    if (sent == 0)
        return *from;
    const struct sync_item *last = &look->items[sent - 1];
    struct sync_position at = *from;
    switch (last->step) {
    case SYNC_NEW:
        at.a = last->item;
        break;
    case SYNC_CHANGES:
        at.a = look->next.a;
        at.s = last->row.modseq;
        break;
    case SYNC_AGEING_OUT:
    case SYNC_AGEING_IN:
        at.a = look->next.a;
        at.s = look->clock;
        at.cut = (struct sync_cut){ last->row.internal_us, last->item + (last->step == SYNC_AGEING_OUT) };
        break;
    case SYNC_FILL:
        at.a = look->next.a;
        at.s = look->clock;
        at.cut = look->next.cut;
        at.b = last->item - 1;
        break;
    }
    return at;
}

/* A look that found nothing is true for whoever holds the key: the next one need not pass over the same rows, and no
 * tombstone that goes meanwhile makes the device start over (hard case 7). */
static enum err settle(struct db *db, struct account_id account, struct device_id device, const PGresult *news, int row)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, res_i64(news, row, 0));
    args_slice(&args, res_slice(news, row, 4));
    args_i64(&args, res_i64(news, row, 5));
    args_i64(&args, res_i64(news, row, 6));
    args_i64(&args, res_i64(news, row, 7));
    return db_run_only(db,
                       "update sync_state set given_s = case when given_key = $4 then $6 else given_s end,"
                       " given_a = case when given_key = $4 then $7 else given_a end,"
                       " used_s = case when used_key = $4 then $6 else used_s end,"
                       " used_a = case when used_key = $4 then $7 else used_a end, updated_at = now()"
                       " where account_id = $1 and device_id = $2 and mailbox_id = $3"
                       " and ((given_key = $4 and given_s = $5) or (given_key is null and used_key = $4 and used_s = $5))",
                       &args, NULL);
}

enum err sync_news(struct db *db, struct account_id account, struct device_id device, struct sync_watch *watches,
                   size_t count, bool *hierarchy_changed)
{
    int64_t mailboxes[NEWS_MAX], since[NEWS_MAX];
    struct db_args args = { 0 };
    PGresult *result = NULL;
    if (count > NEWS_MAX)
        return fail(&db->trace, ERR_LIMIT, "more than %d mailboxes to watch", NEWS_MAX);
    for (size_t i = 0; i < count; i++) {
        mailboxes[i] = watches[i].mailbox.n;
        since[i] = watches[i].since_uidnext;
    }
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64_array(&args, mailboxes, count);
    args_i64_array(&args, since, count);
    args_i64(&args, SYNC_ADVANCE_ROWS);
    enum err err = db_run(db,
                          "select o_mailbox, o_news, o_gone, o_since, o_key, o_s, o_clock, o_a"
                          " from sync_news_3($1, $2, $3, $4, $5) with ordinality"
                          " n(o_mailbox, o_news, o_gone, o_since, o_key, o_s, o_clock, o_a, nth) order by nth",
                          &args, &result);
    for (int i = 0; !err && i < PQntuples(result); i++) {
        int64_t news = res_i64(result, i, 1);
        if ((size_t)i == count) {
            *hierarchy_changed = res_bool(result, i, 2);
            break;
        }
        watches[i].news = (news & 1 ? CHANGE_NEW : 0u) | (news & 2 ? CHANGE_FLAGS | CHANGE_REMOVED : 0u);
        watches[i].gone = res_bool(result, i, 2);
        watches[i].since_uidnext = (uint32_t)res_i64(result, i, 3);
        if (!res_null(result, i, 4))
            err = settle(db, account, device, result, i);
    }
    PQclear(result);
    return err;
}

/* The position of a key without opening a Sync with it. */
static enum err find_position(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                              struct slice key, struct sync_position *at)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, device.n);
    args_i64(&args, mailbox.n);
    args_slice(&args, key);
    enum err err = db_run(db,
                          "select s, a, coalesce(b, 0), nullif(date, '-infinity'), coalesce(item, 0) from ("
                          " select given_key as key, given_s as s, given_a as a, given_b as b, given_date as date,"
                          "  given_item as item from sync_state where account_id = $1 and device_id = $2 and mailbox_id = $3"
                          " union all select used_key, used_s, used_a, used_b, used_date, used_item from sync_state"
                          "  where account_id = $1 and device_id = $2 and mailbox_id = $3) x where key = $4 limit 1",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_CONFLICT, "unknown sync key");
    if (!err)
        *at = (struct sync_position){ .s = res_i64(result, 0, 0),
                                      .a = (uint32_t)res_i64(result, 0, 1),
                                      .b = (uint32_t)res_i64(result, 0, 2),
                                      .cut = { res_time(result, 0, 3), (uint32_t)res_i64(result, 0, 4) } };
    PQclear(result);
    return err;
}

enum err sync_estimate(struct db *db, struct account_id account, struct device_id device, struct mailbox_id mailbox,
                       struct slice key, const struct sync_cut *target, uint32_t max, uint32_t *estimate)
{
    struct sync_position at;
    struct arena *arena = arena_open();
    struct sync_look look = { .more = true };
    struct mailbox box;
    enum err err = mailbox_get(db, arena, account, mailbox, &box);
    if (!err)
        err = sync_key_check(db, key);
    if (!err)
        err = find_position(db, account, device, mailbox, key, &at);
    *estimate = 0;
    while (!err && look.more && *estimate < max) {
        arena_reset(arena);
        err = sync_look(db, arena, account, device, mailbox, &at, target ? *target : at.cut, SYNC_WINDOW_MAX, &look);
        at = look.next;
        *estimate += (uint32_t)look.count;
    }
    if (*estimate > max)
        *estimate = max;
    arena_close(&arena);
    return err;
}

enum err sync_get_item(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                       uint32_t item, struct sync_item *out, const char *const **keywords, size_t *keyword_count)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_i64(&args, item);
    enum err err = db_run(db,
                          "select 0, 0, true, p.item, p.uid, p.size, p.flags, p.modseq, p.internal_date, p.message_id, p.extra,"
                          " m.message_id, m.blob_id, m.prefix, m.meta, m.thread, m.sent_at, m.size, b.keywords, b.role"
                          " from mailbox b join placement p on p.account_id = b.account_id and p.mailbox_id = b.mailbox_id"
                          " join message m on m.account_id = p.account_id and m.message_id = p.message_id"
                          " where b.account_id = $1 and b.mailbox_id = $2 and b.deleted_at is null and p.removed_at is null"
                          " and ((p.uid = $3 and p.item = p.uid) or (p.item <> p.uid and p.item = $3))",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "item=%u", item);
    if (!err) {
        *out = (struct sync_item){ .op = SYNC_ADD, .full = true, .item = item, .uid = (uint32_t)res_i64(result, 0, 4) };
        read_row(result, 0, &out->row);
        out->extra = arena_copy(arena, res_json(result, 0, 10));
        out->role = (enum mailbox_role)res_i64(result, 0, 19);
        *keywords = res_text_array(arena, result, 0, 18, keyword_count);
        err = read_message(db, arena, result, 0, 11, &out->message);
    }
    PQclear(result);
    return err;
}
