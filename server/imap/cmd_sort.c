/* SORT and UID SORT (RFC 5256), SORT=DISPLAY (RFC 5957), ESORT (RFC 5267 3.1). */
#include "base/clock.h"
#include "base/merge_sort.h"
#include "protocol/mime/render.h"
#include "protocol/mime/searchable.h"
#include "server/imap/search_keys.h"

#define MOVES 2000u // of sorting before the clock is looked at
#define KEY_OCTETS_MAX 256u // of a text that is compared: what is longer stands where its beginning does

struct value { // of one key: a number or a text
    int64_t number;
    struct slice text; // in the command's arena
};

struct sorted { // one message
    uint32_t number;
    struct value *values; // one for each key
};

struct sort_work {
    struct search_keys keys;
    struct sorted *rows;
    struct merge_sort sort;
};

static enum err parse_sort(struct slice *in, struct arena *arena, void **args)
{
    struct sort_program *p = arena_new(arena, struct sort_program, 1);
    *args = p;
    return scan_sp(in) ? sort_parse(in, arena, p) : ERR_SYNTAX;
}

static void drop_work(struct imap_session *s)
{
    struct sort_work *w = s->work;
    imap_search_keys_fini(&w->keys);
}

/* ---- keys ---- */

static struct slice kept(struct imap_session *s, struct slice text)
{
    return arena_copy(s->arena, mime_cut_utf8(text, KEY_OCTETS_MAX));
}

static struct value value_of(struct imap_session *s, enum sort_by by, const struct placement *row, const struct mime_meta *meta)
{
    struct value value = { 0, SLICE_LIT("") };
    switch (by) {
    case SORT_ARRIVAL:
        value.number = row->internal_us;
        return value;
    case SORT_SIZE:
        value.number = row->size;
        return value;
    case SORT_DATE: // without a sent date the internal one (RFC 5256 2.2)
        value.number = meta && meta->date_us ? meta->date_us : row->internal_us;
        return value;
    default:
        break;
    }
    if (!meta)
        return value;
    struct arena *scratch = ((struct sort_work *)s->work)->keys.arena;
    switch (by) {
    case SORT_CC:
        value.text = kept(s, mime_folded(meta->sort_cc, scratch));
        break;
    case SORT_FROM:
        value.text = kept(s, mime_folded(meta->sort_from, scratch));
        break;
    case SORT_TO:
        value.text = kept(s, mime_folded(meta->sort_to, scratch));
        break;
    case SORT_SUBJECT:
        value.text = kept(s, mime_folded(meta->sort_subject, scratch));
        break;
    case SORT_DISPLAYFROM:
        value.text = kept(s, mime_sort_display(meta->from, scratch));
        break;
    default:
        value.text = kept(s, mime_sort_display(meta->to, scratch));
        break;
    }
    return value;
}

static void take_keys(struct imap_session *s, size_t hit, const struct placement *row, const struct mime_meta *meta)
{
    const struct sort_program *p = s->args;
    struct sort_work *w = s->work;
    w->rows[hit].number = w->keys.run.hits[hit];
    w->rows[hit].values = arena_new(s->arena, struct value, p->count);
    for (size_t i = 0; i < p->count; i++)
        w->rows[hit].values[i] = value_of(s, p->keys[i].by, row, meta);
}

static int compare_values(const struct value *a, const struct value *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int by = len ? memcmp(a->text.at, b->text.at, len) : 0;
    return by ? by : (a->text.len > b->text.len) - (a->text.len < b->text.len);
}

/* REVERSE turns its own key alone; equal ones stand by message number (RFC 5256 3). */
static int compare_rows(uint32_t a, uint32_t b, void *ctx)
{
    const struct imap_session *s = ctx;
    const struct sort_program *p = s->args;
    const struct sort_work *w = s->work;
    for (size_t i = 0; i < p->count; i++) {
        int by = compare_values(&w->rows[a].values[i], &w->rows[b].values[i]);
        if (by)
            return p->keys[i].reverse ? -by : by;
    }
    return 0; // the sort is stable
}

