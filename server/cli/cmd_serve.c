/* godwit serve: builds the server from its settings, runs it until a signal, and takes it down in good order. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/cli/cli.h"
#include "server/cli/store.h"
#include "server/eas/eas.h"
#include "server/http/admin.h"
#include "server/imap/snapshot.h"
#include "server/indexer.h"
#include "server/server.h"
#include "server/smtp/autoreply.h"
#include "server/smtp/postman.h"

#define CONNECTIONS_SPARE 10 // of the database, beside the workers': hub, housekeeping, commands
#define WORKERS_PER_CORE 4
#define WORKERS_LEAST 8
#define LISTENERS_MAX 8
#define CONNS_MAX 18000 // descriptors of one process, less a reserve

struct service {
    struct server server;
    struct store *store;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    const struct http_app *eas, *admin;
    struct indexer *indexer;
    char hostname[256];
    int stop_ms;
};

static size_t cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

static size_t worker_count(const struct settings *settings)
{
    size_t set = (size_t)settings_int(settings, SETTING_SERVER_WORKERS);
    size_t usual = cores() * WORKERS_PER_CORE;
    return set ? set : usual < WORKERS_LEAST ? WORKERS_LEAST : usual;
}

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void said_listening(const char *service, const char *address, uint32_t port)
{
    log_event(LOG_INFO, "listening", LOG_T("service", service), LOG_T("address", address), LOG_I("port", port));
}

/* ---- building ---- */

static enum err prepare_database(struct service *s, struct trace *trace)
{
    struct db *db = NULL;
    enum err err = db_open(&(struct db_settings){ .url = s->server.database_url, .name = "godwit-start" }, trace, &db);
    if (!err)
        err = db_migrate(db);
    if (!err)
        err = db_check_epoch(db);
    if (err && db)
        *trace = *db_trace(db);
    db_close(&db);
    return err;
}

static enum err open_tls(struct service *s, struct trace *trace)
{
    const struct settings *set = s->server.settings;
    if (!*settings_text(set, SETTING_TLS_CERT))
        return ERR_OK;
    struct tls_settings tls = {
        .cert = settings_text(set, SETTING_TLS_CERT),
        .key = settings_text(set, SETTING_TLS_KEY),
        .sni_dir = settings_text(set, SETTING_TLS_SNI_DIR),
        .min_version = settings_text(set, SETTING_TLS_MIN_VERSION),
    };
    return tls_open(&tls, trace, &s->server.tls);
}

static enum err open_auth(struct service *s)
{
    const struct settings *set = s->server.settings;
    struct auth_settings auth = {
        .cache_s = (int)settings_int(set, SETTING_AUTH_CACHE_S),
        .failures_max = (int)settings_int(set, SETTING_AUTH_FAILURES_MAX),
        .slow_ms = (int)settings_int(set, SETTING_AUTH_SLOW_MS),
        .slow_max_ms = (int)settings_int(set, SETTING_AUTH_SLOW_MAX_MS),
        .concurrent_max = (int)((worker_count(set) + 1) / 2),
    };
    return auth_open(&auth, s->server.hub, &s->server.auth);
}

static enum err listen_line(struct service *s, const char *name, enum setting_id address, const struct conn_proto *proto,
                            bool implicit_tls, uint32_t per_address, struct trace *trace)
{
    const char *text = settings_text(s->server.settings, address);
    if (!*text || (implicit_tls && !s->server.tls))
        return ERR_OK;
    struct listener_settings settings = {
        .address = text,
        .implicit_tls = implicit_tls,
        .tls = s->server.tls,
        .proto = proto,
        .ctx = &s->server,
        .conns_max = CONNS_MAX,
        .conns_per_address_max = per_address,
    };
    enum err err = listener_open(s->server.loops, &settings, trace, &s->listeners[s->listener_count]);
    if (!err)
        said_listening(name, text, listener_port(s->listeners[s->listener_count++]));
    return err;
}

