/* Making packs, behind the deliveries: the next messages of an account are read, their lines folded, their sequences
 * signed. Packs whose messages were purged are written anew without them. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "storage/search_internal.h"

#define TAIL_MIN 32           // new messages that make it worth to write an unfinished pack again
#define STEP_OCTETS 8388608   // of messages in one step
#define LINE_MAX_OCTETS 1024u // of a folded line that is kept
#define COMMON_MAX 4096u
#define HALVES 65536u
#define RARE_WANTED (SIGNATURE_ROOM * 8 / 2) // sequences of a message that its signature tells well
#define COMMON_MIN_MESSAGES 16u // fewer tell nothing about what is common
#define SIGNATURE_MIN 8u        // octets
#define SIGNATURE_ROOM 184u     // octets that any message may take, and a bigger one
#define SIGNATURE_SHARE 48      // so many times less than itself: disk, postgres-store.md
#define STALE_AT_ONCE 50

struct built { // one new message
    struct pack_entry entry;
    uint32_t *hashes;
    size_t hash_count;
    bool full;
    int64_t size;
};

struct builder {
    struct db *db;
    struct account_id account;
    const struct search_reader *reader;
    struct arena *arena, *scratch;
    struct pack pack;
    int64_t was;  // upto at rest
    int64_t next; // first id to add
    struct built *built;
    size_t built_count;
    unsigned char common[HALVES / 8]; // of the pack: a bit for each upper half of a hash
};

static enum err look(struct builder *b, int64_t *next_message)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, b->account.n);
    enum err err = db_run(b->db,
                          "select a.next_message, s.upto from account a left join lateral"
                          " (select p.upto from search_pack p where p.account_id = a.account_id order by p.pack desc limit 1) s"
                          " on true where a.account_id = $1",
                          &args, &r);
    if (!err && PQntuples(r) == 0)
        err = fail(&b->db->trace, ERR_NOT_FOUND, "account=%" PRIi64, b->account.n);
    if (!err) {
        *next_message = res_i64(r, 0, 0);
        b->next = res_null(r, 0, 1) ? 0 : res_i64(r, 0, 1);
        b->pack.number = b->next >> PACK_SHIFT;
        b->was = b->next & (PACK_MESSAGES - 1) ? b->next : 0;
    }
    PQclear(r);
    return err;
}

/* Which of the new ids exist, and their sizes; stops where it gets too much for one step. */
static enum err list_new(struct builder *b, int64_t end)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, b->account.n);
    args_i64(&args, b->next);
    args_i64(&args, end - 1);
    enum err err = db_run(b->db,
                          "select message_id, size from message where account_id = $1 and message_id between $2 and $3"
                          " order by message_id",
                          &args, &r);
    size_t count = err ? 0 : (size_t)PQntuples(r);
    int64_t octets = 0;
    b->built = arena_new(b->arena, struct built, count + 1);
    b->pack.upto = end;
    for (size_t i = 0; i < count; i++) {
        struct built *one = &b->built[b->built_count];
        one->entry.message.n = res_i64(r, (int)i, 0);
        one->size = res_i64(r, (int)i, 1);
        if (i && octets + one->size > STEP_OCTETS) {
            b->pack.upto = one->entry.message.n;
            break;
        }
        octets += one->size;
        b->built_count++;
    }
    PQclear(r);
    return err;
}

static void keep_lines(struct builder *b, const struct search_texts *texts, struct pack_entry *entry)
{
    for (size_t i = 0; i < SEARCH_LINES; i++) {
        size_t len = texts->lines[i].len;
        entry->cut = entry->cut || len > LINE_MAX_OCTETS;
        entry->lines[i] = arena_copy(b->arena, slice_head(texts->lines[i], len < LINE_MAX_OCTETS ? len : LINE_MAX_OCTETS));
    }
    entry->has_sent_day = texts->has_sent_day;
    entry->sent_day = texts->sent_day;
}

static enum err describe(struct builder *b, struct built *one, const struct search_message *message)
{
    struct search_texts texts;
    struct arena *arena = arena_open();
    enum err err = search_texts_of(b->db, b->reader, message, true, arena, &texts);
    if (!err) {
        struct sequences set = { 0 };
        keep_lines(b, &texts, &one->entry);
        sequences_add(&set, texts.header);
        sequences_add(&set, texts.body);
        one->full = set.full;
        if (!set.full)
            one->hashes = sequences_list(&set, b->arena, &one->hash_count);
        sequences_free(&set);
    }
    arena_close(&arena);
    return err;
}

