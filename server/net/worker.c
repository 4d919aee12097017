#include "server/net/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define ACCOUNT_BUCKETS 4096u
#define ACCOUNT_SHARE 4u // at most one worker in so many serves one account

struct account_queue { // exists while the account has jobs
    struct account_queue *next;
    int64_t account;
    uint32_t admitted; // jobs that are ready or running
    bool writing;      // one of them writes, or the place for it is claimed
    bool claimed;      // workers_claim
    struct job *first, *last; // the rest, in order
};

struct worker {
    struct workers *workers;
    pthread_t thread;
    struct db *db;
    struct trace trace;
    pthread_mutex_t lock; // held while its statement is cancelled
    struct job *job;      // guarded by lock
    bool cancel_wanted;   // guarded by workers->lock
    pthread_cond_t wake;
    bool resting;              // guarded by workers->lock
    struct worker *rested_before; // the next of workers->resting
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t cancel;
    struct job *first, *last;                          // ready jobs, guarded by lock
    struct worker *resting;                            // the last to rest first, guarded by lock
    struct account_queue *accounts[ACCOUNT_BUCKETS];   // guarded by lock
    size_t waiting;                                    // jobs in account queues, guarded by lock
    bool ending, cancels_ending;                       // guarded by lock
    size_t cancels;                                    // workers with cancel_wanted, guarded by lock
    struct db_settings db;
    char *url, *name;
    uint32_t per_account_max;
    pthread_t canceller;
    size_t count;
    struct worker at[];
};

/* ---- queues ---- */

static struct account_queue **find_queue(struct workers *w, int64_t account)
{
    struct account_queue **at = &w->accounts[(uint64_t)account % ACCOUNT_BUCKETS];
    while (*at && (*at)->account != account)
        at = &(*at)->next;
    return at;
}

static struct account_queue *queue_new(struct account_id account)
{
    struct account_queue *queue = mem_new(struct account_queue);
    queue->account = account.n;
    return queue;
}

static void append(struct job **first, struct job **last, struct job *job)
{
    job->next = NULL;
    if (*first)
        (*last)->next = job;
    else
        *first = job;
    *last = job;
}

/* Wakes the worker that rested last: its connection's caches are warm, and few workers do the work of quiet times. */
static void wake_one(struct workers *w)
{
    struct worker *worker = w->resting;
    if (!worker)
        return; // all work, or were woken: whoever is done first takes the job
    w->resting = worker->rested_before;
    worker->resting = false;
    pthread_cond_signal(&worker->wake);
}

static void wake_all(struct workers *w)
{
    while (w->resting)
        wake_one(w);
}

static void rest(struct worker *worker)
{
    struct workers *w = worker->workers;
    worker->resting = true;
    worker->rested_before = w->resting;
    w->resting = worker;
    while (worker->resting)
        pthread_cond_wait(&worker->wake, &w->lock);
}

static bool may_run(const struct workers *w, const struct account_queue *queue, const struct job *job)
{
    return queue->admitted < w->per_account_max && !(job->writes && queue->writing);
}

static void admit(struct workers *w, struct account_queue *queue, struct job *job)
{
    queue->admitted++;
    queue->writing = queue->writing || job->writes;
    append(&w->first, &w->last, job);
    wake_one(w);
}

void worker_submit(struct workers *w, struct job *job)
{
    pthread_mutex_lock(&w->lock);
    if (job->account.n == 0) {
        append(&w->first, &w->last, job);
        wake_one(w);
    } else {
        struct account_queue **at = find_queue(w, job->account.n);
        if (!*at)
            *at = queue_new(job->account);
        if (may_run(w, *at, job)) {
            admit(w, *at, job);
        } else {
            append(&(*at)->first, &(*at)->last, job);
            w->waiting++;
        }
    }
    pthread_mutex_unlock(&w->lock);
}

/* Lets in what may run now, in order; a read may pass a write that has to wait. */
static void settle(struct workers *w, struct account_queue **at)
{
    struct account_queue *queue = *at;
    struct job *waiting = queue->first;
    queue->first = queue->last = NULL;
    while (waiting) {
        struct job *next = waiting->next;
        if (may_run(w, queue, waiting)) {
            w->waiting--;
            admit(w, queue, waiting);
        } else {
            append(&queue->first, &queue->last, waiting);
        }
        waiting = next;
    }
    if (queue->admitted == 0 && !queue->claimed) {
        assert(!queue->first);
        *at = queue->next;
        free(queue);
    }
}

/* A job of the account ended. */
static void release(struct workers *w, const struct job *job)
{
    if (job->account.n == 0)
        return;
    struct account_queue **at = find_queue(w, job->account.n);
    assert(*at && (*at)->admitted);
    (*at)->admitted--;
    if (job->writes)
        (*at)->writing = false;
    settle(w, at);
}

static bool write_waits(const struct account_queue *queue)
{
    for (const struct job *job = queue->first; job; job = job->next)
        if (job->writes)
            return true;
    return false;
}

bool workers_claim(struct workers *w, struct account_id account)
{
    pthread_mutex_lock(&w->lock);
    struct account_queue **at = find_queue(w, account.n);
    bool free_place = !*at || (!(*at)->writing && !write_waits(*at));
    if (free_place && !*at)
        *at = queue_new(account);
    if (free_place)
        (*at)->writing = (*at)->claimed = true;
    pthread_mutex_unlock(&w->lock);
    return free_place;
}

void workers_unclaim(struct workers *w, struct account_id account)
{
    pthread_mutex_lock(&w->lock);
    struct account_queue **at = find_queue(w, account.n);
    assert(*at && (*at)->claimed);
    (*at)->writing = (*at)->claimed = false;
    settle(w, at);
    pthread_mutex_unlock(&w->lock);
}

