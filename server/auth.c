#include "server/auth.h"

#include <assert.h>
#include <crypt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

// OpenSSL's async API uses this name for something else.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#undef ERR_STATE

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/app_password.h"

#define CACHE_SLOTS 16384u   // verified credentials kept; a newer one takes the slot of an older
#define FAILURE_SLOTS 16384u // logins and addresses with recent failures
#define FAILURE_FORGET_S 900 // a slot without a new failure for so long starts over
#define KEY_BYTES 32
#define WRITE_USES_S 60       // how often the last use of app passwords is written
#define PASSWORD_MAX 1024u   // crypt(3) takes less than CRYPT_MAX_PASSPHRASE_SIZE; longer is refused unhashed

struct credential {
    unsigned char mac[KEY_BYTES]; // of login and password: neither is kept
    int64_t until_us;             // 0: free
    struct account_id account;
    int64_t auth_version;
    char *login; // as the account has it
    bool eas_enabled;
    int64_t app;      // the app password that it is; 0: the account's own
    uint64_t written; // its use is noted since this many writes: once between two
};

struct failures {
    uint64_t who; // hash of a login or an address
    uint32_t count;
    int64_t last_us;
};

struct auth {
    struct auth_settings settings;
    unsigned char key[KEY_BYTES];
    char *dummy_hash; // for unknown logins: the same work as for known ones
    pthread_mutex_t lock;
    struct credential *cache;    // guarded by lock
    struct failures *failures;   // guarded by lock
    int hashing;                 // guarded by lock
    uint64_t changes;            // CHANGE_AUTH events so far, guarded by lock
    struct app_use *uses;        // of app passwords, not yet written; guarded by lock
    size_t use_count, use_room;  // guarded by lock
    uint64_t writes;             // how often uses were taken, guarded by lock
    struct workers *workers;
    struct loop *loop;
    struct loop_timer timer; // on loop
};

/* ---- the cache of verified credentials ---- */

static void mac_of(struct auth *auth, struct slice login, struct slice password, unsigned char mac[KEY_BYTES])
{
    struct buf text = { 0 };
    for (size_t i = 0; i < login.len; i++)
        buf_add_byte(&text, (char)(login.at[i] >= 'A' && login.at[i] <= 'Z' ? login.at[i] + 32 : login.at[i]));
    buf_add_byte(&text, '\0');
    buf_add(&text, password);
    unsigned len = KEY_BYTES;
    struct slice s = buf_slice(&text);
    HMAC(EVP_sha256(), auth->key, KEY_BYTES, (const unsigned char *)s.at, s.len, mac, &len);
    OPENSSL_cleanse(text.bytes, text.room);
    buf_free(&text);
}

/* With the lock held. A minute's first use stands for all of that minute: a busy client adds one row. */
static void note_use(struct auth *auth, struct credential *c)
{
    if (!c->app || c->written == auth->writes)
        return;
    if (auth->use_count == auth->use_room) {
        auth->use_room = auth->use_room ? auth->use_room * 2 : 64;
        auth->uses = mem_realloc(auth->uses, auth->use_room * sizeof *auth->uses);
    }
    auth->uses[auth->use_count++] = (struct app_use){ c->account.n, c->app, clock_wall_us() };
    c->written = auth->writes;
}

static struct credential *slot_of(struct auth *auth, const unsigned char mac[KEY_BYTES])
{
    uint32_t hash;
    memcpy(&hash, mac, sizeof hash);
    return &auth->cache[hash % CACHE_SLOTS];
}

enum err auth_cached(struct auth *auth, struct slice login, struct slice password, struct auth_result *result)
{
    unsigned char mac[KEY_BYTES];
    mac_of(auth, login, password, mac);
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&auth->lock);
    struct credential *c = slot_of(auth, mac);
    if (c->until_us > clock_mono_us() && CRYPTO_memcmp(c->mac, mac, KEY_BYTES) == 0) {
        *result = (struct auth_result){ c->account, c->auth_version, c->eas_enabled, { 0 } };
        strncpy(result->login, c->login, LOGIN_MAX);
        note_use(auth, c);
        err = ERR_OK;
    }
    pthread_mutex_unlock(&auth->lock);
    return err;
}

