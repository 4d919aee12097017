#include "protocol/mime/searchable.h"

#include <glib.h>

#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

#define US_PER_MINUTE INT64_C(60000000)
#define US_PER_DAY (INT64_C(1440) * US_PER_MINUTE)

/* ---- folding ---- */

/* "\xc4\xb1" is the dotless i. */
static void add_dotted(struct slice utf8, struct buf *out)
{
    for (size_t at; (at = slice_find_slice(utf8, SLICE_LIT("\xc4\xb1"))) != SIZE_MAX; utf8 = slice_tail(utf8, at + 2)) {
        buf_add(out, slice_head(utf8, at));
        buf_add_byte(out, 'i');
    }
    buf_add(out, utf8);
}

/* A run without ASCII: those characters neither combine with nor move over others. */
static void fold_run(struct slice run, struct buf *out)
{
    char *apart = g_utf8_normalize(run.at, (gssize)run.len, G_NORMALIZE_ALL);
    if (!apart)
        return; // no UTF-8, which the caller promised
    char *folded = g_utf8_casefold(apart, -1);
    char *again = g_utf8_normalize(folded, -1, G_NORMALIZE_ALL); // folding may have made what comes apart
    add_dotted(slice_of(again), out);
    g_free(apart);
    g_free(folded);
    g_free(again);
}

/* ASCII from the front in lower case, eight octets at a time; returns how many. */
static size_t lower_run(struct slice s, char *to)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t n = 0;
    for (uint64_t word; n + 8 <= s.len; n += 8) {
        memcpy(&word, s.at + n, 8);
        if (word & high)
            break;
        uint64_t capitals = ((word + ones * (0x80 - 'A')) ^ (word + ones * (0x7f - 'Z'))) & high;
        word |= capitals >> 2;
        memcpy(to + n, &word, 8);
    }
    for (; n < s.len && !((unsigned char)s.at[n] & 0x80); n++)
        to[n] = (char)(s.at[n] >= 'A' && s.at[n] <= 'Z' ? s.at[n] | 0x20 : s.at[n]);
    return n;
}

void mime_fold(struct slice s, struct buf *out)
{
    while (s.len) {
        size_t n = lower_run(s, buf_reserve(out, s.len));
        buf_commit(out, n);
        s = slice_tail(s, n);
        for (n = 0; n < s.len && (unsigned char)s.at[n] & 0x80;)
            n++;
        if (n)
            fold_run(slice_head(s, n), out);
        s = slice_tail(s, n);
    }
}

static struct slice take_buf(struct buf *buf, struct arena *arena)
{
    struct slice copy = arena_copy(arena, buf_slice(buf));
    buf_free(buf);
    return copy;
}

struct slice mime_folded(struct slice utf8, struct arena *arena)
{
    struct buf clean = { 0 }, folded = { 0 };
    mime_clean_utf8(utf8, false, &clean);
    mime_fold(buf_slice(&clean), &folded);
    buf_free(&clean);
    return take_buf(&folded, arena);
}

/* ---- header fields ---- */

struct maker {
    const struct mime_meta *meta;
    const struct mime_source *source;
    struct arena *arena;
    struct buf lines[MIME_LINES], header, body;
};

/* The field as it is written counts, too: quotes and comments, which the list of addresses leaves out. */
static void add_written(struct maker *m, struct slice name, struct slice folded_value)
{
    static const char *const names[MIME_LINES] = { "from", "to", "cc", "bcc", "subject" };
    for (size_t i = 0; i < MIME_LINES; i++) {
        if (!slice_eq_nocase(name, slice_of(names[i])) ||
            slice_find_slice(buf_slice(&m->lines[i]), folded_value) != SIZE_MAX)
            continue;
        if (buf_len(&m->lines[i]))
            buf_add_byte(&m->lines[i], '\n');
        buf_add(&m->lines[i], folded_value);
    }
}

static void add_fields(struct maker *m, struct slice header, bool own)
{
    struct slice name, value, line;
    while (mime_field_next(&header, &name, &value, &line) && buf_len(&m->header) < SEARCHABLE_HEADER_MAX) {
        name = slice_trim(name);
        mime_fold(mime_decode_text(name, m->arena), &m->header);
        buf_add_text(&m->header, ": ");
        size_t at = buf_len(&m->header);
        mime_fold(mime_decode_text(mime_unfold(value, m->arena), m->arena), &m->header);
        if (own)
            add_written(m, name, slice_tail(buf_slice(&m->header), at));
        buf_add_byte(&m->header, '\n');
    }
}

static enum err add_own_fields(struct maker *m)
{
    const struct mime_meta *meta = m->meta;
    const struct slice lists[MIME_LINES] = { meta->from, meta->to, meta->cc, meta->bcc, meta->subject };
    struct slice header;
    enum err err = m->source->read(m->source->ctx, 0, meta->header_len < MIME_HEADER_MAX ? meta->header_len : MIME_HEADER_MAX,
                                   &header);
    for (size_t i = 0; i < MIME_LINES; i++)
        mime_fold(lists[i], &m->lines[i]);
    if (!err)
        add_fields(m, header, true);
    return err;
}