static enum err listen_http(struct service *s, const char *name, enum setting_id address, struct tls *tls,
                            const struct http_app *const *apps, size_t count, struct trace *trace)
{
    const char *text = settings_text(s->server.settings, address);
    uint32_t port;
    if (!*text)
        return ERR_OK;
    enum err err = http_listen(s->server.front, text, tls, apps, count, trace, &port);
    if (!err)
        said_listening(name, text, port);
    return err;
}

static enum err open_http(struct service *s, struct trace *trace)
{
    const struct settings *set = s->server.settings;
    char spool[4096];
    snprintf(spool, sizeof spool, "%s/spool", settings_text(set, SETTING_DATA_DIR));
    const struct http_app *apps[] = { s->eas, s->admin };
    struct http_front_settings front = {
        .loops = s->server.loops,
        .workers = s->server.workers,
        .apps = apps,
        .app_count = 2,
        .trusted_proxies = settings_text(set, SETTING_HTTP_TRUSTED_PROXIES),
        .active_max = (uint32_t)settings_int(set, SETTING_HTTP_ACTIVE_MAX),
        .spool_dir = spool,
    };
    enum err err = http_front_open(&front, &s->server.front);
    if (err)
        return fail(trace, err, "the HTTP front could not be made: is http.trusted_proxies a list of addresses?");
    const struct http_app *public_apps[] = { s->eas };
    err = listen_http(s, "http", SETTING_HTTP_LISTEN, NULL, public_apps, 1, trace);
    if (!err && s->server.tls)
        err = listen_http(s, "https", SETTING_HTTP_LISTEN_TLS, s->server.tls, public_apps, 1, trace);
    if (!err)
        err = listen_http(s, "admin", SETTING_ADMIN_LISTEN, NULL, &s->admin, 1, trace);
    return err;
}

static enum err open_listeners(struct service *s, struct trace *trace)
{
    uint32_t imap_max = (uint32_t)settings_int(s->server.settings, SETTING_IMAP_CONNS_PER_ADDRESS_MAX);
    enum err err = listen_line(s, "lmtp", SETTING_LMTP_LISTEN, &lmtp_proto, false, 0, trace);
    if (!err)
        err = listen_line(s, "imap", SETTING_IMAP_LISTEN, &imap_proto, false, imap_max, trace);
    if (!err)
        err = listen_line(s, "imaps", SETTING_IMAP_LISTEN_TLS, &imap_proto, true, imap_max, trace);
    return err ? err : open_http(s, trace);
}

static enum err make_spool(const struct settings *settings, struct trace *trace)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/spool", settings_text(settings, SETTING_DATA_DIR));
    if (mkdir(path, 0700) && errno != EEXIST)
        return fail(trace, ERR_DENIED, "cannot make %s: %s", path, strerror(errno));
    return ERR_OK;
}

static enum err build(struct service *s, struct trace *trace)
{
    const struct settings *set = s->server.settings;
    size_t workers = worker_count(set), loops = (size_t)settings_int(set, SETTING_SERVER_LOOPS);
    enum err err = store_open(set, (int)workers + CONNECTIONS_SPARE, trace, &s->store);
    if (err)
        return err;
    s->server.database_url = store_url(s->store);
    err = make_spool(set, trace);
    if (!err)
        err = prepare_database(s, trace);
    if (!err)
        err = open_tls(s, trace);
    if (err)
        return err;
    trace->text[0] = '\0';
    if (loops_open(loops ? loops : cores(), &s->server.loops) ||
        workers_open(workers, &(struct db_settings){ .url = s->server.database_url, .name = "godwit-worker" },
                     &s->server.workers) ||
        hub_open(&(struct hub_settings){ .database_url = s->server.database_url,
                                         .recheck_s = (int)settings_int(set, SETTING_PUSH_RECHECK_S) },
                 &s->server.hub) ||
        open_auth(s) ||
        snapshots_open((size_t)settings_int(set, SETTING_IMAP_SNAPSHOT_BYTES), s->server.hub, &s->server.snapshots) ||
        autoreply_open(s->server.workers, s->server.loops, s->server.hub, set, s->server.hostname, &s->server.autoreply) ||
        indexer_open(s->server.workers, loops_at(s->server.loops, 0), s->server.hub,
                     (int)settings_int(set, SETTING_SEARCH_QUIET_MS), &s->indexer) ||
        postman_open(s->server.workers, s->server.hub, s->server.autoreply, &s->server.postman))
        return fail(trace, ERR_UNAVAILABLE, "threads could not be started");
    auth_start_writing(s->server.auth, s->server.workers, loops_next(s->server.loops));
    s->eas = eas_app_open(&s->server);
    s->admin = admin_app_open(&s->server);
    return open_listeners(s, trace);
}

