#include "server/smtp/recipients.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLOTS 4096u
#define KEEP_S 30

struct recipients {
    pthread_mutex_t lock;
    struct {
        char *address;
        size_t len;
        struct account_id account;
        int64_t until_us;
    } slots[SLOTS]; // guarded by lock
};

static size_t slot_of(struct slice address)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < address.len; i++)
        hash = (hash ^ (unsigned char)address.at[i]) * 1099511628211u;
    return hash % SLOTS;
}

struct recipients *recipients_open(void)
{
    struct recipients *made = mem_new(struct recipients);
    pthread_mutex_init(&made->lock, NULL);
    return made;
}

void recipients_close(struct recipients **recipients)
{
    if (!*recipients)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        free((*recipients)->slots[i].address);
    pthread_mutex_destroy(&(*recipients)->lock);
    free(*recipients);
    *recipients = NULL;
}

bool recipients_find(struct recipients *recipients, struct slice address, struct account_id *account)
{
    size_t at = slot_of(address);
    pthread_mutex_lock(&recipients->lock);
    bool found = recipients->slots[at].address && recipients->slots[at].until_us > clock_mono_us() &&
                 slice_eq(slice_make(recipients->slots[at].address, recipients->slots[at].len), address);
    if (found)
        *account = recipients->slots[at].account;
    pthread_mutex_unlock(&recipients->lock);
    return found;
}

void recipients_put(struct recipients *recipients, struct slice address, struct account_id account)
{
    size_t at = slot_of(address);
    pthread_mutex_lock(&recipients->lock);
    free(recipients->slots[at].address);
    recipients->slots[at].address = mem_alloc(address.len + 1);
    memcpy(recipients->slots[at].address, address.at, address.len);
    recipients->slots[at].len = address.len;
    recipients->slots[at].account = account;
    recipients->slots[at].until_us = clock_mono_us() + KEEP_S * US_PER_S;
    pthread_mutex_unlock(&recipients->lock);
}

void recipients_forget(struct recipients *recipients, struct slice address)
{
    size_t at = slot_of(address);
    pthread_mutex_lock(&recipients->lock);
    recipients->slots[at].until_us = 0;
    pthread_mutex_unlock(&recipients->lock);
}
