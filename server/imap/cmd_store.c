/* STORE and UID STORE, with UNCHANGEDSINCE (RFC 7162 3.1.3): steps of at most WRITE_ROWS_MAX rows. */
#include "protocol/imap/write.h"
#include "server/imap/session.h"

struct store_args {
    struct uidset set;
    enum flags_mode mode;
    bool silent, conditional;
    uint64_t unchanged_since;
    struct scan_flags flags;
};

struct store_work {
    struct uid_range *ranges;
    size_t count, at;
    uint64_t rows, goal; // of the view, done and in all
    uint32_t from;       // next uid in ranges[at]
    uint32_t *conflicts; // uids left alone
    size_t conflict_count;
};

static enum err parse_store(struct slice *in, struct arena *arena, void **args)
{
    struct store_args *a = arena_new(arena, struct store_args, 1);
    *args = a;
    enum err err = scan_sp(in) ? uidset_parse(in, arena, &a->set) : ERR_SYNTAX;
    if (err)
        return err;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    if (slice_take(in, '(')) {
        if (!scan_word(in, "UNCHANGEDSINCE") || !scan_sp(in) || !scan_number64(in, &a->unchanged_since) ||
            !slice_take(in, ')') || !scan_sp(in))
            return ERR_SYNTAX;
        a->conditional = true;
    }
    a->mode = slice_take(in, '+') ? FLAGS_ADD : slice_take(in, '-') ? FLAGS_REMOVE : FLAGS_REPLACE;
    if (scan_word(in, "FLAGS.SILENT"))
        a->silent = true;
    else if (!scan_word(in, "FLAGS"))
        return ERR_SYNTAX;
    err = scan_sp(in) ? scan_flag_list(in, arena, true, &a->flags) : ERR_SYNTAX;
    a->flags.system &= ~(uint64_t)SCAN_RECENT; // nobody sets it
    return err;
}

static uint32_t rows_in(struct imap_session *s, const struct uid_range *range)
{
    uint32_t end = range->last == UINT32_MAX ? range->last : range->last + 1;
    return snapshot_first_from(s->view, end) - snapshot_first_from(s->view, range->first);
}

/* The next uids of the work, at most WRITE_ROWS_MAX rows of the view; false when all are done. */
static bool next_piece(struct imap_session *s, struct store_work *w, struct uid_range *piece)
{
    if (w->at == w->count)
        return false;
    const struct uid_range *range = &w->ranges[w->at];
    uint32_t first = w->from > range->first ? w->from : range->first;
    uint32_t number = snapshot_first_from(s->view, first), end = number + WRITE_ROWS_MAX - 1;
    uint32_t last = range->last;
    if (end < snapshot_count(s->view) && snapshot_row(s->view, end)->uid < last)
        last = snapshot_row(s->view, end)->uid;
    *piece = (struct uid_range){ first, last };
    w->rows += rows_in(s, piece);
    if (last == range->last)
        w->at++;
    else
        w->from = last + 1;
    return true;
}

static void tell_result(struct imap_session *s, const struct store_args *a, const struct flags_result *r)
{
    uint32_t number = snapshot_number(s->view, r->uid);
    if (!number || (a->silent && !s->condstore))
        return;
    imap_write(s, "* %u FETCH (", number);
    if (s->uid || s->condstore || s->rev2)
        imap_write(s, "UID %u ", r->uid);
    if (!a->silent) {
        struct placement row = { .uid = r->uid, .flags = r->flags };
        buf_add_text(&s->out, "FLAGS ");
        imap_write_flags(s, &s->out, &row);
    }
    if (s->condstore)
        imap_write(s, "%sMODSEQ (%lld)", a->silent ? "" : " ", (long long)r->modseq);
    buf_add_text(&s->out, ")\r\n");
}

