/* Finding in whole mailboxes: the rows in reach are listed, brought into order and judged from the front until there are
 * enough hits. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/search_internal.h"

#define PAGE_ROWS 4000
#define WINDOW_ROWS 512u // judged together: few more than a page of hits costs
#define LIMIT_DEFAULT 1000u

struct candidate {
    struct search_row row;
    uint32_t item;
};

enum find_phase { FIND_MAILBOXES, FIND_ROWS, FIND_JUDGE, FIND_DONE };

struct search_find {
    struct account_id account;
    const struct search_scope *scope;
    struct search *search;
    enum find_phase phase;
    int64_t *mailboxes;
    size_t mailbox_count, mailbox_at;
    uint32_t last_uid; // of the mailbox at hand
    struct candidate *rows;
    size_t count, room;
    size_t judged, taken; // rows before `judged` are; `taken` further ones are at the search
    struct search_row window[WINDOW_ROWS];
    struct search_found *hits;
    size_t hit_count;
    uint32_t limit, rows_max;
    bool more;
};

struct search_find *search_find_open(struct account_id account, const struct search_scope *scope,
                                     const struct search_node *query, const struct search_reader *reader)
{
    struct search_find *f = mem_new(struct search_find);
    f->account = account;
    f->scope = scope;
    f->search = search_open(account, query, reader);
    f->limit = scope->limit ? scope->limit : LIMIT_DEFAULT;
    f->rows_max = scope->rows_max ? scope->rows_max : SEARCH_SCOPE_MAX;
    return f;
}

void search_find_close(struct search_find **find)
{
    struct search_find *f = *find;
    *find = NULL;
    if (!f)
        return;
    search_close(&f->search);
    free(f->mailboxes);
    free(f->rows);
    free(f->hits);
    free(f);
}

/* Ascending by id. */
static enum err list_mailboxes(struct search_find *f, struct db *db)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    struct arena *arena = arena_open();
    int64_t *wanted = arena_new(arena, int64_t, f->scope->mailbox_count + 1);
    for (size_t i = 0; i < f->scope->mailbox_count; i++)
        wanted[i] = f->scope->mailboxes[i].n;
    args_i64(&args, f->account.n);
    args_i64_array(&args, wanted, f->scope->mailbox_count);
    enum err err = db_run(db,
                          "select mailbox_id from mailbox where account_id = $1 and deleted_at is null"
                          " and (cardinality($2::bigint[]) = 0 or mailbox_id = any ($2)) order by mailbox_id",
                          &args, &r);
    f->mailbox_count = err ? 0 : (size_t)PQntuples(r);
    f->mailboxes = mem_realloc(f->mailboxes, (f->mailbox_count + 1) * sizeof *f->mailboxes);
    for (size_t i = 0; i < f->mailbox_count; i++)
        f->mailboxes[i] = res_i64(r, (int)i, 0);
    PQclear(r);
    arena_close(&arena);
    f->phase = FIND_ROWS;
    return err;
}

/* Negative: a stands before b. */
static int order_of(bool by_uid, int64_t internal_a, int64_t mailbox_a, uint32_t uid_a, int64_t internal_b, int64_t mailbox_b,
                    uint32_t uid_b)
{
    if (!by_uid && internal_a != internal_b)
        return internal_a > internal_b ? -1 : 1;
    if (mailbox_a != mailbox_b)
        return mailbox_a < mailbox_b ? -1 : 1;
    int by = (uid_a > uid_b) - (uid_a < uid_b);
    return by_uid ? by : -by;
}

static int by_uid(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return order_of(true, 0, x->row.mailbox.n, x->row.at.uid, 0, y->row.mailbox.n, y->row.at.uid);
}

static int by_date(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return order_of(false, x->row.at.internal_us, x->row.mailbox.n, x->row.at.uid, y->row.at.internal_us, y->row.mailbox.n,
                    y->row.at.uid);
}

static bool is_behind(const struct search_find *f, const struct search_row *row)
{
    const struct search_found *after = &f->scope->after;
    return after->uid == 0 || order_of(f->scope->by_uid, after->internal_us, after->mailbox.n, after->uid,
                                       row->at.internal_us, row->mailbox.n, row->at.uid) < 0;
}