/* ---- threads ---- */

static void on_done(void *ctx)
{
    struct job *job = ctx;
    job->done(job);
}

static void set_job(struct worker *worker, struct job *job)
{
    pthread_mutex_lock(&worker->lock);
    worker->job = job;
    pthread_mutex_unlock(&worker->lock);
}

static void run_job(struct worker *worker, struct job *job)
{
    struct workers *w = worker->workers;
    worker->trace.text[0] = '\0';
    set_job(worker, job);
    job->run(job, worker);
    set_job(worker, NULL); // waits for a cancel that is on its way: it must not hit the next job
    // Read before the account is released: without `done` the job may be gone once its maker knows that it ran.
    struct loop *home = job->home;
    bool has_done = job->done != NULL;
    pthread_mutex_lock(&w->lock);
    job->running_on = NULL;
    release(w, job);
    pthread_mutex_unlock(&w->lock);
    if (has_done) {
        job->done_task.fn = on_done;
        job->done_task.ctx = job;
        loop_post(home, &job->done_task);
    }
}

static void *run_worker(void *ctx)
{
    struct worker *worker = ctx;
    struct workers *w = worker->workers;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !(w->ending && w->waiting == 0))
            rest(worker);
        if (!w->first)
            break;
        struct job *job = w->first;
        w->first = job->next;
        job->running_on = worker;
        pthread_mutex_unlock(&w->lock);
        run_job(worker, job);
        pthread_mutex_lock(&w->lock);
        if (w->ending)
            wake_all(w);
    }
    pthread_mutex_unlock(&w->lock);
    db_close(&worker->db);
    return NULL;
}

/* Cancelling opens a connection to the database, which may block: loops hand it to this thread. */
static void *run_canceller(void *ctx)
{
    struct workers *w = ctx;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (w->cancels == 0 && !w->cancels_ending)
            pthread_cond_wait(&w->cancel, &w->lock);
        if (w->cancels == 0)
            break;
        for (size_t i = 0; i < w->count; i++) {
            struct worker *worker = &w->at[i];
            if (!worker->cancel_wanted)
                continue;
            worker->cancel_wanted = false;
            w->cancels--;
            pthread_mutex_unlock(&w->lock);
            pthread_mutex_lock(&worker->lock);
            if (worker->job && worker->db && atomic_load(&worker->job->cancelled))
                db_cancel(worker->db);
            pthread_mutex_unlock(&worker->lock);
            pthread_mutex_lock(&w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void job_cancel(struct workers *w, struct job *job)
{
    atomic_store(&job->cancelled, true);
    pthread_mutex_lock(&w->lock);
    struct worker *worker = job->running_on;
    if (worker && !worker->cancel_wanted) {
        worker->cancel_wanted = true;
        w->cancels++;
        pthread_cond_signal(&w->cancel);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- life ---- */

enum err workers_open(size_t count, const struct db_settings *db, struct workers **workers)
{
    assert(count > 0);
    struct workers *w = mem_alloc(sizeof *w + count * sizeof *w->at);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->cancel, NULL);
    w->db = *db;
    w->db.url = w->url = mem_text(db->url);
    w->db.name = w->name = mem_text(db->name);
    w->per_account_max = count / ACCOUNT_SHARE ? (uint32_t)(count / ACCOUNT_SHARE) : 1;
    *workers = w;
    if (pthread_create(&w->canceller, NULL, run_canceller, w)) {
        free(w->url);
        free(w->name);
        free(w);
        *workers = NULL;
        return ERR_UNAVAILABLE;
    }
    for (; w->count < count; w->count++) {
        struct worker *worker = &w->at[w->count];
        worker->workers = w;
        pthread_mutex_init(&worker->lock, NULL);
        pthread_cond_init(&worker->wake, NULL);
        if (pthread_create(&worker->thread, NULL, run_worker, worker)) {
            pthread_mutex_destroy(&worker->lock);
            pthread_cond_destroy(&worker->wake);
            workers_close(workers);
            return ERR_UNAVAILABLE;
        }
    }
    return ERR_OK;
}

void workers_close(struct workers **workers)
{
    struct workers *w = *workers;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    wake_all(w);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->count; i++)
        pthread_join(w->at[i].thread, NULL);
    pthread_mutex_lock(&w->lock);
    w->cancels_ending = true;
    pthread_cond_signal(&w->cancel);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->canceller, NULL);
    for (size_t i = 0; i < w->count; i++) {
        pthread_mutex_destroy(&w->at[i].lock);
        pthread_cond_destroy(&w->at[i].wake);
    }
    pthread_cond_destroy(&w->cancel);
    pthread_mutex_destroy(&w->lock);
    free(w->url);
    free(w->name);
    free(w);
    *workers = NULL;
}

size_t workers_count(const struct workers *workers)
{
    return workers->count;
}

/* ---- for jobs ---- */

struct db *worker_db(struct worker *worker)
{
    if (!worker->db) {
        struct db *db = NULL;
        enum err err = db_open(&worker->workers->db, &worker->trace, &db);
        if (err) {
            log_event(LOG_ERROR, "database", LOG_T("result", err_name(err)), LOG_T("story", worker->trace.text));
            return NULL;
        }
        pthread_mutex_lock(&worker->lock); // the canceller looks at it
        worker->db = db;
        pthread_mutex_unlock(&worker->lock);
    }
    return worker->db;
}

struct trace *worker_trace(struct worker *worker)
{
    return worker->db && db_trace(worker->db)->text[0] ? db_trace(worker->db) : &worker->trace;
}
