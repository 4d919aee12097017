#include "server/imap/vanished.h"

#define LINE_OCTETS 8000u // a longer set is cut into several lines

struct writer {
    struct imap_session *s;
    const char *head;
    size_t start; // of the line in s->out; SIZE_MAX: none is open
};

static void add_run(struct writer *w, uint32_t first, uint32_t last)
{
    struct imap_session *s = w->s;
    if (w->start != SIZE_MAX && buf_len(&s->out) - w->start > LINE_OCTETS) {
        buf_add_text(&s->out, "\r\n");
        w->start = SIZE_MAX;
    }
    if (w->start == SIZE_MAX) {
        w->start = buf_len(&s->out);
        buf_add_text(&s->out, w->head);
    } else {
        buf_add_byte(&s->out, ',');
    }
    if (first == last)
        imap_write(s, "%u", first);
    else
        imap_write(s, "%u:%u", first, last);
}

static void end_lines(struct writer *w)
{
    if (w->start != SIZE_MAX)
        buf_add_text(&w->s->out, "\r\n");
}

static void add_uids(struct writer *w, const uint32_t *uids, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t end = i;
        while (end + 1 < count && uids[end + 1] == uids[end] + 1)
            end++;
        add_run(w, uids[i], uids[end]);
        i = end + 1;
    }
}

void imap_write_vanished(struct imap_session *s, const uint32_t *uids, size_t count)
{
    struct writer w = { s, "* VANISHED ", SIZE_MAX };
    add_uids(&w, uids, count);
    end_lines(&w);
}

/* From memory of the store: the removed uids that were known and are not in the view. */
static void add_removed(struct writer *w, const struct uidset *known, uint32_t above, uint32_t *uids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (uids[i] > above && uidset_has_sorted(known, uids[i]) && !snapshot_number(w->s->view, uids[i]))
            uids[kept++] = uids[i];
    add_uids(w, uids, kept);
}

/* All that was known and is not in the view. */
static void add_missing(struct writer *w, const struct uidset *known, uint32_t above)
{
    struct imap_session *s = w->s;
    uint32_t total = snapshot_count(s->view);
    for (size_t i = 0; i < known->count; i++) {
        uint32_t first = known->runs[i].first > above ? known->runs[i].first : above + 1, last = known->runs[i].last;
        for (uint32_t n = snapshot_first_from(s->view, first); first <= last && n <= total; n++) {
            uint32_t uid = snapshot_row(s->view, n)->uid;
            if (uid > last)
                break;
            if (uid > first)
                add_run(w, first, uid - 1);
            first = uid + 1;
        }
        if (first <= last)
            add_run(w, first, last);
    }
}

enum err imap_write_vanished_earlier(struct imap_session *s, struct db *db, const struct vanished_ask *ask)
{
    struct uid_run all = { 1, UIDSET_STAR };
    struct uidset given = ask->all_known ? (struct uidset){ &all, 1, false } : ask->known, known;
    struct writer w = { s, "* VANISHED (EARLIER) ", SIZE_MAX };
    uint32_t top = snapshot_facts(s->view)->uidnext - 1, *uids;
    size_t count;
    if (top == 0)
        return ERR_OK;
    uidset_normalise(&given, top, s->arena, &known);
    // Uids that were never given vanished from nowhere.
    struct uid_run *runs = arena_new(s->arena, struct uid_run, known.count + 1);
    struct uidset real = { runs, 0, false };
    for (size_t i = 0; i < known.count && known.runs[i].first <= top; i++)
        runs[real.count++] =
            (struct uid_run){ known.runs[i].first, known.runs[i].last < top ? known.runs[i].last : top };
    enum err err = message_vanished(db, s->arena, s->account, s->mailbox, (int64_t)ask->since, &uids, &count);
    if (!err)
        add_removed(&w, &real, ask->matched, uids, count);
    else if (err == ERR_CONFLICT)
        add_missing(&w, &real, ask->matched);
    end_lines(&w);
    return err == ERR_CONFLICT ? ERR_OK : err;
}
