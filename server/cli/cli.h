/* The command line: one table of commands, options that may stand anywhere, and the store for commands that need it. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "server/settings.h"
#include "storage/account.h"
#include "storage/db.h"

struct store; // server/cli/store.h

struct cli {
    struct settings *settings;
    const char *config; // --config, NULL: none
    char **words;       // what is left: no options that all commands share
    int word_count;
    struct store *store;
    struct db *db; // open when the command's row says so
    struct arena *arena;
};

struct cli_command {
    const char *name;  // "account add"
    const char *usage; // what follows the name
    const char *help;
    bool needs_store;
    int (*run)(struct cli *cli); // exit code
};

/* Runs the program: returns the exit code. */
int cli_main(int argc, char **argv);

/* Takes "--name VALUE" (or "--name=VALUE") out of the words; NULL when it is not there. */
const char *cli_option(struct cli *cli, const char *name);
bool cli_flag(struct cli *cli, const char *name);
/* Prints "godwit: ..." to standard error and returns 1. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says what went wrong with a storage call, with its story. */
int cli_fail_err(struct cli *cli, enum err err, const char *what);
/* The account named on the command line, or a message: errors as account_find. */
bool cli_account(struct cli *cli, const char *login, struct account *account);
/* Tells running servers what was committed. */
void cli_publish(struct cli *cli, const struct change_set *changes);