static enum err describe_batch(struct builder *b, struct built *built, size_t count)
{
    struct message_id ids[PACK_MESSAGES];
    struct search_message *messages;
    size_t found, k = 0;
    for (size_t i = 0; i < count; i++)
        ids[i] = built[i].entry.message;
    arena_reset(b->scratch);
    enum err err = search_load(b->db, b->scratch, b->account, ids, count, &messages, &found);
    for (size_t i = 0; i < count && !err; i++) {
        if (k == found || messages[k].row.id.n != ids[i].n)
            err = ERR_CONFLICT; // purged meanwhile: looked at anew
        else
            err = describe(b, &built[i], &messages[k++]);
    }
    return err;
}

static enum err describe_all(struct builder *b)
{
    int64_t sizes[PACK_MESSAGES];
    enum err err = ERR_OK;
    for (size_t i = 0; i < b->built_count; i++)
        sizes[i] = b->built[i].size;
    for (size_t at = 0; at < b->built_count && !err;) {
        size_t count = search_batch(sizes + at, b->built_count - at);
        err = describe_batch(b, &b->built[at], count);
        at += count;
    }
    return err;
}

/* How many upper halves of hashes occur at least so often, and how often all of them do. */
static size_t count_common(const uint16_t *counters, uint16_t least, size_t *occurrences)
{
    size_t halves = 0;
    *occurrences = 0;
    for (size_t i = 0; i < HALVES; i++)
        if (counters[i] >= least) {
            halves++;
            *occurrences += counters[i];
        }
    return halves;
}

/* From how many on a sequence is common: half of the messages; or fewer, as long as the signatures are too full. */
static uint16_t find_least(const uint16_t *counters, size_t messages, size_t all)
{
    size_t occurrences, least = messages / 2;
    while (least > messages / 16 && least > 2) {
        size_t next = least * 3 / 4;
        count_common(counters, (uint16_t)least, &occurrences);
        if ((all - occurrences) / messages <= RARE_WANTED ||
            count_common(counters, (uint16_t)next, &occurrences) > COMMON_MAX)
            break;
        least = next;
    }
    return (uint16_t)least;
}

/* What many of the messages have says little about one of them, and would fill the signatures of all. Told apart by the
 * upper half of the hash: some that share it with a common one pass for common, too. */
static void find_common(struct builder *b)
{
    size_t all = 0;
    b->pack.common = arena_new(b->arena, uint16_t, COMMON_MAX);
    if (b->built_count < COMMON_MIN_MESSAGES)
        return;
    uint16_t *counters = mem_alloc(HALVES * sizeof *counters);
    for (size_t i = 0; i < b->built_count; i++) {
        all += b->built[i].hash_count;
        for (size_t k = 0; k < b->built[i].hash_count; k++)
            counters[b->built[i].hashes[k] >> 16] += counters[b->built[i].hashes[k] >> 16] < UINT16_MAX;
    }
    uint16_t least = find_least(counters, b->built_count, all);
    for (size_t i = 0; i < HALVES && b->pack.common_count < COMMON_MAX; i++)
        if (counters[i] >= least)
            b->pack.common[b->pack.common_count++] = (uint16_t)i;
    free(counters);
}

static void mark_common(struct builder *b)
{
    for (size_t i = 0; i < b->pack.common_count; i++)
        b->common[b->pack.common[i] / 8] |= (unsigned char)(1u << b->pack.common[i] % 8);
}

static bool is_common(const struct builder *b, uint32_t hash)
{
    return b->common[(hash >> 16) / 8] >> (hash >> 16) % 8 & 1;
}

static void sign(struct builder *b, struct built *one)
{
    uint32_t *rare = arena_new(b->arena, uint32_t, one->hash_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < one->hash_count; i++)
        if (!is_common(b, one->hashes[i]))
            rare[count++] = one->hashes[i];
    size_t octets = count / 2, room = (size_t)one->size / SIGNATURE_SHARE;
    room = room > SIGNATURE_ROOM ? room : SIGNATURE_ROOM;
    octets = octets > room ? room : octets < SIGNATURE_MIN ? SIGNATURE_MIN : octets;
    if (!one->full)
        one->entry.signature = pack_sign(b->arena, rare, count, octets < UINT16_MAX ? octets : UINT16_MAX);
}

