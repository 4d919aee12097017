/* deleted list, deleted restore, purge. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "protocol/mime/meta.h"
#include "server/cli/cli.h"
#include "storage/retention.h"

#define PAGE_ROWS 1000u
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

/* "2026-11-22", "2026-11-22T10:00" (UTC), or "3d", "12h" ago. */
static bool parse_since(const char *text, int64_t *us)
{
    struct tm t = { 0 };
    char unit, rest;
    long n;
    if (sscanf(text, "%ld%c%c", &n, &unit, &rest) == 2 && n >= 0 && (unit == 'd' || unit == 'h')) {
        *us = clock_wall_us() - n * (unit == 'd' ? US_PER_DAY : US_PER_DAY / 24);
        return true;
    }
    const char *end = strptime(text, "%Y-%m-%d", &t);
    if (end && *end == 'T')
        end = strptime(end, "T%H:%M", &t);
    if (!end || *end)
        return false;
    *us = (int64_t)timegm(&t) * US_PER_S;
    return true;
}

static void print_time(int64_t us)
{
    char text[32];
    time_t seconds = (time_t)(us / US_PER_S);
    struct tm t;
    gmtime_r(&seconds, &t);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &t);
    printf("%s", text);
}

/* A client's text must not steer the terminal. */
static void print_text(struct slice s, size_t width)
{
    size_t shown = 0;
    for (size_t i = 0; i < s.len && shown < width; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (shown + 1 == width && c >= 0x80)
            break;
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
        shown += (c & 0xc0) != 0x80;
    }
    for (; shown < width; shown++)
        putchar(' ');
}

static const char *const protocols[] = { "system", "lmtp", "imap", "pop3", "eas", "submission", "admin" };

struct listing { // what deleted list was asked for
    const char *folder, *from, *subject;
    bool only_ids;
    size_t shown;
};

static void print_deleted(struct arena *arena, struct listing *listing, const struct deleted_row *row)
{
    struct mime_meta meta = { 0 };
    if (mime_meta_unpack(row->message.meta, row->message.prefix.len, arena, &meta))
        meta.subject = SLICE_LIT("(unreadable)");
    if ((listing->folder && strcasecmp(row->mailbox_path, listing->folder) != 0) ||
        (listing->from && !strcasestr(arena_text(arena, meta.from), listing->from)) ||
        (listing->subject && !strcasestr(arena_text(arena, meta.subject), listing->subject)))
        return;
    const char *id = arena_printf(arena, "%" PRIi64 ":%u", row->mailbox.n, row->uid);
    if (listing->only_ids) {
        puts(id);
        return;
    }
    if (listing->shown++ == 0)
        printf("%-12s %-16s %-24s %-16s %-28s %s\n", "ID", "DELETED (UTC)", "BY", "FOLDER", "FROM", "SUBJECT");
    printf("%-12s ", id);
    print_time(row->removed_us);
    putchar(' ');
    print_text(slice_of(arena_printf(arena, "%s %s", protocols[row->protocol], row->removed_by ? row->removed_by : "")), 24);
    putchar(' ');
    print_text(slice_of(row->mailbox_path), 16);
    putchar(' ');
    print_text(meta.from, 28);
    putchar(' ');
    print_text(meta.subject, 60);
    putchar('\n');
}

static int deleted_list_run(struct cli *cli)
{
    struct listing listing = { .folder = cli_option(cli, "--folder"), .from = cli_option(cli, "--from"),
                               .subject = cli_option(cli, "--subject"), .only_ids = cli_flag(cli, "--ids") };
    const char *since = cli_option(cli, "--since");
    struct deleted_filter filter = { .limit = PAGE_ROWS };
    struct account account;
    size_t count;
    if (cli->word_count != 1)
        return cli_fail("usage: godwit deleted list ACCOUNT [--folder F] [--since 3d] [--from TEXT] [--subject TEXT]");
    if (since && !parse_since(since, &filter.since_us))
        return cli_fail("--since %s: write 2026-11-22, 2026-11-22T10:00, 3d or 12h", since);
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    do { // page by page: memory does not grow with what was deleted
        struct arena *arena = arena_open();
        struct deleted_row *rows;
        enum err err = deleted_list(cli->db, arena, account.id, &filter, &rows, &count);
        for (size_t i = 0; !err && i < count; i++) {
            print_deleted(arena, &listing, &rows[i]);
            filter.behind = (struct deleted_id){ rows[i].mailbox, rows[i].uid };
            filter.behind_removed_us = rows[i].removed_us;
        }
        arena_close(&arena);
        if (err)
            return cli_fail_err(cli, err, "the deleted mail could not be listed");
    } while (count == PAGE_ROWS);
    if (!listing.only_ids && listing.shown == 0)
        puts("nothing deleted is kept that fits");
    return 0;
}

