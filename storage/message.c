/* Writes of one account and deliveries to many: one function call each. */
#include "storage/message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/blob_internal.h"

/* ---- content of one message, as parameters ---- */

static enum err add_octets(struct db *db, struct blob_set *set, const struct message_new *message, struct blob_id *blob,
                           int64_t *size)
{
    *size = octets_size(&message->octets);
    if (message->blob.n == 0)
        return blob_set_add(db, set, &message->octets, blob);
    *blob = message->blob;
    blob_set_touch(set, *blob);
    return blob_size(db, *blob, size);
}

static struct slice packed_meta(struct db *db, struct arena *arena, struct slice meta)
{
    struct buf packed = { 0 };
    meta_pack(db, meta, &packed);
    struct slice copy = arena_copy(arena, buf_slice(&packed));
    buf_free(&packed);
    return copy;
}

/* ---- delivery ---- */

#define INBOX_ID 1 // account_create_1 makes it first

struct stop { // one recipient of one delivery
    const struct delivery *delivery;
    struct delivery_target *target;
    int32_t of;     // its delivery, from 1
    size_t nth;     // its place among the delivery's targets
};

struct load { // the deliveries as arrays
    struct arena *arena;
    struct blob_set blobs;
    size_t count;
    int64_t *blob, *thread, *sent, *internal, *flags;
    int32_t *size;
    struct slice *meta;
};

static int by_account(const void *a, const void *b)
{
    const struct stop *x = a, *y = b;
    int64_t m = x->target->account.n, n = y->target->account.n;
    return m != n ? (m > n) - (m < n) : (x->of > y->of) - (x->of < y->of);
}

static enum err fill_load(struct db *db, struct load *load, struct delivery *const *deliveries, size_t count)
{
    load->count = count;
    load->blob = arena_new(load->arena, int64_t, count);
    load->thread = arena_new(load->arena, int64_t, count);
    load->sent = arena_new(load->arena, int64_t, count);
    load->internal = arena_new(load->arena, int64_t, count);
    load->flags = arena_new(load->arena, int64_t, count);
    load->size = arena_new(load->arena, int32_t, count);
    load->meta = arena_new(load->arena, struct slice, count);
    for (size_t i = 0; i < count; i++) {
        const struct delivery *d = deliveries[i];
        struct blob_id blob;
        int64_t size;
        enum err err = add_octets(db, &load->blobs, &d->message, &blob, &size);
        if (err)
            return err;
        load->blob[i] = blob.n;
        load->size[i] = (int32_t)size;
        load->thread[i] = d->message.thread;
        load->sent[i] = d->message.sent_us;
        load->internal[i] = d->internal_date_us;
        load->flags[i] = (int64_t)d->flags;
        load->meta[i] = packed_meta(db, load->arena, d->message.meta);
    }
    return ERR_OK;
}

/* A number for each recipient of a delivery, by which a commit with a lost answer is looked up. */
static int64_t delivery_number(const struct stop *stop)
{
    return (int64_t)((uint64_t)stop->delivery->delivery_id + stop->nth) & INT64_MAX;
}

static enum err send_stops(struct db *db, const struct load *load, const struct stop *stops, size_t count, PGresult **result)
{
    struct arena *arena = arena_open();
    int32_t *of = arena_new(arena, int32_t, count);
    int64_t *account = arena_new(arena, int64_t, count), *mailbox = arena_new(arena, int64_t, count);
    int64_t *number = arena_new(arena, int64_t, count);
    struct slice *prefix = arena_new(arena, struct slice, count);
    for (size_t i = 0; i < count; i++) {
        of[i] = stops[i].of;
        account[i] = stops[i].target->account.n;
        mailbox[i] = stops[i].target->mailbox.n ? stops[i].target->mailbox.n : INBOX_ID;
        prefix[i] = stops[i].target->prefix;
        number[i] = delivery_number(&stops[i]);
    }
    struct db_args args = { 0 };
    blob_set_args(&load->blobs, &args);
    args_i64_array(&args, load->blob, load->count);
    args_i32_array(&args, load->size, load->count);
    args_bytes_array(&args, load->meta, load->count);
    args_i64_array(&args, load->thread, load->count);
    args_time_array(&args, load->sent, load->count);
    args_time_array(&args, load->internal, load->count);
    args_i64_array(&args, load->flags, load->count);
    args_i32_array(&args, of, count);
    args_i64_array(&args, account, count);
    args_i64_array(&args, mailbox, count);
    args_bytes_array(&args, prefix, count);
    args_i64_array(&args, number, count);
    enum err err = db_run(db,
                          "select o_nth, o_result, o_mailbox, o_uid, o_modseq, o_auto_reply from deliver_2($1, $2, $3, $4,"
                          " $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
                          &args, result);
    arena_close(&arena);
    return err;
}