static enum err extend(struct builder *b, bool *written)
{
    enum err err = ERR_OK;
    int64_t upto = b->pack.upto;
    if (b->was) {
        struct pack *old;
        size_t count;
        err = packs_read(b->db, b->arena, b->account, &b->pack.number, 1, true, &old, &count);
        if (!err && (count != 1 || old->upto != b->was))
            err = ERR_CONFLICT;
        if (!err)
            b->pack = *old;
    } else {
        find_common(b);
        b->pack.entries = arena_new(b->arena, struct pack_entry, PACK_MESSAGES);
    }
    if (err)
        return err;
    mark_common(b);
    b->pack.upto = upto;
    for (size_t i = 0; i < b->built_count; i++) {
        sign(b, &b->built[i]);
        b->pack.entries[b->pack.count++] = b->built[i].entry;
    }
    return pack_write(b->db, b->account, &b->pack, b->was, written);
}

enum err search_pack_step(struct db *db, struct account_id account, const struct search_reader *reader, bool *more)
{
    struct builder b = { .db = db, .account = account, .reader = reader, .arena = arena_open(), .scratch = arena_open() };
    int64_t next_message = 0;
    bool written = false;
    *more = false;
    enum err err = look(&b, &next_message);
    int64_t end = (b.pack.number + 1) << PACK_SHIFT, full = end;
    if (!err && end > next_message)
        end = next_message;
    if (err || (end < full && end - b.next < TAIL_MIN))
        goto out;
    err = list_new(&b, end);
    if (!err)
        err = describe_all(&b);
    if (!err)
        err = extend(&b, &written);
    if (err == ERR_CONFLICT || (!err && !written)) // somebody was first, or something is gone that was in it
        err = search_clean(db, account);
    *more = !err;
out:
    arena_close(&b.scratch);
    arena_close(&b.arena);
    return err;
}

/* ---- purged content ---- */

static enum err existing(struct db *db, struct arena *arena, struct account_id account, int64_t pack, int64_t **ids,
                         size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, pack << PACK_SHIFT);
    args_i64(&args, ((pack + 1) << PACK_SHIFT) - 1);
    enum err err = db_run(db,
                          "select message_id from message where account_id = $1 and message_id between $2 and $3"
                          " order by message_id",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *ids = arena_new(arena, int64_t, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*ids)[i] = res_i64(r, (int)i, 0);
    PQclear(r);
    return err;
}

static enum err clean_pack(struct db *db, struct account_id account, int64_t number)
{
    struct arena *arena = arena_open();
    struct pack *pack;
    int64_t *ids;
    size_t pack_count, id_count, kept = 0, k = 0;
    bool written;
    enum err err = packs_read(db, arena, account, &number, 1, true, &pack, &pack_count);
    if (!err && pack_count)
        err = existing(db, arena, account, number, &ids, &id_count);
    if (!err && pack_count) {
        for (size_t i = 0; i < pack->count; i++) {
            while (k < id_count && ids[k] < pack->entries[i].message.n)
                k++;
            if (k < id_count && ids[k] == pack->entries[i].message.n)
                pack->entries[kept++] = pack->entries[i];
        }
        pack->count = kept;
        err = pack_write(db, account, pack, pack->upto, &written); // not written: it is stale still, and comes again
    }
    arena_close(&arena);
    return err;
}

enum err search_clean(struct db *db, struct account_id account)
{
    for (;;) {
        struct db_args args = { 0 };
        PGresult *r = NULL;
        args_i64(&args, account.n);
        args_i32(&args, STALE_AT_ONCE);
        enum err err = db_run(db,
                              "select account_id, pack from search_stale where $1 in (0, account_id)"
                              " order by account_id, pack limit $2",
                              &args, &r);
        int count = err ? 0 : PQntuples(r);
        for (int i = 0; i < count && !err; i++)
            err = clean_pack(db, (struct account_id){ res_i64(r, i, 0) }, res_i64(r, i, 1));
        PQclear(r);
        if (err || count < STALE_AT_ONCE)
            return err;
    }
}

enum err search_behind(struct db *db, struct arena *arena, struct account_id after, uint32_t limit,
                       struct account_id **accounts, size_t *count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, after.n);
    args_i64(&args, TAIL_MIN);
    args_i64(&args, limit);
    enum err err = db_run(db,
                          "select a.account_id from account a left join lateral"
                          " (select p.upto from search_pack p where p.account_id = a.account_id order by p.pack desc limit 1) s"
                          " on true where a.account_id > $1 and a.next_message - coalesce(s.upto, 0) >= $2"
                          " order by a.account_id limit $3",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *accounts = arena_new(arena, struct account_id, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*accounts)[i].n = res_i64(r, (int)i, 0);
    PQclear(r);
    return err;
}
