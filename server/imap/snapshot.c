#include "server/imap/snapshot.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS 4096u
#define NAMES 8192u        // paths remembered; a newer one takes the place of an older
#define OVERLAY_LEAST 64u  // changes beside the base before it is built anew ...
#define NEAR_ROWS 10000u   // of two versions without a common base, compared within half a millisecond
#define OVERLAY_PART 16u   // ... or this part of it, whichever is more

struct base {
    atomic_uint refs;
    uint32_t count;
    struct placement *rows; // in uid order
};

struct snapshot {
    atomic_uint refs;
    struct base *base;
    struct placement *changed; // rows of the base as they are now, in uid order
    uint32_t changed_count;
    uint32_t *removed; // indexes into the base, ascending
    uint32_t removed_count;
    struct placement *added; // rows above the base, in uid order
    uint32_t added_count;
    struct snapshot_facts facts;
    char **keywords;
};

struct entry {
    struct entry *next;
    struct account_id account;
    struct mailbox_id mailbox;
    pthread_mutex_t loading;  // held by the worker that brings it forward; others wait for its result
    struct snapshot *current; // guarded by snapshots->lock
    bool stale;               // guarded by snapshots->lock; stays until the newer version stands here
    uint64_t changes;         // events so far, guarded by snapshots->lock
    uint32_t users;           // threads inside snapshots_get, guarded by snapshots->lock
    uint64_t used;            // for LRU, guarded by snapshots->lock
};

struct name {
    struct account_id account;
    struct mailbox_id mailbox; // 0: free
    char *path;
};

struct snapshots {
    struct name names[NAMES]; // guarded by lock
    uint64_t name_generation; // hierarchy changes so far, guarded by lock
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS]; // guarded by lock
    size_t bytes, bytes_max;        // guarded by lock
    uint64_t clock;                 // guarded by lock
};

/* ---- versions ---- */

static void base_release(struct base *base)
{
    if (base && atomic_fetch_sub(&base->refs, 1) == 1) {
        free(base->rows);
        free(base);
    }
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    if (snapshot)
        atomic_fetch_add(&snapshot->refs, 1);
    return snapshot;
}

void snapshot_release(struct snapshot **snapshot)
{
    struct snapshot *s = *snapshot;
    *snapshot = NULL;
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    base_release(s->base);
    free(s->changed);
    free(s->removed);
    free(s->added);
    for (size_t i = 0; i < s->facts.keyword_count; i++)
        free(s->keywords[i]);
    free(s->keywords);
    free(s);
}

const struct snapshot_facts *snapshot_facts(const struct snapshot *snapshot)
{
    return &snapshot->facts;
}

uint32_t snapshot_count(const struct snapshot *s)
{
    return s->base->count - s->removed_count + s->added_count;
}

