/* THREAD and UID THREAD (RFC 5256). */
#include "protocol/imap/thread.h"
#include "protocol/mime/searchable.h"
#include "server/imap/search_keys.h"

struct thread_work {
    struct search_keys keys;
    struct thread_message *messages;
};

static enum err parse_thread(struct slice *in, struct arena *arena, void **args)
{
    struct thread_program *p = arena_new(arena, struct thread_program, 1);
    *args = p;
    return scan_sp(in) ? thread_parse(in, arena, p) : ERR_SYNTAX;
}

static void drop_work(struct imap_session *s)
{
    struct thread_work *w = s->work;
    imap_search_keys_fini(&w->keys);
}

static void take_keys(struct imap_session *s, size_t hit, const struct placement *row, const struct mime_meta *meta)
{
    const struct thread_program *p = s->args;
    struct thread_work *w = s->work;
    struct thread_message *m = &w->messages[hit];
    *m = (struct thread_message){
        .number = s->uid ? row->uid : w->keys.run.hits[hit],
        .place = w->keys.run.hits[hit],
        .date_us = meta && meta->date_us ? meta->date_us : row->internal_us,
        .subject = SLICE_LIT(""),
    };
    if (!meta)
        return;
    m->subject = arena_copy(s->arena, mime_folded(meta->sort_subject, w->keys.arena));
    if (p->by_subject)
        return;
    m->is_reply = mime_subject_is_reply(meta->subject);
    m->message_id = arena_copy(s->arena, meta->message_id);
    m->references = arena_copy(s->arena, meta->references.len ? meta->references : meta->in_reply_to);
}

static void make_room(struct imap_session *s)
{
    struct thread_work *w = s->work;
    w->messages = arena_new(s->arena, struct thread_message, w->keys.run.hit_count + 1);
}

static enum imap_result finish(struct imap_session *s, const struct thread_program *p)
{
    struct thread_work *w = s->work;
    buf_add_text(&s->out, "* THREAD");
    if (w->keys.run.hit_count)
        buf_add_byte(&s->out, ' ');
    if (p->by_subject)
        thread_by_subject(w->messages, w->keys.run.hit_count, &s->out);
    else
        thread_by_references(w->messages, w->keys.run.hit_count, s->arena, &s->out);
    buf_add_text(&s->out, "\r\n");
    s->held_back = imap_search_uses_numbers(&p->search);
    return imap_reply(s, "OK THREAD completed");
}

static enum imap_result run_thread(struct imap_session *s, struct worker *worker)
{
    const struct thread_program *p = s->args;
    struct thread_work *w = s->work;
    if (!w) {
        w = arena_new(s->arena, struct thread_work, 1);
        enum imap_result result = imap_search_init(s, worker, &p->search, &w->keys.run);
        if (result != IMAP_WAIT)
            return result;
        s->work = w;
        s->drop_work = drop_work;
    }
    if (!w->keys.read) {
        enum imap_result result = imap_search_keys_step(s, worker, &w->keys, make_room, take_keys);
        if (!w->keys.read)
            return result;
    }
    return finish(s, p);
}

extern const struct imap_command imap_thread;
const struct imap_command imap_thread = {
    .name = "THREAD",
    .source = "RFC 5256",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_NO_EXPUNGE,
    .capability = "THREAD=ORDEREDSUBJECT THREAD=REFERENCES",
    .parse = parse_thread,
    .run = run_thread,
};
