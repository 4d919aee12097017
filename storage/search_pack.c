/* Packs at rest and in memory.
 * lines, packed like message.meta: for each message the octet id (message id modulo 256), an octet of ENTRY_ bits, the day
 * in four octets, then each line as its length in two octets and its octets.
 * signatures: number of messages and of common sequences in two octets each; the common ones, two octets each, ascending;
 * for each message its id and two octets of length; then the signatures, end to end. Numbers: low octet first. */
#include <stdlib.h>

#include "storage/search_internal.h"

enum entry_bit { ENTRY_CUT = 1, ENTRY_DAY = 2 };

struct cursor { // reading; `bad` is set at the first thing that cannot be and stays
    struct slice in;
    bool bad;
};

static uint32_t take(struct cursor *c, size_t octets)
{
    uint32_t n = 0;
    if (c->in.len < octets) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < octets; i++)
        n |= (uint32_t)(unsigned char)c->in.at[i] << (8 * i);
    c->in = slice_tail(c->in, octets);
    return n;
}

static struct slice take_octets(struct cursor *c, size_t len)
{
    if (c->in.len < len) {
        c->bad = true;
        return SLICE_LIT("");
    }
    struct slice s = slice_head(c->in, len);
    c->in = slice_tail(c->in, len);
    return s;
}

static void put(struct buf *out, uint32_t n, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        buf_add_byte(out, (char)(n >> (8 * i) & 0xff));
}

/* ---- reading ---- */

static bool read_lines(struct arena *arena, struct slice lines, struct pack *pack)
{
    struct cursor c = { .in = lines };
    pack->entries = arena_new(arena, struct pack_entry, PACK_MESSAGES);
    while (c.in.len && !c.bad && pack->count < PACK_MESSAGES) {
        struct pack_entry *e = &pack->entries[pack->count++];
        e->message.n = pack->number << PACK_SHIFT | take(&c, 1);
        uint32_t bits = take(&c, 1);
        e->cut = bits & ENTRY_CUT;
        e->has_sent_day = bits & ENTRY_DAY;
        e->sent_day = (int32_t)take(&c, 4);
        for (size_t i = 0; i < SEARCH_LINES; i++)
            e->lines[i] = take_octets(&c, take(&c, 2));
    }
    return !c.bad && c.in.len == 0;
}

static bool read_signatures(struct arena *arena, struct slice octets, struct pack *pack)
{
    struct cursor c = { .in = octets };
    uint32_t count = take(&c, 2);
    pack->common_count = take(&c, 2);
    pack->common = arena_new(arena, uint16_t, pack->common_count + 1);
    for (size_t i = 0; i < pack->common_count; i++)
        pack->common[i] = (uint16_t)take(&c, 2);
    if (c.bad || count != pack->count)
        return false;
    struct cursor table = { .in = take_octets(&c, (size_t)count * 3) };
    for (size_t i = 0; i < count; i++) {
        bool same = take(&table, 1) == (pack->entries[i].message.n & (PACK_MESSAGES - 1));
        pack->entries[i].signature = take_octets(&c, take(&table, 2));
        if (!same)
            return false;
    }
    return !c.bad && !table.bad && c.in.len == 0;
}

static enum err read_pack(struct db *db, struct arena *arena, const PGresult *r, int row, bool with_signatures,
                          struct pack *pack)
{
    struct slice lines;
    *pack = (struct pack){ .number = res_i64(r, row, 0), .upto = res_i64(r, row, 1) };
    enum err err = meta_unpack(db, arena, res_slice(r, row, 2), &lines);
    if (!err && (!read_lines(arena, lines, pack) ||
                 (with_signatures && !read_signatures(arena, arena_copy(arena, res_slice(r, row, 3)), pack))))
        err = fail(&db->trace, ERR_STATE, "a search pack is damaged");
    return err;
}

enum err packs_read(struct db *db, struct arena *arena, struct account_id account, const int64_t *numbers, size_t count,
                    bool with_signatures, struct pack **packs, size_t *pack_count)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64_array(&args, numbers, count);
    enum err err = db_run(db,
                          with_signatures ? "select pack, upto, lines, signatures from search_pack"
                                            " where account_id = $1 and pack = any ($2) order by pack"
                                          : "select pack, upto, lines from search_pack"
                                            " where account_id = $1 and pack = any ($2) order by pack",
                          &args, &r);
    *pack_count = err ? 0 : (size_t)PQntuples(r);
    *packs = arena_new(arena, struct pack, *pack_count + 1);
    for (size_t i = 0; i < *pack_count && !err; i++)
        err = read_pack(db, arena, r, (int)i, with_signatures, &(*packs)[i]);
    PQclear(r);
    return err;
}

