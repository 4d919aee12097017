#include "server/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/cli/commands.h"
#include "server/cli/store.h"
#include "server/push/hub.h"

#define VERSION "0.1.0"
#define HELP_COLUMN 44
#define SETS_MAX 200
#define CLI_CONNECTIONS_MAX 50 // of a cluster that a command has to start: others may join

#define X(name) extern const struct cli_command cli_##name;
CLI_COMMANDS(X)
#undef X

static const struct cli_command *const commands[] = {
#define X(name) &cli_##name,
    CLI_COMMANDS(X)
#undef X
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("godwit: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 1;
}

int cli_fail_err(struct cli *cli, enum err err, const char *what)
{
    const char *story = cli->db ? db_trace(cli->db)->text : "";
    return cli_fail("%s: %s%s%s", what, err_name(err), *story ? ": " : "", story);
}

static void drop_word(struct cli *cli, int at)
{
    memmove(cli->words + at, cli->words + at + 1, (size_t)(cli->word_count - at) * sizeof *cli->words);
    cli->word_count--;
}

const char *cli_option(struct cli *cli, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < cli->word_count; i++) {
        char *word = cli->words[i];
        if (strncmp(word, name, len) != 0)
            continue;
        if (word[len] == '=') {
            drop_word(cli, i);
            return word + len + 1;
        }
        if (word[len] == '\0' && i + 1 < cli->word_count) {
            char *value = cli->words[i + 1];
            drop_word(cli, i);
            drop_word(cli, i);
            return value;
        }
    }
    return NULL;
}

bool cli_flag(struct cli *cli, const char *name)
{
    for (int i = 0; i < cli->word_count; i++)
        if (strcmp(cli->words[i], name) == 0) {
            drop_word(cli, i);
            return true;
        }
    return false;
}

static void print_help(FILE *to)
{
    fputs("Godwit " VERSION ": a mail store with push for phones and desktops.\n\n"
          "usage: godwit [--config FILE] [--data DIR] [--set SECTION.KEY=VALUE]... [--log-level LEVEL] COMMAND\n\n",
          to);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[128];
        snprintf(left, sizeof left, "%s %s", commands[i]->name, commands[i]->usage);
        if (strlen(left) > HELP_COLUMN)
            fprintf(to, "  %s\n  %-*s %s\n", left, HELP_COLUMN, "", commands[i]->help);
        else
            fprintf(to, "  %-*s %s\n", HELP_COLUMN, left, commands[i]->help);
    }
    fputs("\n  godwit COMMAND --help tells about one command; godwit config show explains every setting.\n", to);
}

/* The command whose words the line begins with; they are taken off. */
static const struct cli_command *find_command(struct cli *cli)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", commands[i]->name);
        int count = 0;
        bool same = true;
        char *save = NULL;
        for (char *word = strtok_r(name, " ", &save); word; word = strtok_r(NULL, " ", &save), count++)
            same = same && count < cli->word_count && strcmp(cli->words[count], word) == 0;
        if (!same)
            continue;
        while (count--)
            drop_word(cli, 0);
        return commands[i];
    }
    return NULL;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int unknown_command(const struct cli *cli)
{
    bool group = false, help = cli->word_count > 1 && asks_for_help(cli->words[1]);
    FILE *to = help ? stdout : stderr;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        size_t len = strlen(cli->words[0]);
        if (strncmp(commands[i]->name, cli->words[0], len) == 0 && commands[i]->name[len] == ' ') {
            if (!group && !help)
                fprintf(to, "godwit: %s what? There is:\n", cli->words[0]);
            fprintf(to, "  godwit %s %s\n", commands[i]->name, commands[i]->usage);
            group = true;
        }
    }
    if (group)
        return help ? 0 : 2;
    cli_fail("there is no command \"%s\"; godwit --help lists all", cli->words[0]);
    return 2;
}

/* Where the usage names the option, behind its name; NULL: it does not. */
static const char *find_option(const char *usage, const char *word)
{
    size_t len = strcspn(word, "=");
    for (const char *at = usage; (at = strstr(at, "[--")); at++)
        if (strncmp(at + 1, word, len) == 0 && (at[1 + len] == ' ' || at[1 + len] == ']'))
            return at + 1 + len;
    return NULL;
}

/* Holds the words against the usage, before anything is started: false after a message. */
static bool words_fit(const struct cli *cli, const struct cli_command *command)
{
    int given = 0, wanted = 0;
    for (int i = 0; i < cli->word_count; i++) {
        const char *word = cli->words[i];
        if (strncmp(word, "--", 2) != 0) {
            given++;
            continue;
        }
        const char *behind = find_option(command->usage, word);
        bool common = strcmp(word, "--config") == 0 || strcmp(word, "--data") == 0 || strcmp(word, "--set") == 0 ||
                      strcmp(word, "--log-level") == 0; // with its value it would have been taken already
        if (!behind && !common) {
            cli_fail("%s has no option %s; godwit %s --help tells which there are", command->name, word, command->name);
            return false;
        }
        bool takes_value = common || *behind == ' ';
        if (takes_value && !strchr(word, '=') && ++i == cli->word_count) {
            cli_fail("%s needs a value", word);
            return false;
        }
    }
    size_t fixed = strcspn(command->usage, "[");
    for (size_t i = 0; i < fixed; i++)
        wanted += command->usage[i] != ' ' && (i == 0 || command->usage[i - 1] == ' ');
    int optional = 0; // "[WORD]"
    for (const char *at = command->usage; (at = strchr(at, '[')); at++)
        optional += strncmp(at, "[--", 3) != 0;
    bool open = strstr(command->usage, "...") != NULL;
    if (given < wanted || (given > wanted + optional && !open)) {
        cli_fail("usage: godwit %s %s", command->name, command->usage);
        return false;
    }
    return true;
}

