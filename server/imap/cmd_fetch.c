/* FETCH and UID FETCH: in steps. The position is a message number, an item and, inside a long literal, an offset; between
 * steps nothing is held in the store. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocol/imap/fetch.h"
#include "protocol/imap/objectid.h"
#include "protocol/imap/write.h"
#include "protocol/mime/meta.h"
#include "server/imap/fetch_binary.h"
#include "server/imap/fetch_section.h"
#include "server/imap/vanished.h"

#define BATCH 100u            // messages whose metadata is read at once
#define LOOP_ROWS_MAX 500u    // answered on the loop, from memory
#define PIECE_BYTES 262144    // of a body, read at once

struct fetch_args {
    struct uidset set;
    struct fetch_program program;
};

struct fetch_work {
    struct uid_range *ranges;
    size_t count, at;  // ranges, and the one in work
    uint32_t next_uid; // in ranges[at]
    /* the batch */
    struct arena *arena;
    const struct placement **rows;
    uint32_t row_count, row;
    struct message_row *messages;
    size_t message_count;
    int64_t *save_dates; // of rows, when asked for
    uint32_t *made_seen; // uids that this batch gave \Seen, ascending
    size_t made_seen_count;
    /* the message in work */
    bool opened;       // "* n FETCH (" is written
    size_t item;
    struct mime_meta meta;
    bool unknown_cte; // unknown_cte: BINARY of a part that nobody can decode (RFC 3516 4.3)
    const struct message_row *message;
    struct binary_read binary;
    int64_t literal_at, literal_left; // octets of a literal still to write
};

static enum err parse_fetch(struct slice *in, struct arena *arena, void **args)
{
    struct fetch_args *a = arena_new(arena, struct fetch_args, 1);
    *args = a;
    enum err err = scan_sp(in) ? uidset_parse(in, arena, &a->set) : ERR_SYNTAX;
    if (!err && !scan_sp(in))
        err = ERR_SYNTAX;
    if (!err)
        err = fetch_parse(in, arena, &a->program);
    return err;
}

static void drop_work(struct imap_session *s)
{
    struct fetch_work *w = s->work;
    binary_drop(&w->binary);
    arena_close(&w->arena);
}

static const struct placement *newest(struct imap_session *s, const struct placement *row)
{
    const struct placement *now = snapshot_find(s->fresh, row->uid);
    return now ? now : row; // expunged elsewhere: the store still has it
}

/* Collects the next messages of the ranges; false when there are none. */
static bool next_batch(struct imap_session *s, struct fetch_work *w)
{
    const struct fetch_args *a = s->args;
    uint32_t total = snapshot_count(s->view);
    arena_reset(w->arena);
    w->rows = arena_new(w->arena, const struct placement *, BATCH);
    w->row_count = w->row = 0;
    w->messages = NULL;
    w->message_count = w->made_seen_count = 0;
    for (; w->at < w->count && w->row_count < BATCH; w->at++, w->next_uid = 0) {
        const struct uid_range *range = &w->ranges[w->at];
        uint32_t n = snapshot_first_from(s->view, w->next_uid > range->first ? w->next_uid : range->first);
        for (; n <= total && w->row_count < BATCH; n++) {
            const struct placement *row = snapshot_row(s->view, n);
            if (row->uid > range->last)
                break;
            w->next_uid = row->uid + 1;
            if (!a->program.has_changed_since || newest(s, row)->modseq > (int64_t)a->program.changed_since)
                w->rows[w->row_count++] = row;
        }
        if (w->row_count == BATCH && n <= total && snapshot_row(s->view, n)->uid <= range->last)
            break; // the range goes on in the next batch
    }
    return w->row_count > 0;
}