static int deleted_restore_run(struct cli *cli)
{
    const char *to = cli_option(cli, "--to");
    struct account account;
    struct mailbox target = { 0 };
    struct change_set changes = { 0 };
    if (cli->word_count < 2)
        return cli_fail("usage: godwit deleted restore ACCOUNT ID... [--to FOLDER]");
    if (!cli_account(cli, cli->words[0], &account))
        return 1;
    if (to) {
        enum err err = mailbox_find(cli->db, cli->arena, account.id, slice_of(to), &target);
        if (err)
            return err == ERR_NOT_FOUND ? cli_fail("there is no folder %s", to) : cli_fail_err(cli, err, to);
    }
    size_t count = (size_t)cli->word_count - 1;
    struct deleted_id *ids = arena_new(cli->arena, struct deleted_id, count);
    struct restored *results = arena_new(cli->arena, struct restored, count);
    for (size_t i = 0; i < count; i++) {
        char rest;
        if (sscanf(cli->words[i + 1], "%" SCNi64 ":%u%c", &ids[i].mailbox.n, &ids[i].uid, &rest) != 2)
            return cli_fail("%s is no id: take them from godwit deleted list", cli->words[i + 1]);
    }
    struct actor by = { .protocol = BY_ADMIN, .name = "cli" };
    enum err err = deleted_restore(cli->db, cli->arena, account.id, ids, count, target.id, &by, results, &changes);
    if (err)
        return cli_fail_err(cli, err, "the mail could not be brought back");
    cli_publish(cli, &changes);
    int code = 0;
    for (size_t i = 0; i < count; i++) {
        struct mailbox mailbox = { .path = "?" };
        const struct restored *r = &results[i];
        if (r->mailbox.n && mailbox_get(cli->db, cli->arena, account.id, r->mailbox, &mailbox))
            mailbox.path = "?";
        if (r->err == ERR_OK)
            printf("%s is back in %s\n", cli->words[i + 1], mailbox.path);
        else if (r->err == ERR_EXISTS)
            printf("%s was brought back before: it is in %s\n", cli->words[i + 1], mailbox.path);
        else
            code = cli_fail("%s is no deleted mail that is still kept", cli->words[i + 1]);
    }
    return code;
}

static int purge_run(struct cli *cli)
{
    struct purge_report report = { 0 };
    int64_t now = clock_wall_us();
    enum err err = retention_purge(cli->db, now - settings_int(cli->settings, SETTING_RETENTION_DAYS) * US_PER_DAY,
                                   now - settings_int(cli->settings, SETTING_SYNC_TOMBSTONE_DAYS) * US_PER_DAY, &report);
    if (!err)
        err = blob_collect(cli->db, now - US_PER_DAY, &report);
    if (err)
        return cli_fail_err(cli, err, "the purge did not finish");
    printf("let go of %lld messages, %lld tombstones, %lld octet stores (%lld more condemned)\n",
           (long long)report.messages, (long long)report.tombstones, (long long)report.blobs_deleted,
           (long long)report.blobs_condemned);
    return 0;
}

extern const struct cli_command cli_deleted_list, cli_deleted_restore, cli_purge;
const struct cli_command cli_deleted_list = {
    .name = "deleted list",
    .usage = "ACCOUNT [--folder F] [--since 3d] [--from T] [--subject T] [--ids]",
    .help = "Lists deleted mail that can be brought back, newest first.",
    .needs_store = true,
    .run = deleted_list_run,
};
const struct cli_command cli_deleted_restore = {
    .name = "deleted restore",
    .usage = "ACCOUNT ID... [--to FOLDER]",
    .help = "Brings deleted mail back, with flags and date; phones and desktops see it at once.",
    .needs_store = true,
    .run = deleted_restore_run,
};
const struct cli_command cli_purge = {
    .name = "purge",
    .usage = "",
    .help = "Lets go of what is older than retention.days (the nightly job, now).",
    .needs_store = true,
    .run = purge_run,
};
