#include "server/push/hub.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/push/wire.h"

#define BUCKETS 4096u
#define LOOPS_MAX 64u
#define OBSERVERS_MAX 8u
#define RETRY_MS 250          // between tries to reach a lost database
#define WAIT_MS 1000          // how long one wait for a notification lasts; the end of the hub is told by one
#define RECHECK_ACCOUNTS 5000 // clocks asked for in one statement
#define UNKNOWN_MODSEQ INT64_MAX // newer than whatever anybody has seen
#define ALL_KINDS (CHANGE_NEW | CHANGE_FLAGS | CHANGE_REMOVED | CHANGE_HIERARCHY)

struct hub_watcher {
    struct hub_watcher *prev, *next; // of its bucket
    struct hub_loop *home;
    struct account_id account;
    unsigned mask;
    hub_fn fn;
    void *ctx;
};

struct hub_loop { // watchers of one loop
    struct hub *hub;
    struct loop *loop;
    size_t index;
    struct hub_watcher *buckets[BUCKETS]; // loop thread
    struct hub_watcher *walking;          // loop thread: the next one to be told
    struct change *queue;                 // guarded by hub->lock
    size_t count, room;                   // guarded by hub->lock
    bool posted;                          // guarded by hub->lock
    struct loop_task task;
};

struct watched { // an account that somebody here watches
    struct watched *next;
    struct account_id account;
    int64_t seen_modseq, seen_auth; // seen_auth 0: those who knew an older one have been told
    uint64_t on_loops;              // bit i: loops[i] has watchers of it
};
_Static_assert(LOOPS_MAX <= 64, "a bit each");

struct observer {
    hub_fn fn;
    void *ctx;
};

struct hub {
    pthread_mutex_t lock;
    struct hub_loop *loops[LOOPS_MAX];  // guarded by lock
    size_t loop_count;                  // guarded by lock
    struct watched *watched[BUCKETS];   // guarded by lock
    size_t watched_count;               // guarded by lock
    struct observer observers[OBSERVERS_MAX]; // guarded by lock
    size_t observer_count;                    // guarded by lock

    uint64_t sender;
    char *url;
    int recheck_s;
    pthread_t teller, listener; // NOTIFY and LISTEN
    pthread_cond_t told;        // news for the teller, or the end
    struct change *out;         // guarded by lock
    size_t out_count, out_room; // guarded by lock
    bool ending;                // guarded by lock
};

static unsigned bucket_of(struct account_id account)
{
    return (unsigned)((uint64_t)account.n % BUCKETS);
}

/* ---- watchers ---- */

static void on_changes(void *ctx);

/* The hub's part of a loop, made when the loop watches for the first time. */
static struct hub_loop *part_of(struct hub *hub, struct loop *loop)
{
    for (size_t i = 0; i < hub->loop_count; i++)
        if (hub->loops[i]->loop == loop)
            return hub->loops[i];
    assert(hub->loop_count < LOOPS_MAX);
    struct hub_loop *part = mem_new(struct hub_loop);
    part->hub = hub;
    part->loop = loop;
    part->index = hub->loop_count;
    part->task.fn = on_changes;
    part->task.ctx = part;
    hub->loops[hub->loop_count++] = part;
    return part;
}

static struct watched **find_watched(struct hub *hub, struct account_id account)
{
    struct watched **at = &hub->watched[bucket_of(account)];
    while (*at && (*at)->account.n != account.n)
        at = &(*at)->next;
    return at;
}

struct hub_watcher *hub_watch(struct hub *hub, struct loop *loop, struct account_id account, int64_t auth_version,
                              unsigned mask, hub_fn fn, void *ctx)
{
    assert(loop_is_current(loop));
    struct hub_watcher *watcher = mem_new(struct hub_watcher);
    pthread_mutex_lock(&hub->lock);
    struct hub_loop *part = part_of(hub, loop);
    struct watched **at = find_watched(hub, account);
    if (!*at) {
        *at = mem_new(struct watched);
        (*at)->account = account;
        hub->watched_count++;
    }
    if ((*at)->seen_auth == 0 || auth_version < (*at)->seen_auth)
        (*at)->seen_auth = auth_version; // the oldest: a recheck tells all of them
    (*at)->on_loops |= UINT64_C(1) << part->index;
    pthread_mutex_unlock(&hub->lock);
    struct hub_watcher **bucket = &part->buckets[bucket_of(account)];
    *watcher = (struct hub_watcher){ .next = *bucket, .home = part, .account = account, .mask = mask, .fn = fn, .ctx = ctx };
    if (*bucket)
        (*bucket)->prev = watcher;
    *bucket = watcher;
    return watcher;
}