static int by_id(const void *a, const void *b)
{
    const struct message_id *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

static int row_by_id(const void *key, const void *element)
{
    const struct message_id *id = key;
    const struct message_row *row = element;
    return (id->n > row->id.n) - (id->n < row->id.n);
}

static enum err load_messages(struct imap_session *s, struct fetch_work *w, struct db *db)
{
    struct message_id *ids = arena_new(w->arena, struct message_id, w->row_count);
    for (uint32_t i = 0; i < w->row_count; i++)
        ids[i] = w->rows[i]->message;
    qsort(ids, w->row_count, sizeof *ids, by_id);
    return message_get(db, w->arena, s->account, ids, w->row_count, &w->messages, &w->message_count);
}

/* Reading a body sets \Seen (RFC 3501 6.4.5), for the whole batch at once. */
static enum err make_seen(struct imap_session *s, struct fetch_work *w, struct worker *worker, struct db *db)
{
    struct uid_range *unseen = arena_new(w->arena, struct uid_range, w->row_count);
    size_t count = 0;
    for (uint32_t i = 0; i < w->row_count; i++)
        if (!(newest(s, w->rows[i])->flags & FLAG_SEEN))
            unseen[count++] = (struct uid_range){ w->rows[i]->uid, w->rows[i]->uid };
    if (count == 0)
        return ERR_OK;
    struct flags_change change = { .mode = FLAGS_ADD, .flags = FLAG_SEEN, .unchanged_since = -1 };
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    struct flags_result *results;
    enum err err = message_store_flags(db, w->arena, s->account, s->mailbox, unseen, count, &change, &by, &results,
                                       &count, &changes);
    imap_publish(s, &changes);
    if (err)
        return err;
    w->made_seen = arena_new(w->arena, uint32_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        w->made_seen[w->made_seen_count++] = results[i].uid;
        imap_own(s, results[i].modseq, results[i].modseq);
    }
    imap_refresh(s, worker);
    imap_tell_keywords(s);
    return ERR_OK;
}

static bool was_made_seen(const struct fetch_work *w, uint32_t uid)
{
    for (size_t i = 0; i < w->made_seen_count; i++)
        if (w->made_seen[i] == uid)
            return true;
    return false;
}

static bool wants(const struct fetch_program *p, enum fetch_kind kind)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].kind == kind)
            return true;
    return false;
}

/* The items that stand in the snapshot. */
static bool write_simple(struct imap_session *s, const struct fetch_item *item, const struct placement *row)
{
    switch (item->kind) {
    case FETCH_UID:
        imap_write(s, "UID %u", row->uid);
        return true;
    case FETCH_FLAGS:
        buf_add_text(&s->out, "FLAGS ");
        imap_write_flags(s, &s->out, row);
        return true;
    case FETCH_INTERNALDATE:
        buf_add_text(&s->out, "INTERNALDATE ");
        write_date_time(&s->out, row->internal_us);
        return true;
    case FETCH_RFC822_SIZE:
        imap_write(s, "RFC822.SIZE %u", row->size);
        return true;
    case FETCH_MODSEQ:
        imap_write(s, "MODSEQ (%lld)", (long long)row->modseq);
        return true;
    case FETCH_EMAILID:
        buf_add_text(&s->out, "EMAILID (");
        objectid_write_email(row->message.n, &s->out);
        buf_add_byte(&s->out, ')');
        return true;
    default:
        return false;
    }
}

/* The items of a few octets that the store has beside the snapshot. */
static bool write_described(struct imap_session *s, struct fetch_work *w, const struct fetch_item *item)
{
    switch (item->kind) {
    case FETCH_SAVEDATE:
        buf_add_text(&s->out, "SAVEDATE ");
        if (w->save_dates[w->row])
            write_date_time(&s->out, w->save_dates[w->row]);
        else
            buf_add_text(&s->out, "NIL");
        return true;
    case FETCH_THREADID:
        buf_add_text(&s->out, "THREADID (");
        objectid_write_thread(w->message->thread, &s->out);
        buf_add_byte(&s->out, ')');
        return true;
    case FETCH_PREVIEW: // made at the delivery: LAZY costs nothing
        buf_add_text(&s->out, "PREVIEW ");
        write_string(&s->out, w->meta.preview);
        return true;
    default:
        return false;
    }
}

static void write_structure(struct imap_session *s, struct fetch_work *w, const struct fetch_item *item)
{
    static const struct {
        enum fetch_kind kind;
        const char *name;
        size_t offset;
    } rows[] = { { FETCH_ENVELOPE, "ENVELOPE ", offsetof(struct mime_meta, envelope) },
                 { FETCH_BODY, "BODY ", offsetof(struct mime_meta, body) },
                 { FETCH_BODYSTRUCTURE, "BODYSTRUCTURE ", offsetof(struct mime_meta, bodystructure) } };
    for (size_t i = 0; i < 3; i++)
        if (rows[i].kind == item->kind) {
            buf_add_text(&s->out, rows[i].name);
            buf_add(&s->out, *(const struct slice *)((const char *)&w->meta + rows[i].offset));
        }
}

