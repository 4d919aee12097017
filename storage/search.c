/* Judging rows: first by what the row itself says, then by packs, at last by the texts of those that are left. A test
 * that does not know enough yet answers "maybe", and so does a query whose answer hangs on it. */
#include "storage/search.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "storage/search_internal.h"

#define PACKS_AT_ONCE 8u
#define PACK_ROWS_MIN 4u // rows that make it cheaper to read a pack than the messages

enum verdict { VERDICT_NO, VERDICT_YES, VERDICT_MAYBE };

struct plan { // a node of the query, with what is made of it once
    const struct search_node *node;
    struct plan *children, *next;
    uint32_t *hashes, *rare; // sequences of its text; those that the pack at hand tells about
    size_t hash_count, rare_count;
};

enum need { NEED_SAVED = 1, NEED_THREAD = 2, NEED_LINES = 4, NEED_WHOLE = 8 };

enum phase { PHASE_FACTS, PHASE_PACKS, PHASE_TEXTS, PHASE_DONE };

struct fact { // of a row, when the query asks for it
    int64_t saved_us, thread;
};

struct search {
    struct account_id account;
    const struct search_reader *reader;
    struct arena *arena, *step; // of the search; of one piece of work
    struct plan *root;
    unsigned needs;
    const struct search_row *rows;
    uint8_t verdicts[SEARCH_ROWS_MAX];
    struct fact *facts; // SEARCH_ROWS_MAX; NULL: not asked for
    bool has_facts;
    uint32_t order[SEARCH_ROWS_MAX]; // undecided rows, ascending by message
    size_t order_count, at;          // at: how far this phase is
    enum phase phase;
};

struct known { // what is known of a row in this phase
    const struct search_row *row;
    const struct fact *fact;
    const struct pack_entry *entry;
    const struct search_texts *texts;
};

/* ---- the plan ---- */

static unsigned needs_of(const struct search_node *node)
{
    switch (node->test) {
    case SEARCH_IS_SAVED_SINCE:
    case SEARCH_IS_SAVED_BEFORE:
        return NEED_SAVED;
    case SEARCH_IS_THREAD:
        return NEED_THREAD;
    case SEARCH_IS_SENT_SINCE:
    case SEARCH_IS_SENT_BEFORE:
        return NEED_LINES;
    case SEARCH_IS_FIELD:
        return NEED_LINES | NEED_WHOLE;
    case SEARCH_IS_TEXT:
        if (!node->text.len)
            return 0;
        return NEED_LINES | (node->where & (SEARCH_IN_HEADER | SEARCH_IN_BODY) ? NEED_WHOLE : 0u);
    default:
        return 0;
    }
}

static void find_sequences(struct search *s, struct plan *plan)
{
    const struct search_node *node = plan->node;
    struct sequences set = { 0 };
    if (node->test == SEARCH_IS_FIELD) {
        char *name = arena_printf(s->arena, "%.*s:", SLICE_ARG(node->field));
        sequences_add(&set, slice_of(name));
    }
    if (node->test == SEARCH_IS_TEXT || node->test == SEARCH_IS_FIELD)
        sequences_add(&set, node->text);
    plan->hashes = sequences_list(&set, s->arena, &plan->hash_count);
    plan->rare = arena_new(s->arena, uint32_t, plan->hash_count + 1);
    sequences_free(&set);
}

static struct plan *make_plan(struct search *s, const struct search_node *node, unsigned depth)
{
    struct plan *plan = arena_new(s->arena, struct plan, 1), **child = &plan->children;
    assert(depth < SEARCH_DEPTH_NODES_MAX);
    plan->node = node;
    s->needs |= needs_of(node);
    find_sequences(s, plan);
    for (const struct search_node *n = node->children; n; n = n->next) {
        *child = make_plan(s, n, depth + 1);
        child = &(*child)->next;
    }
    return plan;
}

struct search *search_open(struct account_id account, const struct search_node *query, const struct search_reader *reader)
{
    struct search *s = mem_new(struct search);
    s->account = account;
    s->reader = reader;
    s->arena = arena_open();
    s->step = arena_open();
    s->root = make_plan(s, query, 0);
    if (s->needs & (NEED_SAVED | NEED_THREAD))
        s->facts = mem_alloc(SEARCH_ROWS_MAX * sizeof *s->facts);
    return s;
}

void search_close(struct search **search)
{
    struct search *s = *search;
    *search = NULL;
    if (!s)
        return;
    arena_close(&s->arena);
    arena_close(&s->step);
    free(s->facts);
    free(s);
}

bool search_needs_store(const struct search *search)
{
    return search->needs != 0;
}

/* ---- one row ---- */

static enum verdict verdict_of(bool yes)
{
    return yes ? VERDICT_YES : VERDICT_NO;
}

