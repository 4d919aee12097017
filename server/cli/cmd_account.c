#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "server/auth.h"
#include "server/cli/cli.h"
#include "storage/directory.h"
#include "storage/retention.h"

#define PASSWORD_LINE_MAX 1024
#define NAME_HINT "this name cannot be used: at most 256 octets of UTF-8 without control characters"

/* Reads a line without its end; false at the end of input. */
static bool read_line(const char *prompt, char *line, size_t room)
{
    struct termios old, quiet;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
    if (terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fputs(prompt, stderr);
    }
    bool got = fgets(line, (int)room, stdin) != NULL;
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (got)
        line[strcspn(line, "\r\n")] = '\0';
    return got;
}

/* The new password's hash, malloc'ed; NULL after a message. From standard input with --password-stdin, else asked for
 * twice. Never from the command line: others would see it in the list of processes. */
static char *ask_password(bool from_stdin)
{
    char first[PASSWORD_LINE_MAX + 2], second[PASSWORD_LINE_MAX + 2];
    if (!from_stdin && !isatty(STDIN_FILENO)) {
        cli_fail("no terminal to ask for the password: give it on standard input with --password-stdin");
        return NULL;
    }
    if (!read_line("Password: ", first, sizeof first) || !*first) {
        cli_fail("an empty password is none");
        return NULL;
    }
    if (!from_stdin && (!read_line("Again: ", second, sizeof second) || strcmp(first, second) != 0)) {
        cli_fail("the two passwords differ");
        return NULL;
    }
    char *hash = auth_hash_password(slice_of(first));
    if (!hash)
        cli_fail("this password cannot be used: too long");
    return hash;
}

static int account_add(struct cli *cli)
{
    bool from_stdin = cli_flag(cli, "--password-stdin");
    const char *name = cli_option(cli, "--name");
    if (cli->word_count != 1)
        return cli_fail("usage: godwit account add LOGIN [--name NAME] [--password-stdin]");
    if (name && !directory_name_is_good(slice_of(name)))
        return cli_fail(NAME_HINT);
    struct account_id id;
    char *hash = ask_password(from_stdin);
    if (!hash)
        return 1;
    enum err err = account_create(cli->db, slice_of(cli->words[0]), hash, 0, &id);
    free(hash);
    if (err == ERR_EXISTS)
        return cli_fail("the account %s exists already", cli->words[0]);
    if (err == ERR_SYNTAX)
        return cli_fail("%s is no login: write name@domain", cli->words[0]);
    if (!err && name)
        err = directory_set_name(cli->db, id, slice_of(name));
    if (err)
        return cli_fail_err(cli, err, "the account could not be made");
    printf("made account %s\n", cli->words[0]);
    return 0;
}

static int account_name(struct cli *cli)
{
    struct account account;
    if (cli->word_count != 2)
        return cli_fail("usage: godwit account name LOGIN NAME");
    if (!directory_name_is_good(slice_of(cli->words[1])))
        return cli_fail(NAME_HINT);
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = directory_set_name(cli->db, account.id, slice_of(cli->words[1]));
    if (err)
        return cli_fail_err(cli, err, "the name could not be changed");
    printf("%s is shown as %s\n", account.login, *cli->words[1] ? cli->words[1] : "its login");
    return 0;
}

static int account_show_all(struct cli *cli)
{
    struct account *accounts;
    size_t count;
    static const char *const states[] = { "active", "disabled", "deleted" };
    enum err err = account_list(cli->db, cli->arena, &accounts, &count);
    if (err)
        return cli_fail_err(cli, err, "the accounts could not be listed");
    for (size_t i = 0; i < count; i++)
        printf("%-40s %-8s %10lld messages %14lld octets\n", accounts[i].login, states[accounts[i].status],
               (long long)accounts[i].used_count, (long long)accounts[i].used_bytes);
    return 0;
}

static int account_password(struct cli *cli)
{
    bool from_stdin = cli_flag(cli, "--password-stdin");
    struct account account;
    struct change_set changes = { 0 };
    if (cli->word_count != 1)
        return cli_fail("usage: godwit account password LOGIN [--password-stdin]");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    char *hash = ask_password(from_stdin);
    if (!hash)
        return 1;
    enum err err = account_set_password(cli->db, account.id, hash, &changes);
    free(hash);
    if (err)
        return cli_fail_err(cli, err, "the password could not be changed");
    cli_publish(cli, &changes);
    printf("changed the password of %s\n", account.login);
    return 0;
}

static int account_eas(struct cli *cli)
{
    struct account account;
    struct change_set changes = { 0 };
    bool on = cli->word_count == 2 && strcmp(cli->words[0], "on") == 0;
    if (cli->word_count != 2 || (!on && strcmp(cli->words[0], "off") != 0))
        return cli_fail("usage: godwit account eas on|off LOGIN");
    if (!cli_account(cli, cli->words[1], &account))
        return 1;
    struct actor by = { .protocol = BY_ADMIN, .name = "cli" };
    enum err err = account_set_eas(cli->db, account.id, on, &changes);
    if (!err)
        err = audit_write(cli->db, account.id, &by, "account_eas", on ? "on" : "off");
    cli_publish(cli, &changes);
    if (err)
        return cli_fail_err(cli, err, "the account could not be changed");
    printf("ActiveSync is %s for %s\n", on ? "on" : "off", account.login);
    return 0;
}

static int delete_account(struct cli *cli)
{
    struct account account;
    struct change_set changes = { 0 };
    if (cli->word_count != 1)
        return cli_fail("usage: godwit account delete LOGIN");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    struct actor by = { .protocol = BY_ADMIN, .name = "cli" };
    enum err err = account_delete(cli->db, account.id, &by, &changes);
    if (err)
        return cli_fail_err(cli, err, "the account could not be deleted");
    cli_publish(cli, &changes);
    printf("deleted account %s; its mail is kept for %lld days\n", account.login,
           (long long)settings_int(cli->settings, SETTING_RETENTION_DAYS));
    return 0;
}

extern const struct cli_command cli_account_add, cli_account_list, cli_account_name, cli_account_password, cli_account_eas,
    cli_account_delete;
const struct cli_command cli_account_add = {
    .name = "account add",
    .usage = "LOGIN [--name NAME] [--password-stdin]",
    .help = "Makes an account with its mailboxes; asks for the password.",
    .needs_store = true,
    .run = account_add,
};
const struct cli_command cli_account_name = {
    .name = "account name",
    .usage = "LOGIN NAME",
    .help = "Sets the name that the address book shows; \"\" takes it away.",
    .needs_store = true,
    .run = account_name,
};
const struct cli_command cli_account_list = {
    .name = "account list",
    .usage = "",
    .help = "Lists the accounts.",
    .needs_store = true,
    .run = account_show_all,
};
const struct cli_command cli_account_password = {
    .name = "account password",
    .usage = "LOGIN [--password-stdin]",
    .help = "Changes a password; sessions with the old one end.",
    .needs_store = true,
    .run = account_password,
};
const struct cli_command cli_account_eas = {
    .name = "account eas",
    .usage = "on|off LOGIN",
    .help = "Switches ActiveSync on or off for an account; IMAP goes on.",
    .needs_store = true,
    .run = account_eas,
};
const struct cli_command cli_account_delete = {
    .name = "account delete",
    .usage = "LOGIN",
    .help = "Deletes an account; its mail is kept for the retention time.",
    .needs_store = true,
    .run = delete_account,
};