/* Begins BINARY, or tells BINARY.SIZE. */
static enum err begin_binary(struct imap_session *s, struct fetch_work *w, struct db *db, const struct fetch_item *item)
{
    int64_t at, len;
    uint8_t encoding;
    uint64_t size;
    bool has_nul;
    buf_add(&s->out, item->label);
    buf_add_byte(&s->out, ' ');
    if (binary_find(&w->meta, item, &at, &len, &encoding) == BINARY_NONE) {
        buf_add_text(&s->out, item->kind == FETCH_BINARY_SIZE ? "0" : "NIL");
        return ERR_OK;
    }
    enum err err = binary_measure(db, w->message, at, len, encoding, &size, &has_nul);
    if (err)
        return err;
    if (item->kind == FETCH_BINARY_SIZE) {
        buf_add_u64(&s->out, size);
        return ERR_OK;
    }
    uint64_t skip = item->partial ? item->partial_at : 0, want = skip < size ? size - skip : 0;
    if (item->partial && item->partial_len < want)
        want = item->partial_len;
    if (has_nul)
        buf_add_byte(&s->out, '~');
    write_literal_head(&s->out, want);
    binary_drop(&w->binary);
    binary_begin(&w->binary, at, len, encoding, skip, want);
    return ERR_OK;
}

static bool is_binary(const struct fetch_item *item)
{
    return item->kind == FETCH_BINARY || item->kind == FETCH_BINARY_SIZE;
}

static bool asks_undecodable(const struct fetch_program *p, const struct mime_meta *meta)
{
    int64_t at, len;
    uint8_t encoding;
    for (size_t i = 0; i < p->count; i++)
        if (is_binary(&p->items[i]) && binary_find(meta, &p->items[i], &at, &len, &encoding) == BINARY_UNKNOWN)
            return true;
    return false;
}

/* Begins an item of octets: writes its label and literal head, and sets what of the message follows. */
static enum err begin_octets(struct imap_session *s, struct fetch_work *w, struct db *db, const struct fetch_item *item)
{
    static const struct fetch_item whole = { .kind = FETCH_SECTION, .label = { "RFC822", 6 } },
                                   header = { .kind = FETCH_SECTION, .text = FETCH_TEXT_HEADER, .label = { "RFC822.HEADER", 13 } },
                                   text = { .kind = FETCH_SECTION, .text = FETCH_TEXT_TEXT, .label = { "RFC822.TEXT", 11 } };
    item = item->kind == FETCH_RFC822          ? &whole
           : item->kind == FETCH_RFC822_HEADER ? &header
           : item->kind == FETCH_RFC822_TEXT   ? &text
                                               : item;
    struct section_extent extent = section_find(&w->meta, item);
    buf_add(&s->out, item->label);
    buf_add_byte(&s->out, ' ');
    if (!extent.found) {
        buf_add_text(&s->out, "NIL");
        return ERR_OK;
    }
    if (item->text == FETCH_TEXT_FIELDS || item->text == FETCH_TEXT_FIELDS_NOT) {
        struct buf block = { 0 }, fields = { 0 };
        enum err err = message_read(db, w->message, extent.at, extent.len, &block);
        if (!err) {
            section_filter(buf_slice(&block), item, &fields);
            struct slice part = section_partial(buf_slice(&fields), item);
            write_literal_head(&s->out, part.len);
            buf_add(&s->out, part);
        }
        buf_free(&block);
        buf_free(&fields);
        return err;
    }
    section_cut(&extent, item);
    write_literal_head(&s->out, (uint64_t)extent.len);
    w->literal_at = extent.at;
    w->literal_left = extent.len;
    return ERR_OK;
}

/* Writes on in the literal; what the store no longer has is filled up, since its length is promised. */
static enum err write_literal(struct imap_session *s, struct fetch_work *w, struct db *db)
{
    int64_t len = w->literal_left < PIECE_BYTES ? w->literal_left : PIECE_BYTES;
    size_t before = buf_len(&s->out);
    enum err err = message_read(db, w->message, w->literal_at, len, &s->out);
    if (err)
        return err;
    size_t got = buf_len(&s->out) - before;
    for (; got < (size_t)len; got++)
        buf_add_byte(&s->out, ' ');
    w->literal_at += len;
    w->literal_left -= len;
    return ERR_OK;
}