/* First index in rows[0..count) whose uid is at least this one. */
static uint32_t lower_bound(const struct placement *rows, uint32_t count, uint32_t uid)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many removed base rows stand before this base index. */
static uint32_t removed_before(const struct snapshot *s, uint32_t index)
{
    uint32_t low = 0, high = s->removed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->removed[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool base_has(const struct snapshot *s, uint32_t index)
{
    uint32_t at = removed_before(s, index);
    return at == s->removed_count || s->removed[at] != index;
}

static const struct placement *base_row(const struct snapshot *s, uint32_t index)
{
    const struct placement *row = &s->base->rows[index];
    uint32_t at = lower_bound(s->changed, s->changed_count, row->uid);
    return at < s->changed_count && s->changed[at].uid == row->uid ? &s->changed[at] : row;
}

const struct placement *snapshot_row(const struct snapshot *s, uint32_t number)
{
    uint32_t live = s->base->count - s->removed_count, wanted = number - 1;
    assert(number >= 1 && number <= snapshot_count(s));
    if (wanted >= live)
        return &s->added[wanted - live];
    // removed[k] - k live rows stand before the k-th removed one: find how many removed rows precede ours.
    uint32_t low = 0, high = s->removed_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->removed[middle] - middle <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return base_row(s, wanted + low);
}

uint32_t snapshot_first_from(const struct snapshot *s, uint32_t uid)
{
    uint32_t index = lower_bound(s->base->rows, s->base->count, uid);
    if (index < s->base->count) {
        uint32_t number = index - removed_before(s, index) + 1;
        return number; // a removed row's number is that of the next live one
    }
    return s->base->count - s->removed_count + lower_bound(s->added, s->added_count, uid) + 1;
}

uint32_t snapshot_number(const struct snapshot *s, uint32_t uid)
{
    uint32_t number = snapshot_first_from(s, uid);
    return number <= snapshot_count(s) && snapshot_row(s, number)->uid == uid ? number : 0;
}

const struct placement *snapshot_find(const struct snapshot *s, uint32_t uid)
{
    uint32_t number = snapshot_number(s, uid);
    return number ? snapshot_row(s, number) : NULL;
}

static size_t bytes_of(const struct snapshot *s)
{
    return sizeof *s + ((size_t)s->base->count + s->changed_count + s->added_count) * sizeof *s->added +
           s->removed_count * sizeof *s->removed;
}

/* ---- making versions ---- */

static struct snapshot *new_version(const struct mailbox_look *look)
{
    struct snapshot *s = mem_new(struct snapshot);
    atomic_init(&s->refs, 1);
    s->keywords = mem_alloc((look->keyword_count + 1) * sizeof *s->keywords);
    for (size_t i = 0; i < look->keyword_count; i++)
        s->keywords[i] = mem_text(look->keywords[i]);
    s->facts = (struct snapshot_facts){
        .uidvalidity = look->uidvalidity,
        .uidnext = look->uidnext,
        .recent_uid = look->recent_uid,
        .highest_modseq = look->highest_modseq,
        .clock = look->clock,
        .keywords = (const char *const *)s->keywords,
        .keyword_count = look->keyword_count,
    };
    return s;
}

static struct base *new_base(struct placement *rows, uint32_t count)
{
    struct base *base = mem_new(struct base);
    atomic_init(&base->refs, 1);
    base->rows = rows;
    base->count = count;
    return base;
}


/* Puts a row into a sorted array that has room for it. */
static void put_row(struct placement *rows, uint32_t *count, const struct placement *row)
{
    uint32_t at = lower_bound(rows, *count, row->uid);
    if (at == *count || rows[at].uid != row->uid) {
        memmove(rows + at + 1, rows + at, (*count - at) * sizeof *rows);
        (*count)++;
    }
    rows[at] = *row;
}

static void drop_row(struct placement *rows, uint32_t *count, uint32_t uid)
{
    uint32_t at = lower_bound(rows, *count, uid);
    if (at == *count || rows[at].uid != uid)
        return;
    memmove(rows + at, rows + at + 1, (*count - at - 1) * sizeof *rows);
    (*count)--;
}

static void remove_uid(struct snapshot *s, uint32_t uid)
{
    uint32_t index = lower_bound(s->base->rows, s->base->count, uid);
    drop_row(s->added, &s->added_count, uid);
    drop_row(s->changed, &s->changed_count, uid);
    if (index == s->base->count || s->base->rows[index].uid != uid || !base_has(s, index))
        return;
    uint32_t at = removed_before(s, index);
    memmove(s->removed + at + 1, s->removed + at, (s->removed_count - at) * sizeof *s->removed);
    s->removed[at] = index;
    s->removed_count++;
}

/* The same version with everything in a new base. */
static void flatten(struct snapshot *s)
{
    uint32_t count = snapshot_count(s);
    struct placement *rows = mem_alloc(((size_t)count + 1) * sizeof *rows);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = *snapshot_row(s, i + 1);
    base_release(s->base);
    free(s->changed);
    free(s->removed);
    free(s->added);
    s->base = new_base(rows, count);
    s->changed = s->added = NULL;
    s->removed = NULL;
    s->changed_count = s->added_count = s->removed_count = 0;
}

static struct snapshot *version_after(const struct snapshot *old, const struct mailbox_look *look)
{
    struct snapshot *s = new_version(look);
    s->base = old->base;
    atomic_fetch_add(&s->base->refs, 1);
    s->changed = mem_alloc((old->changed_count + look->row_count + 1) * sizeof *s->changed);
    s->added = mem_alloc((old->added_count + look->row_count + 1) * sizeof *s->added);
    s->removed = mem_alloc((old->removed_count + look->removed_count + 1) * sizeof *s->removed);
    memcpy(s->changed, old->changed_count ? old->changed : s->changed, old->changed_count * sizeof *s->changed);
    memcpy(s->added, old->added_count ? old->added : s->added, old->added_count * sizeof *s->added);
    memcpy(s->removed, old->removed_count ? old->removed : s->removed, old->removed_count * sizeof *s->removed);
    s->changed_count = old->changed_count;
    s->added_count = old->added_count;
    s->removed_count = old->removed_count;
    uint32_t top = s->base->count ? s->base->rows[s->base->count - 1].uid : 0;
    for (size_t i = 0; i < look->row_count; i++)
        if (look->rows[i].uid > top)
            put_row(s->added, &s->added_count, &look->rows[i]);
        else
            put_row(s->changed, &s->changed_count, &look->rows[i]);
    for (size_t i = 0; i < look->removed_count; i++)
        remove_uid(s, look->removed[i]);
    uint32_t overlay = s->changed_count + s->added_count + s->removed_count;
    if (overlay > OVERLAY_LEAST && overlay > s->base->count / OVERLAY_PART)
        flatten(s);
    return s;
}

/* ---- the cache ---- */

static unsigned bucket_of(struct account_id account, struct mailbox_id mailbox)
{
    return (unsigned)(((uint64_t)account.n * 31 + (uint64_t)mailbox.n) % BUCKETS);
}

static struct entry **find_entry(struct snapshots *all, struct account_id account, struct mailbox_id mailbox)
{
    struct entry **at = &all->buckets[bucket_of(account, mailbox)];
    while (*at && ((*at)->account.n != account.n || (*at)->mailbox.n != mailbox.n))
        at = &(*at)->next;
    return at;
}

/* Takes the entry out when nobody works with it. The lock is held. */
static void drop_entry(struct snapshots *all, struct entry **at)
{
    struct entry *gone = *at;
    *at = gone->next;
    if (gone->current)
        all->bytes -= bytes_of(gone->current);
    snapshot_release(&gone->current);
    pthread_mutex_destroy(&gone->loading);
    free(gone);
}

/* Drops unheld snapshots, the longest unused first. The lock is held. */
static void trim(struct snapshots *all)
{
    while (all->bytes > all->bytes_max) {
        struct entry **oldest = NULL;
        for (size_t b = 0; b < BUCKETS; b++)
            for (struct entry **at = &all->buckets[b]; *at; at = &(*at)->next)
                if ((*at)->users == 0 && (*at)->current && atomic_load(&(*at)->current->refs) == 1 &&
                    (!oldest || (*at)->used < (*oldest)->used))
                    oldest = at;
        if (!oldest)
            return;
        drop_entry(all, oldest);
    }
}

static void mark_stale(struct entry *entry, int64_t modseq)
{
    if (!entry->current || modseq > entry->current->facts.clock)
        entry->stale = true;
    entry->changes++;
}

static void drop_name(struct name *name)
{
    free(name->path);
    *name = (struct name){ 0 };
}

static struct name *name_slot(struct snapshots *all, struct account_id account, struct slice path)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)account.n;
    for (size_t i = 0; i < path.len; i++)
        hash = (hash ^ (unsigned char)path.at[i]) * 1099511628211u;
    return &all->names[hash % NAMES];
}

