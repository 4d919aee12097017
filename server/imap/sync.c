/* The view: what this client was told of its mailbox, and how it is brought up to date. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocol/imap/write.h"
#include "server/imap/search_run.h"
#include "server/imap/vanished.h"

static void forget_own(struct imap_session *s)
{
    free(s->own);
    s->own = NULL;
    s->own_count = 0;
}

void imap_deselect(struct imap_session *s)
{
    snapshot_release(&s->view);
    snapshot_release(&s->fresh);
    free(s->mailbox_path);
    s->mailbox_path = NULL;
    s->mailbox.n = 0;
    forget_own(s);
    imap_search_unsave(s);
    if (s->state == IMAP_SELECTED)
        s->state = IMAP_LOGGED_IN;
}

void imap_own(struct imap_session *s, int64_t first, int64_t last)
{
    if (!s->own)
        s->own = mem_alloc(IMAP_OWN_MAX * sizeof *s->own);
    if (s->own_count && s->own[s->own_count - 1].last + 1 == first) {
        s->own[s->own_count - 1].last = last;
        return;
    }
    if (s->own_count == IMAP_OWN_MAX) // the oldest is told once more, which is no harm
        memmove(s->own, s->own + 1, --s->own_count * sizeof *s->own);
    s->own[s->own_count++] = (struct own_changes){ first, last };
}

void imap_enable_condstore(struct imap_session *s)
{
    if (!s->condstore && s->state == IMAP_SELECTED && s->view)
        imap_write(s, "* OK [HIGHESTMODSEQ %lld] newest\r\n", (long long)snapshot_facts(s->view)->highest_modseq);
    s->condstore = true;
}

static bool is_own(const struct imap_session *s, int64_t modseq)
{
    for (size_t i = 0; i < s->own_count; i++)
        if (s->own[i].first <= modseq && modseq <= s->own[i].last)
            return true;
    return false;
}

enum imap_result imap_refresh(struct imap_session *s, struct worker *worker)
{
    s->sync_err = ERR_OK;
    struct snapshot *now = snapshots_peek(s->server->snapshots, s->account, s->mailbox);
    if (!now) {
        if (!worker)
            return IMAP_NEED_WORKER;
        struct db *db = worker_db(worker);
        s->sync_err = db ? snapshots_get(s->server->snapshots, db, s->account, s->mailbox, &now) : ERR_UNAVAILABLE;
        if (s->sync_err)
            return IMAP_DONE;
    }
    snapshot_release(&s->fresh);
    s->fresh = now;
    return IMAP_DONE;
}

void imap_write_flags(struct imap_session *s, struct buf *out, const struct placement *row)
{
    const struct snapshot_facts *facts = snapshot_facts(s->fresh);
    uint64_t recent = !s->rev2 && row->uid >= s->first_recent ? SCAN_RECENT : 0;
    write_flags(out, (row->flags & ~(uint64_t)SCAN_RECENT) | recent, facts->keywords, facts->keyword_count);
}

void imap_tell_keywords(struct imap_session *s)
{
    const struct snapshot_facts *facts = snapshot_facts(s->fresh);
    if (facts->keyword_count == s->told_keywords)
        return;
    s->told_keywords = facts->keyword_count;
    buf_add_text(&s->out, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    for (size_t i = 0; i < facts->keyword_count; i++)
        imap_write(s, " %s", facts->keywords[i]);
    buf_add_text(&s->out, ")\r\n");
}

static void tell_news(struct imap_session *s, const struct snapshot_news *news)
{
    if (s->qresync)
        imap_write_vanished(s, news->removed, news->removed_count);
    for (size_t i = s->qresync ? 0 : news->removed_count; i-- > 0;) // from the end: the numbers before it stay true
        imap_write(s, "* %u EXPUNGE\r\n", snapshot_number(s->view, news->removed[i]));
    imap_tell_keywords(s);
    if (news->added) {
        uint32_t count = snapshot_count(s->fresh), recent = 0;
        uint32_t from = snapshot_first_from(s->fresh, s->first_recent ? s->first_recent : 1);
        recent = count + 1 - from;
        imap_write(s, "* %u EXISTS\r\n", count);
        if (!s->rev2)
            imap_write(s, "* %u RECENT\r\n", recent);
    }
    for (size_t i = 0; i < news->changed_count; i++) {
        uint32_t number = snapshot_number(s->fresh, news->changed[i]);
        const struct placement *row = snapshot_row(s->fresh, number);
        if (is_own(s, row->modseq))
            continue;
        imap_write(s, "* %u FETCH (UID %u FLAGS ", number, row->uid);
        imap_write_flags(s, &s->out, row);
        if (s->condstore)
            imap_write(s, " MODSEQ (%lld)", (long long)row->modseq);
        buf_add_text(&s->out, ")\r\n");
    }
}

enum imap_result imap_sync(struct imap_session *s, struct worker *worker)
{
    if (!s->view)
        return IMAP_DONE;
    if (imap_refresh(s, worker) == IMAP_NEED_WORKER)
        return IMAP_NEED_WORKER;
    if (s->sync_err == ERR_NOT_FOUND) {
        imap_write(s, "* BYE [NONEXISTENT] the mailbox was deleted\r\n");
        imap_deselect(s);
        s->state = IMAP_ENDED;
        return IMAP_DONE;
    }
    if (s->sync_err || s->fresh == s->view)
        return IMAP_DONE; // told later
    if (!worker && !snapshot_is_near(s->view, s->fresh))
        return IMAP_NEED_WORKER;
    struct snapshot_news news;
    snapshot_compare(s->view, s->fresh, &news);
    tell_news(s, &news);
    snapshot_news_free(&news);
    snapshot_release(&s->view);
    s->view = snapshot_hold(s->fresh);
    forget_own(s);
    return IMAP_DONE;
}

/* "$": what is still in the view of the result that SEARCH saved; an empty one is no error (RFC 5182 2.1). */
static enum err resolve_saved(struct imap_session *s, struct uid_range **ranges, size_t *count)
{
    uint32_t total = snapshot_count(s->view);
    struct uid_range *found = arena_new(s->arena, struct uid_range, s->saved_count + 1);
    size_t used = 0;
    for (size_t i = 0; i < s->saved_count; i++) {
        uint32_t n = snapshot_first_from(s->view, s->saved[i].first);
        if (n <= total && snapshot_row(s->view, n)->uid <= s->saved[i].last)
            found[used++] = s->saved[i];
    }
    *ranges = found;
    *count = used;
    return ERR_OK;
}