/* ---- parts ---- */

static bool is_html(const struct mime_part *part)
{
    return slice_eq(part->subtype, SLICE_LIT("html")) || slice_eq(part->subtype, SLICE_LIT("xhtml+xml"));
}

static void add_text(struct maker *m, const struct mime_part *part, struct slice octets)
{
    struct buf decoded = { 0 }, utf8 = { 0 }, text = { 0 };
    mime_decode_part(part, octets, &decoded);
    mime_to_utf8(part->charset, buf_slice(&decoded), &utf8);
    if (is_html(part))
        mime_html_to_text(buf_slice(&utf8), &text);
    else
        buf_move(&text, &utf8);
    size_t room = SEARCHABLE_TEXT_MAX - buf_len(&m->body);
    mime_fold(mime_cut_utf8(buf_slice(&text), room), &m->body);
    if (buf_len(&m->body) > SEARCHABLE_TEXT_MAX) // folding may lengthen
        buf_truncate(&m->body, mime_cut_utf8(buf_slice(&m->body), SEARCHABLE_TEXT_MAX - 1).len);
    buf_add_byte(&m->body, '\n');
    buf_free(&decoded);
    buf_free(&utf8);
    buf_free(&text);
}

static enum err add_part(struct maker *m, size_t index)
{
    const struct mime_part *part = &m->meta->parts[index];
    struct slice octets;
    enum err err = ERR_OK;
    if (index && part->header_len) {
        err = m->source->read(m->source->ctx, part->header_at,
                              part->header_len < MIME_HEADER_MAX ? part->header_len : MIME_HEADER_MAX, &octets);
        if (err)
            return err;
        add_fields(m, octets, false);
    }
    if (part->filename.len && buf_len(&m->header) < SEARCHABLE_HEADER_MAX) {
        buf_add_text(&m->header, "filename: ");
        mime_fold(part->filename, &m->header);
        buf_add_byte(&m->header, '\n');
    }
    if (part->is_multipart || !slice_eq(part->type, SLICE_LIT("text")) || !part->body_len ||
        buf_len(&m->body) >= SEARCHABLE_TEXT_MAX)
        return ERR_OK;
    err = m->source->read(m->source->ctx, part->body_at,
                          part->body_len < SEARCHABLE_TEXT_MAX ? part->body_len : SEARCHABLE_TEXT_MAX, &octets);
    if (!err)
        add_text(m, part, octets);
    return err;
}

static void find_sent_day(const struct mime_meta *meta, struct mime_searchable *out)
{
    int64_t us = meta->date_us + meta->date_zone_min * US_PER_MINUTE, day = us / US_PER_DAY;
    out->has_sent_day = meta->date_us != 0;
    out->sent_day = (int32_t)(us % US_PER_DAY < 0 ? day - 1 : day);
}

enum err mime_searchable_read(const struct mime_meta *meta, const struct mime_source *source, bool whole,
                              struct arena *arena, struct mime_searchable *out)
{
    struct maker m = { .meta = meta, .source = source, .arena = arena };
    *out = (struct mime_searchable){ 0 };
    enum err err = add_own_fields(&m);
    out->own_len = buf_len(&m.header);
    for (size_t i = 0; whole && i < meta->part_count && !err; i++)
        err = add_part(&m, i);
    find_sent_day(meta, out);
    for (size_t i = 0; i < MIME_LINES; i++)
        out->lines[i] = take_buf(&m.lines[i], arena);
    out->header = take_buf(&m.header, arena);
    out->body = take_buf(&m.body, arena);
    return err;
}

/* ---- sorting ---- */

/* A name in quotes, without them; addresses begin behind the first one. */
static struct slice unquoted(struct slice addresses, struct arena *arena)
{
    char *name = arena_alloc(arena, addresses.len + 1);
    size_t len = 0;
    for (size_t i = 1; i < addresses.len && addresses.at[i] != '"'; i++) {
        if (addresses.at[i] == '\\' && i + 1 < addresses.len)
            i++;
        name[len++] = addresses.at[i];
    }
    return slice_make(name, len);
}

struct slice mime_sort_display(struct slice addresses, struct arena *arena)
{
    if (addresses.len && addresses.at[0] == '"')
        return mime_folded(unquoted(addresses, arena), arena);
    size_t comma = slice_find_slice(addresses, SLICE_LIT(", ")), angle = slice_find_slice(addresses, SLICE_LIT(" <"));
    size_t end = comma < angle ? comma : angle; // SIZE_MAX: all of it
    return mime_folded(slice_trim(end == SIZE_MAX ? addresses : slice_head(addresses, end)), arena);
}
