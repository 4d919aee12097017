/* device list, block, allow, reset. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/device.h"
#include "storage/retention.h"

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };

/* A phone's words must not steer the terminal. */
static const char *clean(struct cli *cli, const char *text)
{
    char *copy = arena_text(cli->arena, slice_of(text ? text : ""));
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

static int device_list_run(struct cli *cli)
{
    static const char *const access[] = { "allowed", "blocked", "quarantined" };
    struct account account;
    struct device *devices;
    size_t count;
    if (cli->word_count != 1)
        return cli_fail("usage: godwit device list ACCOUNT");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    enum err err = device_list(cli->db, cli->arena, account.id, &devices, &count);
    if (err)
        return cli_fail_err(cli, err, "the devices could not be listed");
    for (size_t i = 0; i < count; i++) {
        char seen[32];
        time_t seconds = (time_t)(devices[i].last_seen_us / US_PER_S);
        struct tm t;
        strftime(seen, sizeof seen, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
        printf("%-32s %-12s %-12s %s %s\n", clean(cli, devices[i].key), clean(cli, devices[i].type),
               access[devices[i].access], seen, clean(cli, devices[i].model));
    }
    return 0;
}

static bool find(struct cli *cli, struct account *account, struct device *device)
{
    struct device *devices;
    size_t count;
    if (!cli_account(cli, cli->words[0], account))
        return false;
    enum err err = device_list(cli->db, cli->arena, account->id, &devices, &count);
    if (err) {
        cli_fail_err(cli, err, "the devices could not be read");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(devices[i].key, cli->words[1]) == 0) {
            *device = devices[i];
            return true;
        }
    cli_fail("%s has no device %s; godwit device list shows all", account->login, cli->words[1]);
    return false;
}

static int set_access(struct cli *cli, enum device_access access, const char *verb)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device %s ACCOUNT DEVICE", verb);
    if (!find(cli, &account, &device))
        return 1;
    enum err err = device_set_access(cli->db, account.id, device.id, access, &changes);
    if (!err)
        err = audit_write(cli->db, account.id, &by_cli, arena_printf(cli->arena, "device_%s", verb), device.key);
    cli_publish(cli, &changes);
    if (err)
        return cli_fail_err(cli, err, "the device could not be changed");
    printf("%s: %s\n", verb, device.key);
    return 0;
}

static int device_block(struct cli *cli)
{
    return set_access(cli, DEVICE_BLOCKED, "block");
}

static int device_allow(struct cli *cli)
{
    return set_access(cli, DEVICE_ALLOWED, "allow");
}

static int device_reset_run(struct cli *cli)
{
    struct account account;
    struct device device;
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device reset ACCOUNT DEVICE");
    if (!find(cli, &account, &device))
        return 1;
    enum err err = device_reset(cli->db, account.id, device.id);
    if (!err)
        err = audit_write(cli->db, account.id, &by_cli, "device_reset", device.key);
    if (err)
        return cli_fail_err(cli, err, "the device could not be reset");
    printf("%s starts over with its next sync\n", device.key);
    return 0;
}

extern const struct cli_command cli_device_list, cli_device_block, cli_device_allow, cli_device_reset;
const struct cli_command cli_device_list = {
    .name = "device list",
    .usage = "ACCOUNT",
    .help = "Lists the phones of an account.",
    .needs_store = true,
    .run = device_list_run,
};
const struct cli_command cli_device_block = {
    .name = "device block",
    .usage = "ACCOUNT DEVICE",
    .help = "Refuses a phone from now on.",
    .needs_store = true,
    .run = device_block,
};
const struct cli_command cli_device_allow = {
    .name = "device allow",
    .usage = "ACCOUNT DEVICE",
    .help = "Lets a blocked phone sync again.",
    .needs_store = true,
    .run = device_allow,
};
const struct cli_command cli_device_reset = {
    .name = "device reset",
    .usage = "ACCOUNT DEVICE",
    .help = "Forgets what a phone has: it starts over.",
    .needs_store = true,
    .run = device_reset_run,
};