/* Ascending ranges of uids; runs of neighbours in the view become one. */
enum err imap_resolve(struct imap_session *s, const struct uidset *set, struct uid_range **ranges, size_t *count)
{
    uint32_t total = snapshot_count(s->view);
    uint32_t largest = s->uid ? (total ? snapshot_row(s->view, total)->uid : 0) : total;
    struct uidset sorted;
    if (set->saved)
        return resolve_saved(s, ranges, count);
    uidset_normalise(set, largest, s->arena, &sorted);
    struct uid_range *found = arena_new(s->arena, struct uid_range, sorted.count + 1);
    size_t used = 0;
    for (size_t i = 0; i < sorted.count; i++) {
        uint32_t first = sorted.runs[i].first, last = sorted.runs[i].last;
        if (!s->uid) {
            if (last > total)
                return ERR_SYNTAX; // no such message number
        } else {
            first = snapshot_first_from(s->view, first);
            uint32_t end = last == UINT32_MAX ? total + 1 : snapshot_first_from(s->view, last + 1);
            if (first >= end)
                continue;
            last = end - 1;
        }
        found[used++] = (struct uid_range){ snapshot_row(s->view, first)->uid, snapshot_row(s->view, last)->uid };
    }
    // "*" in an empty mailbox is no message number (RFC 3501 9).
    if (!s->uid && total == 0)
        return ERR_SYNTAX;
    *ranges = found;
    *count = used;
    return ERR_OK;
}
