/* The connection and the schema: migrations from empty, twice, and by two servers at once; lost connections; commits
 * whose answer was lost; timeouts and cancelling. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "storage/sync.h"
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

TestSuite(db, .init = setup, .fini = teardown, .timeout = 120);

static int64_t number(struct db *where, const char *sql)
{
    return rig_number(where, (struct account_id){ 0 }, sql);
}

/* ---- the schema ---- */

#define TABLES "select count(*) + $1 from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"

Test(db, migrates_from_empty_and_again)
{
    struct db *empty = rig_open_empty(db, "empty");
    cr_expect_eq(number(empty, TABLES), 0);
    cr_assert_eq(db_migrate(empty), ERR_OK, "%s", db_trace(empty)->text);
    int64_t tables = number(empty, TABLES), functions = number(empty, "select count(*) + $1 from schema_function");
    cr_expect_eq(tables, number(db, TABLES));
    cr_assert_eq(db_migrate(empty), ERR_OK, "%s", db_trace(empty)->text);
    cr_expect_eq(number(empty, TABLES), tables);
    cr_expect_eq(number(empty, "select count(*) + $1 from schema_function"), functions);
    cr_expect_eq(number(empty, "select count(*) + $1 from store_meta"), 1);
    struct account_id account = rig_account(empty); // and it works
    rig_append(empty, account, rig_inbox(), "x", 0);
    rig_check_counters(empty, account);
    db_close(&empty);
    rig_drop_scratch(db, "empty");
}

/* Each table and each function says what it is. */
Test(db, the_schema_describes_itself)
{
    cr_expect_eq(number(db, "select count(*) + $1 from pg_class c where relnamespace = 'public'::regnamespace"
                            " and relkind in ('r', 'p') and not relispartition and relname not like 'schema\\_%'"
                            " and obj_description(oid, 'pg_class') is null"),
                 0, "tables without a sentence");
    cr_expect_eq(number(db, "select count(*) + $1 from schema_function where text not like '-- %'"), 0);
}

struct start {
    enum err err;
};

static void migrate(struct db *client, void *scene)
{
    struct start *start = scene;
    start->err = db_migrate(client);
}

#define MIGRATION_LOCK "select pg_advisory_xact_lock($1)"

/* Two servers start at once on an empty database: the second waits for the first, and finds all done. */
Test(db, two_servers_migrate_at_once)
{
    struct db *gate = rig_open_empty(db, "twice");
    char url[1024];
    snprintf(url, sizeof url, "%s dbname='%s'", getenv("GODWIT_TEST_DATABASE_URL"), PQdb(gate->conn));
    struct db *clients[2];
    struct rig_thread threads[2];
    struct start starts[2] = { { ERR_STATE }, { ERR_STATE } };
    rig_hold(gate, MIGRATION_LOCK, 7236284160);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(db_open(&(struct db_settings){ .url = url, .name = "server" }, NULL, &clients[i]), ERR_OK);
        rig_start(&threads[i], clients[i], (struct rig_step){ migrate, &starts[i] });
        rig_wait_blocked(db, db_backend_pid(clients[i]));
    }
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    for (int i = 0; i < 2; i++) {
        rig_join(&threads[i]);
        cr_expect_eq(starts[i].err, ERR_OK, "server %d: %s", i, db_trace(clients[i])->text);
        db_close(&clients[i]);
    }
    cr_expect_eq(number(gate, "select count(*) + $1 from schema_migration"),
                 number(db, "select count(*) + $1 from schema_migration"));
    db_close(&gate);
    rig_drop_scratch(db, "twice");
}

Test(db, a_failed_migration_leaves_nothing)
{
    struct db *empty = rig_open_empty(db, "half");
    cr_assert_eq(db_exec(empty, "create table outbox (x int)"), ERR_OK); // in the way of the second migration
    cr_expect_eq(db_migrate(empty), ERR_UNAVAILABLE);
    cr_expect(strstr(db_trace(empty)->text, "outbox"), "%s", db_trace(empty)->text);
    cr_expect_eq(number(empty, TABLES), 1, "all or nothing");
    cr_assert_eq(db_exec(empty, "drop table outbox"), ERR_OK);
    cr_expect_eq(db_migrate(empty), ERR_OK, "%s", db_trace(empty)->text);
    db_close(&empty);
    rig_drop_scratch(db, "half");
}