static bool in_ranges(const struct search_node *node, uint32_t uid)
{
    size_t low = 0, high = node->uid_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node->uids[middle].last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < node->uid_count && node->uids[low].first <= uid;
}

static bool contains(struct slice text, struct slice needle)
{
    return slice_find_slice(text, needle) != SIZE_MAX;
}

static bool in_lines(const struct search_node *node, const struct slice *lines)
{
    for (size_t i = 0; i < SEARCH_LINES; i++)
        if ((node->where >> i & 1) && contains(lines[i], node->text))
            return true;
    return false;
}

static enum verdict judge_text(const struct plan *plan, const struct known *k)
{
    const struct search_node *node = plan->node;
    const struct search_texts *t = k->texts;
    if (!node->text.len)
        return VERDICT_YES;
    if (t)
        return verdict_of(in_lines(node, t->lines) || ((node->where & SEARCH_IN_HEADER) && contains(t->header, node->text)) ||
                          ((node->where & SEARCH_IN_BODY) && contains(t->body, node->text)));
    if (!k->entry)
        return VERDICT_MAYBE;
    if (in_lines(node, k->entry->lines))
        return VERDICT_YES;
    if (k->entry->cut)
        return VERDICT_MAYBE;
    bool deep = node->where & (SEARCH_IN_HEADER | SEARCH_IN_BODY);
    return deep && entry_may_have(k->entry, plan->rare, plan->rare_count) ? VERDICT_MAYBE : VERDICT_NO;
}

/* Lines of the own header are "name: value", folded. */
static bool has_field(const struct search_texts *t, const struct search_node *node)
{
    struct slice rest = slice_head(t->header, t->own_len);
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n'), name = slice_cut(&line, ':');
        if (slice_eq(name, node->field) && contains(line, node->text))
            return true;
    }
    return false;
}

static enum verdict judge_field(const struct plan *plan, const struct known *k)
{
    if (k->texts)
        return verdict_of(has_field(k->texts, plan->node));
    if (k->entry && !entry_may_have(k->entry, plan->rare, plan->rare_count))
        return VERDICT_NO;
    return VERDICT_MAYBE;
}

static enum verdict judge_sent(const struct search_node *node, const struct known *k)
{
    if (!k->texts && !k->entry)
        return VERDICT_MAYBE;
    bool has = k->texts ? k->texts->has_sent_day : k->entry->has_sent_day;
    int64_t day = k->texts ? k->texts->sent_day : k->entry->sent_day;
    return verdict_of(has && (node->test == SEARCH_IS_SENT_SINCE ? day >= node->number : day < node->number));
}

static enum verdict judge_fact(const struct search_node *node, const struct known *k)
{
    if (!k->fact)
        return VERDICT_MAYBE;
    if (node->test == SEARCH_IS_THREAD)
        return verdict_of(k->fact->thread == node->number);
    bool since = node->test == SEARCH_IS_SAVED_SINCE;
    return verdict_of(since ? k->fact->saved_us >= node->number : k->fact->saved_us < node->number);
}

static enum verdict judge(const struct plan *plan, const struct known *k);

/* AND and OR: the first child that decides, `decisive`, does. */
static enum verdict judge_children(const struct plan *plan, const struct known *k, enum verdict decisive)
{
    enum verdict all = decisive == VERDICT_NO ? VERDICT_YES : VERDICT_NO;
    for (const struct plan *child = plan->children; child; child = child->next) {
        enum verdict one = judge(child, k);
        if (one == decisive)
            return one;
        if (one == VERDICT_MAYBE)
            all = VERDICT_MAYBE;
    }
    return all;
}

static enum verdict judge(const struct plan *plan, const struct known *k)
{
    const struct search_node *node = plan->node;
    const struct placement *at = &k->row->at;
    switch (node->test) {
    case SEARCH_IS_ALL:
        return VERDICT_YES;
    case SEARCH_IS_AND:
        return judge_children(plan, k, VERDICT_NO);
    case SEARCH_IS_OR:
        return judge_children(plan, k, VERDICT_YES);
    case SEARCH_IS_NOT: {
        enum verdict child = judge(plan->children, k);
        return child == VERDICT_MAYBE ? child : verdict_of(child == VERDICT_NO);
    }
    case SEARCH_IS_FLAGGED:
        return verdict_of((at->flags & (uint64_t)node->number) == (uint64_t)node->number);
    case SEARCH_IS_UID:
        return verdict_of(in_ranges(node, at->uid));
    case SEARCH_IS_LARGER:
        return verdict_of((int64_t)at->size > node->number);
    case SEARCH_IS_SMALLER:
        return verdict_of((int64_t)at->size < node->number);
    case SEARCH_IS_SINCE:
        return verdict_of(at->internal_us >= node->number);
    case SEARCH_IS_BEFORE:
        return verdict_of(at->internal_us < node->number);
    case SEARCH_IS_MODSEQ:
        return verdict_of(at->modseq >= node->number);
    case SEARCH_IS_MESSAGE:
        return verdict_of(at->message.n == node->number);
    case SEARCH_IS_SAVED_SINCE:
    case SEARCH_IS_SAVED_BEFORE:
    case SEARCH_IS_THREAD:
        return judge_fact(node, k);
    case SEARCH_IS_SENT_SINCE:
    case SEARCH_IS_SENT_BEFORE:
        return judge_sent(node, k);
    case SEARCH_IS_TEXT:
        return judge_text(plan, k);
    case SEARCH_IS_FIELD:
        return judge_field(plan, k);
    }
    return VERDICT_NO;
}

