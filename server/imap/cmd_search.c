/* SEARCH and UID SEARCH: the classic answer, and ESEARCH's (RFC 4731, RFC 5182, RFC 9394). */
#include "server/imap/search_run.h"

#define WRITE_NUMBERS 16384u // of "* SEARCH" that are written in one step

struct search_work {
    struct imap_search run;
    bool found;     // all hits are there
    size_t written; // of the classic answer
};

static enum err parse_search(struct slice *in, struct arena *arena, void **args)
{
    struct search_program *p = arena_new(arena, struct search_program, 1);
    *args = p;
    return scan_sp(in) ? search_parse(in, arena, p) : ERR_SYNTAX;
}

static void drop_work(struct imap_session *s)
{
    struct search_work *w = s->work;
    imap_search_fini(&w->run);
}

static uint32_t told(const struct imap_session *s, uint32_t number)
{
    return s->uid ? snapshot_row(s->view, number)->uid : number;
}

static enum imap_result complete(struct imap_session *s, const struct search_program *p)
{
    s->held_back = imap_search_uses_numbers(p);
    return imap_reply(s, "OK SEARCH completed");
}

static enum imap_result finish_esearch(struct imap_session *s, const struct search_program *p)
{
    const struct imap_search *run = &((struct search_work *)s->work)->run;
    uint32_t *numbers = arena_new(s->arena, uint32_t, run->hit_count + 1);
    for (size_t i = 0; i < run->hit_count; i++)
        numbers[i] = told(s, run->hits[i]);
    imap_write_esearch(s, p, &(struct esearch_result){ numbers, run->hit_count, run->hits });
    return complete(s, p);
}

static int64_t highest_modseq(const struct imap_session *s, const struct imap_search *run)
{
    int64_t highest = 0;
    for (size_t i = 0; i < run->hit_count; i++) {
        int64_t modseq = imap_search_row(s, run->hits[i])->modseq;
        highest = modseq > highest ? modseq : highest;
    }
    return highest;
}

/* One line, however long: a part of it a step, so that the out-buffer stays small. */
static enum imap_result finish_classic(struct imap_session *s, const struct search_program *p)
{
    struct search_work *w = s->work;
    size_t end = w->run.hit_count - w->written < WRITE_NUMBERS ? w->run.hit_count : w->written + WRITE_NUMBERS;
    if (w->written == 0)
        buf_add_text(&s->out, "* SEARCH");
    for (; w->written < end; w->written++) {
        buf_add_byte(&s->out, ' ');
        buf_add_u64(&s->out, told(s, w->run.hits[w->written]));
    }
    if (w->written < w->run.hit_count)
        return IMAP_WAIT;
    if (p->uses_modseq && w->run.hit_count)
        imap_write(s, " (MODSEQ %lld)", (long long)highest_modseq(s, &w->run));
    buf_add_text(&s->out, "\r\n");
    return complete(s, p);
}

static enum imap_result go_on(struct imap_session *s, struct worker *worker, const struct search_program *p)
{
    struct search_work *w = s->work;
    if (!w->found) {
        enum imap_result result = imap_search_step(s, worker, &w->run, &w->found);
        if (!w->found)
            return result;
    }
    return p->has_return || s->rev2 ? finish_esearch(s, p) : finish_classic(s, p);
}

static enum imap_result run_search(struct imap_session *s, struct worker *worker)
{
    const struct search_program *p = s->args;
    enum imap_result result;
    if (s->utf8 && p->charset.len)
        return imap_reply(s, "BAD all texts are UTF-8 once UTF8=ACCEPT is enabled"); // RFC 6855 3
    if (!s->work) {
        struct search_work *w = arena_new(s->arena, struct search_work, 1);
        result = imap_search_init(s, worker, p, &w->run);
        if (result == IMAP_WAIT) {
            s->work = w;
            s->drop_work = drop_work;
        }
    } else {
        result = IMAP_WAIT;
    }
    if (result == IMAP_WAIT)
        result = go_on(s, worker, p);
    // A search that fails leaves nothing saved, a malformed one what there was (RFC 5182 2.1).
    if (result == IMAP_DONE && p->returns & SEARCH_RETURN_SAVE && slice_starts(buf_slice(&s->reply), SLICE_LIT("NO")))
        imap_search_unsave(s);
    return result;
}

extern const struct imap_command imap_search;
const struct imap_command imap_search = {
    .name = "SEARCH",
    .source = "RFC 9051 6.4.4, RFC 4731, RFC 5182, RFC 5032, RFC 8514",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE,
    .capability = "ESEARCH SEARCHRES WITHIN",
    .parse = parse_search,
    .run = run_search,
};
