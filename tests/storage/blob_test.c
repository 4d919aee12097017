/* Octets at rest: pieces, chunks, ranges, sharing, and the collector's two nights (hard case 4). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/retention.h"
#include "tests/support/one_account.h"

#define HOUR_US (INT64_C(3600) * US_PER_S)
#define CHUNK (int64_t) BLOB_CHUNK_BYTES

TestSuite(blob, .init = setup, .fini = teardown);

/* Octets that zstd can hardly make smaller. */
static struct slice noise(size_t len)
{
    char *at = arena_alloc(arena, len + 1);
    uint64_t state = len + 88172645463325252u;
    for (size_t i = 0; i < len; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at[i] = (char)state;
    }
    return slice_make(at, len);
}

static struct blob_id write_blob(struct slice octets)
{
    struct blob_id id = { 0 };
    cr_assert_eq(blob_write(db, &(struct octets){ .memory = octets, .fd = -1 }, &id), ERR_OK, "%s", db_trace(db)->text);
    return id;
}

static void expect_range(struct blob_id id, struct slice octets, int64_t offset, int64_t len)
{
    struct buf out = { 0 };
    int64_t size = (int64_t)octets.len, end = len > size - offset ? size : offset + len;
    struct slice expected = offset >= size || len <= 0 ? SLICE_LIT("") : slice_make(octets.at + offset, (size_t)(end - offset));
    buf_add_text(&out, "before");
    cr_assert_eq(blob_read(db, id, offset, len, &out), ERR_OK, "%s", db_trace(db)->text);
    struct slice got = slice_tail(buf_slice(&out), 6);
    cr_expect(slice_eq(got, expected), "%zu octets: [%lld, +%lld) gave %zu of %zu", octets.len, (long long)offset,
              (long long)len, got.len, expected.len);
    buf_free(&out);
}

static int64_t of_blob(struct blob_id id, const char *sql)
{
    return rig_number(db, (struct account_id){ id.n }, sql);
}

static int64_t exists(struct blob_id id)
{
    return of_blob(id, "select count(*) from blob where blob_id = $1");
}

/* ---- shapes ---- */

static const struct {
    const char *name;
    int64_t size;
    bool compresses;
    int64_t pieces_least, pieces_most;
    bool chunked;
} shapes[] = {
    { "nothing", 0, false, 1, 1, false },
    { "one octet", 1, false, 1, 1, false },
    { "a small mail, one piece", 3000, true, 1, 1, false },
    { "a small mail, equal pieces", 6200, false, 4, 4, false },
    { "the last size in pieces", 65000, false, 33, 33, false },
    { "too big for pieces, one frame", 70000, false, 1, 1, false },
    { "one chunk to the octet", CHUNK, false, 1, 1, false },
    { "one octet more", CHUNK + 1, false, 2, 2, true },
    { "three chunks and a half", 3 * CHUNK + CHUNK / 2, true, 4, 4, true },
};

Test(blob, shapes_and_ranges)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t size = shapes[i].size;
        struct slice octets = noise((size_t)size);
        if (shapes[i].compresses)
            memset((char *)octets.at, 'x', octets.len);
        struct blob_id id = write_blob(octets);
        int64_t pieces = of_blob(id, "select pieces from blob where blob_id = $1");
        cr_expect(pieces >= shapes[i].pieces_least && pieces <= shapes[i].pieces_most, "%s: %d pieces", shapes[i].name,
                  (int)pieces);
        cr_expect_eq(of_blob(id, "select count(*) from chunk where blob_id = $1"), pieces, "%s", shapes[i].name);
        cr_expect_eq(of_blob(id, "select chunked::int from blob where blob_id = $1"), shapes[i].chunked, "%s", shapes[i].name);
        cr_expect_eq(of_blob(id, "select size from blob where blob_id = $1"), size, "%s", shapes[i].name);
        expect_range(id, octets, 0, size);
        expect_range(id, octets, 0, INT64_MAX);
        expect_range(id, octets, 0, 1);
        expect_range(id, octets, size / 3, size / 3);
        expect_range(id, octets, size - 1 < 0 ? 0 : size - 1, 5);
        expect_range(id, octets, size, 10);
        expect_range(id, octets, size + 7 * CHUNK, 10);
        expect_range(id, octets, CHUNK - 3, 6);
        expect_range(id, octets, CHUNK, 1);
        expect_range(id, octets, 0, 0);
    }
}