static int by_message(const void *key, const void *element)
{
    const struct message_id *id = key;
    const struct pack_entry *entry = element;
    return (id->n > entry->message.n) - (id->n < entry->message.n);
}

const struct pack_entry *pack_find(const struct pack *pack, struct message_id message)
{
    return pack->count ? bsearch(&message, pack->entries, pack->count, sizeof *pack->entries, by_message) : NULL;
}

static int by_half(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

size_t pack_rare(const struct pack *pack, const uint32_t *hashes, size_t count, uint32_t *rare)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t half = (uint16_t)(hashes[i] >> 16);
        if (!pack->common_count || !bsearch(&half, pack->common, pack->common_count, sizeof *pack->common, by_half))
            rare[n++] = hashes[i];
    }
    return n;
}

static size_t bit_of(uint32_t hash, size_t octets)
{
    return (size_t)((uint64_t)hash * (octets * 8) >> 32);
}

bool entry_may_have(const struct pack_entry *entry, const uint32_t *rare, size_t count)
{
    size_t len = entry->signature.len;
    for (size_t i = 0; i < count && len; i++) {
        size_t bit = bit_of(rare[i], len);
        if (!((unsigned char)entry->signature.at[bit / 8] >> bit % 8 & 1))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static void add_entry(struct buf *lines, const struct pack_entry *entry)
{
    put(lines, (uint32_t)entry->message.n & (PACK_MESSAGES - 1), 1);
    put(lines, (entry->cut ? ENTRY_CUT : 0u) | (entry->has_sent_day ? ENTRY_DAY : 0u), 1);
    put(lines, (uint32_t)entry->sent_day, 4);
    for (size_t i = 0; i < SEARCH_LINES; i++) {
        put(lines, (uint32_t)entry->lines[i].len, 2);
        buf_add(lines, entry->lines[i]);
    }
}

struct slice pack_sign(struct arena *arena, const uint32_t *hashes, size_t count, size_t octets)
{
    char *bits = arena_alloc(arena, octets);
    for (size_t i = 0; i < count; i++) {
        size_t bit = bit_of(hashes[i], octets);
        bits[bit / 8] = (char)((unsigned char)bits[bit / 8] | 1u << bit % 8);
    }
    return slice_make(bits, octets);
}

enum err pack_write(struct db *db, struct account_id account, const struct pack *pack, int64_t was, bool *written)
{
    struct buf lines = { 0 }, packed = { 0 }, signatures = { 0 };
    int64_t ids[PACK_MESSAGES];
    put(&signatures, (uint32_t)pack->count, 2);
    put(&signatures, (uint32_t)pack->common_count, 2);
    for (size_t i = 0; i < pack->common_count; i++)
        put(&signatures, pack->common[i], 2);
    for (size_t i = 0; i < pack->count; i++) {
        ids[i] = pack->entries[i].message.n;
        add_entry(&lines, &pack->entries[i]);
        put(&signatures, (uint32_t)ids[i] & (PACK_MESSAGES - 1), 1);
        put(&signatures, (uint32_t)pack->entries[i].signature.len, 2);
    }
    for (size_t i = 0; i < pack->count; i++)
        buf_add(&signatures, pack->entries[i].signature);
    meta_pack(db, buf_slice(&lines), &packed);
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, pack->number);
    args_i64(&args, was);
    args_i64(&args, pack->upto);
    args_i64_array(&args, ids, pack->count);
    args_bytes(&args, buf_slice(&packed));
    args_bytes(&args, buf_slice(&signatures));
    enum err err = db_run(db, "select search_pack_put_1($1, $2, $3, $4, $5, $6, $7)", &args, &r);
    if (!err)
        *written = res_bool(r, 0, 0);
    PQclear(r);
    buf_free(&lines);
    buf_free(&packed);
    buf_free(&signatures);
    return err;
}
