/* device list, show, allow, block, quarantine, wipe, reset, trace. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "server/eas/trace.h"
#include "storage/device.h"
#include "storage/retention.h"

#define TRACE_MINUTES 60
#define TRACE_MINUTES_MAX 1440

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };
static const char *const access_names[] = { "allowed", "blocked", "quarantined" };
static const char *const access_tells[] = { "may sync", "is blocked, from its next request on",
                                            "may not sync until it is allowed, from its next request on" };
static const char *const wipe_names[] = { "none", "ordered", "sent", "done", "refused by the phone" };
static const char *const kind_names[] = { "account", "device" };

/* A phone's words must not steer the terminal. */
static const char *clean(struct cli *cli, const char *text)
{
    char *copy = arena_text(cli->arena, slice_of(text && *text ? text : "-"));
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return copy;
}

static const char *when(struct cli *cli, int64_t us)
{
    char *text = arena_new(cli->arena, char, 32);
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    strftime(text, 32, "%Y-%m-%d %H:%M", gmtime_r(&seconds, &t));
    return us ? text : "-";
}

/* ---- looking ---- */

static enum err list_one(struct cli *cli, const struct account *account, bool with_login)
{
    struct device *devices;
    size_t count;
    enum err err = device_list(cli->db, cli->arena, account->id, &devices, &count);
    for (size_t i = 0; !err && i < count; i++) {
        const struct device *d = &devices[i];
        if (with_login)
            printf("%-32s ", account->login);
        printf("%-32s %-12s %-12s %-16s %5d  %s%s\n", clean(cli, d->key), clean(cli, d->type), access_names[d->access],
               when(cli, d->last_seen_us), d->loops, clean(cli, d->model && *d->model ? d->model : d->user_agent),
               d->wipe ? "  (wipe)" : "");
    }
    return err;
}

static int device_list_run(struct cli *cli)
{
    struct account account, *accounts = &account;
    size_t count = 1;
    enum err err = ERR_OK;
    if (cli->word_count > 1)
        return cli_fail("usage: godwit device list [ACCOUNT]");
    if (cli->word_count == 1 && !cli_account(cli, cli->words[0], &account))
        return 1;
    bool all = cli->word_count == 0;
    if (all)
        err = account_list(cli->db, cli->arena, &accounts, &count);
    if (!err && all)
        printf("%-32s ", "ACCOUNT");
    if (!err)
        printf("%-32s %-12s %-12s %-16s %5s  %s\n", "DEVICE", "TYPE", "ACCESS", "LAST SEEN (UTC)", "LOOPS", "MODEL");
    for (size_t i = 0; !err && i < count; i++)
        err = list_one(cli, &accounts[i], all);
    return err ? cli_fail_err(cli, err, "the devices could not be listed") : 0;
}

static bool find(struct cli *cli, char **words, struct account *account, struct device *device)
{
    if (!cli_account(cli, words[0], account))
        return false;
    enum err err = device_find(cli->db, cli->arena, account->id, slice_of(words[1]), device);
    if (err == ERR_NOT_FOUND)
        cli_fail("%s has no device %s; godwit device list %s shows all", account->login, words[1], account->login);
    else if (err)
        cli_fail_err(cli, err, "the device could not be read");
    return err == ERR_OK;
}

static void show_wipe(struct cli *cli, const struct device *d)
{
    printf("%-18s %s\n", "wipe", wipe_names[d->wipe]);
    if (d->wipe == WIPE_NONE)
        return;
    printf("%-18s %s\n", "  kind", kind_names[d->wipe_kind]);
    printf("%-18s %s, by %s\n", "  ordered", when(cli, d->wipe_ordered_us), clean(cli, d->wipe_by));
    printf("%-18s %s\n", "  sent", when(cli, d->wipe_sent_us));
    printf("%-18s %s\n", "  answered", when(cli, d->wipe_answered_us));
}