static void read_results(const PGresult *r, const struct stop *stops, struct change_set *changes)
{
    static const enum err verdicts[] = { ERR_OK, ERR_NOT_FOUND, ERR_QUOTA };
    for (int i = 0; i < PQntuples(r); i++) {
        struct delivery_target *t = stops[res_i64(r, i, 0) - 1].target;
        t->result = verdicts[res_i64(r, i, 1)];
        t->mailbox.n = res_i64(r, i, 2);
        t->uid = (uint32_t)res_i64(r, i, 3);
        t->modseq = res_i64(r, i, 4);
        t->auto_reply = !t->result && res_bool(r, i, 5);
        if (!t->result)
            change_set_add(changes, (struct change){ t->account, t->mailbox, t->modseq, CHANGE_NEW });
    }
}

/* The commit's answer was lost: was it made? A recipient that has the number got the mail. errors: ERR_NOT_FOUND: it was
 * not; all others: nobody can tell now, so nothing may be repeated. */
static enum err find_delivered(struct db *db, const struct stop *stop, struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, stop->target->account.n);
    args_i64(&args, delivery_number(stop));
    enum err err = db_run(db, "select o_mailbox, o_uid, o_modseq from delivered_1($1, $2)", &args, &r);
    if (!err && PQntuples(r) == 0)
        err = ERR_NOT_FOUND;
    if (!err) {
        struct delivery_target *t = stop->target;
        t->result = ERR_OK;
        t->mailbox.n = res_i64(r, 0, 0);
        t->uid = (uint32_t)res_i64(r, 0, 1);
        t->modseq = res_i64(r, 0, 2);
        t->auto_reply = false; // not known any more: one answer too few
        change_set_add(changes, (struct change){ t->account, t->mailbox, t->modseq, CHANGE_NEW });
    }
    PQclear(r);
    return err;
}

static enum err deliver_stops(struct db *db, const struct load *load, const struct stop *stops, size_t count,
                              struct change_set *changes)
{
    PGresult *result = NULL;
    enum err err = send_stops(db, load, stops, count, &result);
    if (!err)
        read_results(result, stops, changes);
    PQclear(result);
    return err;
}

/* The batch failed as a whole: each recipient alone. */
static enum err deliver_singly(struct db *db, struct delivery *const *deliveries, const struct stop *stops, size_t count,
                               bool in_doubt, struct change_set *changes)
{
    size_t stored = 0;
    enum err last = ERR_OK;
    for (size_t i = 0; i < count; i++) {
        struct stop one = stops[i];
        struct load load = { .arena = arena_open() };
        load.blobs.arena = load.arena;
        enum err err = in_doubt ? find_delivered(db, &one, changes) : ERR_NOT_FOUND;
        if (err == ERR_NOT_FOUND) {
            one.of = 1;
            err = fill_load(db, &load, &deliveries[stops[i].of - 1], 1);
            if (!err)
                err = deliver_stops(db, &load, &one, 1, changes);
            if (err && db->in_doubt)
                err = find_delivered(db, &one, changes);
        }
        if (err)
            one.target->result = err == ERR_LIMIT ? ERR_LIMIT : ERR_UNAVAILABLE;
        stored += one.target->result != ERR_UNAVAILABLE;
        last = err ? err : last;
        arena_close(&load.arena);
    }
    return stored ? ERR_OK : last ? ERR_UNAVAILABLE : ERR_OK;
}

enum err message_deliver(struct db *db, struct delivery *const *deliveries, size_t count, struct change_set *changes)
{
    struct load load = { .arena = arena_open() };
    load.blobs.arena = load.arena;
    size_t stop_count = 0;
    for (size_t i = 0; i < count; i++)
        stop_count += deliveries[i]->target_count;
    struct stop *stops = arena_new(load.arena, struct stop, stop_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < deliveries[i]->target_count; k++)
            stops[n++] = (struct stop){ deliveries[i], &deliveries[i]->targets[k], (int32_t)i + 1, k };
    qsort(stops, n, sizeof *stops, by_account);
    enum err err = n ? fill_load(db, &load, deliveries, count) : ERR_OK;
    if (!err && n) {
        err = deliver_stops(db, &load, stops, n, changes);
        if (err)
            err = deliver_singly(db, deliveries, stops, n, db->in_doubt, changes);
    } else if (err) {
        err = deliver_singly(db, deliveries, stops, n, false, changes);
    }
    arena_close(&load.arena);
    return err;
}

/* ---- append and replace ---- */

static struct slice join_words(struct arena *arena, const struct slice *words, size_t count)
{
    struct buf text = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_byte(&text, ' ');
        buf_add(&text, words[i]);
    }
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

