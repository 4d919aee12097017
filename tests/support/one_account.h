/* The scene of many storage tests: a connection, an arena and an account; at the end its counters and contents are right.
 * For one test program each: TestSuite(NAME, .init = setup, .fini = teardown). */
#pragma once

#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;
static struct account_id account;
static struct change_set changes;

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    account = rig_account(db);
    changes = (struct change_set){ 0 };
}

static void teardown(void)
{
    rig_check_counters(db, account);
    rig_check_content(db, account);
    arena_close(&arena);
    db_close(&db);
}