static bool has_watcher(const struct hub_loop *part, struct account_id account)
{
    const struct hub_watcher *watcher = part->buckets[bucket_of(account)];
    while (watcher && watcher->account.n != account.n)
        watcher = watcher->next;
    return watcher != NULL;
}

void hub_unwatch(struct hub *hub, struct hub_watcher **watcher)
{
    struct hub_watcher *gone = *watcher;
    if (!gone)
        return;
    struct hub_loop *part = gone->home;
    assert(loop_is_current(part->loop));
    if (part->walking == gone)
        part->walking = gone->next;
    if (gone->next)
        gone->next->prev = gone->prev;
    if (gone->prev)
        gone->prev->next = gone->next;
    else
        part->buckets[bucket_of(gone->account)] = gone->next;
    if (!has_watcher(part, gone->account)) {
        pthread_mutex_lock(&hub->lock);
        struct watched **at = find_watched(hub, gone->account), *watched = *at;
        watched->on_loops &= ~(UINT64_C(1) << part->index);
        if (watched->on_loops == 0) {
            *at = watched->next;
            hub->watched_count--;
            free(watched);
        }
        pthread_mutex_unlock(&hub->lock);
    }
    free(gone);
    *watcher = NULL;
}

void hub_observe(struct hub *hub, hub_fn fn, void *ctx)
{
    pthread_mutex_lock(&hub->lock); // the listener is at work already
    assert(hub->observer_count < OBSERVERS_MAX);
    hub->observers[hub->observer_count++] = (struct observer){ fn, ctx };
    pthread_mutex_unlock(&hub->lock);
}

/* ---- telling this process ---- */

static void tell_one(struct hub_loop *part, const struct change *change)
{
    struct hub_watcher *watcher = part->buckets[bucket_of(change->account)];
    for (; watcher; watcher = part->walking) {
        part->walking = watcher->next; // hub_unwatch moves it on when that one goes
        if (watcher->account.n == change->account.n && (watcher->mask & change->kinds))
            watcher->fn(watcher->ctx, change);
    }
    part->walking = NULL;
}

static void on_changes(void *ctx)
{
    struct hub_loop *part = ctx;
    pthread_mutex_lock(&part->hub->lock);
    struct change *queue = part->queue;
    size_t count = part->count;
    part->queue = NULL;
    part->count = part->room = 0;
    part->posted = false;
    pthread_mutex_unlock(&part->hub->lock);
    for (size_t i = 0; i < count; i++)
        tell_one(part, &queue[i]);
    free(queue);
}

static void push(struct change **list, size_t *count, size_t *room, const struct change *change)
{
    if (*count == *room) {
        *room = *room ? *room * 2 : 16;
        *list = mem_realloc(*list, *room * sizeof **list);
    }
    (*list)[(*count)++] = *change;
}

static void tell_observers(struct hub *hub, const struct change *change)
{
    struct observer observers[OBSERVERS_MAX];
    pthread_mutex_lock(&hub->lock);
    size_t count = hub->observer_count;
    memcpy(observers, hub->observers, count * sizeof *observers);
    pthread_mutex_unlock(&hub->lock);
    for (size_t i = 0; i < count; i++)
        observers[i].fn(observers[i].ctx, change);
}

static void tell_local(struct hub *hub, const struct change *change)
{
    tell_observers(hub, change);
    pthread_mutex_lock(&hub->lock);
    struct watched *watched = *find_watched(hub, change->account);
    if (watched && change->modseq > watched->seen_modseq && change->modseq != UNKNOWN_MODSEQ)
        watched->seen_modseq = change->modseq;
    if (watched && (change->kinds & CHANGE_AUTH))
        watched->seen_auth = 0;
    for (size_t i = 0; watched && i < hub->loop_count; i++) {
        struct hub_loop *part = hub->loops[i];
        if (!(watched->on_loops >> i & 1))
            continue;
        push(&part->queue, &part->count, &part->room, change);
        if (!part->posted) {
            part->posted = true;
            loop_post(part->loop, &part->task);
        }
    }
    pthread_mutex_unlock(&hub->lock);
}

static size_t list_watched(struct hub *hub, struct account_id **ids);

/* Somebody changed something, it is not known who: every watcher looks, and nothing that is kept counts. */
static void tell_everybody(struct hub *hub)
{
    tell_observers(hub, &(struct change){ { 0 }, { 0 }, UNKNOWN_MODSEQ, ALL_KINDS });
    struct account_id *ids;
    size_t count = list_watched(hub, &ids);
    for (size_t i = 0; i < count; i++)
        tell_local(hub, &(struct change){ ids[i], { 0 }, UNKNOWN_MODSEQ, ALL_KINDS });
    free(ids);
}