static struct slice not_null(struct slice s)
{
    return s.at ? s : SLICE_LIT("");
}

/* old: the message whose place the one item takes, or NULL. */
static enum err append(struct db *db, struct account_id account, struct mailbox_id mailbox, struct append_item *items,
                       size_t count, const struct replaced *old, const struct actor *by, uint32_t *uidvalidity,
                       struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct blob_set blobs = { .arena = arena };
    int64_t *blob = arena_new(arena, int64_t, count), *thread = arena_new(arena, int64_t, count);
    int64_t *sent = arena_new(arena, int64_t, count), *size = arena_new(arena, int64_t, count);
    int64_t *internal = arena_new(arena, int64_t, count), *flags = arena_new(arena, int64_t, count);
    int64_t *born = arena_new(arena, int64_t, count);
    struct slice *prefix = arena_new(arena, struct slice, count), *meta = arena_new(arena, struct slice, count);
    struct slice *names = arena_new(arena, struct slice, count);
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && !err; i++) {
        const struct append_item *item = &items[i];
        struct blob_id id;
        err = add_octets(db, &blobs, &item->message, &id, &size[i]);
        blob[i] = err ? 0 : id.n;
        thread[i] = item->message.thread;
        sent[i] = item->message.sent_us;
        internal[i] = item->internal_date_us;
        flags[i] = (int64_t)item->flags;
        born[i] = item->born_by.n;
        prefix[i] = not_null(item->message.prefix);
        meta[i] = packed_meta(db, arena, item->message.meta);
        names[i] = join_words(arena, item->keywords, item->keyword_count);
    }
    PGresult *r = NULL;
    if (!err) {
        struct db_args args = { 0 };
        blob_set_args(&blobs, &args);
        args_i64(&args, account.n);
        args_i64(&args, mailbox.n);
        args_i64_array(&args, blob, count);
        args_bytes_array(&args, prefix, count);
        args_bytes_array(&args, meta, count);
        args_i64_array(&args, thread, count);
        args_time_array(&args, sent, count);
        args_i64_array(&args, size, count);
        args_time_array(&args, internal, count);
        args_i64_array(&args, flags, count);
        args_text_array(&args, names, count);
        args_i64_array(&args, born, count);
        if (old) {
            args_i64(&args, old->mailbox.n);
            args_i64(&args, old->uid);
            args_i16(&args, (int16_t)by->protocol);
            args_text(&args, by->name);
        }
        err = db_run(db,
                     old ? "select o_nth, o_uid, o_modseq, o_uidvalidity from replace_into_1($1, $2, $3, $4, $5, $6, $7, $8,"
                           " $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)"
                         : "select o_nth, o_uid, o_modseq, o_uidvalidity from append_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
                     " $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
                     &args, &r);
    }
    for (int i = 0; !err && i < PQntuples(r); i++) {
        struct append_item *item = &items[res_i64(r, i, 0) - 1];
        item->uid = item->item = (uint32_t)res_i64(r, i, 1);
        *uidvalidity = (uint32_t)res_i64(r, i, 3);
        change_set_add(changes, (struct change){ account, mailbox, res_i64(r, i, 2), CHANGE_NEW });
        if (old)
            change_set_add(changes, (struct change){ account, old->mailbox, res_i64(r, i, 2), CHANGE_REMOVED });
    }
    PQclear(r);
    arena_close(&arena);
    return err;
}

enum err message_append(struct db *db, struct account_id account, struct mailbox_id mailbox, struct append_item *items,
                        size_t count, const struct actor *by, uint32_t *uidvalidity, struct change_set *changes)
{
    return append(db, account, mailbox, items, count, NULL, by, uidvalidity, changes); // a new row has no one to tell
}

enum err message_replace_into(struct db *db, struct account_id account, const struct replaced *old,
                              struct mailbox_id mailbox, struct append_item *item, const struct actor *by,
                              uint32_t *uidvalidity, struct change_set *changes)
{
    return append(db, account, mailbox, item, 1, old, by, uidvalidity, changes);
}

