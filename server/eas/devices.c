#include "server/eas/devices.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define BUCKETS 4096u
#define WRITE_SEEN_S 60 // how often last_seen is written
#define KIND_COUNT 2

struct entry {
    struct account_id account;
    struct device_id device;
    int64_t seen_us;           // wall; 0: written
    int64_t told_us;           // monotonic: last told of a change; 0: never
    uint64_t newest[KIND_COUNT]; // waits older than this serial must end
    struct eas_wait_link *waits;
    struct entry *next;
};

struct eas_devices {
    struct server *server;
    _Atomic uint64_t serial;
    struct loop *loop;
    struct loop_timer timer; // on loop
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS]; // guarded by lock
    size_t unwritten;               // guarded by lock: entries with seen_us
};

static size_t bucket_of(struct account_id account, struct device_id device)
{
    uint64_t hash = (uint64_t)account.n * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)device.n * UINT64_C(0xBF58476D1CE4E5B9);
    return (size_t)(hash >> 32) % BUCKETS;
}

/* With the lock held. */
static struct entry *entry_of(struct eas_devices *devices, struct account_id account, struct device_id device)
{
    struct entry **at = &devices->buckets[bucket_of(account, device)];
    while (*at && ((*at)->account.n != account.n || (*at)->device.n != device.n))
        at = &(*at)->next;
    if (!*at) {
        *at = mem_new(struct entry);
        (*at)->account = account;
        (*at)->device = device;
    }
    return *at;
}

/* ---- last seen ---- */

struct seen_job {
    struct job job;
    size_t count;
    struct device_seen seen[];
};

static void write_seen(struct job *job, struct worker *worker)
{
    struct seen_job *seen = job->ctx;
    struct db *db = worker_db(worker);
    enum err err = db ? device_touch(db, seen->seen, seen->count) : ERR_UNAVAILABLE;
    if (err)
        log_event(LOG_WARN, "last_seen_not_written", LOG_T("result", err_name(err)), LOG_I("devices", seen->count));
}

static void free_seen(struct job *job)
{
    free(job->ctx);
}

static void submit_seen(struct eas_devices *devices)
{
    pthread_mutex_lock(&devices->lock);
    struct seen_job *seen = mem_alloc(sizeof *seen + devices->unwritten * sizeof *seen->seen);
    for (size_t i = 0; i < BUCKETS && devices->unwritten; i++) {
        for (struct entry *entry = devices->buckets[i]; entry; entry = entry->next) {
            if (!entry->seen_us)
                continue;
            seen->seen[seen->count++] = (struct device_seen){ entry->account, entry->device, entry->seen_us };
            entry->seen_us = 0;
        }
    }
    devices->unwritten = 0;
    pthread_mutex_unlock(&devices->lock);
    if (seen->count == 0) {
        free(seen);
        return;
    }
    seen->job = (struct job){ .run = write_seen, .done = free_seen, .ctx = seen, .home = devices->loop };
    worker_submit(devices->server->workers, &seen->job);
}

static void tick(void *ctx)
{
    struct eas_devices *devices = ctx;
    submit_seen(devices);
    loop_timer_set(devices->loop, &devices->timer, WRITE_SEEN_S, tick, devices);
}

static void start_timer(void *ctx)
{
    struct eas_devices *devices = ctx;
    loop_timer_set(devices->loop, &devices->timer, WRITE_SEEN_S, tick, devices);
}

struct eas_devices *eas_devices_open(struct server *server)
{
    struct eas_devices *devices = mem_new(struct eas_devices);
    devices->server = server;
    devices->loop = loops_next(server->loops);
    pthread_mutex_init(&devices->lock, NULL);
    loop_call(devices->loop, start_timer, devices);
    return devices;
}

struct stopper {
    struct eas_devices *devices;
    sem_t done;
};