static int device_show_run(struct cli *cli)
{
    struct account account;
    struct device d;
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device show ACCOUNT DEVICE");
    if (!find(cli, cli->words, &account, &d))
        return 1;
    const struct {
        const char *name, *value;
    } rows[] = {
        { "account", account.login },
        { "device", d.key },
        { "type", d.type },
        { "model", d.model },
        { "name", d.friendly_name },
        { "system", d.os },
        { "language", d.os_language },
        { "program", d.user_agent },
        { "IMEI", d.imei },
        { "phone number", d.phone_number },
        { "operator", d.mobile_operator },
        { "protocol version", d.protocol_version },
        { "first seen", when(cli, d.first_seen_us) },
        { "last seen", when(cli, d.last_seen_us) },
        { "policy accepted", d.policy_key ? when(cli, d.policy_us) : "-" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-18s %s\n", rows[i].name, clean(cli, rows[i].value));
    printf("%-18s %s, %s\n", "access", access_names[d.access],
           d.decided ? "decided by an administrator" : "by eas.new_devices");
    show_wipe(cli, &d);
    printf("%-18s %d", "loops", d.loops);
    printf(d.loops ? ", the last one %s: %s\n" : "\n", when(cli, d.loop_us), clean(cli, d.loop_what));
    if (!account.eas_enabled)
        printf("ActiveSync is off for this account; godwit account eas on %s\n", account.login);
    if (eas_trace_is_on(&d)) {
        char path[EAS_TRACE_PATH_MAX];
        eas_trace_path(settings_text(cli->settings, SETTING_DATA_DIR), account.id, d.id, path);
        printf("%-18s until %s, %s\n", "trace", when(cli, d.trace_until_us), path);
    }
    return 0;
}

/* ---- deciding ---- */

static int audited(struct cli *cli, const struct account *account, const struct device *device, const char *verb, enum err err,
                   const struct change_set *changes)
{
    if (!err)
        err = audit_write(cli->db, account->id, &by_cli, arena_printf(cli->arena, "device_%s", verb), device->key);
    if (changes)
        cli_publish(cli, changes);
    return err ? cli_fail_err(cli, err, "the device could not be changed") : 0;
}

static int set_access(struct cli *cli, enum device_access access, const char *verb)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device %s ACCOUNT DEVICE", verb);
    if (!find(cli, cli->words, &account, &device))
        return 1;
    enum err err = device_set_access(cli->db, account.id, device.id, access, &changes);
    if (audited(cli, &account, &device, verb, err, &changes))
        return 1;
    printf("%s %s\n", device.key, access_tells[access]);
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

static int device_quarantine(struct cli *cli)
{
    return set_access(cli, DEVICE_QUARANTINED, "quarantine");
}

static int device_wipe_run(struct cli *cli)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    bool whole = cli_flag(cli, "--whole-device");
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device wipe ACCOUNT DEVICE [--whole-device]");
    if (!settings_bool(cli->settings, SETTING_EAS_REMOTE_WIPE))
        return cli_fail("remote wipe is off: set eas.remote_wipe = true for the server and for this command");
    if (!find(cli, cli->words, &account, &device))
        return 1;
    enum err err = device_order_wipe(cli->db, account.id, device.id, whole ? WIPE_DEVICE : WIPE_ACCOUNT, "cli", &changes);
    if (audited(cli, &account, &device, whole ? "wipe_whole" : "wipe", err, &changes))
        return 1;
    if (whole)
        printf("%s will erase itself, all of it, when it next connects\n", device.key);
    else
        printf("%s will erase this account when it next connects with version 16.1; with an older one it is blocked\n",
               device.key);
    return 0;
}

static int device_reset_run(struct cli *cli)
{
    struct account account;
    struct device device;
    if (cli->word_count != 2)
        return cli_fail("usage: godwit device reset ACCOUNT DEVICE");
    if (!find(cli, cli->words, &account, &device))
        return 1;
    if (audited(cli, &account, &device, "reset", device_reset(cli->db, account.id, device.id), NULL))
        return 1;
    printf("%s starts over with its next sync\n", device.key);
    return 0;
}

/* ---- tracing ---- */

static int device_trace_run(struct cli *cli)
{
    struct account account;
    struct device device;
    struct change_set changes = { 0 };
    const char *minutes_text = cli_option(cli, "--minutes");
    bool content = cli_flag(cli, "--content");
    uint64_t minutes = TRACE_MINUTES;
    bool on = cli->word_count == 3 && strcmp(cli->words[0], "on") == 0;
    if (cli->word_count != 3 || (!on && strcmp(cli->words[0], "off") != 0))
        return cli_fail("usage: godwit device trace on|off ACCOUNT DEVICE [--minutes N] [--content]");
    if (minutes_text && (!slice_to_u64(slice_of(minutes_text), TRACE_MINUTES_MAX, &minutes) || minutes == 0))
        return cli_fail("--minutes is a number from 1 to %d", TRACE_MINUTES_MAX);
    if (!find(cli, cli->words + 1, &account, &device))
        return 1;
    int64_t until_us = on ? clock_wall_us() + (int64_t)minutes * 60 * US_PER_S : 0;
    enum err err = device_set_trace(cli->db, account.id, device.id, until_us, on && content, &changes);
    if (audited(cli, &account, &device, on ? content ? "trace_content" : "trace_on" : "trace_off", err, &changes))
        return 1;
    char path[EAS_TRACE_PATH_MAX];
    eas_trace_path(settings_text(cli->settings, SETTING_DATA_DIR), account.id, device.id, path);
    if (on)
        printf("traces %s until %s UTC, from its next request on, into %s\n", device.key, when(cli, until_us), path);
    else
        printf("traces %s no more; what was written stays in %s\n", device.key, path);
    return 0;
}

extern const struct cli_command cli_device_list, cli_device_show, cli_device_allow, cli_device_block,
    cli_device_quarantine, cli_device_wipe, cli_device_reset, cli_device_trace;
const struct cli_command cli_device_list = {
    .name = "device list",
    .usage = "[ACCOUNT]",
    .help = "Lists the phones of an account, or of all.",
    .needs_store = true,
    .run = device_list_run,
};
const struct cli_command cli_device_show = {
    .name = "device show",
    .usage = "ACCOUNT DEVICE",
    .help = "Shows all that is known of a phone: access, policy, wipe, loops.",
    .needs_store = true,
    .run = device_show_run,
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
    .help = "Lets a blocked or quarantined phone sync.",
    .needs_store = true,
    .run = device_allow,
};
const struct cli_command cli_device_quarantine = {
    .name = "device quarantine",
    .usage = "ACCOUNT DEVICE",
    .help = "Refuses a phone until it is decided about.",
    .needs_store = true,
    .run = device_quarantine,
};
const struct cli_command cli_device_wipe = {
    .name = "device wipe",
    .usage = "ACCOUNT DEVICE [--whole-device]",
    .help = "Has a phone erase this account, or itself; needs eas.remote_wipe. It is refused until it is reset.",
    .needs_store = true,
    .run = device_wipe_run,
};
const struct cli_command cli_device_reset = {
    .name = "device reset",
    .usage = "ACCOUNT DEVICE",
    .help = "Forgets what a phone has, its policy key and a wipe: it starts over.",
    .needs_store = true,
    .run = device_reset_run,
};
const struct cli_command cli_device_trace = {
    .name = "device trace",
    .usage = "on|off ACCOUNT DEVICE [--minutes N] [--content]",
    .help = "Writes a phone's requests and answers into a file, for an hour; --content: with subjects and bodies.",
    .needs_store = true,
    .run = device_trace_run,
};
