#include "server/smtp/postman.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "protocol/mime/meta.h"
#include "server/smtp/autoreply.h"
#include "server/smtp/recipients.h"

#define PUMPS 2u      // commits on their way at a time: more share no more fsyncs
#define BATCH 16u     // parcels of one commit
#define BATCH_OCTETS 4194304 // and about so many octets, so that a big mail does not hold up fifteen small ones

#define CLAIMS_MAX 256u // accounts of one batch, about

struct queue {
    struct parcel *first, *last;
};

struct claims { // accounts whose place for writing a batch holds
    struct account_id *accounts;
    size_t count, room;
};

struct pump {
    struct job job;
    struct postman *postman;
    bool active; // guarded by postman->lock
};

/* Mail for an account that somebody else writes: it waits for that account alone, in a job of the account, and holds no
 * worker until then (hard case 14). Whatever comes for the account meanwhile joins it. */
struct waiter {
    struct waiter *next;
    struct job job;
    struct postman *postman;
    struct account_id account;
    struct queue queue; // guarded by postman->lock
};

struct postman {
    struct workers *workers;
    struct hub *hub;
    struct autoreply *autoreply;
    struct recipients *recipients;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct queue queue;     // guarded by lock
    struct waiter *waiters; // guarded by lock
    struct pump pumps[PUMPS];
};

/* Locks: postman->lock may be held while the workers' own is taken (claims, jobs), never the other way round. */

/* ---- describing ---- */

struct described { // what storage keeps of a message beside its octets
    struct slice raw;
    struct buf meta;
    void *map;
    size_t map_len;
};

static enum err describe(struct delivery *delivery, struct arena *arena, struct described *d)
{
    struct message_new *message = &delivery->message;
    struct slice raw = message->octets.memory;
    if (message->octets.fd >= 0) {
        d->map_len = (size_t)message->octets.size;
        d->map = mmap(NULL, d->map_len, PROT_READ, MAP_PRIVATE, message->octets.fd, 0);
        if (d->map == MAP_FAILED) {
            d->map = NULL;
            return ERR_UNAVAILABLE;
        }
        raw = slice_make(d->map, d->map_len);
    }
    struct mime_meta meta;
    d->raw = raw;
    mime_describe(raw, arena, &meta);
    mime_meta_pack(&meta, &d->meta);
    message->meta = buf_slice(&d->meta);
    message->thread = meta.thread;
    message->sent_us = meta.date_us;
    while (delivery->delivery_id == 0)
        if (getrandom(&delivery->delivery_id, sizeof delivery->delivery_id, 0) != sizeof delivery->delivery_id)
            return ERR_UNAVAILABLE;
    delivery->delivery_id &= INT64_MAX;
    if (!delivery->internal_date_us)
        delivery->internal_date_us = clock_wall_us();
    return ERR_OK;
}

static void described_free(struct described *d)
{
    if (d->map)
        munmap(d->map, d->map_len);
    buf_free(&d->meta);
}

static void fail_all(struct delivery *delivery, enum err err)
{
    for (size_t i = 0; i < delivery->target_count; i++)
        delivery->targets[i].result = err;
}

/* Describes, commits and publishes. Every target has its result afterwards. */
static void deliver(struct postman *postman, struct db *db, struct delivery **deliveries, size_t count)
{
    struct arena *arena = arena_open();
    struct described described[BATCH] = { 0 };
    struct delivery *ready[BATCH];
    size_t ready_count = 0;
    struct change_set changes = { 0 };
    for (size_t i = 0; i < count; i++) {
        enum err err = db ? describe(deliveries[i], arena, &described[i]) : ERR_UNAVAILABLE;
        if (err)
            fail_all(deliveries[i], err);
        else
            ready[ready_count++] = deliveries[i];
    }
    if (ready_count && message_deliver(db, ready, ready_count, &changes))
        for (size_t i = 0; i < ready_count; i++)
            fail_all(ready[i], ERR_UNAVAILABLE);
    hub_publish(postman->hub, &changes);
    for (size_t i = 0; i < count; i++) {
        autoreply_note(postman->autoreply, deliveries[i]->targets, deliveries[i]->target_count, described[i].raw);
        described_free(&described[i]);
    }
    arena_close(&arena);
}

