/* SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "server/imap/mailbox_name.h"
#include "server/imap/status.h"
#include "server/imap/vanished.h"

#define LOOP_ROWS_MAX 10000u // the first unseen message is looked for on the loop

struct select_args {
    struct slice path; // UTF-8
    bool condstore, qresync;
    /* QRESYNC (RFC 7162 3.2.5) */
    uint32_t uidvalidity;
    struct vanished_ask ask;
    struct uidset numbers, uids; // sequence match data
};

struct select_work { // the messages that changed since, told in steps
    uint32_t number;
    struct uidset known;
};

/* A set without "*", in ascending order if `sorted`. */
static enum err take_set(struct slice *in, struct arena *arena, bool sorted, struct uidset *set)
{
    enum err err = uidset_parse(in, arena, set);
    if (err || set->saved)
        return err ? err : ERR_SYNTAX;
    for (size_t i = 0; i < set->count; i++) {
        const struct uid_run *run = &set->runs[i];
        if (run->first == UIDSET_STAR || run->last == UIDSET_STAR)
            return ERR_SYNTAX;
        if (sorted && (run->last < run->first || (i && run->first <= set->runs[i - 1].last)))
            return ERR_SYNTAX;
    }
    return ERR_OK;
}

static uint64_t size_of(const struct uidset *set)
{
    uint64_t size = 0;
    for (size_t i = 0; i < set->count; i++)
        size += set->runs[i].last - set->runs[i].first + 1;
    return size;
}

