/* vacation show, set, clear: automatic replies of an account. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/retention.h"
#include "storage/vacation.h"

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };
static const char *const audiences[VACATION_AUDIENCES] = { "internal", "known", "unknown" };

static void print_time(const char *label, int64_t us)
{
    char text[32];
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
    printf("%s %s UTC\n", label, text);
}

static int vacation_show_run(struct cli *cli)
{
    static const char *const states[] = { "off", "on", "between" };
    struct account account;
    struct vacation vacation;
    if (cli->word_count != 1)
        return cli_fail("usage: godwit vacation show ACCOUNT");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = vacation_get(cli->db, cli->arena, account.id, &vacation);
    if (err)
        return cli_fail_err(cli, err, "the automatic reply could not be read");
    printf("state    %s\n", states[vacation.state]);
    if (vacation.starts_us && vacation.ends_us) {
        print_time("from    ", vacation.starts_us);
        print_time("until   ", vacation.ends_us);
    }
    for (size_t i = 0; i < VACATION_AUDIENCES; i++) {
        const struct vacation_message *message = &vacation.messages[i];
        printf("%-8s %s, %s, %zu octets\n", audiences[i], message->enabled ? "answered" : "not answered",
               message->html ? "HTML" : "text", message->body.len);
    }
    return 0;
}

static enum err store(struct cli *cli, const struct account *account, const struct vacation *vacation, const char *what)
{
    enum err err = vacation_set(cli->db, account->id, vacation);
    return err ? err : audit_write(cli->db, account->id, &by_cli, what, account->login);
}

static int vacation_clear_run(struct cli *cli)
{
    struct account account;
    struct vacation vacation = { .state = VACATION_OFF };
    if (cli->word_count != 1)
        return cli_fail("usage: godwit vacation clear ACCOUNT");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = store(cli, &account, &vacation, "vacation_clear");
    if (err)
        return cli_fail_err(cli, err, "the automatic reply could not be cleared");
    printf("%s answers nobody by itself\n", account.login);
    return 0;
}

/* "2026-12-24" or "2026-12-24 18:00", UTC. */
static bool take_time(const char *text, int64_t *us)
{
    struct tm t = { 0 };
    const char *end = text ? strptime(text, "%Y-%m-%d", &t) : NULL;
    if (end && *end)
        end = strptime(end, " %H:%M", &t);
    if (!end || *end)
        return false;
    *us = (int64_t)timegm(&t) * US_PER_S;
    return *us > 0;
}

static struct slice read_message(struct cli *cli)
{
    struct buf text = { 0 };
    for (ssize_t got = 1; got > 0 && buf_len(&text) <= VACATION_BODY_MAX;) {
        char *room = buf_reserve(&text, 4096);
        got = read(STDIN_FILENO, room, 4096);
        if (got > 0)
            buf_commit(&text, (size_t)got);
    }
    struct slice copy = arena_copy(cli->arena, buf_slice(&text));
    buf_free(&text);
    return copy;
}

/* "all", "internal" or "external". */
static bool take_audience(const char *to, bool enabled[VACATION_AUDIENCES])
{
    bool all = !to || strcmp(to, "all") == 0, internal = to && strcmp(to, "internal") == 0;
    bool external = to && strcmp(to, "external") == 0;
    enabled[VACATION_INTERNAL] = all || internal;
    enabled[VACATION_KNOWN] = enabled[VACATION_UNKNOWN] = all || external;
    return all || internal || external;
}

static int vacation_set_run(struct cli *cli)
{
    const char *from = cli_option(cli, "--from"), *until = cli_option(cli, "--until"), *to = cli_option(cli, "--to");
    bool html = cli_flag(cli, "--html"), enabled[VACATION_AUDIENCES];
    struct account account;
    struct vacation vacation = { .state = from || until ? VACATION_BETWEEN : VACATION_ON };
    if (cli->word_count != 1)
        return cli_fail("usage: godwit vacation set ACCOUNT [--from TIME] [--until TIME] [--to WHOM] [--html] <MESSAGE");
    if (!take_audience(to, enabled))
        return cli_fail("--to is all, internal or external");
    if ((from || until) && (!take_time(from, &vacation.starts_us) || !take_time(until, &vacation.ends_us)))
        return cli_fail("--from and --until are both needed, as \"2026-12-24\" or \"2026-12-24 18:00\", UTC");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    struct slice body = read_message(cli);
    if (!body.len)
        return cli_fail("the message is read from standard input, and it is empty");
    for (size_t i = 0; i < VACATION_AUDIENCES; i++)
        vacation.messages[i] = (struct vacation_message){ .enabled = enabled[i], .html = html, .body = body };
    enum err err = store(cli, &account, &vacation, "vacation_set");
    if (err)
        return cli_fail_err(cli, err, "the automatic reply could not be set");
    printf("%s answers by itself\n", account.login);
    return 0;
}

extern const struct cli_command cli_vacation_show, cli_vacation_set, cli_vacation_clear;
const struct cli_command cli_vacation_show = {
    .name = "vacation show",
    .usage = "ACCOUNT",
    .help = "Shows whether an account answers mail by itself.",
    .needs_store = true,
    .run = vacation_show_run,
};
const struct cli_command cli_vacation_set = {
    .name = "vacation set",
    .usage = "ACCOUNT [--from TIME] [--until TIME] [--to all|internal|external] [--html]",
    .help = "Answers mail with the message on standard input.",
    .needs_store = true,
    .run = vacation_set_run,
};
const struct cli_command cli_vacation_clear = {
    .name = "vacation clear",
    .usage = "ACCOUNT",
    .help = "Forgets the automatic reply.",
    .needs_store = true,
    .run = vacation_clear_run,
};