/* ---- the queue ---- */

static void enqueue(struct queue *queue, struct parcel *parcel)
{
    parcel->next = NULL;
    if (queue->first)
        queue->last->next = parcel;
    else
        queue->first = parcel;
    queue->last = parcel;
}

static bool has_claimed(const struct claims *claims, struct account_id account)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->accounts[i].n == account.n)
            return true;
    return false;
}

static void give_back(struct postman *postman, struct claims *claims, size_t keep)
{
    while (claims->count > keep)
        workers_unclaim(postman->workers, claims->accounts[--claims->count]);
}

static struct waiter *find_waiter(const struct postman *postman, struct account_id account)
{
    for (struct waiter *waiter = postman->waiters; waiter; waiter = waiter->next)
        if (waiter->account.n == account.n)
            return waiter;
    return NULL;
}

/* Claims the accounts of all targets; else none, and *busy is one that others write. */
static bool claim_all(struct postman *postman, const struct delivery *delivery, struct claims *claims,
                      struct account_id *busy)
{
    size_t before = claims->count;
    if (claims->count + delivery->target_count > claims->room) {
        claims->room = (claims->count + delivery->target_count) * 2;
        claims->accounts = mem_realloc(claims->accounts, claims->room * sizeof *claims->accounts);
    }
    for (size_t i = 0; i < delivery->target_count; i++) {
        struct account_id account = delivery->targets[i].account;
        if (has_claimed(claims, account))
            continue;
        // Not past what waits already: mail of one account stays in order.
        if (find_waiter(postman, account) || !workers_claim(postman->workers, account)) {
            give_back(postman, claims, before);
            *busy = account;
            return false;
        }
        claims->accounts[claims->count++] = account;
    }
    return true;
}

static void waiter_run(struct job *job, struct worker *worker);
static void waiter_done(struct job *job);

static void wait_for_account(struct postman *postman, struct parcel *parcel, struct account_id account)
{
    struct waiter *waiter = find_waiter(postman, account);
    if (waiter) {
        enqueue(&waiter->queue, parcel);
        return;
    }
    waiter = mem_new(struct waiter);
    waiter->postman = postman;
    waiter->account = account;
    waiter->next = postman->waiters;
    postman->waiters = waiter;
    enqueue(&waiter->queue, parcel);
    waiter->job = (struct job){ .run = waiter_run, .done = waiter_done, .ctx = waiter, .home = parcel->home,
                                .account = account, .writes = true };
    worker_submit(postman->workers, &waiter->job);
}

/* claims NULL: the queue is a waiter's, whose account its job holds. */
static size_t take_batch(struct postman *postman, struct queue *queue, struct claims *claims,
                         struct parcel *batch[BATCH])
{
    size_t count = 0;
    int64_t octets = 0;
    struct account_id busy;
    pthread_mutex_lock(&postman->lock);
    while (queue->first && count < BATCH && (count == 0 || octets < BATCH_OCTETS) &&
           (!claims || claims->count < CLAIMS_MAX)) {
        struct parcel *parcel = queue->first;
        queue->first = parcel->next;
        if (claims && !claim_all(postman, &parcel->delivery, claims, &busy)) {
            wait_for_account(postman, parcel, busy);
            continue;
        }
        octets += parcel->delivery.message.octets.size;
        batch[count++] = parcel;
    }
    pthread_mutex_unlock(&postman->lock);
    return count;
}

static void on_done(void *ctx)
{
    struct parcel *parcel = ctx;
    parcel->done(parcel);
}

/* Commits a batch; its parcels go home. */
static void deliver_batch(struct postman *postman, struct worker *worker, struct parcel *const batch[BATCH],
                          size_t count, struct claims *claims)
{
    struct delivery *deliveries[BATCH];
    for (size_t i = 0; i < count; i++)
        deliveries[i] = &batch[i]->delivery;
    if (count)
        deliver(postman, worker_db(worker), deliveries, count);
    if (claims)
        give_back(postman, claims, 0);
    for (size_t i = 0; i < count; i++) {
        batch[i]->done_task.fn = on_done;
        batch[i]->done_task.ctx = batch[i];
        loop_post(batch[i]->home, &batch[i]->done_task);
    }
}