Test(db, a_newer_or_foreign_schema_is_refused_in_words)
{
    static const struct {
        const char *name, *words;
    } rows[] = { { "9999_future.sql", "newer program" }, { "0000_foreign.sql", "does not know" } };
    struct db *scratch = rig_open_scratch(db, "newer");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(db_exec(scratch, arena_printf(arena, "insert into schema_migration (name) values ('%s')", rows[i].name)),
                     ERR_OK);
        cr_expect_eq(db_migrate(scratch), ERR_STATE, "%s", rows[i].name);
        cr_expect(strstr(db_trace(scratch)->text, rows[i].name) && strstr(db_trace(scratch)->text, rows[i].words), "%s",
                  db_trace(scratch)->text);
        cr_assert_eq(db_exec(scratch, arena_printf(arena, "delete from schema_migration where name = '%s'", rows[i].name)),
                     ERR_OK);
    }
    db_close(&scratch);
    rig_drop_scratch(db, "newer");
}

/* A function whose text is not this program's is put right. */
Test(db, functions_are_brought_up_to_date)
{
    struct db *scratch = rig_open_scratch(db, "functions");
    cr_assert_eq(db_exec(scratch, "update schema_function set text = 'old' where name = 'vanished_2.sql';"
                                  "drop function vanished_2(bigint, bigint, bigint)"),
                 ERR_OK);
    cr_assert_eq(db_migrate(scratch), ERR_OK, "%s", db_trace(scratch)->text);
    cr_expect_eq(number(scratch, "select count(*) + $1 from pg_proc where proname = 'vanished_2'"), 1);
    db_close(&scratch);
    rig_drop_scratch(db, "functions");
}

/* All the SQL goes by the search path of the connection: a store may live in a schema of its own. */
Test(db, a_store_in_another_schema)
{
    struct db *empty = rig_open_empty(db, "schema"), *mail;
    cr_assert_eq(db_exec(empty, "create schema mail"), ERR_OK);
    char url[1024];
    snprintf(url, sizeof url, "%s dbname='%s' options='-c search_path=mail'", getenv("GODWIT_TEST_DATABASE_URL"),
             PQdb(empty->conn));
    cr_assert_eq(db_open(&(struct db_settings){ .url = url }, NULL, &mail), ERR_OK);
    cr_assert_eq(db_migrate(mail), ERR_OK, "%s", db_trace(mail)->text);
    struct account_id account = rig_account(mail);
    uint32_t uid = rig_append(mail, account, rig_inbox(), "x", 0);
    rig_flags(mail, account, rig_inbox(), uid, uid, FLAGS_ADD, FLAG_SEEN);
    rig_check_counters(mail, account);
    cr_expect_eq(number(empty, TABLES), 0, "nothing in public");
    db_close(&mail);
    db_close(&empty);
    rig_drop_scratch(db, "schema");
}

/* ---- sessions ---- */

