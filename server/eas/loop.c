#include "server/eas/loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define PHONES 4096u // two phones of one place push each other out: then a loop is found later
#define PRINTS 16u   // different requests of a phone that are remembered

struct print {
    uint64_t hash; // 0: free
    int64_t first_us;
    uint32_t count;
};

struct phone {
    int64_t account, device;
    struct print prints[PRINTS];
};

struct eas_loops {
    uint32_t repeats;
    int64_t window_us;
    pthread_mutex_t lock;
    struct phone phones[PHONES]; // guarded by lock
};

struct eas_loops *eas_loops_open(int64_t repeats, int64_t window_s)
{
    struct eas_loops *loops = mem_new(struct eas_loops);
    loops->repeats = (uint32_t)repeats;
    loops->window_us = window_s * US_PER_S;
    pthread_mutex_init(&loops->lock, NULL);
    return loops;
}

void eas_loops_close(struct eas_loops **loops)
{
    if (*loops)
        pthread_mutex_destroy(&(*loops)->lock);
    free(*loops);
    *loops = NULL;
}

/* An empty body says nothing of the work: what it stands for moves on by itself. */
static uint64_t print_of(const struct eas_request *req)
{
    struct slice body = http_body(req->http);
    uint64_t hash = UINT64_C(14695981039346656037);
    bool loops = req->command == &eas_sync || req->command == &eas_folder_sync || req->command == &eas_provision;
    if (!loops || body.len == 0)
        return 0;
    for (const char *c = req->command->name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ (unsigned char)body.at[i]) * UINT64_C(1099511628211);
    return hash ? hash : 1;
}

/* With the lock held. */
static struct phone *phone_of(struct eas_loops *loops, const struct eas_request *req)
{
    int64_t account = eas_account(req).n, device = req->device.id.n;
    uint64_t hash = (uint64_t)account * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)device * UINT64_C(0xBF58476D1CE4E5B9);
    struct phone *phone = &loops->phones[(hash >> 32) % PHONES];
    if (phone->account != account || phone->device != device)
        *phone = (struct phone){ .account = account, .device = device };
    return phone;
}

/* With the lock held: the print of the request; NULL when it is new or its time is over. */
static struct print *find(struct eas_loops *loops, struct phone *phone, uint64_t hash)
{
    for (size_t i = 0; i < PRINTS; i++) {
        struct print *print = &phone->prints[i];
        if (print->hash != hash)
            continue;
        if (clock_mono_us() - print->first_us <= loops->window_us)
            return print;
        *print = (struct print){ 0 };
    }
    return NULL;
}

/* With the lock held: a place for another print; those that came but once go first. */
static struct print *make_room(struct phone *phone)
{
    struct print *worst = &phone->prints[0];
    for (size_t i = 1; i < PRINTS; i++) {
        struct print *print = &phone->prints[i];
        if (print->count < worst->count || (print->count == worst->count && print->first_us < worst->first_us))
            worst = print;
    }
    return worst;
}

static bool begins_anew(const struct eas_request *req)
{
    const struct wbxml_node *collections = wbxml_child(req->root, WB_AirSync_Collections);
    const struct wbxml_node *collection = wbxml_child(collections, WB_AirSync_Collection);
    for (; collection; collection = wbxml_same(collection)) {
        if (slice_eq(slice_trim(wbxml_child_text(collection, WB_AirSync_SyncKey)), SLICE_LIT("0")))
            return true;
    }
    return false;
}

static enum eas_heal heal_of(const struct eas_request *req, uint32_t over)
{
    if (req->command != &eas_sync || begins_anew(req))
        return HEAL_PAUSE;
    uint32_t step = over / EAS_LOOP_STEP;
    return step == 0 ? HEAL_SMALL_WINDOW : step == 1 ? HEAL_DEGRADED : HEAL_NEW_KEY;
}

bool eas_loops_check(struct eas_request *req)
{
    struct eas_loops *loops = req->app->loops;
    req->loop_print = print_of(req);
    if (!req->loop_print)
        return true;
    pthread_mutex_lock(&loops->lock);
    struct print *print = find(loops, phone_of(loops, req), req->loop_print);
    if (print && print->count >= loops->repeats)
        req->heal = heal_of(req, print->count - loops->repeats);
    if (req->heal == HEAL_NEW_KEY)
        *print = (struct print){ 0 }; // once
    pthread_mutex_unlock(&loops->lock);
    if (req->heal != HEAL_PAUSE)
        return true;
    http_answer_header(req->http, "X-MS-ASThrottle", "RecentCommands");
    eas_answer_retry(req, EAS_LOOP_PAUSE_S);
    return false;
}

static const char *name_of(const struct eas_request *req)
{
    return req->command != &eas_sync ? req->command->name : begins_anew(req) ? "Sync from the start" : "Sync with one key";
}

/* Counts; true when that begins an episode. */
static bool count(struct eas_loops *loops, const struct eas_request *req)
{
    pthread_mutex_lock(&loops->lock);
    struct phone *phone = phone_of(loops, req);
    struct print *print = find(loops, phone, req->loop_print);
    if (!print) {
        print = make_room(phone);
        *print = (struct print){ .hash = req->loop_print, .first_us = clock_mono_us() };
    }
    bool begins = ++print->count == loops->repeats;
    pthread_mutex_unlock(&loops->lock);
    return begins;
}

void eas_loops_note(struct eas_request *req)
{
    if (!req->worked || !req->loop_print || !count(req->app->loops, req))
        return;
    const char *what = name_of(req);
    log_event(LOG_WARN, "eas_loop", LOG_I("account", eas_account(req).n), LOG_T("device", req->device.key),
              LOG_T("what", what), LOG_I("repeats", req->app->loops->repeats));
    enum err err = device_note_loop(req->db, eas_account(req), req->device.id, what);
    if (err)
        log_event(LOG_WARN, "eas_loop_not_counted", LOG_T("result", err_name(err)));
}