bool snapshots_name_get(struct snapshots *all, struct account_id account, struct slice path, struct mailbox_id *mailbox)
{
    pthread_mutex_lock(&all->lock);
    const struct name *name = name_slot(all, account, path);
    bool found = name->mailbox.n && name->account.n == account.n && slice_eq(slice_of(name->path), path);
    if (found)
        *mailbox = name->mailbox;
    pthread_mutex_unlock(&all->lock);
    return found;
}

uint64_t snapshots_name_generation(struct snapshots *all)
{
    pthread_mutex_lock(&all->lock);
    uint64_t generation = all->name_generation;
    pthread_mutex_unlock(&all->lock);
    return generation;
}

void snapshots_name_put(struct snapshots *all, struct account_id account, struct slice path, struct mailbox_id mailbox,
                        uint64_t generation)
{
    pthread_mutex_lock(&all->lock);
    if (generation == all->name_generation) {
        struct name *name = name_slot(all, account, path);
        drop_name(name);
        *name = (struct name){ account, mailbox, mem_alloc(path.len + 1) };
        if (path.len)
            memcpy(name->path, path.at, path.len);
    }
    pthread_mutex_unlock(&all->lock);
}

/* The lock is held. */
static void drop_names(struct snapshots *all, struct account_id account)
{
    all->name_generation++;
    for (size_t i = 0; i < NAMES; i++)
        if ((account.n == 0 || all->names[i].account.n == account.n) && all->names[i].mailbox.n)
            drop_name(&all->names[i]);
}

