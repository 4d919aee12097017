/* Every setting is one row: section, key, type, default, what it may be, and its documentation. The INI file, the
 * environment (GODWIT_SECTION_KEY), --set and `config show` all read this table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#include "server/policy_rows.h"

/* X(ID, "section", "key", TYPE, "default", min, max, "documentation")
 * TYPE: TEXT, INT (min..max), BOOL, PATH, ADDRESS (host:port, "" is off), SIZE (octets; K, M, G), ACCESS */
#define SETTINGS(X) \
    X(DATA_DIR, "data", "dir", PATH, "/var/lib/godwit", 0, 0, "Where the embedded cluster, keys and spool files live.") \
    X(DATABASE_URL, "database", "url", TEXT, "", 0, 0, \
      "libpq connection string of your own PostgreSQL 15 or newer; empty: the embedded cluster.") \
    X(DATABASE_UNSAFE_NO_FSYNC, "database", "unsafe_no_fsync", BOOL, "false", 0, 0, \
      "Embedded cluster without fsync: loses mail in a power failure; for tests only.") \
    X(SERVER_HOSTNAME, "server", "hostname", TEXT, "", 0, 0, "Name in greetings and Received lines; empty: the machine's.") \
    X(SERVER_WORKERS, "server", "workers", INT, "0", 0, 256, "Worker threads, each with a database connection; 0: 4 per core, at least 8.") \
    X(SERVER_LOOPS, "server", "loops", INT, "0", 0, 64, "Loop threads; 0: one per core.") \
    X(SERVER_STOP_TIMEOUT_S, "server", "stop_timeout_s", INT, "10", 0, 600, "How long a stop waits for commands that run.") \
    X(LOG_LEVEL, "log", "level", TEXT, "info", 0, 0, "debug, info, warn or error.") \
    X(TLS_CERT, "tls", "cert", PATH, "", 0, 0, "Certificate chain, PEM; empty: no TLS listeners and no STARTTLS.") \
    X(TLS_KEY, "tls", "key", PATH, "", 0, 0, "Private key, PEM.") \
    X(TLS_SNI_DIR, "tls", "sni_dir", PATH, "", 0, 0, "Directory of NAME.crt and NAME.key chosen by SNI.") \
    X(TLS_MIN_VERSION, "tls", "min_version", TEXT, "1.2", 0, 0, "1.2 or 1.3.") \
    X(LMTP_LISTEN, "lmtp", "listen", ADDRESS, "127.0.0.1:2424", 0, 0, "LMTP: where the mail server delivers.") \
    X(LMTP_SIZE_MAX, "lmtp", "size_max", SIZE, "64M", 1024, 268435456, "Biggest message accepted.") \
    X(LMTP_RECIPIENTS_MAX, "lmtp", "recipients_max", INT, "1000", 1, 100000, "Recipients of one message.") \
    X(LMTP_TIMEOUT_S, "lmtp", "timeout_s", INT, "300", 1, 3600, "Idle time before a client is dropped.") \
    X(IMAP_LISTEN, "imap", "listen", ADDRESS, "127.0.0.1:1143", 0, 0, "IMAP with STARTTLS.") \
    X(IMAP_LISTEN_TLS, "imap", "listen_tls", ADDRESS, "127.0.0.1:1993", 0, 0, "IMAP over TLS.") \
    X(IMAP_IDLE_TIMEOUT_S, "imap", "idle_timeout_s", INT, "1800", 60, 86400, "Autologout of a logged-in client (RFC 9051 5.4: at least 30 minutes).") \
    X(IMAP_LITERAL_MAX, "imap", "literal_max", SIZE, "64M", 65536, 268435456, "Biggest message in APPEND.") \
    X(IMAP_PROGRESS_S, "imap", "progress_s", INT, "10", 0, 600, "A command that takes longer tells how far it is, and again after as long.") \
    X(IMAP_CONNS_PER_ADDRESS_MAX, "imap", "conns_per_address_max", INT, "100", 1, 100000, "Connections from one address.") \
    X(IMAP_SEARCH_MAX_MS, "imap", "search_max_ms", INT, "300000", 1, 86400000, "A SEARCH, SORT or THREAD that takes longer is refused.") \
    X(IMAP_SORT_MAX, "imap", "sort_max", INT, "500000", 1, 10000000, "Messages that one SORT or THREAD brings into order.") \
    X(SEARCH_QUIET_MS, "search", "quiet_ms", INT, "2000", 10, 3600000, "An account without new mail for so long is packed for searching.") \
    X(IMAP_SNAPSHOT_BYTES, "imap", "snapshot_bytes", SIZE, "256M", 1048576, 68719476736, "Memory for mailbox snapshots that nobody has open.") \
    X(HTTP_LISTEN, "http", "listen", ADDRESS, "127.0.0.1:8080", 0, 0, "HTTP without TLS: for a proxy in front, and for tests.") \
    X(HTTP_LISTEN_TLS, "http", "listen_tls", ADDRESS, "127.0.0.1:8443", 0, 0, "HTTPS.") \
    X(HTTP_TRUSTED_PROXIES, "http", "trusted_proxies", TEXT, "", 0, 0, "Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto count.") \
    X(HTTP_ACTIVE_MAX, "http", "active_max", INT, "768", 16, 4096, "Active requests per loop; further ones wait.") \
    X(ADMIN_LISTEN, "admin", "listen", ADDRESS, "127.0.0.1:8081", 0, 0, "The admin API's own listener.") \
    X(AUTH_CACHE_S, "auth", "cache_s", INT, "300", 0, 86400, "How long a verified password counts without hashing it again.") \
    X(AUTH_FAILURES_MAX, "auth", "failures_max", INT, "5", 1, 1000, "Failed logins of an account or address before they are slowed.") \
    X(AUTH_SLOW_MS, "auth", "slow_ms", INT, "1000", 0, 60000, "First delay of a slowed login; doubles with each failure.") \
    X(AUTH_SLOW_MAX_MS, "auth", "slow_max_ms", INT, "15000", 0, 600000, "Longest delay of a slowed login.") \
    X(AUTH_PLAINTEXT, "auth", "plaintext", BOOL, "false", 0, 0, "Allow passwords without TLS from other machines.") \
    X(EAS_HEARTBEAT_MIN_S, "eas", "heartbeat_min_s", INT, "60", 1, 3540, "Shortest Ping heartbeat.") \
    X(EAS_HEARTBEAT_MAX_S, "eas", "heartbeat_max_s", INT, "3540", 1, 3540, "Longest Ping heartbeat.") \
    X(EAS_FOLDERS_MAX, "eas", "folders_max", INT, "200", 1, 1000, "Folders of one Ping or hanging Sync.") \
    X(EAS_DEVICES_MAX, "eas", "devices_max", INT, "100", 1, 10000, "Devices of one account.") \
    X(EAS_REQUEST_MAX, "eas", "request_max", SIZE, "64M", 65536, 268435456, "Biggest request body after login.") \
    X(EAS_SYNC_ANSWER_MS, "eas", "sync_answer_ms", INT, "15000", 1, 60000, "A Sync answer is cut after this time and the phone asks on: many give up after 30 s.") \
    X(EAS_EMPTY_FOLDERS, "eas", "empty_folders", BOOL, "false", 0, 0, "List an empty Calendar and Contacts folder, for phones that insist on them.") \
    X(EAS_GZIP, "eas", "gzip", BOOL, "true", 0, 0, "Pack answers over 1 KiB for phones that accept gzip.") \
    X(EAS_PROVISION, "eas", "provision", BOOL, "false", 0, 0, "Demand that phones acknowledge a policy before they sync.") \
    X(EAS_SEARCH_MAX_S, "eas", "search_max_s", INT, "30", 1, 600, "A Search or Find that takes longer is refused.") \
    X(EAS_CA_FILE, "eas", "ca_file", PATH, "", 0, 0, "PEM file of the authorities that ValidateCert trusts; empty: the system's.") \
    X(DIRECTORY_JOINED_DOMAINS, "directory", "joined_domains", TEXT, "", 0, 0, \
      "Domains whose people see each other in the address book: \"a.org b.org; c.org d.org\" joins two pairs.") \
    X(EAS_NEW_DEVICES, "eas", "new_devices", ACCESS, "allow", 0, 0, \
      "allow, quarantine or block: what a phone that was never seen may do until `godwit device allow` or `block` decides.") \
    X(EAS_REMOTE_WIPE, "eas", "remote_wipe", BOOL, "false", 0, 0, "Let `godwit device wipe` erase accounts on phones and phones.") \
    X(EAS_REQUESTS_PER_MINUTE, "eas", "requests_per_minute", INT, "600", 0, 100000, "Requests of one phone in a minute; more get 503 with Retry-After; 0: any number.") \
    X(EAS_LOOP_REPEATS, "eas", "loop_repeats", INT, "10", 3, 1000, "How often a phone may do the same work again before it counts as a loop.") \
    X(EAS_LOOP_WINDOW_S, "eas", "loop_window_s", INT, "600", 1, 86400, "Within which time.") \
    X(EAS_TRACE_MAX, "eas", "trace_max", SIZE, "4M", 4096, 1073741824, "Size at which a phone's trace file is rotated; one older file is kept.") \
    X(VACATION_PERIOD_DAYS, "vacation", "period_days", INT, "7", 1, 30, "An automatic reply goes to one sender at most once in so many days.") \
    X(PUSH_QUIET_S, "push", "quiet_s", INT, "30", 0, 3600, "At most one wake-up of a phone in this time for changes that are not new mail.") \
    X(PUSH_RECHECK_S, "push", "recheck_s", INT, "60", 0, 3600, "Look at the clocks of watched accounts so often, in case an event was lost; 0: never.") \
    X(RETENTION_DAYS, "retention", "days", INT, "14", 1, 3650, "How long deleted mail can be brought back.") \
    X(SYNC_TOMBSTONE_DAYS, "sync", "tombstone_days", INT, "180", 14, 3650, "How long the traces of deleted mail stay for clients that were away.") \
    X(POLICY_ALLOW_PARTIAL, "policy", "allow_partial", BOOL, "false", 0, 0, \
      "Let phones in that apply a part of the policy or refuse it, and protocol versions that lack some of it.") \
    X(POLICY_ALLOW_EXTERNAL, "policy", "allow_external", BOOL, "true", 0, 0, \
      "Let phones in that say that somebody else manages them.") \
    X(POLICY_REFRESH_HOURS, "policy", "refresh_hours", INT, "0", 0, 8760, "Ask for the policy again after so many hours; 0: only when it changes.") \
    POLICY_ROWS(X, POLICY_SETTING)

enum setting_id {
#define X(id, section, key, type, def, min, max, doc) SETTING_##id,
    SETTINGS(X)
#undef X
        SETTING_COUNT
};

struct settings;

/* Reads defaults, then the file (NULL: none), then the environment, then `sets` ("section.key=value").
 * errors: ERR_NOT_FOUND (file), ERR_SYNTAX: unknown key, bad value; the story has file, line and a hint */
MUST_USE enum err settings_open(const char *file, const char *const *sets, size_t set_count, struct trace *trace,
                                struct settings **settings);
void settings_close(struct settings **settings);
const char *settings_text(const struct settings *settings, enum setting_id id);
int64_t settings_int(const struct settings *settings, enum setting_id id); // INT, SIZE
bool settings_bool(const struct settings *settings, enum setting_id id);
/* The effective settings with their documentation, as an INI file that can be read again; secrets are masked. */
void settings_print(const struct settings *settings, void (*line)(void *ctx, const char *text), void *ctx);
