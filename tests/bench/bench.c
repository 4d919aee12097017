#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("godwit_bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void report(const char *name, double value, const char *unit)
{
    printf("%s\t%.6g\t%s\n", name, value, unit);
    fflush(stdout);
}

/* ---- samples ---- */

void samples_add(struct samples *samples, int64_t ns)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 256;
        samples->at = mem_realloc(samples->at, samples->room * sizeof *samples->at);
    }
    samples->at[samples->count++] = ns;
}

void samples_join(struct samples *to, const struct samples *from)
{
    for (size_t i = 0; i < from->count; i++)
        samples_add(to, from->at[i]);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void samples_report(struct samples *samples, const char *name, bool with_p99)
{
    if (samples->count == 0)
        die("nothing was measured for %s", name);
    qsort(samples->at, samples->count, sizeof *samples->at, by_time);
    char full[128];
    snprintf(full, sizeof full, "%s%s", name, with_p99 ? "_p50" : "");
    report(full, (double)samples->at[samples->count / 2] / 1e6, "ms");
    if (with_p99) {
        snprintf(full, sizeof full, "%s_p99", name);
        report(full, (double)samples->at[(samples->count * 99 + 99) / 100 - 1] / 1e6, "ms");
    }
    free(samples->at);
    *samples = (struct samples){ 0 };
}

/* ---- connections ---- */

static SSL_CTX *tls_context(void)
{
    static SSL_CTX *made;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!made) {
        made = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_verify(made, SSL_VERIFY_NONE, NULL); // the scratch server's own certificate
    }
    pthread_mutex_unlock(&lock);
    return made;
}

struct client *client_open(int port, bool tls)
{
    struct client *client = mem_new(struct client);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&to, sizeof to))
        die("cannot connect to port %d: %s", port, strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tls) {
        client->ssl = SSL_new(tls_context());
        SSL_set_fd(client->ssl, client->fd);
        if (SSL_connect(client->ssl) != 1)
            die("no TLS on port %d", port);
    }
    return client;
}

void client_close(struct client **client)
{
    SSL_free((*client)->ssl);
    close((*client)->fd);
    free(*client);
    *client = NULL;
}

void client_send(struct client *client, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = client->ssl ? SSL_write(client->ssl, bytes, len > INT32_MAX ? INT32_MAX : (int)len)
                                : send(client->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            die("the server closed the connection");
        bytes += n;
        len -= (size_t)n;
    }
}

void client_print(struct client *client, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text)
        die("a command is too long");
    client_send(client, text, (size_t)len);
}

static bool client_has_input(const struct client *client)
{
    return client->start < client->end;
}

bool client_is_quiet(struct client *client)
{
    char byte;
    if (client_has_input(client))
        return false;
    if (!client->ssl)
        return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    int flags = fcntl(client->fd, F_GETFL);
    fcntl(client->fd, F_SETFL, flags | O_NONBLOCK);
    int n = SSL_peek(client->ssl, &byte, 1);
    bool quiet = n <= 0 && SSL_get_error(client->ssl, n) == SSL_ERROR_WANT_READ;
    fcntl(client->fd, F_SETFL, flags);
    return quiet;
}

static void client_fill(struct client *client)
{
    ssize_t n = client->ssl ? SSL_read(client->ssl, client->in, sizeof client->in)
                            : recv(client->fd, client->in, sizeof client->in, 0);
    if (n <= 0)
        die("the server closed the connection");
    client->start = 0;
    client->end = (size_t)n;
}

void client_line(struct client *client, char *line, size_t room)
{
    size_t len = 0;
    for (;;) {
        if (!client_has_input(client))
            client_fill(client);
        char *from = client->in + client->start, *lf = memchr(from, '\n', client->end - client->start);
        size_t n = lf ? (size_t)(lf - from) : client->end - client->start;
        size_t kept = n < room - 1 - len ? n : room - 1 - len;
        memcpy(line + len, from, kept);
        len += kept;
        client->start += n + (lf != NULL);
        if (lf)
            break;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
}

void client_skip(struct client *client, size_t len)
{
    while (len > 0) {
        if (!client_has_input(client))
            client_fill(client);
        size_t n = client->end - client->start < len ? client->end - client->start : len;
        client->start += n;
        len -= n;
    }
}

/* ---- threads ---- */

struct task {
    const struct options *options;
    void (*work)(const struct options *options, int number, void *own);
    int number;
    void *own;
};

static void *run_task(void *ctx)
{
    struct task *task = ctx;
    task->work(task->options, task->number, task->own);
    return NULL;
}

void run_threads(const struct options *options, void *own, size_t each,
                 void (*work)(const struct options *options, int number, void *own))
{
    pthread_t threads[THREADS_MAX];
    struct task tasks[THREADS_MAX];
    if (options->clients < 1 || options->clients > THREADS_MAX)
        die("--clients takes 1 to %d", THREADS_MAX);
    for (int i = 0; i < options->clients; i++) {
        tasks[i] = (struct task){ options, work, i, (char *)own + (size_t)i * each };
        if (pthread_create(&threads[i], NULL, run_task, &tasks[i]))
            die("no thread");
    }
    for (int i = 0; i < options->clients; i++)
        pthread_join(threads[i], NULL);
}

/* ---- mails and logins ---- */

static uint64_t next_random(uint64_t *state) // splitmix64
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Words of syllables; small numbers, which are short words, come more often. */
static void add_text(struct buf *mail, uint64_t *state, size_t len)
{
    static const char *const syllables[] = { "ka", "ne", "to", "ri", "mu", "sal", "ven", "dor", "li", "pe", "hus", "ma", "tin", "go", "wit", "ar" };
    size_t end = buf_len(mail) + len, column = 0;
    while (buf_len(mail) < end) {
        uint64_t r = next_random(state), word = r % 64 * (r >> 8 & 63) / 8;
        size_t before = buf_len(mail);
        do {
            buf_add_text(mail, syllables[word & 15]);
            word >>= 4;
        } while (word);
        column += buf_len(mail) - before + 1;
        buf_add_text(mail, column > 66 ? "\r\n" : " ");
        if (column > 66)
            column = 0;
    }
    buf_add_text(mail, "\r\n");
}

static void add_base64(struct buf *mail, uint64_t *state, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t done = 0; done < len; done += 78) {
        for (int i = 0; i < 76; i += 10) {
            uint64_t r = next_random(state);
            for (int j = 0; j < 10 && i + j < 76; j++, r >>= 6)
                buf_add_byte(mail, digits[r & 63]);
        }
        buf_add_text(mail, "\r\n");
    }
}