/* True when all is sorted, false when others should have their turn first. */
static bool sort_step(struct imap_session *s)
{
    struct sort_work *w = s->work;
    int64_t start_us = clock_mono_us();
    while (!merge_sort_step(&w->sort, MOVES, compare_rows, s))
        if (clock_mono_us() - start_us > SEARCH_STEP_US)
            return false;
    return true;
}

/* ---- the answer ---- */

static int64_t highest_modseq(const struct imap_session *s, const uint32_t *numbers, size_t count)
{
    int64_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t modseq = imap_search_row(s, numbers[i])->modseq;
        highest = modseq > highest ? modseq : highest;
    }
    return highest;
}

static enum imap_result finish(struct imap_session *s, struct sort_program *p)
{
    struct sort_work *w = s->work;
    size_t count = w->keys.run.hit_count;
    uint32_t *numbers = arena_new(s->arena, uint32_t, count + 1), *told = arena_new(s->arena, uint32_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = w->rows[w->sort.from[i]].number;
        told[i] = s->uid ? snapshot_row(s->view, numbers[i])->uid : numbers[i];
    }
    if (p->search.has_return) {
        imap_write_esearch(s, &p->search, &(struct esearch_result){ told, count, numbers });
    } else {
        buf_add_text(&s->out, "* SORT");
        for (size_t i = 0; i < count; i++) {
            buf_add_byte(&s->out, ' ');
            buf_add_u64(&s->out, told[i]);
        }
        if (p->search.uses_modseq && count) // RFC 7162 3.1.6
            imap_write(s, " (MODSEQ %lld)", (long long)highest_modseq(s, numbers, count));
        buf_add_text(&s->out, "\r\n");
    }
    s->held_back = imap_search_uses_numbers(&p->search);
    return imap_reply(s, "OK SORT completed");
}

static void begin_sort(struct imap_session *s)
{
    struct sort_work *w = s->work;
    size_t count = w->keys.run.hit_count;
    uint32_t *places = arena_new(s->arena, uint32_t, count + 1);
    w->rows = arena_new(s->arena, struct sorted, count + 1);
    for (size_t i = 0; i < count; i++)
        places[i] = (uint32_t)i;
    merge_sort_init(&w->sort, places, arena_new(s->arena, uint32_t, count + 1), count);
}

static enum imap_result go_on(struct imap_session *s, struct worker *worker, struct sort_program *p)
{
    struct sort_work *w = s->work;
    if (!w->keys.read) {
        enum imap_result result = imap_search_keys_step(s, worker, &w->keys, begin_sort, take_keys);
        if (!w->keys.read)
            return result;
    }
    return sort_step(s) ? finish(s, p) : IMAP_WAIT;
}

static enum imap_result run_sort(struct imap_session *s, struct worker *worker)
{
    struct sort_program *p = s->args;
    if (!s->work) {
        struct sort_work *w = arena_new(s->arena, struct sort_work, 1);
        enum imap_result result = imap_search_init(s, worker, &p->search, &w->keys.run);
        if (result != IMAP_WAIT)
            return result;
        s->work = w;
        s->drop_work = drop_work;
    }
    enum imap_result result = go_on(s, worker, p);
    if (result == IMAP_DONE && p->search.returns & SEARCH_RETURN_SAVE &&
        slice_starts(buf_slice(&s->reply), SLICE_LIT("NO")))
        imap_search_unsave(s);
    return result;
}

extern const struct imap_command imap_sort;
const struct imap_command imap_sort = {
    .name = "SORT",
    .source = "RFC 5256, RFC 5957, RFC 5267",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE,
    .capability = "SORT SORT=DISPLAY ESORT",
    .parse = parse_sort,
    .run = run_sort,
};
