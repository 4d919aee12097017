#include <criterion/criterion.h>
#include <semaphore.h>
#include <time.h>

#include "server/net/worker.h"

/* Jobs that say when they ran and when they are done. */
struct told {
    struct job job;
    sem_t ran, done;
    atomic_int runs;
};

static void on_run(struct job *job, struct worker *worker)
{
    struct told *told = job->ctx;
    (void)worker;
    atomic_fetch_add(&told->runs, 1);
    sem_post(&told->ran);
}

static void on_done(struct job *job)
{
    struct told *told = job->ctx;
    sem_post(&told->done);
}

static void told_init(struct told *told, struct loop *home, int64_t account, bool writes)
{
    *told = (struct told){ .job = { .run = on_run, .done = on_done, .ctx = told, .home = home, .account = { account }, .writes = writes } };
    sem_init(&told->ran, 0, 0);
    sem_init(&told->done, 0, 0);
}

static void expect_soon(sem_t *sem, const char *what)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 30;
    cr_assert_eq(sem_timedwait(sem, &limit), 0, "%s", what);
}

Test(worker_claim, a_claimed_account_is_not_written)
{
    struct loops *loops;
    struct workers *workers;
    cr_assert_eq(loops_open(1, &loops), ERR_OK);
    // No job asks for the database: there need not be one.
    cr_assert_eq(workers_open(8, &(struct db_settings){ .url = "host=/nonexistent", .name = "test" }, &workers), ERR_OK);
    struct account_id one = { 1 }, two = { 2 };
    struct told write_one, read_one, write_two;
    told_init(&write_one, loops_at(loops, 0), 1, true);
    told_init(&read_one, loops_at(loops, 0), 1, false);
    told_init(&write_two, loops_at(loops, 0), 2, true);

    cr_expect(workers_claim(workers, one));
    cr_expect_not(workers_claim(workers, one), "claimed already");
    worker_submit(workers, &write_one.job);
    worker_submit(workers, &read_one.job);
    worker_submit(workers, &write_two.job);
    expect_soon(&read_one.done, "a read is not held up");
    expect_soon(&write_two.done, "another account is not held up");
    cr_expect_eq(atomic_load(&write_one.runs), 0);

    workers_unclaim(workers, one);
    expect_soon(&write_one.done, "the write runs once the claim is gone");
    cr_expect(workers_claim(workers, one), "free again");
    cr_expect(workers_claim(workers, two));
    workers_unclaim(workers, one);
    workers_unclaim(workers, two);
    workers_close(&workers);
    loops_close(&loops);
}

Test(worker_claim, not_past_a_write_that_waits)
{
    struct loops *loops;
    struct workers *workers;
    cr_assert_eq(loops_open(1, &loops), ERR_OK);
    cr_assert_eq(workers_open(8, &(struct db_settings){ .url = "host=/nonexistent", .name = "test" }, &workers), ERR_OK);
    struct account_id one = { 1 };
    struct told first, second;
    told_init(&first, loops_at(loops, 0), 1, true);
    told_init(&second, loops_at(loops, 0), 1, true);
    cr_assert(workers_claim(workers, one));
    worker_submit(workers, &first.job);
    worker_submit(workers, &second.job);
    workers_unclaim(workers, one);
    // Whichever of the two runs now, a claim has to stand behind both.
    if (workers_claim(workers, one)) {
        cr_expect_eq(atomic_load(&first.runs) + atomic_load(&second.runs), 2);
        workers_unclaim(workers, one);
    }
    expect_soon(&first.done, "first");
    expect_soon(&second.done, "second");
    workers_close(&workers);
    loops_close(&loops);
}
