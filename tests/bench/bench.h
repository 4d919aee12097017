/* The load program of the benchmarks: clients of LMTP, IMAP and ActiveSync on loopback, with what they share.
 * Each measure prints lines "name TAB value TAB unit"; tests/bench/run starts it and reads them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// OpenSSL's async API uses this name for something else.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/ssl.h>
#undef ERR_STATE

#include "base/buf.h"

#define THREADS_MAX 64

/* Words of the command line, as --name value. */
struct options {
    int lmtp, imap, http; // ports; imap and http are the TLS ones with tls
    bool tls;
    const char *user;     // printf pattern with one %d: the login of user number i
    const char *password;
    int first, users;     // user numbers first .. first + users - 1
    int clients;          // at the same time
    double seconds;
    int count;            // operations, of repeats where a measure says so
    int size;             // octets of a mail
    const char *part;     // of a measure
    const char *folder_sync, *sync, *ping; // files with WBXML bodies
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int64_t now_ns(void);
void report(const char *name, double value, const char *unit);

/* ---- samples of a time, in ns ---- */

struct samples {
    int64_t *at;
    size_t count, room;
};
void samples_add(struct samples *samples, int64_t ns);
void samples_join(struct samples *to, const struct samples *from);
/* Prints NAME_p50 and NAME_p99 (or the median alone) in ms, and frees. */
void samples_report(struct samples *samples, const char *name, bool with_p99);

/* ---- a blocking connection ---- */

struct client {
    int fd;
    SSL *ssl; // NULL: plain
    char in[16384];
    size_t start, end;
};
struct client *client_open(int port, bool tls);
void client_close(struct client **client);
void client_send(struct client *client, const char *bytes, size_t len);
void client_print(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line without CR LF, NUL behind it; longer ones are cut to room - 1. */
void client_line(struct client *client, char *line, size_t room);
void client_skip(struct client *client, size_t len);
/* Whether the server has told nothing yet; takes in what TLS sends behind its handshake. */
bool client_is_quiet(struct client *client);

/* ---- threads ---- */

/* Runs work(options, number, own) in options->clients threads, own being an element of `own` of size each. */
void run_threads(const struct options *options, void *own, size_t each,
                 void (*work)(const struct options *options, int number, void *own));

/* ---- mails and logins ---- */

/* Mail number n: a text and an attachment, about `size` octets with CRLF, no line begins with a dot. The same number
 * gives the same octets; no two are equal. */
void mail_make(struct buf *mail, uint64_t n, int size);
void login_of(const struct options *options, int user, char text[128]);

/* An LMTP client past LHLO. */
struct client *lmtp_open(const struct options *options);
/* One delivery; returns the time at which the 250 of the recipient had been read. */
int64_t lmtp_deliver(struct client *lmtp, const char *login, struct slice mail);
/* An IMAP client past LOGIN. */
struct client *imap_open(const struct options *options, int user);
/* Sends a command and reads until its OK; the time that took. */
int64_t imap_command(struct client *imap, const char *command);

/* ---- measures ---- */

void measure_fill(const struct options *options);    // `count` mails to user `first`
void measure_deliver(const struct options *options); // as many as go in `seconds`
void measure_mailbox(const struct options *options); // SELECT, FETCH, STORE, COPY, MOVE in user `first`'s INBOX
void measure_phones(const struct options *options);  // FolderSync and Sync of a new device of each user: no output
/* `users` Pings wait, or connections in IDLE. Prints "waiting", and when a line came from standard input delivers to `count` of
 * them, one after the other, and prints the times from 250 to the first octet of the news. */
void measure_ping(const struct options *options);
void measure_idle(const struct options *options);
