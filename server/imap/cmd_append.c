/* APPEND: the message literal is taken as it comes, normalised to CRLF, into memory and, over 1 MiB, a spool file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "protocol/mime/meta.h"
#include "server/imap/mailbox_name.h"
#include "server/imap/session.h"

#define MEMORY_MAX 1048576u

struct append_args {
    struct slice path;
    struct scan_flags flags;
    int64_t internal_us; // 0: now
};

/* append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal: all in front of the literal. */
static enum err parse_head(struct imap_session *s, struct slice *in, struct append_args *a)
{
    enum err err = mailbox_name_parse(s, in, &a->path);
    struct slice rest = *in;
    if (!err && scan_sp(&rest) && rest.len && rest.at[0] == '(') {
        err = scan_flag_list(&rest, s->arena, false, &a->flags);
        *in = rest;
    }
    rest = *in;
    if (!err && scan_sp(&rest) && rest.len && rest.at[0] == '"') {
        err = scan_date_time(&rest, &a->internal_us) ? ERR_OK : ERR_SYNTAX;
        *in = rest;
    }
    return err ? err : scan_sp(in) && in->len == 0 ? ERR_OK : ERR_SYNTAX;
}

static bool refuse_upload(struct imap_session *s, const struct scan_announced *literal, const char *reply)
{
    if (literal->non_sync)
        imap_skip(s, literal->size); // it comes anyway
    imap_reply(s, "%s", reply);
    s->append.active = false;
    imap_finish_later(s);
    return true;
}

bool imap_append_begin(struct imap_session *s, struct slice line, const struct scan_announced *literal)
{
    struct slice in = slice_head(line, line.len - (literal->binary ? 1 : 0)), tag;
    size_t open = line.len; // the "{" of this literal: the last one
    while (open > 0 && line.at[open - 1] != '{')
        open--;
    open -= 1 + (size_t)literal->binary;
    in = slice_head(line, open);
    if (!scan_tag(&in, &tag) || !scan_sp(&in) || !scan_word(&in, "APPEND"))
        return false;
    // The line lives in the in-buffer, which moves on.
    struct slice rest = arena_copy(s->arena, in);
    struct append_args *a = arena_new(s->arena, struct append_args, 1);
    if (parse_head(s, &rest, a))
        return false; // the literal may be the mailbox's name
    s->tag = arena_text(s->arena, tag);
    s->uid = false;
    extern const struct imap_command imap_append;
    s->command = &imap_append;
    s->start_us = clock_mono_us();
    s->args = a;
    if (!(s->state & IMAP_INSIDE))
        return refuse_upload(s, literal, "BAD log in first");
    if (literal->size > (uint64_t)settings_int(s->server->settings, SETTING_IMAP_LITERAL_MAX))
        return refuse_upload(s, literal, "NO [TOOBIG] the message is too big");
    if (literal->size == 0)
        return refuse_upload(s, literal, "NO [CANNOT] a message of no octets");
    s->append = (struct append_upload){ .active = true, .left = literal->size, .fd = -1 };
    return true;
}

static void spool(struct imap_session *s)
{
    struct append_upload *u = &s->append;
    if (u->fd < 0) {
        char path[4200];
        snprintf(path, sizeof path, "%s/spool/append-XXXXXX", settings_text(s->server->settings, SETTING_DATA_DIR));
        u->fd = mkostemp(path, O_CLOEXEC);
        if (u->fd >= 0)
            unlink(path); // nobody else needs its name, and it goes with us
        else
            u->failed = true;
    }
    struct slice bytes = buf_slice(&u->memory);
    while (bytes.len && !u->failed) {
        ssize_t n = write(u->fd, bytes.at, bytes.len);
        if (n <= 0)
            u->failed = true;
        else
            bytes = slice_tail(bytes, (size_t)n);
    }
    buf_clear(&u->memory);
}

void imap_append_feed(struct imap_session *s, struct slice octets)
{
    struct append_upload *u = &s->append;
    u->left -= octets.len;
    size_t before = buf_len(&u->memory);
    mime_normal_add(&u->normal, octets, &u->memory);
    if (u->left == 0)
        mime_normal_end(&u->normal, &u->memory);
    u->size += (int64_t)(buf_len(&u->memory) - before);
    if (buf_len(&u->memory) > MEMORY_MAX || u->fd >= 0)
        spool(s);
}

void imap_append_drop(struct imap_session *s)
{
    if (s->append.fd >= 0)
        close(s->append.fd);
    buf_free(&s->append.memory);
    s->append = (struct append_upload){ .fd = -1 };
}

static enum err describe_and_append(struct imap_session *s, struct db *db, struct mailbox_id mailbox, uint32_t *uid,
                                    uint32_t *uidvalidity)
{
    const struct append_args *a = s->args;
    struct append_upload *u = &s->append;
    struct slice raw = buf_slice(&u->memory);
    void *map = NULL;
    if (u->fd >= 0) {
        map = mmap(NULL, (size_t)u->size, PROT_READ, MAP_PRIVATE, u->fd, 0);
        if (map == MAP_FAILED)
            return ERR_UNAVAILABLE;
        raw = slice_make(map, (size_t)u->size);
    }
    struct mime_meta meta;
    struct buf packed = { 0 };
    mime_describe(raw, s->arena, &meta);
    mime_meta_pack(&meta, &packed);
    struct append_item item = {
        .message = { .octets = { .memory = raw, .fd = -1, .size = (int64_t)raw.len },
                     .meta = buf_slice(&packed),
                     .thread = meta.thread,
                     .sent_us = meta.date_us },
        .internal_date_us = a->internal_us ? a->internal_us : clock_wall_us(),
        .flags = a->flags.system & ~(uint64_t)SCAN_RECENT,
        .keywords = a->flags.keywords,
        .keyword_count = a->flags.keyword_count,
    };
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    enum err err = message_append(db, s->account, mailbox, &item, 1, &by, uidvalidity, &changes);
    imap_publish(s, &changes);
    *uid = item.uid;
    buf_free(&packed);
    if (map)
        munmap(map, (size_t)u->size);
    return err;
}

static enum imap_result run_append(struct imap_session *s, struct worker *worker)
{
    const struct append_args *a = s->args;
    if (!a) // "APPEND" without a literal at its end
        return imap_reply(s, "BAD APPEND needs a message");
    if (s->append.failed)
        return imap_reply(s, "NO [UNAVAILABLE] the message could not be spooled");
    if (!worker)
        return IMAP_NEED_WORKER;
    struct db *db = imap_db(s, worker);
    struct mailbox mailbox;
    uint32_t uid, uidvalidity;
    if (!db)
        return IMAP_DONE;
    enum err err = mailbox_find(db, s->arena, s->account, a->path, &mailbox);
    if (!err)
        err = describe_and_append(s, db, mailbox.id, &uid, &uidvalidity);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [TRYCREATE] there is no such mailbox");
    if (err)
        return imap_reply_err(s, err, "APPEND");
    return imap_reply(s, "OK [APPENDUID %u %u] APPEND completed", uidvalidity, uid);
}

extern const struct imap_command imap_append;
const struct imap_command imap_append = {
    .name = "APPEND",
    .source = "RFC 3501 6.3.11",
    .states = IMAP_INSIDE,
    .flags = IMAP_WRITES,
    .run = run_append,
};