/* STORE of what is set already changes nothing but is answered all the same, unless silent. */
static void tell_unchanged(struct imap_session *s, const struct store_args *a, const struct uid_range *piece,
                           const struct flags_result *results, size_t count)
{
    size_t at = 0;
    uint32_t total = snapshot_count(s->view);
    for (uint32_t n = snapshot_first_from(s->view, piece->first); n <= total; n++) {
        uint32_t uid = snapshot_row(s->view, n)->uid;
        if (uid > piece->last)
            break;
        while (at < count && results[at].uid < uid)
            at++;
        if (at < count && results[at].uid == uid) {
            if (!results[at].conflict)
                tell_result(s, a, &results[at]);
            continue;
        }
        const struct placement *row = snapshot_find(s->fresh, uid);
        if (!row || a->silent)
            continue;
        struct flags_result same = { .uid = uid, .flags = row->flags, .modseq = row->modseq };
        tell_result(s, a, &same);
    }
}

static enum err store_piece(struct imap_session *s, struct worker *worker, struct db *db, struct store_work *w,
                            const struct uid_range *piece)
{
    const struct store_args *a = s->args;
    struct flags_change change = {
        .mode = a->mode,
        .flags = a->flags.system,
        .keywords = a->flags.keywords,
        .keyword_count = a->flags.keyword_count,
        .create_keywords = true,
        .unchanged_since = a->conditional ? (int64_t)a->unchanged_since : -1,
    };
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    struct flags_result *results;
    size_t count;
    enum err err = message_store_flags(db, s->arena, s->account, s->mailbox, piece, 1, &change, &by, &results, &count,
                                       &changes);
    imap_publish(s, &changes);
    if (err)
        return err;
    imap_refresh(s, worker); // names of new keywords, flags of what did not change
    imap_tell_keywords(s);
    uint32_t *conflicts = arena_new(s->arena, uint32_t, w->conflict_count + count + 1);
    for (size_t i = 0; i < w->conflict_count; i++)
        conflicts[i] = w->conflicts[i];
    for (size_t i = 0; i < count; i++)
        if (results[i].conflict)
            conflicts[w->conflict_count++] = results[i].uid;
        else
            imap_own(s, results[i].modseq, results[i].modseq);
    w->conflicts = conflicts;
    tell_unchanged(s, a, piece, results, count);
    return ERR_OK;
}

static enum imap_result finish(struct imap_session *s, const struct store_work *w)
{
    if (w->conflict_count == 0)
        return imap_reply(s, "OK STORE completed");
    uint32_t *numbers = arena_new(s->arena, uint32_t, w->conflict_count);
    for (size_t i = 0; i < w->conflict_count; i++)
        numbers[i] = s->uid ? w->conflicts[i] : snapshot_number(s->view, w->conflicts[i]);
    struct buf set = { 0 };
    uidset_write(numbers, w->conflict_count, &set);
    imap_reply(s, "OK [MODIFIED %.*s] STORE left some alone", SLICE_ARG(buf_slice(&set)));
    buf_free(&set);
    return IMAP_DONE;
}

static enum imap_result run_store(struct imap_session *s, struct worker *worker)
{
    const struct store_args *a = s->args;
    struct store_work *w = s->work;
    if (s->read_only)
        return imap_reply(s, "NO [READ-ONLY] the mailbox was opened read-only");
    if (!worker)
        return IMAP_NEED_WORKER;
    if (!w) {
        w = s->work = arena_new(s->arena, struct store_work, 1);
        if (imap_resolve(s, &a->set, &w->ranges, &w->count))
            return imap_reply(s, "BAD no such message");
        for (size_t i = 0; i < w->count; i++)
            w->goal += rows_in(s, &w->ranges[i]);
        if (a->conditional)
            imap_enable_condstore(s);
    }
    struct db *db = imap_db(s, worker);
    struct uid_range piece;
    if (!db)
        return IMAP_DONE;
    if (!next_piece(s, w, &piece))
        return finish(s, w);
    enum err err = store_piece(s, worker, db, w, &piece);
    if (err == ERR_LIMIT)
        return imap_reply(s, "NO [LIMIT] a mailbox holds at most %u different keywords", KEYWORDS_MAX);
    if (err)
        return imap_reply_err(s, err, "STORE");
    imap_progress(s, w->rows, w->goal);
    return IMAP_WAIT; // between pieces others may write to the account
}

extern const struct imap_command imap_store;
const struct imap_command imap_store = {
    .name = "STORE",
    .source = "RFC 3501 6.4.6, RFC 7162 3.1.3",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE | IMAP_WRITES,
    .parse = parse_store,
    .run = run_store,
};