/* Pieces that stay inline in their row: no TOAST page for a small mail. */
Test(blob, pieces_are_equal_and_inline)
{
    struct blob_id id = write_blob(noise(60000));
    cr_expect_leq(of_blob(id, "select max(length(data)) from chunk where blob_id = $1"), 1980);
    cr_expect_leq(of_blob(id, "select max(length(data)) - min(length(data)) from chunk where blob_id = $1"), 1);
}

/* A range of a big blob reads only the chunks it lies in: the others may even be missing. */
Test(blob, a_range_reads_its_chunks_only)
{
    struct slice octets = noise((size_t)(4 * CHUNK));
    struct blob_id id = write_blob(octets);
    rig_run(db, "delete from chunk where blob_id = $1 and n in (0, 3)", id.n);
    expect_range(id, octets, CHUNK, 2 * CHUNK);
    expect_range(id, octets, CHUNK + 5, 65536);
    struct buf out = { 0 };
    cr_expect_eq(blob_read(db, id, CHUNK - 1, 2, &out) == ERR_OK && buf_len(&out) == 2, false, "what is missing is not made up");
    buf_free(&out);
    cr_expect_eq(blob_read(db, (struct blob_id){ 12345 }, 0, 1, &out), ERR_NOT_FOUND);
}

Test(blob, from_a_file)
{
    struct slice octets = noise((size_t)(2 * CHUNK + 17));
    char name[] = "/tmp/godwit-blob-XXXXXX";
    int fd = mkstemp(name);
    cr_assert_geq(fd, 0);
    unlink(name);
    cr_assert_eq(write(fd, octets.at, octets.len), (ssize_t)octets.len);
    struct octets spool = { .fd = fd, .size = (int64_t)octets.len };
    struct blob_id id;
    cr_assert_eq(blob_write(db, &spool, &id), ERR_OK);
    expect_range(id, octets, 0, INT64_MAX);
    spool.size = 5000; // what is said counts, and it is a small one
    cr_assert_eq(blob_write(db, &spool, &id), ERR_OK);
    expect_range(id, slice_head(octets, 5000), 0, INT64_MAX);
    spool.size = (int64_t)octets.len + 1;
    cr_expect_eq(blob_write(db, &spool, &id), ERR_UNAVAILABLE, "a file shorter than said");
    spool.size = BLOB_MAX + 1;
    cr_expect_eq(blob_write(db, &spool, &id), ERR_LIMIT);
    close(fd);
}

Test(blob, the_hash_is_of_the_raw_octets)
{
    struct slice octets = noise((size_t)(CHUNK + 100));
    struct blob_id big = write_blob(octets), small = write_blob(SLICE_LIT("abc"));
    cr_expect_eq(of_blob(small,
                         "select (hash = '\\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')::int"
                         " from blob where blob_id = $1"),
                 1);
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, big.n);
    args_bytes(&args, octets);
    cr_assert_eq(db_run(db, "select hash = sha256($2) from blob where blob_id = $1", &args, &r), ERR_OK);
    cr_expect(res_bool(r, 0, 0));
    PQclear(r);
}

