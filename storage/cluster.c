#include "storage/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAJOR_LEAST 15
#define SOCKET_PATH_MAX 90        // of the directory: a socket address has 107 octets, the name takes 16
#define START_LIMIT_S 300         // crash recovery may take a while
#define STOP_LIMIT_S 120
#define SPARE_CONNECTIONS 20      // for commands that join a running server
#define PATH_ROOM 4096

struct cluster {
    char dir[PATH_ROOM];    // of the cluster itself
    char socket[PATH_ROOM]; // directory of its socket
    char bin[PATH_ROOM];
    char url[PATH_ROOM * 2];
    char user[128];
    bool was_running;
};

/* ---- programs ---- */

static bool has_programs(const char *bin)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/postgres", bin);
    if (access(path, X_OK))
        return false;
    snprintf(path, sizeof path, "%s/initdb", bin);
    return access(path, X_OK) == 0;
}

/* Finds the programs of a major version, or, for 0, of the newest there is. Debian keeps them apart by version. */
static int find_programs(int major, char bin[PATH_ROOM])
{
    static const char root[] = "/usr/lib/postgresql";
    int found = 0;
    DIR *dir = opendir(root);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[PATH_ROOM];
        int version = atoi(entry->d_name);
        snprintf(path, sizeof path, "%s/%s/bin", root, entry->d_name);
        if (version < MAJOR_LEAST || version <= found || (major && version != major) || !has_programs(path))
            continue;
        found = version;
        snprintf(bin, PATH_ROOM, "%s", path);
    }
    if (dir)
        closedir(dir);
    return found;
}

/* Runs a program with its output in a log file; returns its exit code, -1 when it could not be run. */
static int run(const char *log, const char *const argv[])
{
    pid_t child = fork();
    if (child == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- what is there ---- */

static int read_number(const char *dir, const char *name)
{
    char path[PATH_ROOM + 64], text[64] = { 0 };
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    int number = file && fgets(text, sizeof text, file) ? atoi(text) : 0;
    if (file)
        fclose(file);
    return number;
}

/* As process 1 of a container we inherit the postmaster: when it has ended it must be reaped, or it looks alive for ever. */
static bool alive(int pid)
{
    return pid > 1 && waitpid(pid, NULL, WNOHANG) != pid && (kill(pid, 0) == 0 || errno == EPERM);
}

/* The postmaster of this directory; 0: none. A stale file's pid may belong to anybody: PostgreSQL's own check decides
 * when it is started, so only a server that answers counts. */
static int postmaster(const struct cluster *c)
{
    int pid = read_number(c->dir, "postmaster.pid");
    return alive(pid) ? pid : 0;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL); // another process: it sends no event
}

static void set_url(struct cluster *c, const char *database)
{
    snprintf(c->url, sizeof c->url, "host='%s' port=5432 user='%s' dbname='%s'", c->socket, c->user, database);
}

static bool wait_ready(struct cluster *c, int limit_s)
{
    int64_t end = clock_mono_us() + limit_s * US_PER_S;
    set_url(c, "postgres");
    do {
        if (PQping(c->url) == PQPING_OK)
            return true;
        if (!postmaster(c) && clock_mono_us() > end - limit_s * US_PER_S + 5 * US_PER_S)
            return false; // it did not even begin
        nap();
    } while (clock_mono_us() < end);
    return false;
}

/* ---- making and starting ---- */

static enum err make(struct cluster *c, const char *log, struct trace *trace)
{
    char program[PATH_ROOM + 16], user[160];
    snprintf(program, sizeof program, "%s/initdb", c->bin);
    snprintf(user, sizeof user, "--username=%s", c->user);
    const char *argv[] = { program, "-D", c->dir, "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums", "--auth-local=peer",
                     "--auth-host=reject", user, NULL };
    if (run(log, argv) != 0)
        return fail(trace, ERR_UNAVAILABLE, "initdb could not make the database cluster in %s; %s says why", c->dir, log);
    return ERR_OK;
}

static long buffers_mb(bool unsafe)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    long quarter = pages > 0 && page > 0 ? pages / 1024 * (page / 1024) / 4 : 512;
    return unsafe ? 64 : quarter < 128 ? 128 : quarter;
}

struct options {
    char *argv[128];
    int count;
};

static void option(struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void option(struct options *o, const char *format, ...)
{
    char text[PATH_ROOM + 64];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    o->argv[o->count++] = mem_text(text);
}

static void all_options(struct options *o, const struct cluster *c, int connections_max, bool unsafe)
{
    static const char *const settings[] = {
        "listen_addresses=",         "wal_compression=lz4",      "max_wal_size=4GB",          "checkpoint_timeout=30min",
        "wal_buffers=16MB",          "jit=off",                  "random_page_cost=1.1",      "synchronous_commit=on",
        "autovacuum_vacuum_cost_limit=2000", "idle_in_transaction_session_timeout=60s", "unix_socket_permissions=0700",
        "log_line_prefix=%m [%p] ",
    };
    option(o, "%s/postgres", c->bin);
    option(o, "-D");
    option(o, "%s", c->dir);
    option(o, "-k");
    option(o, "%s", c->socket);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        option(o, "-c");
        option(o, "%s", settings[i]);
    }
    option(o, "-c");
    option(o, "max_connections=%d", connections_max + SPARE_CONNECTIONS);
    option(o, "-c");
    option(o, "shared_buffers=%ldMB", buffers_mb(unsafe));
    if (unsafe) {
        option(o, "-c");
        option(o, "fsync=off");
        option(o, "-c");
        option(o, "full_page_writes=off");
    }
}

