#include "server/imap/search_keys.h"

#include <stdlib.h>

#include "base/clock.h"

#define BATCH 200u

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

static enum err read_batch(struct imap_session *s, struct db *db, struct search_keys *keys, search_keys_fn fn)
{
    const struct imap_search *run = &keys->run;
    size_t left = run->hit_count - keys->next, count = left < BATCH ? left : BATCH, found;
    struct message_id ids[BATCH];
    struct message_row *rows;
    arena_reset(keys->arena);
    for (size_t i = 0; i < count; i++)
        ids[i] = snapshot_row(s->view, run->hits[keys->next + i])->message;
    qsort(ids, count, sizeof *ids, by_id);
    enum err err = message_get(db, keys->arena, s->account, ids, count, &rows, &found);
    for (size_t i = 0; i < count && !err; i++, keys->next++) {
        const struct placement *row = snapshot_row(s->view, run->hits[keys->next]);
        const struct message_row *message = bsearch(&row->message, rows, found, sizeof *rows, row_by_id);
        struct mime_meta meta;
        bool described = message && !mime_meta_unpack(message->meta, message->prefix.len, keys->arena, &meta);
        fn(s, keys->next, row, described ? &meta : NULL);
    }
    return err;
}

static enum imap_result read_step(struct imap_session *s, struct worker *worker, struct search_keys *keys, search_keys_fn fn)
{
    int64_t start_us = clock_mono_us();
    struct db *db = imap_db(s, worker);
    if (!db)
        return IMAP_DONE;
    if (keys->run.hit_count > (size_t)settings_int(s->server->settings, SETTING_IMAP_SORT_MAX))
        return imap_reply(s, "NO [LIMIT] %s: too many messages (imap.sort_max): ask for less", s->command->name);
    if (!keys->arena)
        keys->arena = arena_open();
    while (keys->next < keys->run.hit_count && clock_mono_us() - start_us < SEARCH_STEP_US) {
        enum err err = read_batch(s, db, keys, fn);
        if (err)
            return imap_reply_err(s, err, s->command->name);
    }
    keys->read = keys->next == keys->run.hit_count;
    return IMAP_WAIT;
}

enum imap_result imap_search_keys_step(struct imap_session *s, struct worker *worker, struct search_keys *keys,
                                       search_found_fn found, search_keys_fn fn)
{
    if (!keys->found) {
        enum imap_result result = imap_search_step(s, worker, &keys->run, &keys->found);
        if (!keys->found)
            return result;
        found(s);
    }
    if (keys->read)
        return IMAP_WAIT;
    return worker ? read_step(s, worker, keys, fn) : IMAP_NEED_WORKER;
}

void imap_search_keys_fini(struct search_keys *keys)
{
    imap_search_fini(&keys->run);
    if (keys->arena)
        arena_close(&keys->arena);
}
