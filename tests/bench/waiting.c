/* Clients that wait for news: parked Pings and connections in IDLE. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "tests/bench/bench.h"

#define PAUSE_NS 5000000 // between deliveries
#define NEWS_LIMIT_MS 10000

/* ---- ActiveSync ---- */

static struct buf read_file(const char *name)
{
    struct buf bytes = { 0 };
    FILE *file = fopen(name, "rb");
    if (!file)
        die("cannot read %s", name);
    size_t n = fread(buf_reserve(&bytes, 4096), 1, 4096, file);
    buf_commit(&bytes, n);
    fclose(file);
    return bytes;
}

static void base64(const char *text, char out[256])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text), at = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned char)text[i] << 16 | (i + 1 < len ? (unsigned char)text[i + 1] << 8 : 0) |
                        (i + 2 < len ? (unsigned char)text[i + 2] : 0);
        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    out[at] = '\0';
}

static void post(struct client *http, const struct options *options, int user, const char *method, const char *command,
                 struct slice body)
{
    char login[128], pair[180], credentials[256], head[1024];
    login_of(options, user, login);
    snprintf(pair, sizeof pair, "%s:%s", login, options->password);
    base64(pair, credentials);
    int len = snprintf(head, sizeof head,
                       "%s /Microsoft-Server-ActiveSync?Cmd=%s&User=%s&DeviceId=BENCH%d&DeviceType=Bench HTTP/1.1\r\n"
                       "Host: localhost\r\nAuthorization: Basic %s\r\nMS-ASProtocolVersion: 14.1\r\nUser-Agent: Bench/1.0\r\n"
                       "Content-Type: application/vnd.ms-sync.wbxml\r\nContent-Length: %zu\r\n\r\n",
                       method, command, login, user, credentials, body.len);
    struct buf whole = { 0 };
    buf_add(&whole, slice_make(head, (size_t)len));
    buf_add(&whole, body);
    client_send(http, buf_slice(&whole).at, buf_len(&whole));
    buf_free(&whole);
}

static void answer(struct client *http)
{
    char line[1024];
    size_t body = 0;
    client_line(http, line, sizeof line);
    if (strncmp(line, "HTTP/1.1 200", 12) != 0)
        die("HTTP said: %s", line);
    do {
        client_line(http, line, sizeof line);
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
    } while (*line);
    client_skip(http, body);
}

static void make_phones(const struct options *options, int number, void *own)
{
    (void)own;
    struct buf folder_sync = read_file(options->folder_sync), sync = read_file(options->sync);
    for (int i = number; i < options->users; i += options->clients) {
        struct client *http = client_open(options->http, options->tls);
        post(http, options, options->first + i, "POST", "FolderSync", buf_slice(&folder_sync));
        answer(http);
        post(http, options, options->first + i, "POST", "Sync", buf_slice(&sync));
        answer(http);
        client_close(&http);
    }
    buf_free(&folder_sync);
    buf_free(&sync);
}

void measure_phones(const struct options *options)
{
    char own;
    run_threads(options, &own, 0, make_phones);
}

/* ---- waiting ---- */

static struct client **waiting; // one a user

static void start_pings(const struct options *options, int number, void *own)
{
    (void)own;
    struct buf ping = read_file(options->ping);
    for (int i = number; i < options->users; i += options->clients) {
        waiting[i] = client_open(options->http, options->tls);
        // The login first: the server refuses more passwords at once than it has workers for.
        post(waiting[i], options, options->first + i, "OPTIONS", "Ping", SLICE_LIT(""));
        answer(waiting[i]);
        post(waiting[i], options, options->first + i, "POST", "Ping", buf_slice(&ping));
    }
    buf_free(&ping);
}

static void start_idles(const struct options *options, int number, void *own)
{
    (void)own;
    char line[512];
    for (int i = number; i < options->users; i += options->clients) {
        waiting[i] = imap_open(options, options->first + i);
        imap_command(waiting[i], "SELECT INBOX");
        client_print(waiting[i], "b2 IDLE\r\n");
        client_line(waiting[i], line, sizeof line);
        if (line[0] != '+')
            die("IDLE was answered %s", line);
    }
}

/* One delivery to a user who waits. Both sockets are watched at once, since the news may come before the 250; the time
 * between the two is counted from the 250. */
static int64_t push(const struct options *options, struct client *lmtp, int user, struct slice mail)
{
    char login[128], line[512];
    login_of(options, options->first + user, login);
    client_print(lmtp, "MAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n", login);
    for (int i = 0; i < 3; i++)
        client_line(lmtp, line, sizeof line);
    if (line[0] != '3')
        die("LMTP said: %s", line);
    client_send(lmtp, mail.at, mail.len);
    client_send(lmtp, ".\r\n", 3);
    struct pollfd both[2] = { { .fd = lmtp->fd, .events = POLLIN }, { .fd = waiting[user]->fd, .events = POLLIN } };
    int64_t at_ns[2] = { 0, 0 };
    while (!at_ns[0] || !at_ns[1]) {
        if (poll(both, 2, NEWS_LIMIT_MS) <= 0)
            die("user %s was not told of the delivery", login);
        int64_t t = now_ns();
        for (int i = 0; i < 2; i++)
            if (both[i].revents && !at_ns[i]) {
                at_ns[i] = t;
                both[i].fd = -1;
            }
    }
    client_line(lmtp, line, sizeof line);
    if (line[0] != '2')
        die("LMTP said: %s", line);
    return at_ns[1] - at_ns[0];
}

static void measure_waiting(const struct options *options, const char *name,
                            void (*start)(const struct options *options, int number, void *own),
                            void (*take)(struct client *client))
{
    char own, line[64];
    waiting = mem_alloc((size_t)options->users * sizeof *waiting);
    run_threads(options, &own, 0, start);
    puts("waiting");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        die("nobody reads");
    // A Ping that was answered at once does not wait.
    for (int i = 0; i < options->users; i++)
        if (!client_is_quiet(waiting[i]))
            die("client %d of those that wait was told something already", i);
    struct client *lmtp = lmtp_open(options);
    struct samples times = { 0 };
    struct buf mail = { 0 };
    for (int i = 0; i < options->count; i++) {
        int user = (int)((int64_t)i * options->users / options->count);
        mail_make(&mail, (uint64_t)now_ns(), options->size);
        samples_add(&times, push(options, lmtp, user, buf_slice(&mail)));
        take(waiting[user]);
        nanosleep(&(struct timespec){ 0, PAUSE_NS }, NULL);
    }
    samples_report(&times, name, true);
    buf_free(&mail);
    client_close(&lmtp);
    for (int i = 0; i < options->users; i++)
        client_close(&waiting[i]);
    free(waiting);
}

static void take_exists(struct client *imap)
{
    char line[512];
    do
        client_line(imap, line, sizeof line);
    while (!strstr(line, " EXISTS"));
}

void measure_ping(const struct options *options)
{
    measure_waiting(options, "ping", start_pings, answer);
}

void measure_idle(const struct options *options)
{
    measure_waiting(options, "idle", start_idles, take_exists);
}