/* Writes the head of a message's line; false when there is nothing to tell of it. */
static bool open_row(struct imap_session *s, struct fetch_work *w, const struct placement *row,
                     const struct fetch_program *p)
{
    w->item = 0;
    if (p->needs_message) {
        w->message = bsearch(&row->message, w->messages, w->message_count, sizeof *w->messages, row_by_id);
        if (!w->message) { // purged in between: nothing can be said of it
            imap_write(s, "* %u FETCH (UID %u)\r\n", snapshot_number(s->view, row->uid), row->uid);
            return false;
        }
        if (mime_meta_unpack(w->message->meta, w->message->prefix.len, w->arena, &w->meta))
            w->meta = (struct mime_meta){ .envelope = SLICE_LIT("NIL") };
        if (asks_undecodable(p, &w->meta)) {
            w->unknown_cte = true;
            return false;
        }
    }
    imap_write(s, "* %u FETCH (", snapshot_number(s->view, row->uid));
    w->opened = true;
    return true;
}

static void close_row(struct imap_session *s, struct fetch_work *w, const struct placement *row)
{
    const struct fetch_program *p = &((const struct fetch_args *)s->args)->program;
    if ((s->uid || (s->condstore && was_made_seen(w, row->uid))) && !wants(p, FETCH_UID))
        imap_write(s, " UID %u", row->uid);
    if (was_made_seen(w, row->uid) && !wants(p, FETCH_FLAGS)) {
        buf_add_text(&s->out, " FLAGS ");
        imap_write_flags(s, &s->out, row);
    }
    if ((p->has_changed_since || (s->condstore && was_made_seen(w, row->uid))) && !wants(p, FETCH_MODSEQ))
        imap_write(s, " MODSEQ (%lld)", (long long)row->modseq);
    buf_add_text(&s->out, ")\r\n");
    w->opened = false;
    w->row++;
}

/* One message; ERR_OK with w->opened when the out-buffer is full in between. */
static enum err write_row(struct imap_session *s, struct fetch_work *w, struct db *db)
{
    const struct fetch_program *p = &((const struct fetch_args *)s->args)->program;
    const struct placement *row = newest(s, w->rows[w->row]);
    if (!w->opened && !open_row(s, w, row, p)) {
        w->row++;
        return ERR_OK;
    }
    while (w->item < p->count || w->literal_left || w->binary.active) {
        if (buf_len(&s->out) > IMAP_OUT_HIGH)
            return ERR_OK;
        if (w->literal_left || w->binary.active) {
            enum err err = w->binary.active ? binary_step(&w->binary, db, w->message, &s->out)
                                            : write_literal(s, w, db);
            if (err)
                return err;
            continue;
        }
        const struct fetch_item *item = &p->items[w->item];
        if (w->item++)
            buf_add_byte(&s->out, ' ');
        if (write_simple(s, item, row) || write_described(s, w, item))
            continue;
        if (item->kind == FETCH_ENVELOPE || item->kind == FETCH_BODY || item->kind == FETCH_BODYSTRUCTURE) {
            write_structure(s, w, item);
            continue;
        }
        enum err err = is_binary(item) ? begin_binary(s, w, db, item) : begin_octets(s, w, db, item);
        if (err)
            return err;
    }
    close_row(s, w, row);
    return ERR_OK;
}

static enum err prepare_batch(struct imap_session *s, struct fetch_work *w, struct worker *worker, struct db *db)
{
    const struct fetch_program *p = &((const struct fetch_args *)s->args)->program;
    enum err err = p->needs_message ? load_messages(s, w, db) : ERR_OK;
    if (!err && wants(p, FETCH_SAVEDATE)) {
        uint32_t *uids = arena_new(w->arena, uint32_t, w->row_count);
        for (uint32_t i = 0; i < w->row_count; i++)
            uids[i] = w->rows[i]->uid;
        w->save_dates = arena_new(w->arena, int64_t, w->row_count);
        err = message_save_dates(db, s->account, s->mailbox, uids, w->row_count, w->save_dates);
    }
    if (!err && p->sets_seen && !s->read_only)
        err = make_seen(s, w, worker, db);
    return err;
}

/* How many messages of the view a range holds; *first is the number of its first one. */
static uint32_t rows_of(const struct imap_session *s, struct uid_range range, uint32_t *first)
{
    *first = snapshot_first_from(s->view, range.first);
    return snapshot_first_from(s->view, range.last == UINT32_MAX ? UINT32_MAX : range.last + 1) - *first;
}

static uint32_t rows_in(const struct imap_session *s, const struct fetch_work *w)
{
    uint32_t rows = 0, first;
    for (size_t i = 0; i < w->count; i++)
        rows += rows_of(s, w->ranges[i], &first);
    return rows;
}