Test(blob, a_message_is_its_prefix_and_its_octets)
{
    struct slice octets = noise((size_t)(CHUNK + 1000));
    struct append_item item = { .message = { .octets = { .memory = octets, .fd = -1 }, .prefix = SLICE_LIT("Received: x\r\n"),
                                             .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    uint32_t uidvalidity;
    cr_assert_eq(message_append(db, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    struct message_row *rows;
    size_t count;
    cr_assert_eq(message_get(db, arena, account, &(struct message_id){ 1 }, 1, &rows, &count), ERR_OK);
    cr_assert_eq(rows->size, 13 + CHUNK + 1000);
    struct buf out = { 0 };
    cr_assert_eq(message_read(db, rows, 10, 8, &out), ERR_OK);
    cr_expect(slice_eq(slice_head(buf_slice(&out), 3), SLICE_LIT("x\r\n")));
    cr_expect(slice_eq(slice_tail(buf_slice(&out), 3), slice_head(octets, 5)));
    buf_clear(&out);
    cr_assert_eq(message_read(db, rows, 13 + CHUNK - 1, 1 << 20, &out), ERR_OK);
    cr_expect(slice_eq(buf_slice(&out), slice_tail(octets, (size_t)CHUNK - 1)));
    buf_free(&out);
}

/* ---- the collector ---- */

static struct purge_report collect(int64_t condemned_before_us)
{
    struct purge_report report = { 0 };
    cr_assert_eq(blob_collect(db, condemned_before_us, &report), ERR_OK, "%s", db_trace(db)->text);
    return report;
}

static void age(struct blob_id id, const char *column)
{
    char sql[120];
    snprintf(sql, sizeof sql, "update blob set %s = %s - interval '2 days' where blob_id = $1", column, column);
    rig_run(db, sql, id.n);
}

Test(blob, the_collector_takes_two_nights)
{
    struct blob_id id = write_blob(noise(5000));
    int64_t yesterday = clock_wall_us() - 24 * HOUR_US;
    collect(yesterday);
    cr_expect_eq(of_blob(id, "select count(*) from blob where blob_id = $1 and condemned_at is null"), 1, "too young");
    age(id, "touched_at");
    collect(yesterday);
    cr_expect_eq(of_blob(id, "select count(*) from blob where blob_id = $1 and condemned_at is not null"), 1, "first night");
    collect(yesterday);
    cr_expect_eq(exists(id), 1, "not a day yet");
    age(id, "touched_at");
    age(id, "condemned_at");
    collect(yesterday);
    cr_expect_eq(exists(id), 0, "second night");
    cr_expect_eq(of_blob(id, "select count(*) from chunk where blob_id = $1"), 0);
}

Test(blob, the_collector_spares_what_is_touched_or_referred_to)
{
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("kept"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    uint32_t uidvalidity;
    cr_assert_eq(message_append(db, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK);
    struct blob_id referred = { rig_number(db, account, "select blob_id from message where account_id = $1") };
    struct blob_id touched = write_blob(SLICE_LIT("touched"));
    struct slice recipient = SLICE_LIT("x@example.org");
    rig_queue(db, account, SLICE_LIT("a@example.test"), &recipient, 1, SLICE_LIT("waits"));
    struct blob_id waiting = { rig_number(db, account, "select blob_id from outbox where account_id = $1") };
    age(referred, "touched_at");
    age(waiting, "touched_at");
    rig_run(db, "update blob set condemned_at = now() - interval '2 days' where blob_id = $1", touched.n);
    collect(clock_wall_us());
    collect(clock_wall_us() + HOUR_US);
    cr_expect_eq(exists(referred), 1, "a message");
    cr_expect_eq(exists(waiting), 1, "mail for the relay");
    cr_expect_eq(exists(touched), 1, "touched after it was condemned");
    rig_check_content(db, account);
}

Test(blob, the_collector_works_in_batches)
{
    int64_t before = rig_number(db, account, "select count(*) + $1 * 0 from blob");
    rig_run(db, "insert into blob (blob_id, size, pieces, chunked, hash, touched_at, condemned_at)"
                " select $1 * 10000 + n, 1, 0, false, '', now() - interval '3 days', now() - interval '2 days'"
                " from generate_series(1, 1200) n",
            account.n);
    struct purge_report report = collect(clock_wall_us() - 24 * HOUR_US);
    cr_expect_geq(report.blobs_deleted, 1200);
    cr_expect_leq(rig_number(db, account, "select count(*) + $1 * 0 from blob"), before);
}