void snapshots_name_drop(struct snapshots *all, struct account_id account)
{
    pthread_mutex_lock(&all->lock);
    drop_names(all, account);
    pthread_mutex_unlock(&all->lock);
}

static void on_change(void *ctx, const struct change *change)
{
    struct snapshots *all = ctx;
    if (change->kinds & CHANGE_HIERARCHY)
        snapshots_name_drop(all, change->account);
    if (!(change->kinds & (CHANGE_NEW | CHANGE_FLAGS | CHANGE_REMOVED | CHANGE_HIERARCHY)))
        return;
    pthread_mutex_lock(&all->lock);
    if (change->mailbox.n) {
        struct entry *entry = *find_entry(all, change->account, change->mailbox);
        if (entry)
            mark_stale(entry, change->modseq);
    } else {
        for (size_t b = 0; b < BUCKETS; b++)
            for (struct entry *entry = all->buckets[b]; entry; entry = entry->next)
                if (change->account.n == 0 || entry->account.n == change->account.n)
                    mark_stale(entry, change->modseq);
    }
    pthread_mutex_unlock(&all->lock);
}

void snapshots_touch(struct snapshots *all, struct account_id account, struct mailbox_id mailbox)
{
    struct change change = { account, mailbox, INT64_MAX, CHANGE_FLAGS };
    on_change(all, &change);
}

struct snapshot *snapshots_peek(struct snapshots *all, struct account_id account, struct mailbox_id mailbox)
{
    pthread_mutex_lock(&all->lock);
    struct entry *entry = *find_entry(all, account, mailbox);
    struct snapshot *s = entry && !entry->stale ? snapshot_hold(entry->current) : NULL;
    if (s)
        entry->used = ++all->clock;
    pthread_mutex_unlock(&all->lock);
    return s;
}

/* Loads, or brings `old` forward; old may be NULL. */
static enum err bring_forward(struct db *db, const struct entry *entry, const struct snapshot *old,
                              struct snapshot **made)
{
    struct arena *arena = arena_open();
    struct mailbox_look look = { 0 };
    enum err err = ERR_CONFLICT;
    if (old) {
        err = message_changes(db, arena, entry->account, entry->mailbox, old->facts.clock, old->facts.uidnext, &look);
        if (!err)
            *made = version_after(old, &look);
    }
    if (err == ERR_CONFLICT) {
        err = message_load(db, arena, entry->account, entry->mailbox, &look);
        if (!err) {
            *made = new_version(&look);
            (*made)->base = new_base(look.rows, (uint32_t)look.row_count);
        }
    }
    arena_close(&arena);
    return err;
}

static struct entry *use_entry(struct snapshots *all, struct account_id account, struct mailbox_id mailbox)
{
    pthread_mutex_lock(&all->lock);
    struct entry **at = find_entry(all, account, mailbox);
    if (!*at) {
        *at = mem_new(struct entry);
        (*at)->account = account;
        (*at)->mailbox = mailbox;
        (*at)->stale = true;
        pthread_mutex_init(&(*at)->loading, NULL);
    }
    (*at)->users++;
    struct entry *entry = *at;
    pthread_mutex_unlock(&all->lock);
    return entry;
}

enum err snapshots_get(struct snapshots *all, struct db *db, struct account_id account, struct mailbox_id mailbox,
                       struct snapshot **snapshot)
{
    struct entry *entry = use_entry(all, account, mailbox);
    enum err err = ERR_OK;
    struct snapshot *made = NULL;
    pthread_mutex_lock(&entry->loading);
    pthread_mutex_lock(&all->lock);
    bool stale = entry->stale || !entry->current;
    struct snapshot *old = snapshot_hold(entry->current);
    uint64_t changes = entry->changes; // before the look: an event that comes during it counts again
    pthread_mutex_unlock(&all->lock);
    if (stale)
        err = bring_forward(db, entry, old, &made);
    pthread_mutex_lock(&all->lock);
    snapshot_release(&old);
    if (made) {
        if (entry->current)
            all->bytes -= bytes_of(entry->current);
        snapshot_release(&entry->current);
        entry->current = made;
        all->bytes += bytes_of(made);
    }
    if (err)
        entry->stale = true;
    else
        *snapshot = snapshot_hold(entry->current);
    if (!err && changes == entry->changes)
        entry->stale = false;
    entry->used = ++all->clock;
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_unlock(&entry->loading);
    pthread_mutex_lock(&all->lock);
    entry->users--;
    if (err == ERR_NOT_FOUND && entry->users == 0)
        drop_entry(all, find_entry(all, account, mailbox));
    trim(all);
    pthread_mutex_unlock(&all->lock);
    return err;
}

