/* ESEARCH answers, and the saved result "$". */
#include <stdlib.h>

#include "base/mem.h"
#include "server/imap/search_run.h"

static bool has(const struct search_program *p, unsigned bit)
{
    return p->returns & bit;
}

/* ---- PARTIAL ---- */

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* In the order given; runs that rise by one become ranges. uidset_write does that for any order. */
static void write_numbers(struct imap_session *s, const uint32_t *numbers, size_t count)
{
    uidset_write(numbers, count, &s->out);
}

static void write_partial(struct imap_session *s, const struct search_program *p, const struct esearch_result *r)
{
    struct slab slab = partial_slab(p->partial, r->count);
    imap_write(s, " PARTIAL (%lld:%lld ", (long long)p->partial.first, (long long)p->partial.last);
    if (slab.from == slab.to)
        buf_add_text(&s->out, "NIL");
    else
        write_numbers(s, r->numbers + slab.from, slab.to - slab.from);
    buf_add_byte(&s->out, ')');
}

/* ---- MODSEQ ---- */

static int64_t modseq_of(const struct imap_session *s, const struct esearch_result *r, size_t from, size_t to)
{
    int64_t highest = 0;
    for (size_t i = from; i < to; i++) {
        int64_t modseq = imap_search_row(s, r->message_numbers[i])->modseq;
        highest = modseq > highest ? modseq : highest;
    }
    return highest;
}

/* Of the messages that the answer names; with ALL or COUNT of all that were found (RFC 7162 3.1.10). */
static int64_t modseq_told(const struct imap_session *s, const struct search_program *p, const struct esearch_result *r)
{
    bool ends = has(p, SEARCH_RETURN_MIN) || has(p, SEARCH_RETURN_MAX) || has(p, SEARCH_RETURN_PARTIAL);
    if (!ends || has(p, SEARCH_RETURN_ALL) || has(p, SEARCH_RETURN_COUNT))
        return modseq_of(s, r, 0, r->count);
    int64_t min = has(p, SEARCH_RETURN_MIN) ? modseq_of(s, r, 0, 1) : 0;
    int64_t max = has(p, SEARCH_RETURN_MAX) ? modseq_of(s, r, r->count - 1, r->count) : 0;
    struct slab slab = has(p, SEARCH_RETURN_PARTIAL) ? partial_slab(p->partial, r->count) : (struct slab){ 0, 0 };
    int64_t partial = modseq_of(s, r, slab.from, slab.to);
    int64_t ends_high = min > max ? min : max;
    return ends_high > partial ? ends_high : partial;
}

/* ---- SAVE ---- */

void imap_search_unsave(struct imap_session *s)
{
    free(s->saved);
    s->saved = NULL;
    s->saved_count = 0;
}

/* Message numbers to ranges of uids; neighbours in the view become one. */
static void save_numbers(struct imap_session *s, uint32_t *numbers, size_t count)
{
    imap_search_unsave(s);
    qsort(numbers, count, sizeof *numbers, by_number);
    s->saved = count ? mem_alloc(count * sizeof *s->saved) : NULL;
    for (size_t i = 0; i < count; i++) {
        uint32_t uid = snapshot_row(s->view, numbers[i])->uid;
        if (i && numbers[i] == numbers[i - 1])
            continue;
        if (i && numbers[i] == numbers[i - 1] + 1)
            s->saved[s->saved_count - 1].last = uid;
        else
            s->saved[s->saved_count++] = (struct uid_range){ uid, uid };
    }
}

/* Which of the found ones are saved: RFC 5182 2.4, RFC 9394 3.2. */
static void save(struct imap_session *s, const struct search_program *p, const struct esearch_result *r)
{
    bool some = !has(p, SEARCH_RETURN_ALL) && !has(p, SEARCH_RETURN_COUNT) &&
                (has(p, SEARCH_RETURN_MIN) || has(p, SEARCH_RETURN_MAX) || has(p, SEARCH_RETURN_PARTIAL));
    uint32_t *kept = arena_new(s->arena, uint32_t, r->count + 3);
    size_t count = 0;
    struct slab slab = { 0, r->count };
    if (some)
        slab = has(p, SEARCH_RETURN_PARTIAL) ? partial_slab(p->partial, r->count) : (struct slab){ 0, 0 };
    for (size_t i = slab.from; i < slab.to; i++)
        kept[count++] = r->message_numbers[i];
    if (some && r->count && has(p, SEARCH_RETURN_MIN))
        kept[count++] = r->message_numbers[0];
    if (some && r->count && has(p, SEARCH_RETURN_MAX))
        kept[count++] = r->message_numbers[r->count - 1];
    save_numbers(s, kept, count);
}

/* ---- the answer ---- */

static void write_tag(struct imap_session *s)
{
    buf_add_byte(&s->out, '"');
    for (const char *at = s->tag; *at; at++) {
        if (*at == '"' || *at == '\\')
            buf_add_byte(&s->out, '\\');
        buf_add_byte(&s->out, *at);
    }
    buf_add_byte(&s->out, '"');
}

void imap_write_esearch(struct imap_session *s, const struct search_program *p, const struct esearch_result *r)
{
    unsigned returns = p->has_return ? p->returns : SEARCH_RETURN_ALL; // IMAP4rev2 without RETURN
    if (returns & SEARCH_RETURN_SAVE)
        save(s, p, r);
    if (returns == SEARCH_RETURN_SAVE)
        return;
    buf_add_text(&s->out, "* ESEARCH (TAG ");
    write_tag(s);
    buf_add_text(&s->out, s->uid ? ") UID" : ")");
    if ((returns & SEARCH_RETURN_MIN) && r->count)
        imap_write(s, " MIN %u", r->numbers[0]);
    if ((returns & SEARCH_RETURN_MAX) && r->count)
        imap_write(s, " MAX %u", r->numbers[r->count - 1]);
    if ((returns & SEARCH_RETURN_ALL) && r->count) {
        buf_add_text(&s->out, " ALL ");
        write_numbers(s, r->numbers, r->count);
    }
    if (returns & SEARCH_RETURN_PARTIAL)
        write_partial(s, p, r);
    if (returns & SEARCH_RETURN_COUNT)
        imap_write(s, " COUNT %zu", r->count);
    if (p->uses_modseq && r->count)
        imap_write(s, " MODSEQ %lld", (long long)modseq_told(s, p, r));
    buf_add_text(&s->out, "\r\n");
}
