/* outbox list, drop: mail that waits for the relay. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/outbox.h"
#include "storage/retention.h"

#define PAGE 500u // entries read at a time

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };

/* Addresses come from mail: they must not steer the terminal. */
static const char *clean(struct cli *cli, const char *text)
{
    char *copy = arena_text(cli->arena, slice_of(text ? text : ""));
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

static void print_entry(struct cli *cli, const struct outbox_row *row)
{
    char came[32];
    time_t seconds = (time_t)(row->created_us / US_PER_S);
    struct tm t;
    strftime(came, sizeof came, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
    printf("%" PRIi64 " %s %" PRIi64 " octets, %s, <%s> to", row->id, came, row->size, clean(cli, row->login),
           clean(cli, row->sender));
    for (size_t i = 0; i < row->recipient_count; i++)
        printf(" <%s>", clean(cli, row->recipients[i]));
    if (row->attempts)
        printf(", tried %d times: %s", (int)row->attempts, clean(cli, row->last_reply));
    printf("\n");
}

static int outbox_list_run(struct cli *cli)
{
    struct outbox_row *rows;
    size_t count = PAGE;
    int64_t after = 0;
    if (cli->word_count != 0)
        return cli_fail("usage: godwit outbox list");
    while (count == PAGE) {
        enum err err = outbox_list(cli->db, cli->arena, after, PAGE, &rows, &count);
        if (err)
            return cli_fail_err(cli, err, "the outbox could not be read");
        for (size_t i = 0; i < count; i++)
            print_entry(cli, &rows[i]);
        if (count)
            after = rows[count - 1].id;
    }
    return 0;
}

static int outbox_drop_run(struct cli *cli)
{
    struct account_id account;
    uint64_t id;
    if (cli->word_count != 1 || !slice_to_u64(slice_of(cli->words[0]), INT64_MAX, &id))
        return cli_fail("usage: godwit outbox drop ID");
    enum err err = outbox_drop(cli->db, (int64_t)id, &account);
    if (!err)
        err = audit_write(cli->db, account, &by_cli, "outbox_drop", cli->words[0]);
    if (err)
        return cli_fail_err(cli, err, "the entry could not be dropped");
    printf("dropped: %s\n", cli->words[0]);
    return 0;
}

extern const struct cli_command cli_outbox_list, cli_outbox_drop;
const struct cli_command cli_outbox_list = {
    .name = "outbox list",
    .usage = "",
    .help = "Lists mail that waits for the relay.",
    .needs_store = true,
    .run = outbox_list_run,
};
const struct cli_command cli_outbox_drop = {
    .name = "outbox drop",
    .usage = "ID",
    .help = "Takes a mail out of the outbox unsent.",
    .needs_store = true,
    .run = outbox_drop_run,
};
