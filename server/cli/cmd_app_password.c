/* account app-password add, list, revoke: a password for each program of a user. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/app_password.h"

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };

static int app_password_add(struct cli *cli)
{
    struct account account;
    char text[APP_PASSWORD_LEN + 1];
    if (cli->word_count != 2)
        return cli_fail("usage: godwit account app-password add LOGIN NAME");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = app_password_create(cli->db, account.id, slice_of(cli->words[1]), &by_cli, text);
    if (err == ERR_EXISTS)
        return cli_fail("%s has an app password %s already; revoke it first", account.login, cli->words[1]);
    if (err)
        return cli_fail_err(cli, err, "the app password could not be made");
    puts(text); // alone on its line, for scripts; the store has only its hash
    return 0;
}

static void print_day(const char *before, int64_t us)
{
    char text[32] = "never";
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    if (us)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
    printf(" %s %-16s", before, text);
}

static int app_password_show_all(struct cli *cli)
{
    struct account account;
    struct app_password *list;
    size_t count;
    if (cli->word_count != 1)
        return cli_fail("usage: godwit account app-password list LOGIN");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = app_password_list(cli->db, cli->arena, account.id, &list, &count);
    if (err)
        return cli_fail_err(cli, err, "the app passwords could not be listed");
    for (size_t i = 0; i < count; i++) {
        printf("%-32s", list[i].name);
        print_day("made", list[i].created_us);
        print_day("last used", list[i].last_used_us);
        putchar('\n');
    }
    return 0;
}

static int app_password_end(struct cli *cli)
{
    struct account account;
    struct change_set changes = { 0 };
    if (cli->word_count != 2)
        return cli_fail("usage: godwit account app-password revoke LOGIN NAME");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = app_password_revoke(cli->db, account.id, slice_of(cli->words[1]), &by_cli, &changes);
    if (err == ERR_NOT_FOUND)
        return cli_fail("%s has no app password %s", account.login, cli->words[1]);
    if (err)
        return cli_fail_err(cli, err, "the app password could not be revoked");
    cli_publish(cli, &changes);
    printf("revoked %s\n", cli->words[1]);
    return 0;
}

extern const struct cli_command cli_account_app_password_add, cli_account_app_password_list,
    cli_account_app_password_revoke;
const struct cli_command cli_account_app_password_add = {
    .name = "account app-password add",
    .usage = "LOGIN NAME",
    .help = "Makes a random password for one program and prints it, once.",
    .needs_store = true,
    .run = app_password_add,
};
const struct cli_command cli_account_app_password_list = {
    .name = "account app-password list",
    .usage = "LOGIN",
    .help = "Lists an account's app passwords and their last use.",
    .needs_store = true,
    .run = app_password_show_all,
};
const struct cli_command cli_account_app_password_revoke = {
    .name = "account app-password revoke",
    .usage = "LOGIN NAME",
    .help = "Ends an app password; the account's sessions end.",
    .needs_store = true,
    .run = app_password_end,
};
