/* What the tests of the store share: connections to the database of this run, accounts, messages, numbers, and waiting
 * until another connection stands at a lock. A failure here fails the test that called. */
#pragma once

#include <pthread.h>

#include "storage/account.h"
#include "storage/db_internal.h"
#include "storage/message.h"

extern const struct actor by_imap, by_admin;

/* A connection to GODWIT_TEST_DATABASE_URL with the schema in force. Fails when the variable is unset. */
struct db *rig_open(void);
/* A connection to a database of its own beside it, empty but for the schema, called after `suffix`. */
struct db *rig_open_scratch(struct db *db, const char *suffix);
/* The same without the schema. */
struct db *rig_open_empty(struct db *db, const char *suffix);
void rig_drop_scratch(struct db *db, const char *suffix);
/* A new account with a login of its own. */
struct account_id rig_account(struct db *db);
struct mailbox_id rig_inbox(void); // the first mailbox of every account
struct mailbox_id rig_mailbox(struct db *db, struct account_id account, const char *path);
/* Appends one message; returns its uid. */
uint32_t rig_append(struct db *db, struct account_id account, struct mailbox_id mailbox, const char *text,
                      uint64_t flags);
/* A mail for the relay alone; its outbox entry. */
int64_t rig_queue(struct db *db, struct account_id account, struct slice sender, const struct slice *recipients,
                  size_t count, struct slice octets);
/* \Seen and friends on one uid. Returns how many rows were changed. */
size_t rig_flags(struct db *db, struct account_id account, struct mailbox_id mailbox, uint32_t first, uint32_t last,
                   enum flags_mode mode, uint64_t flags);
/* The first column of the first row; 0 when there is none. sql: $1 is the account. */
int64_t rig_number(struct db *db, struct account_id account, const char *sql);
/* Counters of mailboxes and account are what the placements say, and refs what the rule says. */
void rig_check_counters(struct db *db, struct account_id account);

/* Every live message, and every deletion that can be restored, has its octets. */
void rig_check_content(struct db *db, struct account_id account);

struct account_id rig_quota_account(struct db *db, int64_t quota_bytes);
/* An EAS device of the account. */
struct device_id rig_device(struct db *db, struct account_id account, const char *key);
/* Runs a statement that gives no rows; $1 is `id`, which it has to use. */
void rig_run(struct db *db, const char *sql, int64_t id);
/* The whole text of a message that is or was at (mailbox, uid), in the arena. */
struct slice rig_text(struct db *db, struct arena *arena, struct account_id account, struct mailbox_id mailbox,
                      uint32_t uid);

/* Returns when the backend waits for a lock (seen by `watcher`); fails after 20 s. */
void rig_wait_blocked(struct db *watcher, int backend_pid);

/* ---- two clients at once ---- */

struct rig_step {
    void (*run)(struct db *db, void *scene); // in a thread of its own: notes results in the scene, asserts nothing
    void *scene;
};
/* A thread that runs a step on `client`. */
struct rig_thread {
    struct db *client;
    struct rig_step step;
    pthread_t thread;
};
void rig_start(struct rig_thread *thread, struct db *client, struct rig_step step);
void rig_join(struct rig_thread *thread);
/* Begins a transaction and locks rows in it; $1 of sql is id. db_end lets them go. */
void rig_hold(struct db *gate, const char *sql, int64_t id);

/* Runs both steps, each on a connection of its own. A third one holds the rows of `lock` ($1 is lock_id) until both
 * wait for them in this order, so `first` goes on first and `second` began before `first` was committed. */
void rig_race(struct db *watcher, const char *lock, int64_t lock_id, struct rig_step first, struct rig_step second);
