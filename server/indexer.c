#include "server/indexer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/search_reader.h"

#define BUCKETS 1024u
#define BEHIND_AT_ONCE 200u // accounts asked of the store at a time
#define REST_S 5            // after the store was not there
#define PATIENCE 10         // times quiet_ms
#define US_PER_MS INT64_C(1000)

struct waiting { // an account with news
    struct waiting *next;
    struct account_id account;
    int64_t first_us, last_us; // of its news; first_us 0: at once
};

struct indexer {
    struct workers *workers;
    struct loop *home;
    int64_t quiet_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting *buckets[BUCKETS]; // guarded by lock, as all below
    bool stopping, behind;            // behind: accounts after `asked` have not been asked about
    struct account_id asked;
    bool running;     // a job is with the workers
    int64_t rest_us;  // nothing is begun before: the store was not there
    /* the job at hand; its own while it runs */
    struct job job;
    struct account_id account; // 0: asks who is behind
};

/* ---- who waits; under the lock ---- */

static struct waiting **place_of(struct indexer *x, struct account_id account)
{
    struct waiting **at = &x->buckets[(uint64_t)account.n % BUCKETS];
    while (*at && (*at)->account.n != account.n)
        at = &(*at)->next;
    return at;
}

static void note(struct indexer *x, struct account_id account, bool at_once)
{
    struct waiting **at = place_of(x, account);
    int64_t now_us = clock_mono_us();
    if (!*at) {
        *at = mem_new(struct waiting);
        (*at)->account = account;
        (*at)->first_us = at_once ? 0 : now_us;
    }
    (*at)->last_us = at_once ? 0 : now_us;
}

static void forget(struct indexer *x, struct account_id account)
{
    struct waiting **at = place_of(x, account), *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    free(gone);
}

/* The account that is due, or 0; *wait_us: how long until one may be. */
static struct account_id due(struct indexer *x, int64_t *wait_us)
{
    int64_t now_us = clock_mono_us();
    *wait_us = INT64_MAX;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct waiting *w = x->buckets[i]; w; w = w->next) {
            int64_t quiet_us = w->last_us + x->quiet_us, patience_us = w->first_us + PATIENCE * x->quiet_us;
            int64_t at_us = quiet_us < patience_us ? quiet_us : patience_us;
            if (at_us <= now_us || w->last_us == 0)
                return w->account;
            if (at_us - now_us < *wait_us)
                *wait_us = at_us - now_us;
        }
    return (struct account_id){ 0 };
}

/* ---- jobs ---- */

static void ask_behind(struct indexer *x, struct db *db)
{
    struct arena *arena = arena_open();
    struct account_id *accounts;
    size_t count;
    enum err err = search_behind(db, arena, x->asked, BEHIND_AT_ONCE, &accounts, &count);
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; !err && i < count; i++)
        note(x, accounts[i], true);
    x->behind = err || count == BEHIND_AT_ONCE;
    x->rest_us = err ? clock_mono_us() + REST_S * US_PER_S : 0;
    if (!err && count)
        x->asked = accounts[count - 1];
    pthread_mutex_unlock(&x->lock);
    arena_close(&arena);
}

static void pack_account(struct indexer *x, struct db *db)
{
    bool more;
    pthread_mutex_lock(&x->lock);
    forget(x, x->account); // news from here on count anew
    pthread_mutex_unlock(&x->lock);
    enum err err = search_pack_step(db, x->account, &search_reader, &more);
    if (err && err != ERR_NOT_FOUND)
        log_event(LOG_WARN, "search.pack", LOG_I("account", x->account.n), LOG_T("result", err_name(err)),
                  LOG_T("story", db_trace(db)->text));
    pthread_mutex_lock(&x->lock);
    if (!err && more)
        note(x, x->account, true);
    else if (err && err != ERR_NOT_FOUND)
        note(x, x->account, false); // again when it was quiet for a while
    pthread_mutex_unlock(&x->lock);
}

static void run(struct job *job, struct worker *worker)
{
    struct indexer *x = job->ctx;
    struct db *db = worker_db(worker);
    if (db && x->account.n) {
        pack_account(x, db);
    } else if (db) {
        ask_behind(x, db);
    } else {
        pthread_mutex_lock(&x->lock);
        x->rest_us = clock_mono_us() + REST_S * US_PER_S;
        pthread_mutex_unlock(&x->lock);
    }
}

static void done(struct job *job)
{
    struct indexer *x = job->ctx;
    pthread_mutex_lock(&x->lock);
    x->running = false;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
}

static void wait_for(struct indexer *x, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_us % US_PER_S * 1000;
    until.tv_sec += (time_t)(wait_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&x->changed, &x->lock, &until);
}

static void *watch(void *ctx)
{
    struct indexer *x = ctx;
    pthread_mutex_lock(&x->lock);
    while (!x->stopping || x->running) {
        int64_t wait_us = INT64_MAX;
        struct account_id account = { 0 };
        bool resting = clock_mono_us() < x->rest_us;
        if (!x->running && !x->stopping && !resting)
            account = due(x, &wait_us);
        if (x->running || x->stopping || resting || (!account.n && !x->behind)) {
            // News do not wake it: it looks once in quiet_ms, however many come.
            wait_for(x, wait_us < x->quiet_us ? wait_us : x->quiet_us);
            continue;
        }
        x->account = account;
        x->job = (struct job){ .run = run, .done = done, .ctx = x, .home = x->home };
        x->running = true;
        worker_submit(x->workers, &x->job);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static void on_change(void *ctx, const struct change *change)
{
    struct indexer *x = ctx;
    pthread_mutex_lock(&x->lock);
    if (change->account.n == 0) {
        x->behind = true; // events were lost
        x->asked.n = 0;
    } else if (change->kinds & CHANGE_NEW) {
        note(x, change->account, false);
    }
    pthread_mutex_unlock(&x->lock);
}

enum err indexer_open(struct workers *workers, struct loop *home, struct hub *hub, int quiet_ms, struct indexer **indexer)
{
    struct indexer *x = mem_new(struct indexer);
    pthread_condattr_t attr;
    x->workers = workers;
    x->home = home;
    x->quiet_us = quiet_ms * US_PER_MS;
    x->behind = true;
    pthread_mutex_init(&x->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&x->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&x->thread, NULL, watch, x)) {
        free(x);
        return ERR_UNAVAILABLE;
    }
    hub_observe(hub, on_change, x);
    *indexer = x;
    return ERR_OK;
}

void indexer_stop(struct indexer *x)
{
    pthread_mutex_lock(&x->lock);
    x->stopping = true;
    pthread_cond_broadcast(&x->changed);
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->thread, NULL);
}

void indexer_close(struct indexer **indexer)
{
    struct indexer *x = *indexer;
    *indexer = NULL;
    if (!x)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct waiting *w = x->buckets[i], *next; w; w = next) {
            next = w->next;
            free(w);
        }
    pthread_cond_destroy(&x->changed);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
