/* SEARCH and UID SEARCH, with ESEARCH's MIN, MAX, ALL and COUNT (RFC 4731). Keys over flags, dates and sizes come from the
 * snapshot; headers from the stored metadata; BODY and TEXT from the decoded message, a batch a step. */
#include <glib.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "protocol/imap/search.h"
#include "protocol/mime/render.h"
#include "server/imap/session.h"

#define BATCH 100u
#define BATCH_ROWS 2000u      // when nothing has to be read
#define LOOP_WORK_MAX 20000u  // comparisons that the loop may do itself
#define US_PER_DAY (INT64_C(86400) * US_PER_S)
#define BODY_OCTETS_MAX 33554432 // of a message that BODY and TEXT look into

struct needle { // a search text, case-folded
    const struct search_key *key;
    char *text;
};

struct search_work {
    uint32_t next;     // message number
    uint32_t *hits;    // message numbers
    size_t hit_count, hit_room;
    struct needle *needles;
    size_t needle_count;
    int64_t now_us;
    int64_t highest_modseq;
    struct arena *arena; // of the batch
    struct message_row *messages;
    size_t message_count;
    struct db *db;
    enum err err;
};

struct candidate { // one message, as far as keys needed to know it
    const struct placement *row, *now;
    uint32_t number;
    const struct message_row *message;
    struct mime_meta meta;
    bool has_meta;
    struct buf raw;
    char *body; // folded text
};

static bool uses_saved(const struct search_key *key)
{
    for (; key; key = key->next)
        if (key->set.saved || uses_saved(key->children))
            return true;
    return false;
}

static enum err parse_search(struct slice *in, struct arena *arena, void **args)
{
    struct search_program *p = arena_new(arena, struct search_program, 1);
    *args = p;
    enum err err = scan_sp(in) ? search_parse(in, arena, p) : ERR_SYNTAX;
    // SAVE, "$" and PARTIAL belong to extensions that are not advertised.
    if (!err && ((p->returns & (SEARCH_RETURN_SAVE | SEARCH_RETURN_PARTIAL)) || uses_saved(p->root)))
        err = ERR_SYNTAX;
    return err;
}

static void drop_work(struct imap_session *s)
{
    struct search_work *w = s->work;
    for (size_t i = 0; i < w->needle_count; i++)
        g_free(w->needles[i].text);
    free(w->needles);
    free(w->hits);
    arena_close(&w->arena);
}

/* ---- text ---- */

static char *fold(struct slice utf8)
{
    // Composed and decomposed forms are the same to the reader.
    char *normal = g_utf8_normalize(utf8.at, (gssize)utf8.len, G_NORMALIZE_NFC);
    char *folded = g_utf8_casefold(normal ? normal : "", -1);
    g_free(normal);
    return folded;
}

static void gather_needles(struct search_work *w, const struct search_key *key)
{
    for (; key; key = key->next) {
        if (key->text.at && key->op != SEARCH_KEYWORD) {
            w->needles = mem_realloc(w->needles, (w->needle_count + 1) * sizeof *w->needles);
            w->needles[w->needle_count++] = (struct needle){ key, fold(key->text) };
        }
        gather_needles(w, key->children);
    }
}

/* Sets of thousands of runs are asked about every message: sorted once, each answer takes a few steps. */
static void sort_sets(struct imap_session *s, struct search_key *key)
{
    uint32_t total = snapshot_count(s->view);
    for (; key; key = key->next) {
        struct uidset given = key->set;
        if (key->op == SEARCH_SEQ)
            uidset_normalise(&given, total, s->arena, &key->set);
        else if (key->op == SEARCH_UID)
            uidset_normalise(&given, total ? snapshot_row(s->view, total)->uid : 0, s->arena, &key->set);
        sort_sets(s, key->children);
    }
}

/* RFC 3501 6.4.4: without CHARSET it would be US-ASCII; what is UTF-8 is taken as such, the rest cannot be compared. */
static bool texts_are_utf8(const struct search_key *key)
{
    for (; key; key = key->next)
        if ((key->text.at && !g_utf8_validate(key->text.at, (gssize)key->text.len, NULL)) || !texts_are_utf8(key->children))
            return false;
    return true;
}