/* "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP "(" set SP set ")"] ")" */
static enum err take_qresync(struct slice *in, struct arena *arena, struct select_args *a)
{
    if (!scan_sp(in) || !slice_take(in, '(') || !scan_nz_number(in, &a->uidvalidity) || !scan_sp(in) ||
        !scan_number64(in, &a->ask.since) || a->ask.since == 0)
        return ERR_SYNTAX;
    a->qresync = a->ask.all_known = true;
    if (scan_sp(in) && in->len && in->at[0] != '(') {
        a->ask.all_known = false;
        enum err err = take_set(in, arena, false, &a->ask.known);
        if (err)
            return err;
        (void)scan_sp(in);
    }
    if (slice_take(in, '(')) {
        enum err err = take_set(in, arena, true, &a->numbers);
        if (!err)
            err = scan_sp(in) ? take_set(in, arena, true, &a->uids) : ERR_SYNTAX;
        if (err)
            return err;
        if (!slice_take(in, ')') || size_of(&a->numbers) != size_of(&a->uids))
            return ERR_SYNTAX;
    }
    return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

static enum err parse_select(struct imap_session *s, struct slice *in, void **args)
{
    struct select_args *a = arena_new(s->arena, struct select_args, 1);
    *args = a;
    enum err err = mailbox_name_parse(s, in, &a->path);
    if (err || !slice_take(in, ' ')) // select-params (RFC 7162 3.1.8)
        return err;
    if (!slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        if (scan_word(in, "CONDSTORE"))
            a->condstore = true;
        else if (s->qresync && !a->qresync && scan_word(in, "QRESYNC"))
            err = take_qresync(in, s->arena, a);
        else
            err = ERR_SYNTAX;
    } while (!err && scan_sp(in));
    return err ? err : slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

static uint32_t first_unseen(const struct snapshot *view)
{
    uint32_t count = snapshot_count(view);
    for (uint32_t i = 1; i <= count; i++)
        if (!(snapshot_row(view, i)->flags & FLAG_SEEN))
            return i;
    return 0;
}

/* LIST of the mailbox, with the name it was asked by if that is not its own (RFC 9051 6.3.2). */
static void tell_name(struct imap_session *s)
{
    const struct select_args *a = s->args;
    struct slice name = mailbox_name_canonical(s, a->path);
    buf_add_text(&s->out, "* LIST () \"/\" ");
    mailbox_name_write(s, name);
    if (!slice_eq(name, a->path)) {
        buf_add_text(&s->out, " (\"OLDNAME\" (");
        mailbox_name_write(s, a->path);
        buf_add_text(&s->out, "))");
    }
    buf_add_text(&s->out, "\r\n");
}

static void tell_mailbox(struct imap_session *s)
{
    const struct snapshot_facts *facts = snapshot_facts(s->view);
    uint32_t count = snapshot_count(s->view), unseen = first_unseen(s->view);
    struct buf flags = { 0 };
    s->told_keywords = facts->keyword_count;
    buf_add_text(&flags, "\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    for (size_t i = 0; i < facts->keyword_count; i++)
        buf_printf(&flags, " %s", facts->keywords[i]);
    imap_write(s, "* FLAGS (%.*s)\r\n* %u EXISTS\r\n", SLICE_ARG(buf_slice(&flags)), count);
    if (s->rev2)
        tell_name(s);
    else
        imap_write(s, "* %u RECENT\r\n", count + 1 - snapshot_first_from(s->view, s->first_recent));
    if (unseen && !s->rev2)
        imap_write(s, "* OK [UNSEEN %u] first unseen\r\n", unseen);
    if (s->read_only)
        imap_write(s, "* OK [PERMANENTFLAGS ()] read-only\r\n");
    else
        imap_write(s, "* OK [PERMANENTFLAGS (%.*s \\*)] kept\r\n", SLICE_ARG(buf_slice(&flags)));
    imap_write(s, "* OK [UIDVALIDITY %u] valid\r\n* OK [UIDNEXT %u] next\r\n* OK [HIGHESTMODSEQ %lld] newest\r\n",
               facts->uidvalidity, facts->uidnext, (long long)facts->highest_modseq);
    imap_write(s, "* OK [MAILBOXID (%s)] its id\r\n", imap_mailbox_id(s, s->mailbox));
    buf_free(&flags);
}

/* \Recent goes to the first that selects read-write after the arrival (hard case 23): a write only when there are any. */
static enum err take_recent(struct imap_session *s, struct worker *worker)
{
    const struct snapshot_facts *facts = snapshot_facts(s->view);
    s->first_recent = facts->recent_uid;
    if (s->read_only || s->rev2 || facts->recent_uid >= facts->uidnext)
        return ERR_OK;
    struct db *db = worker_db(worker);
    if (!db)
        return ERR_UNAVAILABLE;
    enum err err = mailbox_take_recent(db, s->account, s->mailbox, &s->first_recent);
    snapshots_touch(s->server->snapshots, s->account, s->mailbox); // its recent_uid is old now
    return err;
}

/* Which mailbox the name is; from memory when nothing of the hierarchy has changed. */
static enum err find_mailbox(struct imap_session *s, struct worker *worker, struct mailbox_id *id)
{
    const struct select_args *a = s->args;
    if (snapshots_name_get(s->server->snapshots, s->account, a->path, id))
        return ERR_OK;
    if (!worker)
        return ERR_STATE; // it was known a moment ago
    uint64_t generation = snapshots_name_generation(s->server->snapshots);
    struct db *db = worker_db(worker);
    struct mailbox mailbox;
    enum err err = db ? mailbox_find(db, s->arena, s->account, a->path, &mailbox) : ERR_UNAVAILABLE;
    if (!err) {
        *id = mailbox.id;
        snapshots_name_put(s->server->snapshots, s->account, a->path, mailbox.id, generation);
    }
    return err;
}

/* Whether all that SELECT tells is in memory, so that it may run on the loop. */
static bool is_warm(struct imap_session *s, bool read_only)
{
    const struct select_args *a = s->args;
    struct mailbox_id id;
    if (!snapshots_name_get(s->server->snapshots, s->account, a->path, &id))
        return false;
    struct snapshot *now = snapshots_peek(s->server->snapshots, s->account, id);
    bool warm = now && snapshot_count(now) <= LOOP_ROWS_MAX &&
                (read_only || s->rev2 || snapshot_facts(now)->recent_uid >= snapshot_facts(now)->uidnext);
    snapshot_release(&now);
    return warm;
}

/* The highest pair of message number and uid that still holds: below it the client has seen every removal. */
static uint32_t match_pairs(struct imap_session *s, const struct select_args *a)
{
    uint32_t matched = 0, total = snapshot_count(s->view);
    size_t at = 0;
    uint32_t uid = a->uids.count ? a->uids.runs[0].first : 0;
    for (size_t i = 0; i < a->numbers.count; i++)
        for (uint32_t n = a->numbers.runs[i].first; n <= a->numbers.runs[i].last && n <= total; n++) {
            if (snapshot_row(s->view, n)->uid == uid)
                matched = uid;
            if (uid < a->uids.runs[at].last)
                uid++;
            else if (++at < a->uids.count)
                uid = a->uids.runs[at].first;
            else
                return matched;
        }
    return matched;
}

/* Whether the client's state is of this mailbox and older than what is there now. */
static bool must_resync(struct imap_session *s)
{
    const struct select_args *a = s->args;
    const struct snapshot_facts *facts = snapshot_facts(s->view);
    return a->qresync && a->uidvalidity == facts->uidvalidity && a->ask.since < (uint64_t)facts->highest_modseq;
}

static enum err begin_resync(struct imap_session *s, struct worker *worker)
{
    struct select_args *a = s->args;
    struct db *db = worker_db(worker);
    struct uid_run all = { 1, UIDSET_STAR };
    struct uidset given = a->ask.all_known ? (struct uidset){ &all, 1, false } : a->ask.known;
    if (!db)
        return ERR_UNAVAILABLE;
    struct select_work *w = arena_new(s->arena, struct select_work, 1);
    a->ask.matched = match_pairs(s, a);
    uidset_normalise(&given, snapshot_facts(s->view)->uidnext, s->arena, &w->known);
    w->number = 1;
    s->work = w;
    return imap_write_vanished_earlier(s, db, &a->ask);
}

/* What changed of what the client knows, or came since, until the out-buffer is full. */
static enum imap_result tell_changes(struct imap_session *s)
{
    const struct select_args *a = s->args;
    struct select_work *w = s->work;
    uint32_t total = snapshot_count(s->view);
    for (; w->number <= total; w->number++) {
        const struct placement *row = snapshot_row(s->view, w->number);
        if ((uint64_t)row->modseq <= a->ask.since || !uidset_has_sorted(&w->known, row->uid))
            continue;
        if (buf_len(&s->out) > IMAP_OUT_HIGH)
            return IMAP_WAIT;
        imap_write(s, "* %u FETCH (UID %u FLAGS ", w->number, row->uid);
        imap_write_flags(s, &s->out, row);
        imap_write(s, " MODSEQ (%lld))\r\n", (long long)row->modseq);
    }
    return IMAP_DONE;
}

static enum imap_result selected(struct imap_session *s)
{
    return imap_reply(s, s->read_only ? "OK [READ-ONLY] EXAMINE completed" : "OK [READ-WRITE] SELECT completed");
}

static enum imap_result open_mailbox(struct imap_session *s, struct worker *worker, bool read_only)
{
    const struct select_args *a = s->args;
    if (s->work) // told in steps
        return tell_changes(s) == IMAP_WAIT ? IMAP_WAIT : selected(s);
    if (!worker && !is_warm(s, read_only))
        return IMAP_NEED_WORKER;
    if (s->state == IMAP_SELECTED)
        imap_write(s, "* OK [CLOSED] what follows is of another mailbox\r\n"); // RFC 7162 3.2.11
    imap_deselect(s); // a failed SELECT leaves nothing selected
    s->read_only = read_only;
    enum err err = find_mailbox(s, worker, &s->mailbox);
    if (!worker && err)
        return IMAP_NEED_WORKER;
    if (!err) {
        if (imap_refresh(s, worker) == IMAP_NEED_WORKER)
            return IMAP_NEED_WORKER; // it changed a moment ago
        err = s->sync_err;
    }
    if (!err) {
        const struct snapshot_facts *facts = snapshot_facts(s->fresh);
        if (!worker && !read_only && !s->rev2 && facts->recent_uid < facts->uidnext)
            return IMAP_NEED_WORKER;
        s->view = snapshot_hold(s->fresh);
        if (!worker && must_resync(s))
            return IMAP_NEED_WORKER;
        err = take_recent(s, worker);
    }
    if (err) {
        snapshots_name_drop(s->server->snapshots, s->account);
        imap_deselect(s);
        return imap_reply_err(s, err, s->command->name);
    }
    s->condstore = s->condstore || a->condstore; // HIGHESTMODSEQ is told in any case
    s->state = IMAP_SELECTED;
    tell_mailbox(s);
    if (!must_resync(s))
        return selected(s);
    err = begin_resync(s, worker);
    if (err) {
        imap_deselect(s);
        return imap_reply_err(s, err, s->command->name);
    }
    return tell_changes(s) == IMAP_WAIT ? IMAP_WAIT : selected(s);
}

static enum imap_result run_select(struct imap_session *s, struct worker *worker)
{
    return open_mailbox(s, worker, false);
}

static enum imap_result run_examine(struct imap_session *s, struct worker *worker)
{
    return open_mailbox(s, worker, true);
}

static enum imap_result run_unselect(struct imap_session *s, struct worker *worker)
{
    (void)worker;
    imap_deselect(s);
    return imap_reply(s, "OK UNSELECT completed");
}

static enum imap_result run_close(struct imap_session *s, struct worker *worker)
{
    if (!s->read_only) {
        if (!worker)
            return IMAP_NEED_WORKER;
        struct db *db = imap_db(s, worker);
        if (!db)
            return IMAP_DONE;
        struct actor by = imap_actor(s);
        struct change_set changes = { 0 };
        struct uid_range all = { 1, UINT32_MAX };
        uint32_t *uids;
        size_t count;
        // Removes all with \Deleted, in silence. One that is too many at once would hold the account: see EXPUNGE.
        enum err err = imap_expunge_deleted(s, db, &all, 1, &by, &uids, &count, &changes);
        imap_publish(s, &changes);
        if (err && err != ERR_NOT_FOUND)
            return imap_reply_err(s, err, "CLOSE");
    }
    imap_deselect(s);
    return imap_reply(s, "OK CLOSE completed");
}

extern const struct imap_command imap_select, imap_examine, imap_unselect, imap_close;
const struct imap_command imap_select = {
    .name = "SELECT",
    .source = "RFC 3501 6.3.1",
    .states = IMAP_INSIDE,
    .flags = IMAP_NO_SYNC,
    .parse_in = parse_select,
    .run = run_select,
};
const struct imap_command imap_examine = {
    .name = "EXAMINE",
    .source = "RFC 3501 6.3.2",
    .states = IMAP_INSIDE,
    .flags = IMAP_NO_SYNC,
    .parse_in = parse_select,
    .run = run_examine,
};
const struct imap_command imap_unselect = {
    .name = "UNSELECT",
    .source = "RFC 3691 2",
    .states = IMAP_SELECTED,
    .flags = IMAP_NO_SYNC,
    .capability = "UNSELECT",
    .run = run_unselect,
};
const struct imap_command imap_close = {
    .name = "CLOSE",
    .source = "RFC 3501 6.4.2",
    .states = IMAP_SELECTED,
    .flags = IMAP_NO_SYNC | IMAP_WRITES,
    .run = run_close,
};