Test(db, sessions_have_their_limits)
{
    struct db *limited;
    struct db_settings settings = { .url = getenv("GODWIT_TEST_DATABASE_URL"), .statement_timeout_ms = 200,
                                    .lock_timeout_ms = 100 };
    cr_assert_eq(db_open(&settings, NULL, &limited), ERR_OK);
    cr_expect_eq(number(limited, "select (current_setting('synchronous_commit') = 'on')::int + $1"), 1,
                 "mail is never committed without");
    cr_expect_eq(number(limited, "select (current_setting('idle_in_transaction_session_timeout') = '1min')::int + $1"), 1);
    cr_expect_eq(db_exec(limited, "select pg_sleep(20)"), ERR_UNAVAILABLE);
    cr_expect_str_eq(limited->sqlstate, "57014");
    struct account_id account = rig_account(db);
    struct db *gate = rig_open();
    rig_hold(gate, "select 1 from account where account_id = $1 for update", account.n);
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    struct change_set changes = { 0 };
    uint32_t uidvalidity;
    cr_expect_eq(message_append(limited, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_UNAVAILABLE);
    cr_expect_str_eq(limited->sqlstate, "55P03", "lock_timeout");
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    cr_expect_eq(message_append(limited, account, rig_inbox(), &item, 1, &by_imap, &uidvalidity, &changes), ERR_OK,
                 "the connection goes on");
    db_close(&gate);
    db_close(&limited);
}

static void sleep_in_server(struct db *client, void *scene)
{
    struct start *start = scene;
    start->err = db_exec(client, "select pg_sleep(100)");
}

Test(db, a_running_statement_can_be_cancelled)
{
    struct db *client = rig_open();
    struct start start = { ERR_OK };
    struct rig_thread thread;
    int pid = db_backend_pid(client);
    rig_start(&thread, client, (struct rig_step){ sleep_in_server, &start });
    int64_t end = clock_mono_us() + 20 * US_PER_S;
    while (!rig_number(db, (struct account_id){ pid },
                       "select count(*) from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'"))
        cr_assert_lt(clock_mono_us(), end);
    db_cancel(client);
    rig_join(&thread);
    cr_expect_eq(start.err, ERR_CANCELLED);
    cr_expect_eq(number(client, "select 7 + $1"), 7, "the next statement runs");
    db_close(&client);
}

/* ---- lost connections ---- */

static void terminate(struct db *victim)
{
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_i64(&args, db_backend_pid(victim));
    cr_assert_eq(db_run(db, "select pg_terminate_backend($1::int, 20000)", &args, &r), ERR_OK);
    cr_assert(res_bool(r, 0, 0));
    PQclear(r);
}

Test(db, a_connection_that_died_idle_is_opened_again)
{
    struct db *client = rig_open();
    struct account_id account = rig_account(client);
    struct mailbox_look look;
    terminate(client);
    rig_append(client, account, rig_inbox(), "x", 0); // a write
    terminate(client);
    cr_assert_eq(message_load(client, arena, account, rig_inbox(), &look), ERR_OK, "a snapshot"); // a pipeline
    cr_expect_eq(look.row_count, 1u);
    free(look.rows);
    terminate(client);
    cr_assert_eq(db_begin(client, "read committed"), ERR_OK, "a transaction");
    cr_assert_eq(db_end(client, ERR_OK), ERR_OK);
    terminate(client);
    cr_expect_eq(db_exec(client, "select 1"), ERR_OK);
    db_close(&client);
}

Test(db, a_connection_that_died_in_a_transaction_does_not_go_on)
{
    struct db *client = rig_open();
    struct account_id account = rig_account(client);
    cr_assert_eq(db_begin(client, "read committed"), ERR_OK);
    rig_run(client, "update account set quota_bytes = 77 where account_id = $1", account.n);
    terminate(client);
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    cr_expect_eq(db_run_only(client, "update account set quota_bytes = quota_bytes + 1 where account_id = $1", &args, NULL),
                 ERR_UNAVAILABLE);
    cr_expect_eq(db_end(client, ERR_OK), ERR_UNAVAILABLE, "the commit did not take place");
    cr_expect_eq(rig_number(client, account, "select quota_bytes from account where account_id = $1"), 0);
    db_close(&client);
}

/* ---- a commit whose answer was lost: a relay between client and server that keeps one answer for itself ---- */

struct relay {
    char dir[64], url[1024];
    struct sockaddr_un server;
    int listener;
    pthread_t thread;
    atomic_int swallow; // which answer from now on, 1 the next; the connection is cut behind it; 0: none
    atomic_bool stop;
    atomic_int swallowed;
};

static bool pass(int from, int to, char last_type[1])
{
    char octets[65536];
    ssize_t n = read(from, octets, sizeof octets);
    if (n <= 0)
        return false;
    last_type[0] = n >= 6 ? octets[n - 6] : 0; // 'Z', ReadyForQuery, is six octets
    return to < 0 || write(to, octets, (size_t)n) == n;
}

static void relay_one(struct relay *relay, int client)
{
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct pollfd fds[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
    char type;
    bool open = connect(server, (const struct sockaddr *)&relay->server, sizeof relay->server) == 0;
    while (open && !atomic_load(&relay->stop)) {
        if (poll(fds, 2, 20) <= 0)
            continue;
        if (fds[0].revents)
            open = pass(client, server, &type);
        if (open && fds[1].revents) {
            int which = atomic_load(&relay->swallow);
            open = pass(server, which == 1 ? -1 : client, &type);
            if (open && which > 0 && type == 'Z') // the server has done it and answered
                atomic_fetch_sub(&relay->swallow, 1);
            if (which == 1 && type == 'Z') {
                atomic_fetch_add(&relay->swallowed, 1);
                open = false;
            }
        }
    }
    close(client);
    close(server);
}

static void *run_relay(void *ctx)
{
    struct relay *relay = ctx;
    while (!atomic_load(&relay->stop)) {
        struct pollfd fd = { relay->listener, POLLIN, 0 };
        if (poll(&fd, 1, 20) > 0)
            relay_one(relay, accept(relay->listener, NULL, NULL));
    }
    return NULL;
}

static void relay_open(struct relay *relay)
{
    struct sockaddr_un here = { .sun_family = AF_UNIX };
    snprintf(relay->dir, sizeof relay->dir, "/tmp/godwit-relay-XXXXXX");
    cr_assert_not_null(mkdtemp(relay->dir));
    relay->server.sun_family = AF_UNIX;
    snprintf(relay->server.sun_path, sizeof relay->server.sun_path, "%s/.s.PGSQL.%s", PQhost(db->conn), PQport(db->conn));
    snprintf(here.sun_path, sizeof here.sun_path, "%s/.s.PGSQL.%s", relay->dir, PQport(db->conn));
    relay->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(relay->listener, (struct sockaddr *)&here, sizeof here), 0);
    cr_assert_eq(listen(relay->listener, 8), 0);
    snprintf(relay->url, sizeof relay->url, "%s host=%s", getenv("GODWIT_TEST_DATABASE_URL"), relay->dir);
    cr_assert_eq(pthread_create(&relay->thread, NULL, run_relay, relay), 0);
}

static void relay_close(struct relay *relay)
{
    char path[160];
    atomic_store(&relay->stop, true);
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    snprintf(path, sizeof path, "%s/.s.PGSQL.%s", relay->dir, PQport(db->conn));
    unlink(path);
    rmdir(relay->dir);
}

static struct db *open_through(struct relay *relay)
{
    struct db *client;
    struct trace trace = { 0 };
    cr_assert_eq(db_open(&(struct db_settings){ .url = relay->url }, &trace, &client), ERR_OK, "%s", trace.text);
    return client;
}

static enum err deliver(struct db *client, struct account_id account, struct delivery_target *target)
{
    *target = (struct delivery_target){ .account = account, .prefix = SLICE_LIT("") };
    struct delivery delivery = { .message = { .octets = { .memory = SLICE_LIT("once"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                 .delivery_id = id_new(), .internal_date_us = 1700000000000000,
                                 .targets = target, .target_count = 1 };
    struct delivery *list = &delivery;
    struct change_set changes = { 0 };
    enum err err = message_deliver(client, &list, 1, &changes);
    cr_expect_eq(changes.count, target->result == ERR_OK ? 1u : 0u, "it is published");
    return err;
}

/* 16: looked up by its delivery id before it is repeated. */
Test(db, a_delivery_whose_answer_was_lost_is_stored_once)
{
    struct relay relay = { .listener = -1 };
    relay_open(&relay);
    struct db *client = open_through(&relay);
    struct account_id account = rig_account(db);
    struct delivery_target target;
    cr_assert_eq(deliver(client, account, &target), ERR_OK); // the statement is prepared from here on
    atomic_store(&relay.swallow, 1);
    cr_expect_eq(deliver(client, account, &target), ERR_OK);
    cr_expect_eq(atomic_load(&relay.swallowed), 1, "the answer was really lost");
    cr_expect_eq(target.result, ERR_OK);
    cr_expect_eq(target.uid, 2u);
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), 2);
    rig_check_counters(db, account);
    db_close(&client);
    relay_close(&relay);
}

static enum err add_draft(struct db *client, struct account_id account, struct device_id device, const char *client_id,
                          uint32_t *made)
{
    struct sync_result result = { .err = ERR_OK };
    struct change_set changes = { 0 };
    struct append_item item = { .message = { .octets = { .memory = SLICE_LIT("x"), .fd = -1 }, .meta = SLICE_LIT("m") },
                                .internal_date_us = 1700000000000000 };
    struct arena *own = arena_open();
    enum err err = sync_add_draft(client, own, account, device, (struct mailbox_id){ 2 }, SLICE_LIT("key"), slice_of(client_id),
                                  &item, &result, &changes);
    arena_close(&own);
    *made = result.item;
    return err;
}

/* Each answer of the transaction is lost in turn, that of the commit last: the phone's repeat makes no second draft. */
Test(db, a_draft_whose_answer_was_lost_is_made_once)
{
    enum { ANSWERS = 6 }; // begin, lock, look up, append, remember, commit
    struct relay relay = { .listener = -1 };
    relay_open(&relay);
    struct db *client = open_through(&relay);
    struct account_id account = rig_account(db);
    struct device_id device = rig_device(db, account, "PHONE");
    int64_t drafts = 0;
    for (int lost = 1; lost <= ANSWERS; lost++) {
        uint32_t item;
        char client_id[16];
        snprintf(client_id, sizeof client_id, "first%d", lost);
        cr_assert_eq(add_draft(client, account, device, client_id, &item), ERR_OK); // all is prepared from here on
        snprintf(client_id, sizeof client_id, "lost%d", lost);
        atomic_store(&relay.swallow, lost);
        enum err err = add_draft(client, account, device, client_id, &item);
        cr_expect_eq(atomic_load(&relay.swallowed), lost, "answer %d was really lost", lost);
        cr_expect_eq(err, lost == 1 ? ERR_OK : ERR_UNAVAILABLE, "answer %d: %s", lost, err_name(err));
        drafts += 1 + (lost == 1 || lost == ANSWERS);
        cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), drafts, "answer %d", lost);
        cr_assert_eq(add_draft(client, account, device, client_id, &item), ERR_OK);
        drafts += lost != 1 && lost != ANSWERS;
        cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), drafts, "answer %d", lost);
        cr_expect_eq(item, (uint32_t)drafts);
    }
    db_close(&client);
    relay_close(&relay);
}