static void stop_timer(void *ctx)
{
    struct stopper *stopper = ctx;
    loop_timer_clear(stopper->devices->loop, &stopper->devices->timer);
    sem_post(&stopper->done);
}

void eas_devices_close(struct eas_devices **devices)
{
    struct eas_devices *old = *devices;
    if (!old)
        return;
    struct stopper stopper = { .devices = old };
    sem_init(&stopper.done, 0, 0);
    loop_call(old->loop, stop_timer, &stopper);
    while (sem_wait(&stopper.done) != 0)
        continue;
    sem_destroy(&stopper.done);
    submit_seen(old);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (old->buckets[i]) {
            struct entry *entry = old->buckets[i];
            assert(!entry->waits);
            old->buckets[i] = entry->next;
            free(entry);
        }
    }
    pthread_mutex_destroy(&old->lock);
    free(old);
    *devices = NULL;
}

uint64_t eas_devices_serial(struct eas_devices *devices)
{
    return atomic_fetch_add(&devices->serial, 1) + 1;
}

void eas_devices_seen(struct eas_devices *devices, struct account_id account, struct device_id device)
{
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, account, device);
    devices->unwritten += entry->seen_us == 0;
    entry->seen_us = clock_wall_us();
    pthread_mutex_unlock(&devices->lock);
}

int64_t eas_devices_quiet_s(struct eas_devices *devices, struct account_id account, struct device_id device,
                            int64_t quiet_s)
{
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, account, device);
    int64_t now = clock_mono_us(), end = entry->told_us + quiet_s * US_PER_S, left = 0;
    if (entry->told_us && end > now)
        left = (end - now + US_PER_S - 1) / US_PER_S;
    else
        entry->told_us = now;
    pthread_mutex_unlock(&devices->lock);
    return left;
}

/* ---- waits ---- */

struct ending { // a message to the loop of an older wait
    struct eas_devices *devices;
    struct account_id account;
    struct device_id device;
    uint64_t serial;
    struct loop *loop;
};

/* The wait may be gone by now; while it is listed with this loop nobody else can free it. */
static void end_older(void *ctx)
{
    struct ending *ending = ctx;
    struct eas_devices *devices = ending->devices;
    struct eas_wait_link *found = NULL;
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, ending->account, ending->device);
    for (struct eas_wait_link *link = entry->waits; link && !found; link = link->next) {
        if (link->serial == ending->serial && link->loop == ending->loop)
            found = link;
    }
    pthread_mutex_unlock(&devices->lock);
    free(ending);
    if (found)
        found->end(found->wait);
}

void eas_devices_supersede(struct eas_devices *devices, struct account_id account, struct device_id device,
                           uint64_t serial, unsigned mask)
{
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, account, device);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if ((mask >> kind & 1) && entry->newest[kind] < serial)
            entry->newest[kind] = serial;
    }
    for (struct eas_wait_link *link = entry->waits; link; link = link->next) {
        if (!(mask >> link->kind & 1) || link->serial >= serial)
            continue;
        struct ending *ending = mem_new(struct ending);
        *ending = (struct ending){ devices, account, device, link->serial, link->loop };
        loop_call(link->loop, end_older, ending);
    }
    pthread_mutex_unlock(&devices->lock);
}

bool eas_devices_add_wait(struct eas_devices *devices, struct eas_wait_link *link)
{
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, link->account, link->device);
    bool current = entry->newest[link->kind] <= link->serial;
    if (current) {
        link->next = entry->waits;
        entry->waits = link;
    }
    pthread_mutex_unlock(&devices->lock);
    return current;
}

void eas_devices_remove_wait(struct eas_devices *devices, struct eas_wait_link *link)
{
    pthread_mutex_lock(&devices->lock);
    struct entry *entry = entry_of(devices, link->account, link->device);
    for (struct eas_wait_link **at = &entry->waits; *at; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            break;
        }
    }
    pthread_mutex_unlock(&devices->lock);
}