static const char *needle_of(const struct search_work *w, const struct search_key *key)
{
    for (size_t i = 0; i < w->needle_count; i++)
        if (w->needles[i].key == key)
            return w->needles[i].text;
    return "";
}

static bool contains(const struct search_work *w, const struct search_key *key, struct slice utf8)
{
    const char *needle = needle_of(w, key);
    if (!*needle)
        return true; // the empty string is everywhere
    char *text = fold(utf8);
    bool found = strstr(text, needle) != NULL;
    g_free(text);
    return found;
}

/* ---- one message ---- */

static int row_by_id(const void *key, const void *element)
{
    const struct message_id *id = key;
    const struct message_row *row = element;
    return (id->n > row->id.n) - (id->n < row->id.n);
}

static bool load_meta(struct search_work *w, struct candidate *c)
{
    if (c->has_meta)
        return true;
    c->message = bsearch(&c->row->message, w->messages, w->message_count, sizeof *w->messages, row_by_id);
    c->has_meta = c->message && !mime_meta_unpack(c->message->meta, c->message->prefix.len, w->arena, &c->meta);
    return c->has_meta;
}

static bool load_raw(struct search_work *w, struct candidate *c)
{
    if (buf_len(&c->raw) || w->err || !load_meta(w, c))
        return buf_len(&c->raw) > 0;
    w->err = message_read(w->db, c->message, 0, BODY_OCTETS_MAX, &c->raw);
    return !w->err && buf_len(&c->raw);
}

static struct slice octets_of(const struct candidate *c, uint64_t at, uint64_t len)
{
    struct slice raw = buf_slice(&c->raw);
    if (at >= raw.len)
        return (struct slice){ "", 0 };
    return slice_make(raw.at + at, len < raw.len - at ? (size_t)len : raw.len - (size_t)at);
}

/* All text parts, decoded. */
static const char *body_text(struct search_work *w, struct candidate *c)
{
    if (c->body || !load_raw(w, c))
        return c->body ? c->body : "";
    struct buf text = { 0 };
    for (size_t i = 0; i < c->meta.part_count; i++) {
        const struct mime_part *part = &c->meta.parts[i];
        struct buf octets = { 0 };
        if (part->is_multipart || !slice_eq(part->type, SLICE_LIT("text")))
            continue;
        mime_decode_part(part, octets_of(c, part->body_at, part->body_len), &octets);
        mime_to_utf8(part->charset, buf_slice(&octets), &text);
        buf_add_byte(&text, '\n');
        buf_free(&octets);
    }
    c->body = fold(buf_slice(&text));
    buf_free(&text);
    return c->body;
}

/* The header's decoded fields that people search, and the raw block. */
static bool header_contains(struct search_work *w, struct candidate *c, const struct search_key *key)
{
    if (!load_meta(w, c))
        return false;
    const struct slice decoded[] = { c->meta.subject, c->meta.from, c->meta.to, c->meta.cc, c->meta.bcc, c->meta.reply_to };
    for (size_t i = 0; i < sizeof decoded / sizeof *decoded; i++)
        if (contains(w, key, decoded[i]))
            return true;
    struct buf text = { 0 };
    bool found = false;
    if (load_raw(w, c)) {
        mime_to_utf8(SLICE_LIT("utf-8"), octets_of(c, 0, c->meta.header_len), &text);
        found = contains(w, key, buf_slice(&text));
    }
    buf_free(&text);
    return found;
}

/* HEADER field text: an empty text asks whether the field is there. */
static bool field_contains(struct search_work *w, struct candidate *c, const struct search_key *key)
{
    if (!load_raw(w, c))
        return false;
    struct slice rest = octets_of(c, 0, c->meta.header_len);
    bool found = false, wanted = false;
    struct buf value = { 0 };
    while (rest.len && !found) {
        size_t newline = slice_find(rest, '\n');
        struct slice line = slice_head(rest, newline == SIZE_MAX ? rest.len : newline + 1);
        rest = slice_tail(rest, line.len);
        bool goes_on = rest.len && (rest.at[0] == ' ' || rest.at[0] == '\t');
        if (line.at[0] != ' ' && line.at[0] != '\t') {
            struct slice tail = line;
            wanted = slice_eq_nocase(slice_trim(slice_cut(&tail, ':')), key->field) && slice_find(line, ':') != SIZE_MAX;
            buf_clear(&value);
            line = tail;
        }
        if (wanted)
            mime_to_utf8(SLICE_LIT("utf-8"), slice_trim(line), &value);
        if (wanted && !goes_on)
            found = contains(w, key, buf_slice(&value));
        else if (wanted)
            buf_add_byte(&value, ' ');
    }
    buf_free(&value);
    return found;
}