bool search_rules_out(const struct search *search, const struct search_row *row)
{
    return judge(search->root, &(struct known){ .row = row }) == VERDICT_NO;
}

/* ---- phases ---- */

static void judge_row(struct search *s, uint32_t i, const struct pack_entry *entry, const struct search_texts *texts)
{
    struct known k = { &s->rows[i], s->has_facts ? &s->facts[i] : NULL, entry, texts };
    s->verdicts[i] = (uint8_t)judge(s->root, &k);
}

/* Keeps the undecided ones in order. */
static void drop_decided(struct search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->order_count; i++)
        if (s->verdicts[s->order[i]] == VERDICT_MAYBE)
            s->order[kept++] = s->order[i];
    s->order_count = kept;
    s->at = 0;
}

static int by_message(const void *a, const void *b, void *ctx)
{
    const struct search *s = ctx;
    int64_t x = s->rows[*(const uint32_t *)a].at.message.n, y = s->rows[*(const uint32_t *)b].at.message.n;
    return (x > y) - (x < y);
}

void search_take(struct search *s, const struct search_row *rows, size_t count)
{
    bool sorted = true;
    assert(count <= SEARCH_ROWS_MAX);
    s->rows = rows;
    s->order_count = 0;
    s->has_facts = false;
    for (size_t i = 0; i < count; i++) {
        judge_row(s, (uint32_t)i, NULL, NULL);
        if (s->verdicts[i] != VERDICT_MAYBE)
            continue;
        if (s->order_count && rows[s->order[s->order_count - 1]].at.message.n > rows[i].at.message.n)
            sorted = false;
        s->order[s->order_count++] = (uint32_t)i;
    }
    if (!sorted)
        qsort_r(s->order, s->order_count, sizeof *s->order, by_message, s);
    s->at = 0;
    s->phase = s->order_count ? PHASE_FACTS : PHASE_DONE;
}

bool search_hit(const struct search *s, size_t row)
{
    return s->verdicts[row] == VERDICT_YES;
}

static enum err read_saved(struct search *s, struct db *db)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    int64_t *mailboxes = arena_new(s->step, int64_t, s->order_count), *uids = arena_new(s->step, int64_t, s->order_count);
    for (size_t i = 0; i < s->order_count; i++) {
        mailboxes[i] = s->rows[s->order[i]].mailbox.n;
        uids[i] = s->rows[s->order[i]].at.uid;
    }
    args_i64(&args, s->account.n);
    args_i64_array(&args, mailboxes, s->order_count);
    args_i64_array(&args, uids, s->order_count);
    enum err err = db_run(db,
                          "select u.o, p.save_date from unnest($2::bigint[], $3::bigint[]) with ordinality u(m, uid, o)"
                          " join placement p on p.account_id = $1 and p.mailbox_id = u.m and p.uid = u.uid",
                          &args, &r);
    for (int row = 0; !err && row < PQntuples(r); row++)
        s->facts[s->order[res_i64(r, row, 0) - 1]].saved_us = res_time(r, row, 1);
    PQclear(r);
    return err;
}

static enum err read_threads(struct search *s, struct db *db)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    int64_t *ids = arena_new(s->step, int64_t, s->order_count);
    for (size_t i = 0; i < s->order_count; i++)
        ids[i] = s->rows[s->order[i]].at.message.n;
    args_i64(&args, s->account.n);
    args_i64_array(&args, ids, s->order_count);
    enum err err = db_run(db,
                          "select u.o, m.thread from unnest($2::bigint[]) with ordinality u(id, o)"
                          " join message m on m.account_id = $1 and m.message_id = u.id",
                          &args, &r);
    for (int row = 0; !err && row < PQntuples(r); row++)
        s->facts[s->order[res_i64(r, row, 0) - 1]].thread = res_i64(r, row, 1);
    PQclear(r);
    return err;
}

