#include "server/eas/throttle.h"

#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLOTS 16384u // two phones of one slot take turns in it: that errs in their favour

struct slot {
    uint64_t phone; // hash
    int64_t full_us; // when the bucket is full again; in the past: it is
};

struct eas_throttle {
    int64_t per_minute;
    pthread_mutex_t lock;
    struct slot slots[SLOTS]; // guarded by lock
};

struct eas_throttle *eas_throttle_open(int64_t per_minute)
{
    struct eas_throttle *throttle = mem_new(struct eas_throttle);
    throttle->per_minute = per_minute;
    pthread_mutex_init(&throttle->lock, NULL);
    return throttle;
}

void eas_throttle_close(struct eas_throttle **throttle)
{
    if (*throttle)
        pthread_mutex_destroy(&(*throttle)->lock);
    free(*throttle);
    *throttle = NULL;
}

static uint64_t phone_of(struct account_id account, struct slice device)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)account.n;
    for (size_t i = 0; i < device.len; i++)
        hash = (hash ^ (uint64_t)tolower((unsigned char)device.at[i])) * UINT64_C(1099511628211);
    return hash * UINT64_C(0x9E3779B97F4A7C15);
}

int64_t eas_throttle_take(struct eas_throttle *throttle, struct account_id account, struct slice device, int64_t now_us)
{
    if (throttle->per_minute == 0)
        return 0;
    uint64_t phone = phone_of(account, device);
    int64_t one_us = 60 * US_PER_S / throttle->per_minute, wait_us = 0;
    pthread_mutex_lock(&throttle->lock);
    struct slot *slot = &throttle->slots[(phone >> 32) % SLOTS];
    if (slot->phone != phone || slot->full_us < now_us)
        *slot = (struct slot){ phone, now_us };
    slot->full_us += one_us;
    if (slot->full_us > now_us + 60 * US_PER_S) { // the bucket, a minute's worth, is empty
        slot->full_us -= one_us;
        wait_us = slot->full_us + one_us - now_us - 60 * US_PER_S;
    }
    pthread_mutex_unlock(&throttle->lock);
    return (wait_us + US_PER_S - 1) / US_PER_S;
}
