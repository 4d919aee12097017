#include "server/http/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void spool_init(struct spool *spool)
{
    *spool = (struct spool){ .fd = -1 };
}

void spool_fini(struct spool *spool)
{
    buf_free(&spool->memory);
    if (spool->map)
        munmap(spool->map, spool->size);
    if (spool->fd >= 0)
        close(spool->fd);
    spool_init(spool);
}

static int open_unlinked(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/body-XXXXXX", dir) >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static enum err write_all(int fd, struct slice bytes, struct trace *trace)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.at, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(trace, ERR_UNAVAILABLE, "cannot write a spool file: %s", strerror(errno));
        bytes = slice_tail(bytes, (size_t)n);
    }
    return ERR_OK;
}

static enum err move_to_file(struct spool *spool, const char *dir, struct trace *trace)
{
    spool->fd = open_unlinked(dir);
    if (spool->fd < 0)
        return fail(trace, ERR_UNAVAILABLE, "cannot make a spool file in %s: %s", dir,
                    strerror(errno));
    enum err err = write_all(spool->fd, buf_slice(&spool->memory), trace);
    buf_free(&spool->memory);
    return err;
}

enum err spool_add(struct spool *spool, const char *dir, struct slice bytes, struct trace *trace)
{
    spool->size += bytes.len;
    if (spool->fd < 0 && spool->size <= SPOOL_MEMORY_BYTES) {
        buf_add(&spool->memory, bytes);
        return ERR_OK;
    }
    if (spool->fd < 0) {
        enum err err = move_to_file(spool, dir, trace);
        if (err)
            return err;
    }
    return write_all(spool->fd, bytes, trace);
}

enum err spool_end(struct spool *spool, struct trace *trace)
{
    if (spool->fd < 0)
        return ERR_OK;
    void *map = mmap(NULL, spool->size, PROT_READ, MAP_PRIVATE, spool->fd, 0);
    if (map == MAP_FAILED)
        return fail(trace, ERR_UNAVAILABLE, "cannot map a spool file: %s", strerror(errno));
    spool->map = map;
    return ERR_OK;
}

struct slice spool_slice(const struct spool *spool)
{
    return spool->map ? slice_make(spool->map, spool->size) : buf_slice(&spool->memory);
}