/* The lost session is still at work: the lookup waits for it, so that it cannot store the mail behind our back. */
struct delivery_scene {
    struct account_id account;
    struct delivery_target target;
    enum err err;
};

static void deliver_step(struct db *client, void *scene)
{
    struct delivery_scene *s = scene;
    s->err = deliver(client, s->account, &s->target);
}

Test(db, a_delivery_whose_session_was_ended_is_stored_once)
{
    struct db *gate = rig_open(), *client = rig_open();
    struct delivery_scene scene = { .account = rig_account(db) };
    struct rig_thread thread;
    int first = db_backend_pid(client);
    rig_hold(gate, "select 1 from account where account_id = $1 for update", scene.account.n);
    rig_start(&thread, client, (struct rig_step){ deliver_step, &scene });
    rig_wait_blocked(db, first);
    terminate(client); // by now it looks the delivery up, on a new connection, and waits for the account again
    int64_t end = clock_mono_us() + 20 * US_PER_S;
    while (!rig_number(db, (struct account_id){ first },
                       "select count(*) from pg_stat_activity where pid <> $1 and wait_event_type = 'Lock'"
                       " and query like '%delivered_1%' and datname = current_database()"))
        cr_assert_lt(clock_mono_us(), end);
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    rig_join(&thread);
    cr_expect_eq(scene.err, ERR_OK);
    cr_expect_eq(scene.target.result, ERR_OK);
    cr_expect_eq(rig_number(db, scene.account, "select count(*) from placement where account_id = $1"), 1);
    rig_check_counters(db, scene.account);
    db_close(&client);
    db_close(&gate);
}

/* Nobody can tell whether the commit was made: it is not repeated, the sender is told to try again. */
Test(db, a_delivery_that_cannot_be_looked_up_is_not_repeated)
{
    struct db *gate = rig_open(), *client = rig_open();
    struct account_id account = rig_account(db);
    client->lock_timeout_ms = 50; // of the session that looks it up
    rig_hold(gate, "select 1 from account where account_id = $1 for update", account.n);
    struct delivery_scene scene = { .account = account };
    struct rig_thread thread;
    rig_start(&thread, client, (struct rig_step){ deliver_step, &scene });
    rig_wait_blocked(db, db_backend_pid(client));
    terminate(client);
    rig_join(&thread);
    cr_expect_eq(scene.err, ERR_UNAVAILABLE);
    cr_expect_eq(scene.target.result, ERR_UNAVAILABLE);
    cr_assert_eq(db_end(gate, ERR_OK), ERR_OK);
    cr_expect_eq(rig_number(db, account, "select count(*) from placement where account_id = $1"), 0);
    db_close(&gate);
    db_close(&client);
}