static void keep(struct search_find *f, const struct candidate *candidate)
{
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 256;
        f->rows = mem_realloc(f->rows, f->room * sizeof *f->rows);
    }
    f->rows[f->count++] = *candidate;
}

/* The next page of the mailbox at hand. */
static enum err list_rows(struct search_find *f, struct db *db)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    int64_t mailbox = f->mailboxes[f->mailbox_at];
    args_i64(&args, f->account.n);
    args_i64(&args, mailbox);
    args_i64(&args, f->last_uid);
    args_i32(&args, PAGE_ROWS);
    enum err err = db_run(db,
                          "select uid, item, message_id, flags, internal_date, size, modseq from placement"
                          " where account_id = $1 and mailbox_id = $2 and uid > $3 and removed_at is null order by uid limit $4",
                          &args, &r);
    int rows = err ? 0 : PQntuples(r);
    for (int i = 0; i < rows; i++) {
        struct candidate c = { .item = (uint32_t)res_i64(r, i, 1), .row.mailbox.n = mailbox };
        c.row.at = (struct placement){
            .uid = (uint32_t)res_i64(r, i, 0),
            .message.n = res_i64(r, i, 2),
            .flags = (uint64_t)res_i64(r, i, 3),
            .internal_us = res_time(r, i, 4),
            .size = (uint32_t)res_i64(r, i, 5),
            .modseq = res_i64(r, i, 6),
        };
        f->last_uid = c.row.at.uid;
        if (is_behind(f, &c.row) && !search_rules_out(f->search, &c.row))
            keep(f, &c);
    }
    PQclear(r);
    if (!err && f->count > f->rows_max)
        return fail(&db->trace, ERR_LIMIT, "more than %u messages in reach", f->rows_max);
    if (!err && rows < PAGE_ROWS) {
        f->mailbox_at++;
        f->last_uid = 0;
    }
    return err;
}

static void take_hits(struct search_find *f)
{
    for (size_t i = 0; i < f->taken && !f->more; i++) {
        const struct candidate *c = &f->rows[f->judged + i];
        if (!search_hit(f->search, i))
            continue;
        if (f->hit_count == f->limit) {
            f->more = true;
            break;
        }
        if (f->hit_count % 256 == 0)
            f->hits = mem_realloc(f->hits, (f->hit_count + 256) * sizeof *f->hits);
        f->hits[f->hit_count++] = (struct search_found){
            .mailbox = c->row.mailbox,
            .uid = c->row.at.uid,
            .item = c->item,
            .message = c->row.at.message,
            .flags = c->row.at.flags,
            .internal_us = c->row.at.internal_us,
        };
    }
    f->judged += f->taken;
    f->taken = 0;
}

static enum err judge_window(struct search_find *f, struct db *db)
{
    bool done;
    if (!f->taken) {
        for (; f->taken < WINDOW_ROWS && f->judged + f->taken < f->count; f->taken++)
            f->window[f->taken] = f->rows[f->judged + f->taken].row;
        search_take(f->search, f->window, f->taken);
    }
    enum err err = search_step(f->search, db, &done);
    if (!err && done)
        take_hits(f);
    if (f->more || (f->judged == f->count && !f->taken))
        f->phase = FIND_DONE;
    return err;
}

enum err search_find_step(struct search_find *f, struct db *db, bool *done)
{
    int64_t start_us = clock_mono_us();
    enum err err = ERR_OK;
    while (!err && f->phase != FIND_DONE && clock_mono_us() - start_us < SEARCH_STEP_US) {
        if (f->phase == FIND_MAILBOXES) {
            err = list_mailboxes(f, db);
        } else if (f->phase == FIND_ROWS && f->mailbox_at < f->mailbox_count) {
            err = list_rows(f, db);
        } else if (f->phase == FIND_ROWS) {
            if (f->count)
                qsort(f->rows, f->count, sizeof *f->rows, f->scope->by_uid ? by_uid : by_date);
            f->phase = f->count ? FIND_JUDGE : FIND_DONE;
        } else {
            err = judge_window(f, db);
        }
    }
    *done = !err && f->phase == FIND_DONE;
    return err;
}

const struct search_found *search_find_hits(const struct search_find *find, size_t *count, bool *more)
{
    *count = find->hit_count;
    *more = find->more;
    return find->hits;
}
