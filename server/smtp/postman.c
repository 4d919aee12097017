#include "server/smtp/postman.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "protocol/mime/meta.h"
#include "server/smtp/recipients.h"

#define PUMPS 2u      // commits on their way at a time: more share no more fsyncs
#define BATCH 16u     // parcels of one commit
#define BATCH_OCTETS 4194304 // and about so many octets, so that a big mail does not hold up fifteen small ones

struct pump {
    struct job job;
    struct postman *postman;
    bool active; // guarded by postman->lock
};

struct postman {
    struct workers *workers;
    struct hub *hub;
    struct recipients *recipients;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct parcel *first, *last; // guarded by lock
    struct pump pumps[PUMPS];
};

/* ---- describing ---- */

struct described { // what storage keeps of a message beside its octets
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
static void deliver(struct hub *hub, struct db *db, struct delivery **deliveries, size_t count)
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
    hub_publish(hub, &changes);
    for (size_t i = 0; i < count; i++)
        described_free(&described[i]);
    arena_close(&arena);
}

enum err postman_deliver_now(struct postman *postman, struct db *db, struct delivery *delivery)
{
    deliver(postman->hub, db, &delivery, 1);
    for (size_t i = 0; i < delivery->target_count; i++)
        if (delivery->targets[i].result != ERR_UNAVAILABLE)
            return ERR_OK;
    return delivery->target_count ? ERR_UNAVAILABLE : ERR_OK;
}

/* ---- the queue ---- */

static size_t take_batch(struct postman *postman, struct parcel *batch[BATCH])
{
    size_t count = 0;
    int64_t octets = 0;
    pthread_mutex_lock(&postman->lock);
    while (postman->first && count < BATCH && (count == 0 || octets < BATCH_OCTETS)) {
        struct parcel *parcel = postman->first;
        postman->first = parcel->next;
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

static void submit(struct pump *pump)
{
    struct postman *postman = pump->postman;
    worker_submit(postman->workers, &pump->job);
}

/* One batch a job: other work of the node has its turn in between. */
static void pump_run(struct job *job, struct worker *worker)
{
    struct pump *pump = job->ctx;
    struct postman *postman = pump->postman;
    struct parcel *batch[BATCH];
    struct delivery *deliveries[BATCH];
    size_t count = take_batch(postman, batch);
    for (size_t i = 0; i < count; i++)
        deliveries[i] = &batch[i]->delivery;
    if (count)
        deliver(postman->hub, worker_db(worker), deliveries, count);
    for (size_t i = 0; i < count; i++) {
        batch[i]->done_task.fn = on_done;
        batch[i]->done_task.ctx = batch[i];
        loop_post(batch[i]->home, &batch[i]->done_task);
    }
}

static void pump_done(struct job *job)
{
    struct pump *pump = job->ctx;
    struct postman *postman = pump->postman;
    pthread_mutex_lock(&postman->lock);
    bool more = postman->first != NULL;
    pump->active = more;
    if (!more)
        pthread_cond_broadcast(&postman->idle);
    pthread_mutex_unlock(&postman->lock);
    if (more)
        submit(pump);
}

void postman_send(struct postman *postman, struct parcel *parcel)
{
    struct pump *started = NULL;
    parcel->next = NULL;
    pthread_mutex_lock(&postman->lock);
    if (postman->first)
        postman->last->next = parcel;
    else
        postman->first = parcel;
    postman->last = parcel;
    for (size_t i = 0; i < PUMPS && !started; i++)
        if (!postman->pumps[i].active) {
            started = &postman->pumps[i];
            started->active = true;
            started->job.home = parcel->home;
        }
    pthread_mutex_unlock(&postman->lock);
    if (started)
        submit(started);
}

enum err postman_open(struct workers *workers, struct hub *hub, struct postman **postman)
{
    struct postman *made = mem_new(struct postman);
    made->workers = workers;
    made->hub = hub;
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
    bool active = postman->first != NULL;
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