void mail_make(struct buf *mail, uint64_t n, int size)
{
    uint64_t state = n * UINT64_C(0x2545f4914f6cdd1d) + 1;
    char mark[17];
    snprintf(mark, sizeof mark, "%016llx", (unsigned long long)next_random(&state));
    buf_clear(mail);
    buf_printf(mail,
               "From: Sender %d <sender%d@example.org>\r\nTo: Somebody <somebody@example.test>\r\nSubject: Report %llu of the week\r\n"
               "Date: Mon, %d Nov 2026 %02d:%02d:00 +0000\r\nMessage-ID: <%s@example.org>\r\nMIME-Version: 1.0\r\n"
               "Content-Type: multipart/mixed; boundary=\"=_%s\"\r\n\r\n--=_%s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
               (int)(n % 97), (int)(n % 97), (unsigned long long)n, (int)(n % 28) + 1, (int)(n % 24), (int)(n % 60), mark, mark, mark);
    if (n % 1000 == 7)
        buf_add_text(mail, "the rare word is xyzzyrare indeed\r\n");
    add_text(mail, &state, (size_t)size * 2 / 5);
    buf_printf(mail,
               "--=_%s\r\nContent-Type: application/octet-stream; name=\"data%llu.bin\"\r\nContent-Transfer-Encoding: base64\r\n"
               "Content-Disposition: attachment; filename=\"data%llu.bin\"\r\n\r\n",
               mark, (unsigned long long)n, (unsigned long long)n);
    size_t have = buf_len(mail) + 60;
    add_base64(mail, &state, have < (size_t)size ? (size_t)size - have : 78);
    buf_printf(mail, "--=_%s--\r\n", mark);
}

void login_of(const struct options *options, int user, char text[128])
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, 128, options->user, user);
#pragma GCC diagnostic pop
}

/* ---- the command line ---- */

static const struct {
    const char *name;
    void (*run)(const struct options *options);
} measures[] = {
    { "fill", measure_fill },     { "deliver", measure_deliver }, { "mailbox", measure_mailbox },
    { "phones", measure_phones }, { "ping", measure_ping },       { "idle", measure_idle },
};

static void set_option(struct options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        int *number;
        const char **text;
    } table[] = {
        { "--lmtp", &o->lmtp, NULL },       { "--imap", &o->imap, NULL },   { "--http", &o->http, NULL },
        { "--first", &o->first, NULL },     { "--users", &o->users, NULL }, { "--clients", &o->clients, NULL },
        { "--count", &o->count, NULL },     { "--size", &o->size, NULL },   { "--user", NULL, &o->user },
        { "--password", NULL, &o->password }, { "--folder-sync", NULL, &o->folder_sync }, { "--sync", NULL, &o->sync },
        { "--ping", NULL, &o->ping },        { "--part", NULL, &o->part },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0) {
            if (table[i].number)
                *table[i].number = atoi(value);
            else
                *table[i].text = value;
            return;
        }
    if (strcmp(name, "--seconds") == 0)
        o->seconds = atof(value);
    else if (strcmp(name, "--tls") == 0)
        o->tls = atoi(value) != 0;
    else
        die("there is no option %s", name);
}

int main(int argc, char **argv)
{
    struct options options = { .user = "u%d@example.test", .part = "", .password = "demo", .first = 1, .users = 1, .clients = 1,
                               .seconds = 3, .count = 1, .size = 10240 };
    if (argc < 2 || argc % 2)
        die("usage: godwit_bench MEASURE [--option value]...; tests/bench/run calls it");
    for (int i = 2; i < argc; i += 2)
        set_option(&options, argv[i], argv[i + 1]);
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (strcmp(measures[i].name, argv[1]) == 0) {
            measures[i].run(&options);
            return 0;
        }
    die("there is no measure %s", argv[1]);
}