enum err message_replace(struct db *db, struct account_id account, struct mailbox_id mailbox, uint32_t uid,
                         struct append_item *item, const struct actor *by, struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct blob_set blobs = { .arena = arena };
    struct blob_id blob;
    int64_t size;
    PGresult *r = NULL;
    enum err err = add_octets(db, &blobs, &item->message, &blob, &size);
    if (!err) {
        struct db_args args = { 0 };
        blob_set_args(&blobs, &args);
        args_i64(&args, account.n);
        args_i64(&args, mailbox.n);
        args_i64(&args, uid);
        args_i64(&args, blob.n);
        args_bytes(&args, item->message.prefix);
        args_bytes(&args, packed_meta(db, arena, item->message.meta));
        args_i64(&args, item->message.thread);
        args_time(&args, item->message.sent_us);
        args_i64(&args, size);
        args_time(&args, item->internal_date_us);
        args_i64(&args, (int64_t)item->flags);
        args_slice(&args, join_words(arena, item->keywords, item->keyword_count));
        args_i64(&args, by->device.n);
        args_i16(&args, (int16_t)by->protocol);
        args_text(&args, by->name);
        err = db_run(db,
                     "select o_uid, o_item, o_modseq from replace_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                     " $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
                     &args, &r);
    }
    if (!err) {
        item->uid = (uint32_t)res_i64(r, 0, 0);
        item->item = (uint32_t)res_i64(r, 0, 1);
        change_set_add(changes, (struct change){ account, mailbox, res_i64(r, 0, 2), CHANGE_NEW | CHANGE_REMOVED });
    }
    PQclear(r);
    arena_close(&arena);
    return err;
}

/* ---- copy, flags, expunge ---- */

enum err message_copy(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id from,
                      const struct uid_range *ranges, size_t range_count, struct mailbox_id to, bool move,
                      const struct actor *by, struct copied **copied, size_t *copied_count, uint32_t *uidvalidity,
                      struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, from.n);
    args_ranges(&args, ranges, range_count);
    args_i64(&args, to.n);
    args_bool(&args, move);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    args_i64(&args, by->device.n);
    args_i64(&args, by->device.n);
    enum err err = db_run(db, "select o_from, o_to, o_uidvalidity, o_clock from copy_1($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                          &args, &r);
    *copied_count = err ? 0 : (size_t)PQntuples(r);
    *copied = arena_new(arena, struct copied, *copied_count + 1);
    for (size_t i = 0; i < *copied_count; i++) {
        (*copied)[i] = (struct copied){ (uint32_t)res_i64(r, (int)i, 0), (uint32_t)res_i64(r, (int)i, 1) };
        *uidvalidity = (uint32_t)res_i64(r, (int)i, 2);
    }
    if (*copied_count) {
        int64_t clock = res_i64(r, 0, 3);
        change_set_add(changes, (struct change){ account, to, clock, CHANGE_NEW });
        if (move)
            change_set_add(changes, (struct change){ account, from, clock, CHANGE_REMOVED });
    }
    PQclear(r);
    return err;
}

enum err message_store_flags(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                             const struct uid_range *ranges, size_t range_count, const struct flags_change *change,
                             const struct actor *by, struct flags_result **results, size_t *count,
                             struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    bool changed = false;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_ranges(&args, ranges, range_count);
    args_i32(&args, (int32_t)change->mode);
    args_i64(&args, (int64_t)change->flags);
    args_text_array(&args, change->keywords, change->keyword_count);
    args_bool(&args, change->create_keywords);
    args_i64(&args, change->unchanged_since);
    args_i64(&args, by->device.n);
    enum err err = db_run(db,
                          "select o_uid, o_flags, o_modseq, o_conflict, o_clock from store_flags_1($1, $2, $3, $4, $5, $6,"
                          " $7, $8, $9)",
                          &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *results = arena_new(arena, struct flags_result, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        (*results)[i] = (struct flags_result){ .uid = (uint32_t)res_i64(r, (int)i, 0),
                                               .flags = (uint64_t)res_i64(r, (int)i, 1),
                                               .modseq = res_i64(r, (int)i, 2),
                                               .conflict = res_bool(r, (int)i, 3) };
        changed = changed || !(*results)[i].conflict;
    }
    if (changed)
        change_set_add(changes, (struct change){ account, mailbox, res_i64(r, 0, 4), CHANGE_FLAGS });
    PQclear(r);
    return err;
}

enum err message_expunge(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                         const struct uid_range *ranges, size_t range_count, bool only_deleted, const struct actor *by,
                         uint32_t **uids, size_t *count, struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, account.n);
    args_i64(&args, mailbox.n);
    args_ranges(&args, ranges, range_count);
    args_bool(&args, only_deleted);
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    args_i64(&args, by->device.n);
    enum err err = db_run(db, "select o_uid, o_clock from expunge_1($1, $2, $3, $4, $5, $6, $7)", &args, &r);
    *count = err ? 0 : (size_t)PQntuples(r);
    *uids = arena_new(arena, uint32_t, *count + 1);
    for (size_t i = 0; i < *count; i++)
        (*uids)[i] = (uint32_t)res_i64(r, (int)i, 0);
    if (*count)
        change_set_add(changes, (struct change){ account, mailbox, res_i64(r, 0, 1), CHANGE_REMOVED });
    PQclear(r);
    return err;
}
