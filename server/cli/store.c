#include "server/cli/store.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "storage/cluster.h"

#define FORMAT_VERSION "1" // of the data directory's layout; the schema has its own numbers

struct store {
    char *url;
    struct cluster *cluster; // NULL: external
    int users_fd;            // shared lock: somebody uses the cluster
    int change_fd;           // exclusive lock: it is being started or stopped
};

static enum err open_lock(const char *dir, const char *name, struct trace *trace, int *fd)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return *fd < 0 ? fail(trace, ERR_DENIED, "cannot write in the data directory: %s: %s", path, strerror(errno)) : ERR_OK;
}

static enum err wait_lock(int fd, int how, struct trace *trace)
{
    int code;
    do
        code = flock(fd, how);
    while (code && errno == EINTR);
    return code ? fail(trace, ERR_UNAVAILABLE, "cannot lock the data directory: %s", strerror(errno)) : ERR_OK;
}

/* Made by another version of the program? A new directory gets ours. */
static enum err check_format(const char *dir, struct trace *trace)
{
    char path[4096], text[64] = { 0 };
    snprintf(path, sizeof path, "%s/format", dir);
    FILE *file = fopen(path, "r");
    if (file) {
        bool same = fgets(text, sizeof text, file) && strcmp(text, "godwit " FORMAT_VERSION "\n") == 0;
        fclose(file);
        text[strcspn(text, "\n")] = '\0';
        return same ? ERR_OK
                    : fail(trace, ERR_STATE,
                           "the data directory %s belongs to another version (it says \"%s\", this program writes "
                           "\"godwit " FORMAT_VERSION "\"): use the program it belongs to, or another directory",
                           dir, text);
    }
    file = fopen(path, "w");
    if (!file)
        return fail(trace, ERR_DENIED, "cannot write in the data directory: %s: %s", path, strerror(errno));
    fputs("godwit " FORMAT_VERSION "\n", file);
    return fclose(file) ? fail(trace, ERR_UNAVAILABLE, "cannot write %s: %s", path, strerror(errno)) : ERR_OK;
}

static enum err become_owner(const char *dir, struct trace *trace)
{
    struct stat info;
    // Root makes none: it would belong to root, who cannot use it.
    if (geteuid() == 0 && access(dir, F_OK))
        return fail(trace, ERR_NOT_FOUND,
                    "there is no data directory %s: make one for a service user (install -d -m 700 -o godwit %s), or give me "
                    "another by --data or --config", dir, dir);
    if (mkdir(dir, 0700) && errno != EEXIST)
        return fail(trace, ERR_DENIED, "cannot make the data directory %s: %s", dir, strerror(errno));
    if (stat(dir, &info) || !S_ISDIR(info.st_mode))
        return fail(trace, ERR_DENIED, "the data directory %s is no directory", dir);
    if (geteuid() != 0) {
        if (access(dir, W_OK | X_OK))
            return fail(trace, ERR_DENIED, "the data directory %s cannot be written: run me as its owner", dir);
        return ERR_OK;
    }
    if (info.st_uid == 0)
        return fail(trace, ERR_DENIED,
                    "the data directory %s belongs to root, and PostgreSQL refuses to run as root: give it to a service "
                    "user (chown godwit: %s)", dir, dir);
    const struct passwd *user = getpwuid(info.st_uid);
    if ((user ? initgroups(user->pw_name, info.st_gid) : setgroups(0, NULL)) || setgid(info.st_gid) ||
        setuid(info.st_uid))
        return fail(trace, ERR_DENIED, "cannot become the owner of %s: %s", dir, strerror(errno));
    return ERR_OK;
}

enum err store_open(const struct settings *settings, int connections_max, struct trace *trace, struct store **store)
{
    const char *dir = settings_text(settings, SETTING_DATA_DIR), *url = settings_text(settings, SETTING_DATABASE_URL);
    enum err err = become_owner(dir, trace);
    if (!err)
        err = check_format(dir, trace);
    if (err)
        return err;
    struct store *made = mem_new(struct store);
    made->users_fd = made->change_fd = -1;
    *store = made;
    if (*url) {
        made->url = mem_text(url);
        return ERR_OK;
    }
    err = open_lock(dir, "cluster.users", trace, &made->users_fd);
    if (!err)
        err = open_lock(dir, "cluster.change", trace, &made->change_fd);
    if (!err)
        err = wait_lock(made->change_fd, LOCK_EX, trace);
    if (!err)
        err = wait_lock(made->users_fd, LOCK_SH, trace);
    if (!err)
        err = cluster_start(dir, connections_max, settings_bool(settings, SETTING_DATABASE_UNSAFE_NO_FSYNC), trace,
                            &made->cluster);
    if (made->change_fd >= 0)
        (void)flock(made->change_fd, LOCK_UN);
    if (err)
        store_close(store);
    else
        made->url = mem_text(cluster_url(made->cluster));
    return err;
}

const char *store_url(const struct store *store)
{
    return store->url;
}

void store_close(struct store **store)
{
    struct store *gone = *store;
    if (!gone)
        return;
    if (gone->cluster) {
        struct trace trace = { 0 };
        if (wait_lock(gone->change_fd, LOCK_EX, &trace))
            log_event(LOG_WARN, "store.lock", LOG_T("story", trace.text));
        // Nobody else holds the shared lock: we are the last, and put out the light.
        if (flock(gone->users_fd, LOCK_EX | LOCK_NB) == 0)
            cluster_stop(&gone->cluster);
        else
            cluster_leave(&gone->cluster);
    }
    if (gone->users_fd >= 0)
        close(gone->users_fd);
    if (gone->change_fd >= 0)
        close(gone->change_fd);
    free(gone->url);
    free(gone);
    *store = NULL;
}
