/* Worker threads, each with one PostgreSQL connection: they run jobs, and may block on SQL only.
 * At most one writing job of an account runs at a time, the rest queue on the account and hold no worker; at most a
 * quarter of the workers (at least one) serve one account (hard case 14). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/net/loop.h"
#include "storage/db.h"
#include "storage/ids.h"

struct workers;
struct worker;

/* For jobs that check a password, before the account is known: they share the places of one account, so that a storm of
 * logins queues in memory and leaves three quarters of the workers to the mail. */
#define ACCOUNT_LOGINS ((struct account_id){ -1 })

struct job {
    /* On a worker. Between two jobs of one command no transaction, cursor or lock is held. */
    void (*run)(struct job *job, struct worker *worker);
    /* On `home`, after run; may be NULL. The job belongs to its maker again from here on. */
    void (*done)(struct job *job);
    void *ctx;
    struct loop *home;
    struct account_id account; // 0: none
    bool writes;
    atomic_bool cancelled;     // set by job_cancel; long runs look at it
    /* private to worker.c */
    struct job *next;
    struct worker *running_on;
    struct loop_task done_task;
};

MUST_USE enum err workers_open(size_t count, const struct db_settings *db, struct workers **workers);
void workers_close(struct workers **workers); // runs what is queued, joins
size_t workers_count(const struct workers *workers);
void worker_submit(struct workers *workers, struct job *job); // any thread; job is zero-initialised but for the public fields
/* Sets `cancelled` and cancels its running statement. done is called all the same. Any thread, while the job is
 * submitted. */
void job_cancel(struct workers *workers, struct job *job);

/* Takes the account's one place for writing without a job of its own, for work on many accounts at once (the postman).
 * false when a write of it runs or waits: submit a job for the account then. Any thread; never waits. */
bool workers_claim(struct workers *workers, struct account_id account);
void workers_unclaim(struct workers *workers, struct account_id account);

/* The worker's connection, opened if need be; NULL when the database is not there (trace in worker_trace). */
struct db *worker_db(struct worker *worker);
struct trace *worker_trace(struct worker *worker);