static uint64_t changes_so_far(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    uint64_t changes = auth->changes;
    pthread_mutex_unlock(&auth->lock);
    return changes;
}

/* Unless some account's password changed while this one was checked: it may have been this one's. */
static void remember(struct auth *auth, uint64_t changes, const unsigned char mac[KEY_BYTES],
                     const struct auth_result *result, int64_t app)
{
    pthread_mutex_lock(&auth->lock);
    if (auth->changes == changes) {
        struct credential *c = slot_of(auth, mac);
        memcpy(c->mac, mac, KEY_BYTES);
        c->until_us = clock_mono_us() + auth->settings.cache_s * US_PER_S;
        c->account = result->account;
        c->auth_version = result->auth_version;
        c->eas_enabled = result->eas_enabled;
        free(c->login);
        c->login = mem_text(result->login);
        c->app = app;
        c->written = 0;
        note_use(auth, c);
    }
    pthread_mutex_unlock(&auth->lock);
}

/* Password, status or device decision changed, maybe in another process: what was verified counts no more. */
static void on_change(void *ctx, const struct change *change)
{
    struct auth *auth = ctx;
    if (!(change->kinds & CHANGE_AUTH))
        return;
    pthread_mutex_lock(&auth->lock);
    auth->changes++;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        if (change->account.n == 0 || auth->cache[i].account.n == change->account.n)
            auth->cache[i].until_us = 0;
    pthread_mutex_unlock(&auth->lock);
}

/* ---- slowing of failures ---- */

static uint64_t hash_of(struct auth *auth, const char *kind, struct slice who)
{
    unsigned char mac[KEY_BYTES];
    uint64_t hash;
    mac_of(auth, who, slice_of(kind), mac); // keyed: nobody can choose whose slot he shares
    memcpy(&hash, mac, sizeof hash);
    return hash | 1;
}

static struct failures *failures_of(struct auth *auth, uint64_t who)
{
    return &auth->failures[who % FAILURE_SLOTS];
}

static int delay_of(const struct auth *auth, const struct failures *f, uint64_t who, int64_t now_us)
{
    if (f->who != who || now_us - f->last_us > FAILURE_FORGET_S * US_PER_S ||
        f->count < (uint32_t)auth->settings.failures_max)
        return 0;
    uint32_t doublings = f->count - (uint32_t)auth->settings.failures_max;
    int64_t delay = (int64_t)auth->settings.slow_ms << (doublings > 16 ? 16 : doublings);
    return delay > auth->settings.slow_max_ms ? auth->settings.slow_max_ms : (int)delay;
}

int auth_delay_ms(struct auth *auth, struct slice login, const char *peer)
{
    uint64_t by_login = hash_of(auth, "login", login), by_peer = hash_of(auth, "peer", slice_of(peer));
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&auth->lock);
    int a = delay_of(auth, failures_of(auth, by_login), by_login, now_us);
    int b = delay_of(auth, failures_of(auth, by_peer), by_peer, now_us);
    pthread_mutex_unlock(&auth->lock);
    return a > b ? a : b;
}

static void count_failure(struct auth *auth, uint64_t who, int64_t now_us)
{
    struct failures *f = failures_of(auth, who);
    if (f->who != who || now_us - f->last_us > FAILURE_FORGET_S * US_PER_S)
        *f = (struct failures){ .who = who };
    f->count++;
    f->last_us = now_us;
}

static void note_outcome(struct auth *auth, struct slice login, const char *peer, bool good)
{
    uint64_t by_login = hash_of(auth, "login", login), by_peer = hash_of(auth, "peer", slice_of(peer));
    int64_t now_us = clock_mono_us();
    pthread_mutex_lock(&auth->lock);
    if (good) {
        // The address keeps its count: one good login must not wipe a guesser's trace.
        struct failures *f = failures_of(auth, by_login);
        if (f->who == by_login)
            *f = (struct failures){ 0 };
    } else {
        count_failure(auth, by_login, now_us);
        count_failure(auth, by_peer, now_us);
    }
    pthread_mutex_unlock(&auth->lock);
}