/* One batch a job: other work of the node has its turn in between. */
static void pump_run(struct job *job, struct worker *worker)
{
    struct pump *pump = job->ctx;
    struct parcel *batch[BATCH];
    struct claims claims = { 0 };
    size_t count = take_batch(pump->postman, &pump->postman->queue, &claims, batch);
    deliver_batch(pump->postman, worker, batch, count, &claims);
    free(claims.accounts);
}

static void waiter_run(struct job *job, struct worker *worker)
{
    struct waiter *waiter = job->ctx;
    struct parcel *batch[BATCH];
    size_t count = take_batch(waiter->postman, &waiter->queue, NULL, batch);
    deliver_batch(waiter->postman, worker, batch, count, NULL);
}

static void pump_done(struct job *job)
{
    struct pump *pump = job->ctx;
    struct postman *postman = pump->postman;
    pthread_mutex_lock(&postman->lock);
    bool more = postman->queue.first != NULL;
    pump->active = more;
    if (!more)
        pthread_cond_broadcast(&postman->idle);
    pthread_mutex_unlock(&postman->lock);
    if (more)
        worker_submit(postman->workers, &pump->job);
}

static void waiter_done(struct job *job)
{
    struct waiter *waiter = job->ctx;
    struct postman *postman = waiter->postman;
    pthread_mutex_lock(&postman->lock);
    bool more = waiter->queue.first != NULL;
    if (!more) {
        struct waiter **at = &postman->waiters;
        while (*at != waiter)
            at = &(*at)->next;
        *at = waiter->next;
        pthread_cond_broadcast(&postman->idle);
    }
    pthread_mutex_unlock(&postman->lock);
    if (more)
        worker_submit(postman->workers, &waiter->job);
    else
        free(waiter);
}

void postman_send(struct postman *postman, struct parcel *parcel)
{
    struct pump *started = NULL;
    pthread_mutex_lock(&postman->lock);
    enqueue(&postman->queue, parcel);
    for (size_t i = 0; i < PUMPS && !started; i++)
        if (!postman->pumps[i].active) {
            started = &postman->pumps[i];
            started->active = true;
            started->job.home = parcel->home;
        }
    pthread_mutex_unlock(&postman->lock);
    if (started)
        worker_submit(postman->workers, &started->job);
}

enum err postman_open(struct workers *workers, struct hub *hub, struct autoreply *autoreply, struct postman **postman)
{
    struct postman *made = mem_new(struct postman);
    made->workers = workers;
    made->hub = hub;
    made->autoreply = autoreply;
    made->recipients = recipients_open();
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->idle, NULL);
    for (size_t i = 0; i < PUMPS; i++) {
        made->pumps[i].postman = made;
        made->pumps[i].job = (struct job){ .run = pump_run, .done = pump_done, .ctx = &made->pumps[i] };
    }
    *postman = made;
    return ERR_OK;
}

struct recipients *postman_recipients(struct postman *postman)
{
    return postman->recipients;
}

static bool is_idle(const struct postman *postman)
{
    bool active = postman->queue.first || postman->waiters;
    for (size_t i = 0; i < PUMPS; i++)
        active = active || postman->pumps[i].active;
    return !active;
}

void postman_close(struct postman **postman)
{
    struct postman *gone = *postman;
    if (!gone)
        return;
    pthread_mutex_lock(&gone->lock);
    while (!is_idle(gone)) // the loops still run: pump_done comes
        pthread_cond_wait(&gone->idle, &gone->lock);
    pthread_mutex_unlock(&gone->lock);
    pthread_cond_destroy(&gone->idle);
    pthread_mutex_destroy(&gone->lock);
    recipients_close(&gone->recipients);
    free(gone);
    *postman = NULL;
}