static enum err facts_step(struct search *s, struct db *db)
{
    enum err err = ERR_OK;
    if (s->facts) {
        memset(s->facts, 0, SEARCH_ROWS_MAX * sizeof *s->facts);
        err = s->needs & NEED_SAVED ? read_saved(s, db) : ERR_OK;
        if (!err && (s->needs & NEED_THREAD))
            err = read_threads(s, db);
        s->has_facts = true;
        for (size_t i = 0; i < s->order_count && !err; i++)
            judge_row(s, s->order[i], NULL, NULL);
        drop_decided(s);
    }
    s->phase = PHASE_PACKS;
    return err;
}

static int64_t pack_of(const struct search *s, size_t at)
{
    return s->rows[s->order[at]].at.message.n >> PACK_SHIFT;
}

static void meet_pack(struct plan *plan, const struct pack *pack)
{
    plan->rare_count = pack_rare(pack, plan->hashes, plan->hash_count, plan->rare);
    for (struct plan *child = plan->children; child; child = child->next)
        meet_pack(child, pack);
}

static void judge_pack(struct search *s, const struct pack *pack, size_t from, size_t to)
{
    meet_pack(s->root, pack);
    for (size_t i = from; i < to; i++) {
        const struct pack_entry *entry = pack_find(pack, s->rows[s->order[i]].at.message);
        if (entry)
            judge_row(s, s->order[i], entry, NULL);
    }
}

/* Some packs at a time. Rows of a pack that few are wanted of wait for the texts. */
static enum err packs_step(struct search *s, struct db *db)
{
    int64_t numbers[PACKS_AT_ONCE];
    size_t from[PACKS_AT_ONCE], to[PACKS_AT_ONCE], count = 0, found = 0;
    struct pack *packs;
    while (s->at < s->order_count && count < PACKS_AT_ONCE) {
        size_t end = s->at + 1;
        while (end < s->order_count && pack_of(s, end) == pack_of(s, s->at))
            end++;
        if (end - s->at >= PACK_ROWS_MIN) {
            numbers[count] = pack_of(s, s->at);
            from[count] = s->at;
            to[count++] = end;
        }
        s->at = end;
    }
    enum err err = ERR_OK;
    if (count)
        err = packs_read(db, s->step, s->account, numbers, count, s->needs & NEED_WHOLE, &packs, &found);
    for (size_t i = 0, k = 0; i < found && !err; i++) {
        while (numbers[k] != packs[i].number)
            k++;
        judge_pack(s, &packs[i], from[k], to[k]);
    }
    if (!err && s->at == s->order_count) {
        drop_decided(s);
        s->phase = PHASE_TEXTS;
    }
    return err;
}

static enum err judge_texts(struct search *s, struct db *db, uint32_t row, const struct search_message *message)
{
    struct search_texts texts = { 0 }; // of a message that is gone: none
    struct arena *arena = arena_open();
    enum err err = message ? search_texts_of(db, s->reader, message, s->needs & NEED_WHOLE, arena, &texts) : ERR_OK;
    if (!err)
        judge_row(s, row, NULL, &texts);
    arena_close(&arena);
    return err;
}

static enum err texts_step(struct search *s, struct db *db)
{
    int64_t sizes[64];
    struct message_id ids[64];
    size_t count = 0, found, k = 0;
    struct search_message *messages;
    for (; count < 64 && s->at + count < s->order_count; count++) {
        const struct placement *at = &s->rows[s->order[s->at + count]].at;
        ids[count] = at->message;
        sizes[count] = at->size;
    }
    count = search_batch(sizes, count);
    enum err err = search_load(db, s->step, s->account, ids, count, &messages, &found);
    for (size_t i = 0; i < count && !err; i++) {
        while (k < found && messages[k].row.id.n < ids[i].n)
            k++;
        bool here = k < found && messages[k].row.id.n == ids[i].n; // one message may stand in several rows
        err = judge_texts(s, db, s->order[s->at + i], here ? &messages[k] : NULL);
    }
    if (!err)
        s->at += count;
    if (s->at == s->order_count)
        s->phase = PHASE_DONE;
    return err;
}

enum err search_step(struct search *s, struct db *db, bool *done)
{
    int64_t start_us = clock_mono_us();
    enum err err = ERR_OK;
    while (!err && s->phase != PHASE_DONE && clock_mono_us() - start_us < SEARCH_STEP_US) {
        arena_reset(s->step);
        if (s->phase == PHASE_FACTS)
            err = facts_step(s, db);
        else if (s->at == s->order_count)
            s->phase = s->phase == PHASE_PACKS ? PHASE_TEXTS : PHASE_DONE;
        else
            err = s->phase == PHASE_PACKS ? packs_step(s, db) : texts_step(s, db);
    }
    arena_reset(s->step);
    *done = !err && s->phase == PHASE_DONE;
    return err;
}