/* ---- verifying ---- */

/* At most so many hashes at a time: a login storm must not take every core from the mail. */
static bool begin_hash(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    bool free_place = auth->hashing < auth->settings.concurrent_max;
    if (free_place)
        auth->hashing++;
    pthread_mutex_unlock(&auth->lock);
    return free_place;
}

static void end_hash(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    auth->hashing--;
    pthread_mutex_unlock(&auth->lock);
}

static bool hash_fits(const char *hash, struct slice password)
{
    if (password.len > PASSWORD_MAX || password.len >= CRYPT_MAX_PASSPHRASE_SIZE || memchr(password.at, 0, password.len))
        return false;
    char text[PASSWORD_MAX + 1];
    memcpy(text, password.at, password.len);
    text[password.len] = '\0';
    void *room = NULL;
    int room_size = 0;
    char *made = crypt_ra(text, hash, &room, &room_size);
    bool fits = made && made[0] != '*' && strlen(made) == strlen(hash) && CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
    OPENSSL_cleanse(text, sizeof text);
    if (room)
        OPENSSL_cleanse(room, (size_t)room_size);
    free(room);
    return fits;
}

static void log_login(enum err err, struct slice login, const char *peer, const char *protocol, int64_t start_us)
{
    log_event(err ? LOG_WARN : LOG_INFO, "login", LOG_T("protocol", protocol), LOG_S("login", login), LOG_T("peer", peer),
              LOG_T("result", err_name(err)), LOG_MS("ms", (double)(clock_mono_us() - start_us) / 1000.0));
}

static enum err check(struct auth *auth, struct db *db, struct arena *arena, struct slice login, struct slice password,
                      struct auth_result *result, int64_t *app)
{
    struct account account;
    enum err err = app_password_find(db, arena, login, password, &account, app);
    if (err && err != ERR_NOT_FOUND && err != ERR_SYNTAX)
        return err;
    bool active = !err && account.status == ACCOUNT_ACTIVE;
    if (!active || !*app) {
        bool known = active && *account.password_hash;
        bool fits = hash_fits(known ? account.password_hash : auth->dummy_hash, password);
        if (!known || !fits)
            return ERR_DENIED;
    }
    *result = (struct auth_result){ account.id, account.auth_version, account.eas_enabled, { 0 } };
    strncpy(result->login, account.login, LOGIN_MAX);
    return ERR_OK;
}

enum err auth_verify(struct auth *auth, struct worker *worker, struct slice login, struct slice password,
                     const char *peer, const char *protocol, struct auth_result *result, int *delay_ms)
{
    int64_t start_us = clock_mono_us();
    *delay_ms = 0;
    // Clients open several connections at once: the first to be checked answers for those that queued behind it.
    if (auth_cached(auth, login, password, result) == ERR_OK)
        return ERR_OK;
    struct db *db = worker_db(worker);
    if (!db)
        return ERR_UNAVAILABLE;
    if (!begin_hash(auth))
        return ERR_LIMIT;
    struct arena *arena = arena_open();
    uint64_t changes = changes_so_far(auth);
    int64_t app = 0;
    enum err err = check(auth, db, arena, login, password, result, &app);
    arena_close(&arena);
    end_hash(auth);
    if (err == ERR_OK || err == ERR_DENIED) {
        note_outcome(auth, login, peer, err == ERR_OK);
        if (err)
            *delay_ms = auth_delay_ms(auth, login, peer);
    }
    if (err == ERR_OK) {
        unsigned char mac[KEY_BYTES];
        mac_of(auth, login, password, mac);
        remember(auth, changes, mac, result, app);
    }
    log_login(err, login, peer, protocol, start_us);
    return err;
}