void hub_publish(struct hub *hub, const struct change_set *changes)
{
    if (changes->count == 0)
        return;
    if (changes->overflow)
        tell_everybody(hub);
    for (size_t i = 0; i < changes->count; i++)
        tell_local(hub, &changes->items[i]);
    pthread_mutex_lock(&hub->lock);
    for (size_t i = 0; i < changes->count; i++)
        push(&hub->out, &hub->out_count, &hub->out_room, &changes->items[i]);
    if (changes->overflow) // account 0: the others' watchers all look, too
        push(&hub->out, &hub->out_count, &hub->out_room, &(struct change){ .kinds = ALL_KINDS });
    pthread_cond_signal(&hub->told);
    pthread_mutex_unlock(&hub->lock);
}

/* ---- telling other processes ---- */

static enum err notify_all(struct db *db, uint64_t sender, const struct change *changes, size_t count)
{
    struct buf payload = { 0 };
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && !err;) {
        wire_start(&payload, sender);
        while (i < count && wire_add(&payload, &changes[i]))
            i++;
        buf_add_byte(&payload, '\0');
        err = db_notify(db, buf_slice(&payload).at);
    }
    buf_free(&payload);
    return err;
}

enum err hub_notify(struct db *db, const struct change_set *changes)
{
    return notify_all(db, 0, changes->items, changes->count);
}

/* Waits on `told`, at most ms; returns whether the hub ends. The lock is held. */
static bool wait_told(struct hub *hub, int ms)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ns = end.tv_nsec + ms % 1000 * INT64_C(1000000);
    end.tv_sec += ms / 1000 + ns / 1000000000;
    end.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&hub->told, &hub->lock, &end);
    return hub->ending;
}

static bool is_ending(struct hub *hub)
{
    pthread_mutex_lock(&hub->lock);
    bool ending = hub->ending;
    pthread_mutex_unlock(&hub->lock);
    return ending;
}

static struct db *open_db(struct hub *hub, const char *name)
{
    struct trace trace = { 0 };
    struct db *db = NULL;
    if (db_open(&(struct db_settings){ .url = hub->url, .name = name }, &trace, &db)) {
        log_event(LOG_ERROR, "hub.database", LOG_T("connection", name), LOG_T("story", trace.text));
        return NULL;
    }
    return db;
}

/* Sends what was published, in batches: while one is on its way the next gathers. */
static void *run_teller(void *ctx)
{
    struct hub *hub = ctx;
    struct db *db = NULL;
    pthread_mutex_lock(&hub->lock);
    for (;;) {
        while (hub->out_count == 0 && !hub->ending)
            pthread_cond_wait(&hub->told, &hub->lock);
        if (hub->out_count == 0)
            break;
        struct change *batch = hub->out;
        size_t count = hub->out_count;
        hub->out = NULL;
        hub->out_count = hub->out_room = 0;
        pthread_mutex_unlock(&hub->lock);
        if (!db)
            db = open_db(hub, "godwit-notify");
        enum err err = db ? notify_all(db, hub->sender, batch, count) : ERR_UNAVAILABLE;
        free(batch);
        pthread_mutex_lock(&hub->lock);
        // Lost events are found by the others' recheck of the clocks: they must not pile up here.
        if (err && wait_told(hub, RETRY_MS))
            break;
    }
    pthread_mutex_unlock(&hub->lock);
    if (db) {
        // The own listener waits for a notification: this one ends its wait.
        struct change end = { 0 };
        if (notify_all(db, hub->sender, &end, 1))
            log_event(LOG_DEBUG, "hub.end", LOG_T("story", db_trace(db)->text));
    }
    db_close(&db);
    return NULL;
}

static void hear(struct hub *hub, const char *payload)
{
    struct slice in = slice_of(payload);
    struct change change;
    uint64_t sender;
    if (!wire_read_sender(&in, &sender) || sender == hub->sender)
        return;
    while (wire_read(&in, &change))
        if (change.account.n)
            tell_local(hub, &change);
        else if (change.kinds)
            tell_everybody(hub);
}

/* The accounts watched now; the caller frees them. */
static size_t list_watched(struct hub *hub, struct account_id **ids)
{
    size_t count = 0;
    pthread_mutex_lock(&hub->lock);
    *ids = mem_alloc((hub->watched_count + 1) * sizeof **ids);
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct watched *w = hub->watched[b]; w; w = w->next)
            (*ids)[count++] = w->account;
    pthread_mutex_unlock(&hub->lock);
    return count;
}