enum err snapshots_open(size_t bytes_max, struct hub *hub, struct snapshots **snapshots)
{
    struct snapshots *all = mem_new(struct snapshots);
    pthread_mutex_init(&all->lock, NULL);
    all->bytes_max = bytes_max;
    if (hub)
        hub_observe(hub, on_change, all);
    *snapshots = all;
    return ERR_OK;
}

void snapshots_close(struct snapshots **snapshots)
{
    struct snapshots *all = *snapshots;
    if (!all)
        return;
    for (size_t b = 0; b < BUCKETS; b++)
        while (all->buckets[b])
            drop_entry(all, &all->buckets[b]);
    for (size_t i = 0; i < NAMES; i++)
        drop_name(&all->names[i]);
    pthread_mutex_destroy(&all->lock);
    free(all);
    *snapshots = NULL;
}

/* ---- what became of a version ---- */

static void add_uid(uint32_t **list, size_t *count, uint32_t uid)
{
    if ((*count & (*count - 1)) == 0) // room grows at powers of two
        *list = mem_realloc(*list, (*count ? *count * 2 : 1) * sizeof **list);
    (*list)[(*count)++] = uid;
}

static int by_uid(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void compare_overlays(const struct snapshot *old, const struct snapshot *now, struct snapshot_news *news)
{
    for (uint32_t i = 0; i < now->removed_count; i++)
        if (base_has(old, now->removed[i]))
            add_uid(&news->removed, &news->removed_count, now->base->rows[now->removed[i]].uid);
    for (uint32_t i = 0; i < old->added_count; i++) {
        uint32_t at = lower_bound(now->added, now->added_count, old->added[i].uid);
        if (at == now->added_count || now->added[at].uid != old->added[i].uid)
            add_uid(&news->removed, &news->removed_count, old->added[i].uid);
    }
    for (uint32_t i = 0; i < now->changed_count; i++) {
        const struct placement *before = snapshot_find(old, now->changed[i].uid);
        if (before && before->modseq != now->changed[i].modseq)
            add_uid(&news->changed, &news->changed_count, now->changed[i].uid);
    }
    for (uint32_t i = 0; i < now->added_count; i++) {
        const struct placement *before = snapshot_find(old, now->added[i].uid);
        if (!before)
            news->added++;
        else if (before->modseq != now->added[i].modseq)
            add_uid(&news->changed, &news->changed_count, now->added[i].uid);
    }
    if (news->removed_count)
        qsort(news->removed, news->removed_count, sizeof *news->removed, by_uid);
}

static void compare_all(const struct snapshot *old, const struct snapshot *now, struct snapshot_news *news)
{
    uint32_t i = 1, k = 1, old_count = snapshot_count(old), now_count = snapshot_count(now);
    while (i <= old_count || k <= now_count) {
        const struct placement *a = i <= old_count ? snapshot_row(old, i) : NULL;
        const struct placement *b = k <= now_count ? snapshot_row(now, k) : NULL;
        if (a && (!b || a->uid < b->uid)) {
            add_uid(&news->removed, &news->removed_count, a->uid);
            i++;
        } else if (!a || b->uid < a->uid) {
            news->added++;
            k++;
        } else {
            if (a->modseq != b->modseq)
                add_uid(&news->changed, &news->changed_count, a->uid);
            i++;
            k++;
        }
    }
}

void snapshot_compare(const struct snapshot *old, const struct snapshot *now, struct snapshot_news *news)
{
    *news = (struct snapshot_news){ 0 };
    if (old == now)
        return;
    if (old->base == now->base)
        compare_overlays(old, now, news);
    else
        compare_all(old, now, news);
}

bool snapshot_is_near(const struct snapshot *old, const struct snapshot *now)
{
    return old->base == now->base || snapshot_count(old) + snapshot_count(now) <= NEAR_ROWS;
}

void snapshot_news_free(struct snapshot_news *news)
{
    free(news->removed);
    free(news->changed);
    *news = (struct snapshot_news){ 0 };
}
