/* Deliveries by LMTP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "tests/bench/bench.h"

/* Reads one reply, of several lines perhaps. */
static void expect(struct client *lmtp, char first)
{
    char line[512];
    do
        client_line(lmtp, line, sizeof line);
    while (line[0] && line[3] == '-');
    if (line[0] != first)
        die("LMTP said: %s", line);
}

struct client *lmtp_open(const struct options *options)
{
    struct client *lmtp = client_open(options->lmtp, false);
    expect(lmtp, '2');
    client_print(lmtp, "LHLO bench.example.org\r\n");
    expect(lmtp, '2');
    return lmtp;
}

int64_t lmtp_deliver(struct client *lmtp, const char *login, struct slice mail)
{
    client_print(lmtp, "MAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n", login);
    expect(lmtp, '2');
    expect(lmtp, '2');
    expect(lmtp, '3');
    client_send(lmtp, mail.at, mail.len);
    client_send(lmtp, ".\r\n", 3);
    expect(lmtp, '2');
    return now_ns();
}

struct deliverer {
    struct samples times;
    int64_t octets;
    int64_t end_ns;
    uint64_t seed;
};

static void deliver_until(const struct options *options, int number, void *own)
{
    struct deliverer *self = own;
    struct client *lmtp = lmtp_open(options);
    struct buf mail = { 0 };
    char login[128];
    for (int i = 0; options->count > 1 ? i < options->count / options->clients : now_ns() < self->end_ns; i++) {
        login_of(options, options->first + (number * 31 + i) % options->users, login);
        mail_make(&mail, self->seed + (uint64_t)i, options->size);
        int64_t start_ns = now_ns();
        samples_add(&self->times, lmtp_deliver(lmtp, login, buf_slice(&mail)) - start_ns);
        self->octets += (int64_t)buf_len(&mail);
    }
    buf_free(&mail);
    client_close(&lmtp);
}

static void deliver(const struct options *options, bool tell)
{
    static struct deliverer all[THREADS_MAX];
    int64_t start_ns = now_ns();
    for (int i = 0; i < options->clients; i++)
        all[i] = (struct deliverer){ .end_ns = start_ns + (int64_t)(options->seconds * 1e9),
                                     .seed = (uint64_t)start_ns + ((uint64_t)i << 40) };
    run_threads(options, all, sizeof *all, deliver_until);
    double took = (double)(now_ns() - start_ns) / 1e9;
    struct samples times = { 0 };
    int64_t octets = 0;
    for (int i = 0; i < options->clients; i++) {
        samples_join(&times, &all[i].times);
        octets += all[i].octets;
        free(all[i].times.at);
    }
    report("mails", (double)times.count, "");
    report("octets", (double)octets, "B");
    if (tell) {
        report("rate", (double)times.count / took, "/s");
        samples_report(&times, "delivery", true);
    }
}

void measure_fill(const struct options *options)
{
    deliver(options, false);
}

void measure_deliver(const struct options *options)
{
    deliver(options, true);
}