/* Leaves of the ranges what PARTIAL asks for; before CHANGEDSINCE judges (RFC 9394 3.4). */
static void narrow(const struct imap_session *s, struct fetch_work *w, struct partial_range partial)
{
    struct slab slab = partial_slab(partial, rows_in(s, w));
    size_t at = 0, used = 0;
    for (size_t i = 0; i < w->count; i++) {
        uint32_t n, rows = rows_of(s, w->ranges[i], &n);
        size_t from = slab.from > at ? slab.from : at, to = slab.to < at + rows ? slab.to : at + rows;
        if (from < to)
            w->ranges[used++] = (struct uid_range){ snapshot_row(s->view, n + (uint32_t)(from - at))->uid,
                                                    snapshot_row(s->view, n + (uint32_t)(to - at) - 1)->uid };
        at += rows;
    }
    w->count = used;
}

static enum imap_result begin(struct imap_session *s, struct worker *worker)
{
    const struct fetch_args *a = s->args;
    struct fetch_work *w = arena_new(s->arena, struct fetch_work, 1);
    if (imap_refresh(s, worker) == IMAP_NEED_WORKER)
        return IMAP_NEED_WORKER;
    if (imap_resolve(s, &a->set, &w->ranges, &w->count))
        return imap_reply(s, "BAD no such message");
    if (a->program.vanished && (!s->uid || !s->qresync))
        return imap_reply(s, "BAD VANISHED belongs to UID FETCH, after ENABLE QRESYNC");
    if (a->program.has_partial && !s->uid)
        return imap_reply(s, "BAD PARTIAL belongs to UID FETCH");
    if (a->program.has_partial)
        narrow(s, w, a->program.partial);
    bool asks_store = a->program.needs_message || a->program.vanished || wants(&a->program, FETCH_SAVEDATE);
    if (!worker && (asks_store || rows_in(s, w) > LOOP_ROWS_MAX))
        return IMAP_NEED_WORKER;
    if (a->program.has_changed_since || wants(&a->program, FETCH_MODSEQ))
        imap_enable_condstore(s);
    if (wants(&a->program, FETCH_FLAGS))
        imap_tell_keywords(s);
    if (a->program.vanished) { // before the FETCHes, whose numbers do not count it (RFC 7162 3.2.6)
        struct vanished_ask ask = { .known = a->set, .since = a->program.changed_since };
        struct db *db = imap_db(s, worker);
        enum err err = db ? imap_write_vanished_earlier(s, db, &ask) : ERR_OK;
        if (!db || err)
            return db ? imap_reply_err(s, err, "FETCH") : IMAP_DONE;
    }
    w->arena = arena_open();
    s->work = w;
    s->drop_work = drop_work;
    return IMAP_WAIT;
}

/* A reply that breaks off in the middle of a literal cannot be mended: the client is told by the end. */
static enum imap_result give_up(struct imap_session *s, struct fetch_work *w, enum err err)
{
    if (!w->opened)
        return imap_reply_err(s, err, "FETCH");
    s->broken = true;
    return IMAP_DONE;
}

static enum imap_result run_fetch(struct imap_session *s, struct worker *worker)
{
    if (!s->work) {
        enum imap_result result = begin(s, worker);
        if (result != IMAP_WAIT)
            return result;
    }
    struct fetch_work *w = s->work;
    struct db *db = worker ? imap_db(s, worker) : NULL;
    if (worker && !db)
        return IMAP_DONE;
    for (;;) {
        if (atomic_load(&s->job.cancelled))
            return imap_reply_err(s, ERR_CANCELLED, "FETCH");
        if (w->row == w->row_count) {
            if (!next_batch(s, w))
                return imap_reply(s, w->unknown_cte ? "NO [UNKNOWN-CTE] a part's encoding is not known"
                                                    : "OK FETCH completed");
            enum err err = prepare_batch(s, w, worker, db);
            if (err)
                return give_up(s, w, err);
        }
        while (w->row < w->row_count) {
            enum err err = write_row(s, w, db);
            if (err)
                return give_up(s, w, err);
            if (buf_len(&s->out) > IMAP_OUT_HIGH)
                return IMAP_WAIT;
        }
    }
}

extern const struct imap_command imap_fetch;
const struct imap_command imap_fetch = {
    .name = "FETCH",
    .source = "RFC 3501 6.4.5, RFC 7162 3.1.4, RFC 3516, RFC 8474, RFC 8514, RFC 8970, RFC 9394",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE,
    .capability = "BINARY PREVIEW SAVEDATE OBJECTID PARTIAL",
    .parse = parse_fetch,
    .run = run_fetch,
};
