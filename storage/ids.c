#include <stdatomic.h>
#include <sys/random.h>

#include "base/clock.h"
#include "storage/db_internal.h"

#define NODE_BITS 10
#define COUNTER_BITS 12
#define ID_EPOCH_MS INT64_C(1577836800000) // 2020-01-01: 41 bits of milliseconds last until 2089

static pthread_once_t node_once = PTHREAD_ONCE_INIT;
static int64_t node; // set once

static void choose_node(void)
{
    unsigned char octets[2] = { 0 };
    // Any number does: a clash with another process needs the same millisecond too, and then fails as a duplicate key.
    if (getrandom(octets, sizeof octets, 0) != sizeof octets)
        octets[0] = (unsigned char)clock_mono_us();
    node = ((octets[0] << 8) | octets[1]) & ((1 << NODE_BITS) - 1);
}

int64_t id_new(void)
{
    static atomic_int_fast64_t last; // milliseconds and counter of the newest id
    pthread_once(&node_once, choose_node);
    int64_t now = (clock_wall_us() / 1000 - ID_EPOCH_MS) << COUNTER_BITS;
    int64_t seen = atomic_load(&last), next;
    do {
        next = now > seen ? now : seen + 1; // a full counter or a clock set back borrows from the future
    } while (!atomic_compare_exchange_weak(&last, &seen, next));
    int64_t counter = next & ((1 << COUNTER_BITS) - 1);
    return (next >> COUNTER_BITS) << (COUNTER_BITS + NODE_BITS) | node << COUNTER_BITS | counter;
}
