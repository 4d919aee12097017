/* doctor messages. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/trouble.h"

#define LISTED_MAX 1000u

static const char *const protocols[] = { "system", "lmtp", "imap", "pop3", "eas", "submission", "admin" };

/* A client's words must not steer the terminal. */
static const char *clean(struct cli *cli, const char *text)
{
    char *copy = arena_text(cli->arena, slice_of(text ? text : ""));
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

static void print_one(struct cli *cli, const struct trouble *trouble)
{
    char last[32];
    time_t seconds = (time_t)(trouble->last_us / US_PER_S);
    struct tm t;
    strftime(last, sizeof last, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
    const char *id = arena_printf(cli->arena, "%" PRIi64 ":%u", trouble->mailbox.n, trouble->item);
    const char *protocol =
        trouble->protocol < sizeof protocols / sizeof *protocols ? protocols[trouble->protocol] : "?";
    printf("%-16s %-28s %-16s %-10s %-5" PRIi64 " %s %s: %s\n", last, trouble->login, clean(cli, trouble->mailbox_name),
           id, trouble->times, protocol, clean(cli, trouble->device), clean(cli, trouble->why));
}

static int doctor_messages_run(struct cli *cli)
{
    struct account account = { 0 };
    struct trouble *list;
    size_t count;
    const char *login = cli_option(cli, "--account");
    if (login && !cli_account(cli, login, &account))
        return 1;
    enum err err = trouble_list(cli->db, cli->arena, account.id, LISTED_MAX, &list, &count);
    if (err)
        return cli_fail_err(cli, err, "the messages could not be listed");
    if (count == 0)
        puts("every message that was asked for could be read");
    else
        printf("%-16s %-28s %-16s %-10s %-5s %s\n", "LAST (UTC)", "ACCOUNT", "FOLDER", "ID", "TIMES", "WHO AND WHY");
    for (size_t i = 0; i < count; i++)
        print_one(cli, &list[i]);
    return 0;
}

extern const struct cli_command cli_doctor_messages;
const struct cli_command cli_doctor_messages = {
    .name = "doctor messages",
    .usage = "[--account ACCOUNT]",
    .help = "Lists messages that could not be read.",
    .needs_store = true,
    .run = doctor_messages_run,
};