/* ---- taking down: what takes from outside first, PostgreSQL last ---- */

static void take_down(struct service *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_stop(s->listeners[i]);
    if (s->server.front)
        http_front_stop(s->server.front);
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(&s->listeners[i], s->stop_ms);
    http_front_close(&s->server.front, s->stop_ms);
    if (s->eas)
        eas_app_close(&s->eas);
    if (s->admin)
        admin_app_close(&s->admin);
    postman_close(&s->server.postman);
    autoreply_close(&s->server.autoreply);
    if (s->indexer)
        indexer_stop(s->indexer);
    if (s->server.auth)
        auth_stop_writing(s->server.auth);
    workers_close(&s->server.workers);
    loops_close(&s->server.loops);
    hub_close(&s->server.hub); // its listener tells the three below
    indexer_close(&s->indexer);
    snapshots_close(&s->server.snapshots);
    auth_close(&s->server.auth);
    tls_close(&s->server.tls);
    store_close(&s->store);
}

/* ---- signals ---- */

static void reload(struct service *s)
{
    struct trace trace = { 0 };
    enum err err = s->server.tls ? tls_reload(s->server.tls, &trace) : ERR_OK;
    log_event(err ? LOG_ERROR : LOG_INFO, "reload", LOG_T("result", err_name(err)), LOG_T("story", trace.text));
}

static void wait_for_end(struct service *s, const sigset_t *signals)
{
    for (;;) {
        int sig;
        if (sigwait(signals, &sig))
            continue;
        if (sig == SIGHUP) {
            reload(s);
            continue;
        }
        log_event(LOG_INFO, "stopping", LOG_T("signal", strsignal(sig)));
        return;
    }
}

/* A second signal does not wait any longer. What was answered is committed: nothing is lost by it. */
static void on_impatience(int sig)
{
    (void)sig;
    _exit(1);
}

static int serve(struct cli *cli)
{
    struct service s = { 0 };
    struct trace trace = { 0 };
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); // before any thread: all of them inherit it
    raise_descriptors();
    s.server.settings = cli->settings;
    s.stop_ms = (int)settings_int(cli->settings, SETTING_SERVER_STOP_TIMEOUT_S) * 1000;
    const char *name = settings_text(cli->settings, SETTING_SERVER_HOSTNAME);
    if (*name)
        snprintf(s.hostname, sizeof s.hostname, "%s", name);
    else if (gethostname(s.hostname, sizeof s.hostname - 1))
        snprintf(s.hostname, sizeof s.hostname, "localhost");
    s.server.hostname = s.hostname;
    enum err err = build(&s, &trace);
    if (!err) {
        log_event(LOG_INFO, "ready", LOG_T("hostname", s.hostname), LOG_I("workers", workers_count(s.server.workers)),
                  LOG_I("loops", loops_count(s.server.loops)));
        wait_for_end(&s, &signals);
        signal(SIGINT, on_impatience);
        signal(SIGTERM, on_impatience);
        pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    }
    take_down(&s);
    if (err)
        return cli_fail("%s", trace.text);
    log_event(LOG_INFO, "stopped", LOG_T("result", "ok"));
    return 0;
}

extern const struct cli_command cli_serve;
const struct cli_command cli_serve = {
    .name = "serve",
    .usage = "",
    .help = "Runs the server until SIGTERM or SIGINT; SIGHUP reads certificates again.",
    .run = serve,
};