/* Whether the account moved without our being told; remembers what is seen now. */
static unsigned news_of(struct hub *hub, struct account_id account, int64_t modseq, int64_t auth)
{
    unsigned kinds = 0;
    pthread_mutex_lock(&hub->lock);
    struct watched *watched = *find_watched(hub, account);
    if (watched) {
        if (modseq > watched->seen_modseq)
            kinds |= ALL_KINDS;
        if (watched->seen_auth && auth != watched->seen_auth)
            kinds |= CHANGE_AUTH;
    }
    pthread_mutex_unlock(&hub->lock);
    return kinds;
}

static enum err recheck(struct hub *hub, struct db *db)
{
    struct account_id *ids;
    size_t count = list_watched(hub, &ids);
    int64_t *modseq = mem_alloc(RECHECK_ACCOUNTS * sizeof *modseq), *auth = mem_alloc(RECHECK_ACCOUNTS * sizeof *auth);
    enum err err = ERR_OK;
    for (size_t at = 0; at < count && !err; at += RECHECK_ACCOUNTS) {
        size_t part = count - at < RECHECK_ACCOUNTS ? count - at : RECHECK_ACCOUNTS;
        err = account_clocks(db, ids + at, part, modseq, auth);
        for (size_t i = 0; i < part && !err; i++) {
            struct change change = { ids[at + i], { 0 }, modseq[i], news_of(hub, ids[at + i], modseq[i], auth[i]) };
            if (change.kinds)
                tell_local(hub, &change);
        }
    }
    free(ids);
    free(modseq);
    free(auth);
    return err;
}

/* One life of the listening connection: ends when it is lost or the hub ends. */
static void listen_once(struct hub *hub, struct db *db)
{
    if (db_listen(db))
        return;
    // Events sent while nobody listened: whoever watches is told by the clocks, whatever is kept counts no more.
    tell_observers(hub, &(struct change){ { 0 }, { 0 }, UNKNOWN_MODSEQ, ALL_KINDS | CHANGE_AUTH });
    if (recheck(hub, db))
        return;
    log_event(LOG_DEBUG, "hub.listening", LOG_I("recheck_s", hub->recheck_s));
    int64_t next_us = clock_mono_us() + hub->recheck_s * US_PER_S;
    while (!is_ending(hub)) {
        const char *payload;
        int pid;
        if (db_wait_notify(db, WAIT_MS, &payload, &pid))
            return;
        if (payload)
            hear(hub, payload);
        if (hub->recheck_s && clock_mono_us() >= next_us) {
            if (recheck(hub, db))
                return;
            next_us = clock_mono_us() + hub->recheck_s * US_PER_S;
        }
    }
}

static void *run_listener(void *ctx)
{
    struct hub *hub = ctx;
    while (!is_ending(hub)) {
        struct db *db = open_db(hub, "godwit-listen");
        if (db)
            listen_once(hub, db);
        db_close(&db);
        pthread_mutex_lock(&hub->lock);
        if (!hub->ending)
            wait_told(hub, RETRY_MS);
        pthread_mutex_unlock(&hub->lock);
    }
    return NULL;
}

/* ---- life ---- */

enum err hub_open(const struct hub_settings *settings, struct hub **hub)
{
    struct hub *h = mem_new(struct hub);
    pthread_condattr_t attributes;
    if (getrandom(&h->sender, sizeof h->sender, 0) != sizeof h->sender) {
        free(h);
        return ERR_UNAVAILABLE;
    }
    h->sender |= 1; // 0 is the CLI's
    h->url = mem_text(settings->database_url);
    h->recheck_s = settings->recheck_s;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&h->told, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&h->teller, NULL, run_teller, h) || pthread_create(&h->listener, NULL, run_listener, h))
        mem_exhausted(sizeof h->teller); // no thread at the start of a process: nothing will work
    *hub = h;
    return ERR_OK;
}

void hub_close(struct hub **hub)
{
    struct hub *h = *hub;
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->ending = true;
    pthread_cond_broadcast(&h->told);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->teller, NULL);
    pthread_join(h->listener, NULL);
    for (size_t i = 0; i < h->loop_count; i++) {
        free(h->loops[i]->queue);
        free(h->loops[i]);
    }
    assert(h->watched_count == 0); // whoever watched is gone before the hub goes
    free(h->out);
    free(h->url);
    pthread_cond_destroy(&h->told);
    pthread_mutex_destroy(&h->lock);
    free(h);
    *hub = NULL;
}
