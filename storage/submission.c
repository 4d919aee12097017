/* The parameters of send_1 and what it gives back. */
#include "storage/submission.h"

#include <stdlib.h>

#include "storage/blob_internal.h"

#define SEND_1 \
    "select o_what, o_nth, o_result, o_mailbox, o_uid, o_modseq, o_auto_reply from send_1($1, $2, $3, $4, $5, $6, $7," \
    " $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30," \
    " $31, $32, $33, $34, $35, $36)"

enum sent_what { SENT_DELIVERY, SENT_COPY, SENT_SOURCE, SENT_DRAFT };

/* ---- in ---- */

struct stop { // a local recipient
    struct delivery_target *target;
    struct slice address;
};

static int by_account(const void *a, const void *b)
{
    const struct stop *x = a, *y = b;
    int64_t m = x->target->account.n, n = y->target->account.n;
    return m != n ? (m > n) - (m < n) : (x->target > y->target) - (x->target < y->target);
}

static struct stop *sorted_stops(struct arena *arena, const struct submission *s)
{
    struct stop *stops = arena_new(arena, struct stop, s->target_count + 1);
    for (size_t i = 0; i < s->target_count; i++)
        stops[i] = (struct stop){ &s->targets[i], s->addresses[i] };
    qsort(stops, s->target_count, sizeof *stops, by_account);
    return stops;
}

static void args_stops(struct db_args *args, struct arena *arena, const struct stop *stops, size_t count)
{
    int64_t *account = arena_new(arena, int64_t, count + 1), *number = arena_new(arena, int64_t, count + 1);
    struct slice *prefix = arena_new(arena, struct slice, count + 1), *address = arena_new(arena, struct slice, count + 1);
    int64_t first = id_new();
    for (size_t i = 0; i < count; i++) {
        account[i] = stops[i].target->account.n;
        prefix[i] = stops[i].target->prefix.at ? stops[i].target->prefix : SLICE_LIT("");
        number[i] = first + (int64_t)i;
        address[i] = stops[i].address;
    }
    args_i64_array(args, account, count);
    args_bytes_array(args, prefix, count);
    args_i64_array(args, number, count);
    args_text_array(args, address, count);
}

static struct slice packed_meta(struct db *db, struct arena *arena, struct slice meta)
{
    struct buf packed = { 0 };
    meta_pack(db, meta, &packed);
    struct slice copy = arena_copy(arena, buf_slice(&packed));
    buf_free(&packed);
    return copy;
}

static bool same_octets(const struct octets *a, const struct octets *b)
{
    return a->fd < 0 && b->fd < 0 && slice_eq(a->memory, b->memory);
}

static struct slice some(struct slice s)
{
    return s.at ? s : SLICE_LIT("");
}

/* ---- out ---- */

static void read_rows(const PGresult *r, const struct submission *s, const struct stop *stops, struct change_set *changes)
{
    static const enum err verdicts[] = { ERR_OK, ERR_NOT_FOUND, ERR_QUOTA };
    for (int i = 0; i < PQntuples(r); i++) {
        struct mailbox_id mailbox = { res_i64(r, i, 3) };
        int64_t modseq = res_i64(r, i, 5);
        struct delivery_target *t;
        switch ((enum sent_what)res_i64(r, i, 0)) {
        case SENT_DELIVERY:
            t = stops[res_i64(r, i, 1) - 1].target;
            t->result = verdicts[res_i64(r, i, 2)];
            t->mailbox = mailbox;
            t->uid = (uint32_t)res_i64(r, i, 4);
            t->modseq = modseq;
            t->auto_reply = !t->result && res_bool(r, i, 6);
            if (!t->result)
                change_set_add(changes, (struct change){ t->account, mailbox, modseq, CHANGE_NEW });
            break;
        case SENT_COPY:
            change_set_add(changes, (struct change){ s->account, mailbox, modseq, CHANGE_NEW });
            break;
        case SENT_SOURCE:
            change_set_add(changes, (struct change){ s->account, mailbox, modseq, CHANGE_FLAGS });
            break;
        case SENT_DRAFT:
            change_set_add(changes, (struct change){ s->account, mailbox, modseq, CHANGE_REMOVED });
            break;
        }
    }
}

enum err submission_send(struct db *db, struct submission *s, struct change_set *changes)
{
    struct arena *arena = arena_open();
    struct blob_set blobs = { .arena = arena };
    struct blob_id blob, copy = { 0 };
    struct stop *stops = sorted_stops(arena, s);
    PGresult *r = NULL;
    enum err err = blob_set_add(db, &blobs, &s->message.octets, &blob);
    if (!err && s->copy && same_octets(&s->copy->octets, &s->message.octets))
        copy = blob;
    else if (!err && s->copy)
        err = blob_set_add(db, &blobs, &s->copy->octets, &copy);
    if (!err) {
        struct db_args args = { 0 };
        blob_set_args(&blobs, &args);
        args_i64(&args, s->account.n);
        args_i64(&args, s->device.n);
        args_slice(&args, some(s->client_id));
        args_i64(&args, blob.n);
        args_i32(&args, (int32_t)octets_size(&s->message.octets));
        args_bytes(&args, packed_meta(db, arena, s->message.meta));
        args_i64(&args, s->message.thread);
        args_time(&args, s->message.sent_us);
        args_time(&args, s->internal_date_us);
        args_stops(&args, arena, stops, s->target_count);
        args_i64(&args, id_new());
        args_slice(&args, some(s->sender));
        args_text_array(&args, s->far, s->far_count);
        args_i64(&args, copy.n);
        args_i64(&args, s->copy ? octets_size(&s->copy->octets) : 0);
        args_bytes(&args, s->copy ? packed_meta(db, arena, s->copy->meta) : SLICE_LIT(""));
        args_i64(&args, s->source_mailbox.n);
        args_i64(&args, s->source_item);
        args_i64(&args, (int64_t)s->source_flags);
        args_slice(&args, some(s->source_keyword));
        args_json(&args, s->source_extra.len ? s->source_extra : SLICE_LIT("{}"));
        args_i64(&args, s->draft_mailbox.n);
        args_i64(&args, s->draft_item);
        args_i16(&args, (int16_t)s->by->protocol);
        args_text(&args, s->by->name);
        err = db_run(db, SEND_1, &args, &r);
    }
    if (!err)
        read_rows(r, s, stops, changes);
    PQclear(r);
    arena_close(&arena);
    return err;
}