/* In a session of its own, so that a Ctrl-C for the server does not reach it; and nobody's child, so that it outlives a
 * server that is killed. */
static void launch(const struct cluster *c, const char *log, int connections_max, bool unsafe)
{
    struct options o = { 0 };
    all_options(&o, c, connections_max, unsafe);
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        setsid();
        if (fork() != 0)
            _exit(0);
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        for (int fd = 3; fd < 256; fd++)
            close(fd); // locks and sockets of ours
        execv(o.argv[0], o.argv);
        _exit(127);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < o.count; i++)
        free(o.argv[i]);
}

static enum err make_database(struct cluster *c, struct trace *trace)
{
    set_url(c, "postgres");
    PGconn *conn = PQconnectdb(c->url);
    enum err err = ERR_OK;
    if (PQstatus(conn) != CONNECTION_OK) {
        err = fail(trace, ERR_UNAVAILABLE, "the database does not let us in: %s", PQerrorMessage(conn));
    } else {
        PGresult *found = PQexec(conn, "select 1 from pg_database where datname = 'godwit'");
        if (PQntuples(found) == 0) {
            PGresult *made = PQexec(conn, "create database godwit");
            if (PQresultStatus(made) != PGRES_COMMAND_OK)
                err = fail(trace, ERR_UNAVAILABLE, "the database could not be made: %s", PQerrorMessage(conn));
            PQclear(made);
        }
        PQclear(found);
    }
    PQfinish(conn);
    set_url(c, "godwit");
    return err;
}

static enum err prepare(struct cluster *c, const char *dir, struct trace *trace)
{
    const struct passwd *user = getpwuid(geteuid());
    if (geteuid() == 0)
        return fail(trace, ERR_DENIED, "PostgreSQL refuses to run as root: run me as the owner of %s", dir);
    if (!user)
        return fail(trace, ERR_DENIED, "user %u has no name, which PostgreSQL needs", geteuid());
    snprintf(c->user, sizeof c->user, "%s", user->pw_name);
    snprintf(c->dir, sizeof c->dir, "%s/postgres", dir);
    snprintf(c->socket, sizeof c->socket, "%s/run", dir);
    if (strlen(c->socket) > SOCKET_PATH_MAX) {
        unsigned hash = 2166136261u;
        for (const char *at = dir; *at; at++)
            hash = (hash ^ (unsigned char)*at) * 16777619u;
        snprintf(c->socket, sizeof c->socket, "/tmp/godwit-%u-%08x", geteuid(), hash);
    }
    struct stat info;
    if (mkdir(c->socket, 0700) && errno != EEXIST)
        return fail(trace, ERR_DENIED, "cannot make %s: %s", c->socket, strerror(errno));
    if (stat(c->socket, &info) || info.st_uid != geteuid())
        return fail(trace, ERR_DENIED, "%s belongs to somebody else", c->socket);
    return ERR_OK;
}

enum err cluster_start(const char *dir, int connections_max, bool unsafe_no_fsync, struct trace *trace,
                       struct cluster **cluster)
{
    struct cluster *c = mem_new(struct cluster);
    char log[PATH_ROOM];
    *cluster = c;
    snprintf(log, sizeof log, "%s/postgres.log", dir);
    enum err err = prepare(c, dir, trace);
    int made_by = read_number(c->dir, "PG_VERSION");
    if (!err && find_programs(made_by, c->bin) == 0)
        err = made_by ? fail(trace, ERR_STATE,
                             "the database in %s was made by PostgreSQL %d, which is not installed: install postgresql-%d, or "
                             "dump and restore it into a new data directory",
                             c->dir, made_by, made_by)
                      : fail(trace, ERR_UNAVAILABLE, "PostgreSQL %d or newer is not installed (package postgresql)", MAJOR_LEAST);
    if (!err && !made_by)
        err = make(c, log, trace);
    set_url(c, "postgres");
    if (!err && postmaster(c) && PQping(c->url) == PQPING_OK) {
        c->was_running = true;
    } else if (!err) {
        launch(c, log, connections_max, unsafe_no_fsync);
        if (!wait_ready(c, START_LIMIT_S))
            err = fail(trace, ERR_UNAVAILABLE, "PostgreSQL did not start in %s; %s says why", c->dir, log);
    }
    if (!err)
        err = make_database(c, trace);
    if (err) {
        free(c);
        *cluster = NULL;
    }
    return err;
}

const char *cluster_url(const struct cluster *cluster)
{
    return cluster->url;
}

bool cluster_was_running(const struct cluster *cluster)
{
    return cluster->was_running;
}

void cluster_stop(struct cluster **cluster)
{
    struct cluster *c = *cluster;
    if (!c)
        return;
    int pid = postmaster(c);
    int64_t end = clock_mono_us() + STOP_LIMIT_S * US_PER_S;
    if (pid)
        kill(pid, SIGINT); // fast: ends sessions, writes a checkpoint
    while (pid && alive(pid) && clock_mono_us() < end)
        nap();
    cluster_leave(cluster);
}

void cluster_leave(struct cluster **cluster)
{
    free(*cluster);
    *cluster = NULL;
}