static enum err read_settings(struct cli *cli, struct trace *trace)
{
    const char *sets[SETS_MAX];
    size_t count = 0;
    const char *value;
    static char data[4200], level[64];
    if ((value = cli_option(cli, "--data"))) {
        snprintf(data, sizeof data, "data.dir=%s", value);
        sets[count++] = data;
    }
    if ((value = cli_option(cli, "--log-level"))) {
        snprintf(level, sizeof level, "log.level=%s", value);
        sets[count++] = level;
    }
    while ((value = cli_option(cli, "--set"))) {
        if (count == SETS_MAX)
            return fail(trace, ERR_LIMIT, "more than %d --set", SETS_MAX);
        sets[count++] = value;
    }
    cli->config = cli_option(cli, "--config");
    enum err err = settings_open(cli->config, sets, count, trace, &cli->settings);
    enum log_level log_level;
    if (err)
        return err;
    const char *name = settings_text(cli->settings, SETTING_LOG_LEVEL);
    if (!log_level_parse(slice_of(name), &log_level))
        return fail(trace, ERR_SYNTAX, "log.level cannot be \"%.60s\": write debug, info, warn or error", name);
    log_set_level(log_level);
    return ERR_OK;
}

static enum err open_store(struct cli *cli, struct trace *trace)
{
    enum err err = store_open(cli->settings, CLI_CONNECTIONS_MAX, trace, &cli->store);
    if (!err)
        err = db_open(&(struct db_settings){ .url = store_url(cli->store), .name = "godwit-cli" }, trace, &cli->db);
    if (!err) {
        err = db_migrate(cli->db);
        if (err)
            *trace = *db_trace(cli->db);
    }
    return err;
}

static int run_command(struct cli *cli, const struct cli_command *command)
{
    struct trace trace = { 0 };
    if (cli_flag(cli, "--help") || cli_flag(cli, "-h")) {
        printf("usage: godwit %s %s\n\n%s\n", command->name, command->usage, command->help);
        return 0;
    }
    if (read_settings(cli, &trace))
        return cli_fail("%s", trace.text);
    if (!words_fit(cli, command))
        return 1;
    if (command->needs_store && open_store(cli, &trace))
        return cli_fail("%s", trace.text);
    return command->run(cli);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = { .words = mem_alloc((size_t)(argc + 1) * sizeof(char *)), .word_count = argc - 1 };
    memcpy(cli.words, argv + 1, (size_t)(argc - 1) * sizeof(char *));
    // Options may stand before the command: look for it behind them.
    struct cli probe = cli;
    probe.words = mem_alloc((size_t)(argc + 1) * sizeof(char *));
    memcpy(probe.words, argv + 1, (size_t)(argc - 1) * sizeof(char *));
    while (cli_option(&probe, "--set") || cli_option(&probe, "--config") || cli_option(&probe, "--data") ||
           cli_option(&probe, "--log-level"))
        ;
    int code = 2;
    bool help = probe.word_count == 0 || asks_for_help(probe.words[0]) || strcmp(probe.words[0], "help") == 0;
    if (probe.word_count && strcmp(probe.words[0], "--version") == 0) {
        puts("godwit " VERSION);
        code = 0;
    } else if (help) {
        print_help(probe.word_count ? stdout : stderr);
        code = probe.word_count ? 0 : 2;
    } else {
        const struct cli_command *command = find_command(&probe);
        if (!command) {
            code = unknown_command(&probe);
        } else {
            // The command's words leave the real list, wherever options stand between them.
            char *save = NULL, name[64];
            snprintf(name, sizeof name, "%s", command->name);
            for (char *word = strtok_r(name, " ", &save); word; word = strtok_r(NULL, " ", &save))
                cli_flag(&cli, word);
            cli.arena = arena_open();
            code = run_command(&cli, command);
            arena_close(&cli.arena);
        }
    }
    db_close(&cli.db);
    store_close(&cli.store);
    settings_close(&cli.settings);
    free(probe.words);
    free(cli.words);
    return code;
}

bool cli_account(struct cli *cli, const char *login, struct account *account)
{
    enum err err = account_find(cli->db, cli->arena, slice_of(login), account);
    if (err == ERR_NOT_FOUND)
        cli_fail("there is no account %s; godwit account list shows all", login);
    else if (err)
        cli_fail_err(cli, err, login);
    return err == ERR_OK;
}

void cli_publish(struct cli *cli, const struct change_set *changes)
{
    if (changes->count && hub_notify(cli->db, changes))
        cli_fail("done, but running servers could not be told: %s", db_trace(cli->db)->text);
}