char *auth_hash_password(struct slice password)
{
    char text[PASSWORD_MAX + 1], salt[CRYPT_GENSALT_OUTPUT_SIZE];
    if (password.len > PASSWORD_MAX || memchr(password.at, 0, password.len) ||
        !crypt_gensalt_rn("$y$", 0, NULL, 0, salt, sizeof salt))
        return NULL;
    memcpy(text, password.at, password.len);
    text[password.len] = '\0';
    void *room = NULL;
    int room_size = 0;
    char *made = crypt_ra(text, salt, &room, &room_size);
    char *hash = made && made[0] != '*' ? mem_text(made) : NULL;
    OPENSSL_cleanse(text, sizeof text);
    free(room);
    return hash;
}

/* ---- last use of app passwords ---- */

struct uses_job {
    struct job job;
    struct app_use *uses;
    size_t count;
};

static void write_uses(struct job *job, struct worker *worker)
{
    struct uses_job *uses = job->ctx;
    struct db *db = worker_db(worker);
    enum err err = db ? app_password_touch(db, uses->uses, uses->count) : ERR_UNAVAILABLE;
    if (err)
        log_event(LOG_WARN, "last_use_not_written", LOG_T("result", err_name(err)), LOG_I("uses", uses->count));
}

static void free_uses(struct job *job)
{
    struct uses_job *uses = job->ctx;
    free(uses->uses);
    free(uses);
}

static void submit_uses(struct auth *auth)
{
    struct uses_job *job = mem_new(struct uses_job);
    pthread_mutex_lock(&auth->lock);
    job->uses = auth->uses;
    job->count = auth->use_count;
    auth->uses = NULL;
    auth->use_count = auth->use_room = 0;
    auth->writes++;
    pthread_mutex_unlock(&auth->lock);
    job->job = (struct job){ .run = write_uses, .done = free_uses, .ctx = job, .home = auth->loop };
    if (job->count)
        worker_submit(auth->workers, &job->job);
    else
        free_uses(&job->job);
}

static void tick(void *ctx)
{
    struct auth *auth = ctx;
    submit_uses(auth);
    loop_timer_set(auth->loop, &auth->timer, WRITE_USES_S, tick, auth);
}

static void start_timer(void *ctx)
{
    struct auth *auth = ctx;
    loop_timer_set(auth->loop, &auth->timer, WRITE_USES_S, tick, auth);
}

void auth_start_writing(struct auth *auth, struct workers *workers, struct loop *loop)
{
    auth->workers = workers;
    auth->loop = loop;
    loop_call(loop, start_timer, auth);
}

struct stopper {
    struct auth *auth;
    sem_t done;
};

static void stop_timer(void *ctx)
{
    struct stopper *stopper = ctx;
    loop_timer_clear(stopper->auth->loop, &stopper->auth->timer);
    sem_post(&stopper->done);
}

void auth_stop_writing(struct auth *auth)
{
    if (!auth->loop)
        return;
    struct stopper stopper = { .auth = auth };
    sem_init(&stopper.done, 0, 0);
    loop_call(auth->loop, stop_timer, &stopper);
    while (sem_wait(&stopper.done) != 0)
        continue;
    sem_destroy(&stopper.done);
    submit_uses(auth);
}

/* ---- life ---- */

enum err auth_open(const struct auth_settings *settings, struct hub *hub, struct auth **auth)
{
    struct auth *made = mem_new(struct auth);
    made->settings = *settings;
    made->writes = 1;
    made->dummy_hash = auth_hash_password(SLICE_LIT("nobody has this password"));
    if (RAND_bytes(made->key, sizeof made->key) != 1 || !made->dummy_hash) {
        free(made->dummy_hash);
        free(made);
        return ERR_UNAVAILABLE;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->cache = mem_alloc(CACHE_SLOTS * sizeof *made->cache);
    made->failures = mem_alloc(FAILURE_SLOTS * sizeof *made->failures);
    if (hub)
        hub_observe(hub, on_change, made);
    *auth = made;
    return ERR_OK;
}

void auth_close(struct auth **auth)
{
    struct auth *gone = *auth;
    if (!gone)
        return;
    OPENSSL_cleanse(gone->key, sizeof gone->key);
    pthread_mutex_destroy(&gone->lock);
    free(gone->dummy_hash);
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        free(gone->cache[i].login);
    free(gone->cache);
    free(gone->failures);
    free(gone->uses);
    free(gone);
    *auth = NULL;
}
