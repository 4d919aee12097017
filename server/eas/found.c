#include "server/eas/found.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct kept {
    struct account_id account;
    struct device_id device;
    int64_t at_us; // 0: free
    char *key;
    size_t key_len;
    struct found_hit *hits;
    size_t count;
};

struct found {
    pthread_mutex_t lock;
    struct kept kept[FOUND_KEPT_MAX]; // guarded by lock
};

struct found *found_open(void)
{
    struct found *found = mem_new(struct found);
    pthread_mutex_init(&found->lock, NULL);
    return found;
}

static void forget(struct kept *kept)
{
    free(kept->key);
    free(kept->hits);
    *kept = (struct kept){ 0 };
}

void found_close(struct found **found)
{
    if (!*found)
        return;
    for (size_t i = 0; i < FOUND_KEPT_MAX; i++)
        forget(&(*found)->kept[i]);
    pthread_mutex_destroy(&(*found)->lock);
    free(*found);
    *found = NULL;
}

static bool is_of(const struct kept *kept, struct account_id account, struct device_id device)
{
    return kept->at_us && kept->account.n == account.n && kept->device.n == device.n;
}

/* The device's own place, else the oldest one. */
static struct kept *place_of(struct found *found, struct account_id account, struct device_id device)
{
    struct kept *oldest = &found->kept[0];
    for (size_t i = 0; i < FOUND_KEPT_MAX; i++) {
        if (is_of(&found->kept[i], account, device))
            return &found->kept[i];
        if (found->kept[i].at_us < oldest->at_us)
            oldest = &found->kept[i];
    }
    return oldest;
}

static void *copy_of(const void *from, size_t size)
{
    void *to = mem_alloc(size + 1);
    if (size)
        memcpy(to, from, size);
    return to;
}

void found_put(struct found *found, struct account_id account, struct device_id device, struct slice key,
               const struct found_hit *hits, size_t count)
{
    struct kept fresh = {
        .account = account,
        .device = device,
        .at_us = clock_mono_us() + 1,
        .key = copy_of(key.at, key.len),
        .key_len = key.len,
        .hits = copy_of(hits, count * sizeof *hits),
        .count = count,
    };
    pthread_mutex_lock(&found->lock);
    struct kept *kept = place_of(found, account, device);
    forget(kept);
    *kept = fresh;
    pthread_mutex_unlock(&found->lock);
}

bool found_get(struct found *found, struct account_id account, struct device_id device, struct slice key,
               struct arena *arena, struct found_hit **hits, size_t *count)
{
    pthread_mutex_lock(&found->lock);
    struct kept *kept = place_of(found, account, device);
    bool got = is_of(kept, account, device) && slice_eq(slice_make(kept->key, kept->key_len), key) &&
               clock_mono_us() - kept->at_us < FOUND_KEPT_S * US_PER_S;
    if (got) {
        *count = kept->count;
        *hits = arena_new(arena, struct found_hit, kept->count);
        if (kept->count)
            memcpy(*hits, kept->hits, kept->count * sizeof **hits);
    }
    pthread_mutex_unlock(&found->lock);
    return got;
}
