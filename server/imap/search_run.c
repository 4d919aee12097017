#include "server/imap/search_run.h"

#include <glib.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "protocol/imap/objectid.h"
#include "protocol/mime/render.h"
#include "server/search_reader.h"

#define LOOP_WORK_MAX 20000u // comparisons that the loop may do itself
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

struct translation {
    struct imap_session *s;
    const struct search_program *program;
    int64_t now_us;
    enum err err; // ERR_SYNTAX: a text is no text in its charset
};

static struct search_node *node_of(struct translation *t, enum search_test test, int64_t number)
{
    struct search_node *node = arena_new(t->s->arena, struct search_node, 1);
    node->test = test;
    node->number = number;
    return node;
}

static struct search_node *parent_of(struct translation *t, enum search_test test, struct search_node *first,
                                     struct search_node *second)
{
    struct search_node *node = node_of(t, test, 0);
    node->children = first;
    first->next = second;
    return node;
}

static struct search_node *nothing(struct translation *t)
{
    return parent_of(t, SEARCH_IS_NOT, node_of(t, SEARCH_IS_ALL, 0), NULL);
}

/* ---- texts ---- */

static bool is_utf8_charset(struct slice charset)
{
    return !charset.len || slice_eq_nocase(charset, SLICE_LIT("UTF-8")) || slice_eq_nocase(charset, SLICE_LIT("US-ASCII"));
}

/* RFC 3501 6.4.4: without CHARSET it would be US-ASCII; what is UTF-8 is taken as such, the rest cannot be compared. */
static struct slice folded(struct translation *t, struct slice text)
{
    struct buf utf8 = { 0 };
    if (is_utf8_charset(t->program->charset))
        buf_add(&utf8, text);
    else if (!t->err)
        t->err = mime_from_charset(t->program->charset, text, &utf8);
    struct slice octets = buf_slice(&utf8), result = SLICE_LIT("");
    if (!g_utf8_validate(octets.at, (gssize)octets.len, NULL))
        t->err = ERR_SYNTAX;
    else
        result = search_folded(octets, t->s->arena);
    buf_free(&utf8);
    return result;
}

static struct search_node *text_node(struct translation *t, const struct search_key *key, unsigned where)
{
    struct search_node *node = node_of(t, SEARCH_IS_TEXT, 0);
    node->where = where;
    node->text = folded(t, key->text);
    return node;
}

static struct search_node *field_node(struct translation *t, const struct search_key *key)
{
    struct search_node *node = node_of(t, SEARCH_IS_FIELD, 0);
    node->field = folded(t, key->field);
    node->text = folded(t, key->text);
    return node;
}

/* ---- sets, flags, dates ---- */

static struct search_node *uid_node(struct translation *t, const struct uid_range *ranges, size_t count)
{
    struct search_node *node = node_of(t, SEARCH_IS_UID, 0);
    node->uids = ranges;
    node->uid_count = count;
    return node;
}

/* A set of message numbers or uids; "*" is the last message of the view. */
static struct search_node *set_node(struct translation *t, const struct search_key *key)
{
    struct imap_session *s = t->s;
    uint32_t total = snapshot_count(s->view);
    uint32_t largest = !total ? 0 : key->op == SEARCH_UID ? snapshot_row(s->view, total)->uid : total;
    if (key->set.saved) // a copy: this search may save another one
        return uid_node(t, (const struct uid_range *)arena_copy(s->arena, slice_make(s->saved ? (const char *)s->saved : "",
                                                                s->saved_count * sizeof *s->saved)).at, s->saved_count);
    struct uidset sorted;
    uidset_normalise(&key->set, largest, s->arena, &sorted);
    struct uid_range *ranges = arena_new(s->arena, struct uid_range, sorted.count + 1);
    size_t used = 0;
    for (size_t i = 0; i < sorted.count; i++) {
        uint32_t first = sorted.runs[i].first, last = sorted.runs[i].last;
        if (key->op == SEARCH_UID) {
            ranges[used++] = (struct uid_range){ first, last };
        } else if (first <= total) {
            last = last < total ? last : total;
            ranges[used++] = (struct uid_range){ snapshot_row(s->view, first)->uid, snapshot_row(s->view, last)->uid };
        }
    }
    return uid_node(t, ranges, used);
}

static struct search_node *recent_node(struct translation *t)
{
    struct uid_range *range = arena_new(t->s->arena, struct uid_range, 1);
    *range = (struct uid_range){ t->s->first_recent, UINT32_MAX };
    return uid_node(t, range, 1);
}

static struct search_node *keyword_node(struct translation *t, const struct search_key *key)
{
    const struct snapshot_facts *facts = snapshot_facts(t->s->fresh);
    for (size_t i = 0; i < facts->keyword_count; i++)
        if (slice_eq_nocase(slice_of(facts->keywords[i]), key->text))
            return node_of(t, SEARCH_IS_FLAGGED, (int64_t)(UINT64_C(1) << (FLAG_KEYWORD_SHIFT + i)));
    return nothing(t);
}