static bool has_keyword(struct imap_session *s, const struct candidate *c, const struct search_key *key)
{
    const struct snapshot_facts *facts = snapshot_facts(s->fresh);
    for (size_t i = 0; i < facts->keyword_count; i++)
        if (slice_eq_nocase(slice_of(facts->keywords[i]), key->text))
            return c->now->flags >> (FLAG_KEYWORD_SHIFT + i) & 1;
    return false;
}

static int64_t day_of(int64_t us)
{
    return us >= 0 ? us / US_PER_DAY : -((-us + US_PER_DAY - 1) / US_PER_DAY);
}

/* The Date header's own day, whatever its zone (RFC 3501 6.4.4: disregarding time and timezone). */
static bool sent_day(struct search_work *w, struct candidate *c, int64_t *day)
{
    if (!load_meta(w, c))
        return false;
    int64_t us = c->meta.date_us ? c->meta.date_us + (int64_t)c->meta.date_zone_min * 60 * US_PER_S : c->row->internal_us;
    *day = day_of(us);
    return true;
}

static bool matches_text(struct search_work *w, struct candidate *c, const struct search_key *key)
{
    if (key->op == SEARCH_HEADER)
        return field_contains(w, c, key);
    if (!load_meta(w, c))
        return false;
    switch (key->op) {
    case SEARCH_FROM:
        return contains(w, key, c->meta.from);
    case SEARCH_TO:
        return contains(w, key, c->meta.to);
    case SEARCH_CC:
        return contains(w, key, c->meta.cc);
    case SEARCH_BCC:
        return contains(w, key, c->meta.bcc);
    case SEARCH_SUBJECT:
        return contains(w, key, c->meta.subject);
    case SEARCH_BODY:
        return strstr(body_text(w, c), needle_of(w, key)) != NULL;
    default:
        return header_contains(w, c, key) || strstr(body_text(w, c), needle_of(w, key)) != NULL;
    }
}

static bool matches_date(struct search_work *w, struct candidate *c, const struct search_key *key)
{
    int64_t wanted = (int64_t)key->number, day = day_of(c->row->internal_us);
    switch (key->op) {
    case SEARCH_BEFORE:
        return day < wanted;
    case SEARCH_ON:
        return day == wanted;
    case SEARCH_SINCE:
        return day >= wanted;
    case SEARCH_SENTBEFORE:
        return sent_day(w, c, &day) && day < wanted;
    case SEARCH_SENTON:
        return sent_day(w, c, &day) && day == wanted;
    case SEARCH_SENTSINCE:
        return sent_day(w, c, &day) && day >= wanted;
    case SEARCH_OLDER:
        return c->row->internal_us <= w->now_us - wanted * US_PER_S;
    default:
        return c->row->internal_us > w->now_us - wanted * US_PER_S;
    }
}

