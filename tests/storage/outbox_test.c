/* Mail that waits for the relay. */
#include <criterion/criterion.h>

#include "storage/outbox.h"
#include "storage/retention.h"
#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
}

static void teardown(void)
{
    arena_close(&arena);
    db_close(&db);
}

TestSuite(outbox, .init = setup, .fini = teardown);

static void check_entry(struct slice octets)
{
    struct account_id account = rig_account(db);
    struct slice recipients[] = { SLICE_LIT("one@example.org"), SLICE_LIT("zw\xc3\xb6lf@example.org") };
    struct slice sender = SLICE_LIT("alice@example.test");
    int64_t first = rig_queue(db, account, sender, recipients, 2, octets);
    int64_t second = rig_queue(db, account, sender, recipients, 2, octets);
    cr_expect_gt(second, first, "in the order they came");
    cr_expect_eq(rig_number(db, account, "select count(*) from outbox where account_id = $1 and attempts = 0 and next_try <= now()"
                                         " and claimed_by is null"),
                 2);
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, first);
    cr_assert_eq(db_run(db, "select sender, recipients, blob_id from outbox where outbox_id = $1", &args, &r), ERR_OK);
    size_t count;
    const char *const *to = res_text_array(arena, r, 0, 1, &count);
    cr_expect(slice_eq(res_slice(r, 0, 0), sender));
    cr_assert_eq(count, 2u);
    cr_expect_str_eq(to[1], "zw\xc3\xb6lf@example.org");
    struct buf out = { 0 };
    cr_assert_eq(blob_read(db, (struct blob_id){ res_i64(r, 0, 2) }, 0, INT64_MAX, &out), ERR_OK);
    cr_expect(slice_eq(buf_slice(&out), octets));
    buf_free(&out);
    PQclear(r);
}

Test(outbox, keeps_envelope_and_octets)
{
    check_entry(SLICE_LIT("Subject: out\r\n\r\nBye\r\n"));
}

Test(outbox, keeps_big_octets)
{
    char *big = arena_alloc(arena, 3u << 20);
    memset(big, 'x', 3u << 20);
    check_entry(slice_make(big, 3u << 20));
}