/* unit: how many of the test's numbers make a day. */
static struct search_node *day_node(struct translation *t, const struct search_key *key, enum search_test since,
                                    enum search_test before, int64_t unit)
{
    int64_t day = (int64_t)key->number;
    bool is_before = key->op == SEARCH_BEFORE || key->op == SEARCH_SENTBEFORE || key->op == SEARCH_SAVEDBEFORE;
    bool is_since = key->op == SEARCH_SINCE || key->op == SEARCH_SENTSINCE || key->op == SEARCH_SAVEDSINCE;
    if (is_before)
        return node_of(t, before, day * unit);
    struct search_node *from = node_of(t, since, day * unit);
    return is_since ? from : parent_of(t, SEARCH_IS_AND, from, node_of(t, before, (day + 1) * unit));
}

static int64_t clamp(uint64_t number)
{
    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static struct search_node *object_node(struct translation *t, const struct search_key *key)
{
    int64_t id;
    bool email = key->op == SEARCH_EMAILID;
    bool known = email ? objectid_read_email(key->text, &id) : objectid_read_thread(key->text, &id);
    return known ? node_of(t, email ? SEARCH_IS_MESSAGE : SEARCH_IS_THREAD, id) : nothing(t);
}

/* ---- the program ---- */

static struct search_node *translate(struct translation *t, const struct search_key *key);

static struct search_node *translate_children(struct translation *t, const struct search_key *key, enum search_test test)
{
    struct search_node *node = node_of(t, test, 0), **next = &node->children;
    for (const struct search_key *child = key->children; child; child = child->next) {
        *next = translate(t, child);
        next = &(*next)->next;
    }
    return node;
}

static struct search_node *translate(struct translation *t, const struct search_key *key)
{
    switch (key->op) {
    case SEARCH_ALL:
    case SEARCH_SAVEDATESUPPORTED:
        return node_of(t, SEARCH_IS_ALL, 0);
    case SEARCH_AND:
        return translate_children(t, key, SEARCH_IS_AND);
    case SEARCH_OR:
        return translate_children(t, key, SEARCH_IS_OR);
    case SEARCH_NOT:
        return translate_children(t, key, SEARCH_IS_NOT);
    case SEARCH_SEQ:
    case SEARCH_UID:
        return set_node(t, key);
    case SEARCH_FLAG:
        return node_of(t, SEARCH_IS_FLAGGED, (int64_t)key->number);
    case SEARCH_KEYWORD:
        return keyword_node(t, key);
    case SEARCH_RECENT:
        return recent_node(t);
    case SEARCH_LARGER:
        return node_of(t, SEARCH_IS_LARGER, clamp(key->number));
    case SEARCH_SMALLER:
        return node_of(t, SEARCH_IS_SMALLER, clamp(key->number));
    case SEARCH_BEFORE:
    case SEARCH_ON:
    case SEARCH_SINCE:
        return day_node(t, key, SEARCH_IS_SINCE, SEARCH_IS_BEFORE, US_PER_DAY);
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE:
        return day_node(t, key, SEARCH_IS_SENT_SINCE, SEARCH_IS_SENT_BEFORE, 1);
    case SEARCH_SAVEDBEFORE:
    case SEARCH_SAVEDON:
    case SEARCH_SAVEDSINCE:
        return day_node(t, key, SEARCH_IS_SAVED_SINCE, SEARCH_IS_SAVED_BEFORE, US_PER_DAY);
    case SEARCH_OLDER: // at most n seconds older than now (RFC 5032 3)
        return node_of(t, SEARCH_IS_BEFORE, t->now_us - (int64_t)key->number * US_PER_S + 1);
    case SEARCH_YOUNGER:
        return node_of(t, SEARCH_IS_SINCE, t->now_us - (int64_t)key->number * US_PER_S + 1);
    case SEARCH_HEADER:
        return field_node(t, key);
    case SEARCH_FROM:
        return text_node(t, key, SEARCH_IN_FROM);
    case SEARCH_TO:
        return text_node(t, key, SEARCH_IN_TO);
    case SEARCH_CC:
        return text_node(t, key, SEARCH_IN_CC);
    case SEARCH_BCC:
        return text_node(t, key, SEARCH_IN_BCC);
    case SEARCH_SUBJECT:
        return text_node(t, key, SEARCH_IN_SUBJECT);
    case SEARCH_BODY:
        return text_node(t, key, SEARCH_IN_BODY);
    case SEARCH_TEXT:
        return text_node(t, key, SEARCH_IN_HEADER | SEARCH_IN_BODY);
    case SEARCH_MODSEQ:
        return node_of(t, SEARCH_IS_MODSEQ, clamp(key->number));
    case SEARCH_EMAILID:
    case SEARCH_THREADID:
        return object_node(t, key);
    }
    return nothing(t);
}

/* Comparisons that one message may cost: a key may be a set of thousands of runs. */
static uint64_t work_of(const struct search_key *key)
{
    uint64_t work = 0;
    for (; key; key = key->next)
        work += 1 + key->set.count + work_of(key->children);
    return work;
}

static bool needs_store(const struct search_node *node)
{
    if (node->test >= SEARCH_IS_SAVED_SINCE && node->test != SEARCH_IS_MODSEQ && node->test != SEARCH_IS_MESSAGE)
        return true;
    for (const struct search_node *child = node->children; child; child = child->next)
        if (needs_store(child))
            return true;
    return false;
}

static bool uses_numbers(const struct search_key *key)
{
    for (; key; key = key->next)
        if ((key->op == SEARCH_SEQ && !key->set.saved) || uses_numbers(key->children))
            return true;
    return false;
}

bool imap_search_uses_numbers(const struct search_program *program)
{
    return uses_numbers(program->root);
}

static enum imap_result refuse_charset(struct imap_session *s)
{
    return imap_reply(s, "NO [BADCHARSET (US-ASCII UTF-8)] this charset is not known");
}

/* Rows judged together: where nothing is read a few do. */
static uint32_t window_of(const struct search_node *query, uint32_t total)
{
    uint32_t most = needs_store(query) ? SEARCH_ROWS_MAX : 256;
    return total < most ? total + 1 : most;
}

enum imap_result imap_search_init(struct imap_session *s, struct worker *worker, const struct search_program *program,
                                  struct imap_search *work)
{
    struct translation t = { .s = s, .program = program, .now_us = clock_wall_us() };
    struct buf nothing_converted = { 0 };
    if (!is_utf8_charset(program->charset) && mime_from_charset(program->charset, SLICE_LIT(""), &nothing_converted))
        return refuse_charset(s);
    if (imap_refresh(s, worker) == IMAP_NEED_WORKER)
        return IMAP_NEED_WORKER;
    if (s->sync_err)
        return imap_reply_err(s, s->sync_err, s->command->name);
    struct search_node *query = translate(&t, program->root);
    if (t.err)
        return imap_reply(s, "BAD a text is not in the charset it is said to be in");
    uint32_t total = snapshot_count(s->view);
    if (!worker && (needs_store(query) || total * work_of(program->root) > LOOP_WORK_MAX))
        return IMAP_NEED_WORKER;
    if (program->uses_modseq)
        imap_enable_condstore(s);
    *work = (struct imap_search){
        .program = program,
        .query = query,
        .search = search_open(s->account, query, &search_reader),
        .rows = mem_realloc(NULL, window_of(query, total) * sizeof *work->rows),
        .window = window_of(query, total),
        .first = 1,
        .total = total,
        .start_us = clock_mono_us(),
    };
    return IMAP_WAIT;
}

void imap_search_fini(struct imap_search *work)
{
    search_close(&work->search);
    free(work->rows);
    free(work->hits);
}

const struct placement *imap_search_row(const struct imap_session *s, uint32_t number)
{
    const struct placement *row = snapshot_row(s->view, number);
    const struct placement *now = s->fresh == s->view ? row : snapshot_find(s->fresh, row->uid);
    return now ? now : row; // expunged elsewhere, not yet told: it is searched as it was
}

static void take_window(struct imap_session *s, struct imap_search *w)
{
    uint32_t left = w->total + 1 - w->first;
    w->count = left < w->window ? left : w->window;
    for (uint32_t i = 0; i < w->count; i++)
        w->rows[i] = (struct search_row){ s->mailbox, *imap_search_row(s, w->first + i) };
    search_take(w->search, w->rows, w->count);
}

static void keep_hits(struct imap_search *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (!search_hit(w->search, i))
            continue;
        if (w->hit_count == w->hit_room) {
            w->hit_room = w->hit_room ? w->hit_room * 2 : 64;
            w->hits = mem_realloc(w->hits, w->hit_room * sizeof *w->hits);
        }
        w->hits[w->hit_count++] = w->first + i;
    }
    w->first += w->count;
    w->count = 0;
}

enum imap_result imap_search_step(struct imap_session *s, struct worker *worker, struct imap_search *w, bool *done)
{
    int64_t start_us = clock_mono_us();
    struct db *db = NULL;
    *done = false;
    if (search_needs_store(w->search) && !(db = imap_db(s, worker)))
        return IMAP_DONE;
    if (start_us - w->start_us > settings_int(s->server->settings, SETTING_IMAP_SEARCH_MAX_MS) * 1000)
        return imap_reply(s, "NO [LIMIT] %s: takes too long (imap.search_max_ms): ask for less", s->command->name);
    while (w->first <= w->total && clock_mono_us() - start_us < SEARCH_STEP_US) {
        bool judged;
        if (!w->count)
            take_window(s, w);
        enum err err = search_step(w->search, db, &judged);
        if (err)
            return imap_reply_err(s, err, s->command->name);
        if (judged)
            keep_hits(w);
    }
    *done = w->first > w->total;
    if (!*done)
        imap_progress(s, w->first - 1, w->total);
    return IMAP_WAIT;
}