static bool matches(struct imap_session *s, struct candidate *c, const struct search_key *key)
{
    struct search_work *w = s->work;
    switch (key->op) {
    case SEARCH_ALL:
        return true;
    case SEARCH_AND:
        for (const struct search_key *child = key->children; child; child = child->next)
            if (!matches(s, c, child))
                return false;
        return true;
    case SEARCH_OR:
        return matches(s, c, key->children) || matches(s, c, key->children->next);
    case SEARCH_NOT:
        return !matches(s, c, key->children);
    case SEARCH_SEQ:
        return uidset_has_sorted(&key->set, c->number);
    case SEARCH_UID:
        return uidset_has_sorted(&key->set, c->row->uid);
    case SEARCH_FLAG:
        return c->now->flags & key->number;
    case SEARCH_KEYWORD:
        return has_keyword(s, c, key);
    case SEARCH_RECENT:
        return c->row->uid >= s->first_recent;
    case SEARCH_LARGER:
        return c->row->size > key->number;
    case SEARCH_SMALLER:
        return c->row->size < key->number;
    case SEARCH_MODSEQ:
        return c->now->modseq >= (int64_t)key->number;
    case SEARCH_HEADER:
    case SEARCH_FROM:
    case SEARCH_TO:
    case SEARCH_CC:
    case SEARCH_BCC:
    case SEARCH_SUBJECT:
    case SEARCH_BODY:
    case SEARCH_TEXT:
        return matches_text(w, c, key);
    case SEARCH_SAVEDBEFORE: // no save date is told: none is known (RFC 8514 4.3)
    case SEARCH_SAVEDON:
    case SEARCH_SAVEDSINCE:
    case SEARCH_EMAILID:
    case SEARCH_THREADID:
        return false;
    default:
        return matches_date(w, c, key);
    }
}

/* ---- all of them ---- */

static void hit(struct search_work *w, const struct candidate *c)
{
    if (w->hit_count == w->hit_room) {
        w->hit_room = w->hit_room ? w->hit_room * 2 : 64;
        w->hits = mem_realloc(w->hits, w->hit_room * sizeof *w->hits);
    }
    w->hits[w->hit_count++] = c->number;
    if (c->now->modseq > w->highest_modseq)
        w->highest_modseq = c->now->modseq;
}

static int by_id(const void *a, const void *b)
{
    const struct message_id *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

static enum err load_batch(struct imap_session *s, uint32_t count)
{
    struct search_work *w = s->work;
    struct message_id *ids = arena_new(w->arena, struct message_id, count);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = snapshot_row(s->view, w->next + i)->message;
    qsort(ids, count, sizeof *ids, by_id);
    return message_get(w->db, w->arena, s->account, ids, count, &w->messages, &w->message_count);
}

static enum err search_batch(struct imap_session *s, const struct search_program *p, uint32_t count)
{
    struct search_work *w = s->work;
    arena_reset(w->arena);
    enum err err = p->needs_message || p->needs_octets ? load_batch(s, count) : ERR_OK;
    for (uint32_t i = 0; i < count && !err; i++, w->next++) {
        struct candidate c = { .row = snapshot_row(s->view, w->next), .number = w->next };
        c.now = snapshot_find(s->fresh, c.row->uid);
        if (!c.now)
            c.now = c.row;
        if (matches(s, &c, p->root))
            hit(w, &c);
        buf_free(&c.raw);
        g_free(c.body);
        err = w->err;
    }
    return err;
}

static void write_old(struct imap_session *s, const struct search_program *p)
{
    struct search_work *w = s->work;
    buf_add_text(&s->out, "* SEARCH");
    for (size_t i = 0; i < w->hit_count; i++) {
        buf_add_byte(&s->out, ' ');
        buf_add_u64(&s->out, w->hits[i]);
    }
    if (p->uses_modseq && w->hit_count)
        imap_write(s, " (MODSEQ %lld)", (long long)w->highest_modseq);
    buf_add_text(&s->out, "\r\n");
}

static void write_esearch(struct imap_session *s, const struct search_program *p)
{
    struct search_work *w = s->work;
    imap_write(s, "* ESEARCH (TAG \"%s\")%s", s->tag, s->uid ? " UID" : "");
    if ((p->returns & SEARCH_RETURN_MIN) && w->hit_count)
        imap_write(s, " MIN %u", w->hits[0]);
    if ((p->returns & SEARCH_RETURN_MAX) && w->hit_count)
        imap_write(s, " MAX %u", w->hits[w->hit_count - 1]);
    if ((p->returns & SEARCH_RETURN_ALL) && w->hit_count) {
        buf_add_text(&s->out, " ALL ");
        uidset_write(w->hits, w->hit_count, &s->out);
    }
    if (p->returns & SEARCH_RETURN_COUNT)
        imap_write(s, " COUNT %zu", w->hit_count);
    if (p->uses_modseq && w->hit_count)
        imap_write(s, " MODSEQ %lld", (long long)w->highest_modseq);
    buf_add_text(&s->out, "\r\n");
}

/* Comparisons that one message may cost: a key may be a set of thousands of runs. */
static uint64_t work_of(const struct search_key *key)
{
    uint64_t work = 0;
    for (; key; key = key->next)
        work += 1 + key->set.count + work_of(key->children);
    return work;
}

/* Whether the criteria hold message numbers: then no EXPUNGE may come before the reply (RFC 3501 7.4.1). */
static bool uses_numbers(const struct search_key *key)
{
    for (; key; key = key->next)
        if (key->op == SEARCH_SEQ || uses_numbers(key->children))
            return true;
    return false;
}

/* With MIN and MAX alone, the modseq of what they name (RFC 7162 3.1.10). */
static int64_t modseq_told(struct imap_session *s, const struct search_program *p)
{
    const struct search_work *w = s->work;
    if (!p->has_return || w->hit_count == 0 || (p->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT)))
        return w->highest_modseq;
    const uint32_t ends[] = { w->hits[p->returns & SEARCH_RETURN_MIN ? 0 : w->hit_count - 1],
                              w->hits[p->returns & SEARCH_RETURN_MAX ? w->hit_count - 1 : 0] };
    int64_t highest = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct placement *row = snapshot_row(s->view, ends[i]), *now = snapshot_find(s->fresh, row->uid);
        int64_t modseq = now ? now->modseq : row->modseq;
        highest = modseq > highest ? modseq : highest;
    }
    return highest;
}

