/* What a desktop does with a mailbox of many mails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/bench.h"

struct client *imap_open(const struct options *options, int user)
{
    struct client *imap = client_open(options->imap, options->tls);
    char line[512], login[128], command[512];
    client_line(imap, line, sizeof line);
    login_of(options, user, login);
    snprintf(command, sizeof command, "LOGIN \"%s\" \"%s\"", login, options->password);
    imap_command(imap, command);
    return imap;
}

/* The octets of a literal that the line announces; 0: none. */
static size_t literal_of(const char *line)
{
    size_t len = strlen(line);
    const char *brace = len && line[len - 1] == '}' ? strrchr(line, '{') : NULL;
    return brace ? strtoul(brace + 1, NULL, 10) : 0;
}

int64_t imap_command(struct client *imap, const char *command)
{
    char line[4096];
    int64_t start_ns = now_ns();
    client_print(imap, "b1 %s\r\n", command);
    do {
        client_line(imap, line, sizeof line);
        client_skip(imap, literal_of(line));
    } while (strncmp(line, "b1 ", 3) != 0);
    int64_t took_ns = now_ns() - start_ns;
    if (strncmp(line + 3, "OK", 2) != 0)
        die("%s was answered %s", command, line);
    return took_ns;
}

static void repeat(struct client *imap, int count, const char *name, const char *command, const char *undo)
{
    struct samples times = { 0 };
    for (int i = 0; i < count; i++) {
        samples_add(&times, imap_command(imap, command));
        if (undo)
            samples_add(&times, imap_command(imap, undo));
    }
    samples_report(&times, name, false);
}

static void select_warm(const struct options *options)
{
    struct samples times = { 0 };
    for (int i = 0; i < options->count; i++) {
        struct client *imap = imap_open(options, options->first);
        samples_add(&times, imap_command(imap, "SELECT INBOX"));
        client_close(&imap);
    }
    samples_report(&times, "select_warm", false);
}

/* Copies and moves of 1,000 into mailboxes of their own, which go again. */
static void transfers(const struct options *options, struct client *imap)
{
    struct samples copies = { 0 }, moves = { 0 };
    for (int i = 0; i < options->count; i++) {
        imap_command(imap, "CREATE bench-copy");
        imap_command(imap, "CREATE bench-move");
        imap_command(imap, "SELECT INBOX");
        samples_add(&copies, imap_command(imap, "COPY 1:1000 bench-copy"));
        imap_command(imap, "SELECT bench-copy");
        samples_add(&moves, imap_command(imap, "MOVE 1:1000 bench-move"));
        imap_command(imap, "SELECT INBOX");
        imap_command(imap, "DELETE bench-copy");
        imap_command(imap, "DELETE bench-move");
    }
    samples_report(&copies, "copy_1000", false);
    samples_report(&moves, "move_1000", false);
}

static void search(const struct options *options, struct client *imap, const char *what)
{
    static const struct {
        const char *name, *command;
    } searches[] = {
        { "unseen", "SEARCH UNSEEN" },
        { "from", "SEARCH FROM \"Sender 13\"" },
        { "text", "SEARCH TEXT xyzzyrare" },
        { "short", "SEARCH BODY zz" },
        { "sort", "SORT (SUBJECT REVERSE DATE) UTF-8 ALL" },
        { "thread", "THREAD REFERENCES UTF-8 ALL" },
    };
    char name[64];
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        if (strcmp(searches[i].name, what) != 0)
            continue;
        snprintf(name, sizeof name, "search_%s", what);
        repeat(imap, options->count, name, searches[i].command, NULL);
        return;
    }
    die("there is no search %s", what);
}

/* One part of the work, so that its CPU can be told apart. */
void measure_mailbox(const struct options *options)
{
    struct client *imap = imap_open(options, options->first);
    imap_command(imap, "SELECT INBOX");
    if (strcmp(options->part, "select") == 0) {
        select_warm(options);
    } else if (strcmp(options->part, "flags") == 0) {
        repeat(imap, options->count, "fetch_flags", "FETCH 1:* FLAGS", NULL);
    } else if (strcmp(options->part, "metadata") == 0) {
        repeat(imap, options->count, "fetch_metadata", "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)", NULL);
    } else if (strcmp(options->part, "store") == 0) {
        repeat(imap, options->count, "store_all", "STORE 1:* +FLAGS.SILENT (\\Flagged)", "STORE 1:* -FLAGS.SILENT (\\Flagged)");
    } else if (strcmp(options->part, "store-one") == 0) {
        repeat(imap, options->count, "store_one", "STORE 77 +FLAGS.SILENT (\\Answered)", "STORE 77 -FLAGS.SILENT (\\Answered)");
    } else if (strncmp(options->part, "search-", 7) == 0) {
        search(options, imap, options->part + 7);
    } else if (strcmp(options->part, "transfer") == 0) {
        transfers(options, imap);
    } else {
        die("there is no part %s", options->part);
    }
    client_close(&imap);
}