static enum imap_result finish(struct imap_session *s, const struct search_program *p)
{
    struct search_work *w = s->work;
    w->highest_modseq = modseq_told(s, p);
    if (s->uid)
        for (size_t i = 0; i < w->hit_count; i++)
            w->hits[i] = snapshot_row(s->view, w->hits[i])->uid;
    if (p->has_return)
        write_esearch(s, p);
    else
        write_old(s, p);
    s->held_back = uses_numbers(p->root);
    return imap_reply(s, "OK SEARCH completed");
}

static enum imap_result run_search(struct imap_session *s, struct worker *worker)
{
    struct search_program *p = s->args;
    struct search_work *w = s->work;
    uint32_t total = snapshot_count(s->view);
    if (!w) {
        if (p->charset.len && !slice_eq_nocase(p->charset, SLICE_LIT("UTF-8")) &&
            !slice_eq_nocase(p->charset, SLICE_LIT("US-ASCII")))
            return imap_reply(s, "NO [BADCHARSET (US-ASCII UTF-8)] this charset is not known");
        if (!texts_are_utf8(p->root))
            return imap_reply(s, "BAD the text is not UTF-8");
        if (!worker && (p->needs_message || p->needs_octets || total * work_of(p->root) > LOOP_WORK_MAX))
            return IMAP_NEED_WORKER;
        if (imap_refresh(s, worker) == IMAP_NEED_WORKER)
            return IMAP_NEED_WORKER;
        if (p->uses_modseq)
            imap_enable_condstore(s);
        w = s->work = arena_new(s->arena, struct search_work, 1);
        s->drop_work = drop_work;
        w->arena = arena_open();
        w->next = 1;
        w->now_us = clock_wall_us();
        gather_needles(w, p->root);
        sort_sets(s, p->root);
    }
    if (worker && !(w->db = imap_db(s, worker)))
        return IMAP_DONE;
    uint32_t batch = p->needs_message || p->needs_octets ? BATCH : BATCH_ROWS;
    if (w->next > total)
        return finish(s, p);
    enum err err = search_batch(s, p, total + 1 - w->next < batch ? total + 1 - w->next : batch);
    if (err)
        return imap_reply_err(s, err, "SEARCH");
    return w->next > total ? finish(s, p) : IMAP_WAIT; // others have their turn between batches
}

extern const struct imap_command imap_search;
const struct imap_command imap_search = {
    .name = "SEARCH",
    .source = "RFC 3501 6.4.4, RFC 4731",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE,
    .capability = "ESEARCH",
    .parse = parse_search,
    .run = run_search,
};
