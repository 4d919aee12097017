/* APPEND and REPLACE: message literals are taken as they come, normalised to CRLF, into memory and, over 1 MiB, a spool
 * file; one behind the other, then cut into messages. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "protocol/mime/meta.h"
#include "server/imap/append.h"
#include "server/imap/catenate.h"

#define MEMORY_MAX 1048576u

extern const struct imap_command imap_append, imap_replace;

static enum err parse_whole(struct imap_session *s, struct slice *in, bool replace, void **args)
{
    struct append_args *a;
    enum err err = append_parse_head(s, in, replace, &a);
    if (!err)
        err = append_parse_more(a, *in, s->arena, NULL);
    in->len = 0;
    *args = a;
    return err;
}

/* Without a literal: CATENATE of URLs alone. */
static enum err parse_append(struct imap_session *s, struct slice *in, void **args)
{
    return parse_whole(s, in, false, args);
}

static enum err parse_replace(struct imap_session *s, struct slice *in, void **args)
{
    return parse_whole(s, in, true, args);
}

static int64_t octets_max(const struct imap_session *s)
{
    return settings_int(s->server->settings, SETTING_IMAP_LITERAL_MAX);
}

/* Why a literal is refused before its octets come; NULL: it is not. */
static const char *refusal(const struct imap_session *s, const struct append_args *a,
                           const struct scan_announced *literal)
{
    if (!(s->state & IMAP_INSIDE))
        return "BAD log in first";
    if (a->replace && s->state != IMAP_SELECTED)
        return "BAD select a mailbox first";
    if (literal->size > (uint64_t)octets_max(s))
        return "NO [TOOBIG] the message is too big";
    if (literal->size + (uint64_t)s->append.size > (uint64_t)octets_max(s))
        return "NO [LIMIT] too many octets in one command";
    if (literal->size == 0 && a->place == BETWEEN_MESSAGES)
        return "NO [CANNOT] a message of no octets";
    return NULL;
}

static void open_literal(struct imap_session *s, const struct append_args *a, const struct scan_announced *literal)
{
    struct append_upload *u = &s->append;
    u->active = true;
    u->left = literal->size;
    u->piece_at = u->size;
    u->normal = (struct mime_normal){ 0 };
    u->to_url = a->literal_is_url;
    u->binary = u->binary || literal->binary;
}

bool imap_append_begin(struct imap_session *s, struct slice line, const struct scan_announced *literal)
{
    size_t open = line.len; // the "{" of this literal: the last one
    while (open > 0 && line.at[open - 1] != '{')
        open--;
    struct slice in = slice_head(line, open - 1 - (size_t)literal->binary), tag;
    if (!scan_tag(&in, &tag) || !scan_sp(&in))
        return false;
    bool uid = scan_word(&in, "UID") && scan_sp(&in), replace = scan_word(&in, "REPLACE");
    if (!replace && (uid || !scan_word(&in, "APPEND")))
        return false;
    // The line lives in the in-buffer, which moves on.
    struct slice rest = arena_copy(s->arena, in);
    struct append_args *a;
    if (append_parse_head(s, &rest, replace, &a) || append_parse_more(a, rest, s->arena, literal))
        return false; // the literal may be the mailbox's name
    s->tag = arena_text(s->arena, tag);
    s->uid = uid;
    s->command = replace ? &imap_replace : &imap_append;
    s->start_us = clock_mono_us();
    s->args = a;
    s->append = (struct append_upload){ .fd = -1 };
    const char *reply = refusal(s, a, literal);
    if (reply) {
        if (literal->non_sync)
            imap_skip(s, literal->size); // it comes anyway
        imap_reply(s, "%s", reply);
        imap_finish_later(s);
        return true;
    }
    open_literal(s, a, literal);
    return true;
}

/* The literal that just ended becomes a piece of its message. */
static enum err close_literal(struct imap_session *s, struct append_args *a)
{
    struct append_upload *u = &s->append;
    struct append_piece *piece = append_add_piece(a, s->arena);
    if (!piece)
        return ERR_LIMIT;
    if (u->to_url)
        piece->url = buf_len(&u->url) ? arena_copy(s->arena, buf_slice(&u->url)) : SLICE_LIT(" ");
    else
        *piece = (struct append_piece){ .at = u->piece_at, .len = u->size - u->piece_at };
    buf_free(&u->url);
    return ERR_OK;
}

enum imap_result imap_append_more(struct imap_session *s, struct slice text, const struct scan_announced *literal)
{
    struct append_args *a = s->args;
    struct slice in = arena_copy(s->arena, literal ? slice_head(text, literal->at) : text);
    const char *reply = NULL;
    enum err err = close_literal(s, a);
    if (!err)
        err = append_parse_more(a, in, s->arena, literal);
    if (err)
        reply = err == ERR_LIMIT ? "BAD [LIMIT] too much in one command" : "BAD arguments not understood";
    else if (literal)
        reply = refusal(s, a, literal);
    if (reply) {
        if (literal && literal->non_sync)
            imap_skip(s, literal->size);
        s->append.active = false;
        return imap_reply(s, "%s", reply);
    }
    if (!literal) {
        s->append.active = false;
        return IMAP_NEED_WORKER;
    }
    open_literal(s, a, literal);
    return IMAP_WAIT;
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
    if (u->to_url) {
        buf_add(&u->url, octets);
        return;
    }
    size_t before = buf_len(&u->memory);
    u->has_nul = u->has_nul || memchr(octets.at, 0, octets.len);
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
    buf_free(&s->append.url);
    s->append = (struct append_upload){ .fd = -1 };
}

/* ---- making the messages ---- */

struct making {
    struct db *db;
    struct slice upload; // all octets that came
    void *map;
    struct buf *whole;   // for each message, when it is not one run of the upload
    struct buf *packed;
    struct append_item *items;
    struct slice bad_url; // that stands for nothing
};

static enum err open_upload(struct imap_session *s, struct making *m)
{
    struct append_upload *u = &s->append;
    m->upload = buf_slice(&u->memory);
    if (u->fd < 0)
        return ERR_OK;
    m->map = mmap(NULL, (size_t)u->size, PROT_READ, MAP_PRIVATE, u->fd, 0);
    if (m->map == MAP_FAILED) {
        m->map = NULL;
        return ERR_UNAVAILABLE;
    }
    m->upload = slice_make(m->map, (size_t)u->size);
    return ERR_OK;
}

static void drop_making(struct imap_session *s, struct making *m)
{
    const struct append_args *a = s->args;
    for (size_t i = 0; i < a->count; i++) {
        buf_free(&m->whole[i]);
        buf_free(&m->packed[i]);
    }
    if (m->map)
        munmap(m->map, (size_t)s->append.size);
}

/* The octets of a message from its pieces; several become one buffer. */
static enum err join_pieces(struct imap_session *s, struct making *m, const struct append_message *message,
                            struct buf *whole, struct slice *raw)
{
    const struct append_piece *pieces = message->pieces;
    if (message->piece_count == 1 && !pieces[0].url.at) {
        *raw = slice_make(m->upload.at + pieces[0].at, (size_t)pieces[0].len);
        return ERR_OK;
    }
    enum err err = ERR_OK;
    for (size_t i = 0; i < message->piece_count && !err; i++) {
        int64_t room = octets_max(s) - (int64_t)buf_len(whole);
        if (pieces[i].url.at) {
            err = imap_url_read(s, m->db, pieces[i].url, room, whole);
            if (err == ERR_NOT_FOUND)
                m->bad_url = pieces[i].url;
        } else {
            buf_add(whole, slice_make(m->upload.at + pieces[i].at, (size_t)pieces[i].len));
        }
        if (!err && (int64_t)buf_len(whole) > octets_max(s))
            err = ERR_LIMIT;
    }
    *raw = buf_slice(whole);
    return err;
}

/* RFC 6855 4: header fields with 8-bit octets only from a client that enabled UTF8=ACCEPT. */
static bool header_is_ascii(struct slice raw, const struct mime_meta *meta)
{
    for (size_t i = 0; i < meta->header_len && i < raw.len; i++)
        if (raw.at[i] & 0x80)
            return false;
    return true;
}

static enum err make_item(struct imap_session *s, struct making *m, size_t n)
{
    const struct append_message *message = &((const struct append_args *)s->args)->messages[n];
    struct slice raw;
    struct mime_meta meta;
    enum err err = join_pieces(s, m, message, &m->whole[n], &raw);
    if (err)
        return err;
    mime_describe(raw, s->arena, &meta);
    if (!s->utf8 && !header_is_ascii(raw, &meta))
        return ERR_DENIED;
    mime_meta_pack(&meta, &m->packed[n]);
    m->items[n] = (struct append_item){
        .message = { .octets = { .memory = raw, .fd = -1, .size = (int64_t)raw.len },
                     .meta = buf_slice(&m->packed[n]),
                     .thread = meta.thread,
                     .sent_us = meta.date_us },
        .internal_date_us = message->internal_us ? message->internal_us : clock_wall_us(),
        .flags = message->flags.system & ~(uint64_t)SCAN_RECENT,
        .keywords = message->flags.keywords,
        .keyword_count = message->flags.keyword_count,
    };
    return raw.len ? ERR_OK : ERR_SYNTAX;
}

/* "[BADURL ...]" may hold no "]" and no line end. */
static enum imap_result refuse_url(struct imap_session *s, struct slice url)
{
    struct buf shown = { 0 };
    for (size_t i = 0; i < url.len; i++)
        buf_add_byte(&shown, url.at[i] > 0x1f && url.at[i] < 0x7f && url.at[i] != ']' ? url.at[i] : '?');
    imap_reply(s, "NO [BADURL %.*s] there is no such mail or part", SLICE_ARG(buf_slice(&shown)));
    buf_free(&shown);
    return IMAP_DONE;
}

static enum imap_result refuse(struct imap_session *s, const struct making *m, enum err err)
{
    if (m->bad_url.at)
        return refuse_url(s, m->bad_url);
    switch (err) {
    case ERR_DENIED:
        return imap_reply(s, "NO [CANNOT] header fields beyond ASCII need ENABLE UTF8=ACCEPT");
    case ERR_SYNTAX:
        return imap_reply(s, "NO [CANNOT] a message of no octets");
    case ERR_LIMIT:
        return imap_reply(s, "NO [TOOBIG] the message is too big");
    default:
        return imap_reply_err(s, err, s->command->name);
    }
}

/* All messages of the command, or the refusal. */
static enum err make_items(struct imap_session *s, struct making *m)
{
    const struct append_args *a = s->args;
    m->whole = arena_new(s->arena, struct buf, a->count);
    m->packed = arena_new(s->arena, struct buf, a->count);
    m->items = arena_new(s->arena, struct append_item, a->count);
    enum err err = open_upload(s, m);
    for (size_t i = 0; i < a->count && !err; i++)
        err = make_item(s, m, i);
    return err;
}

static struct buf uids_of(const struct append_item *items, size_t count, uint32_t uidvalidity)
{
    struct buf code = { 0 };
    buf_printf(&code, "[APPENDUID %u %u", uidvalidity, items[0].uid); // one transaction gave them: they are neighbours
    if (count > 1)
        buf_printf(&code, ":%u", items[count - 1].uid);
    buf_add_byte(&code, ']');
    return code;
}

static enum imap_result append_items(struct imap_session *s, struct making *m, struct mailbox_id mailbox)
{
    const struct append_args *a = s->args;
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    uint32_t uidvalidity;
    enum err err = message_append(m->db, s->account, mailbox, m->items, a->count, &by, &uidvalidity, &changes);
    imap_publish(s, &changes);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [TRYCREATE] there is no such mailbox");
    if (err)
        return imap_reply_err(s, err, "APPEND");
    struct buf code = uids_of(m->items, a->count, uidvalidity);
    imap_reply(s, "OK %.*s APPEND completed", SLICE_ARG(buf_slice(&code)));
    buf_free(&code);
    return IMAP_DONE;
}

/* In its own mailbox the new content takes the old item's place, as for a device that edits a draft; in another one it is
 * a new item. */
static enum imap_result replace_item(struct imap_session *s, struct making *m, const struct mailbox *to, uint32_t uid)
{
    struct actor by = imap_actor(s);
    struct change_set changes = { 0 };
    struct replaced old = { s->mailbox, uid };
    uint32_t uidvalidity = to->uidvalidity;
    enum err err = to->id.n == s->mailbox.n
                       ? message_replace(m->db, s->account, to->id, uid, &m->items[0], &by, &changes)
                       : message_replace_into(m->db, s->account, &old, to->id, m->items, &by, &uidvalidity, &changes);
    imap_publish(s, &changes);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [EXPUNGEISSUED] the message to be replaced is gone");
    if (err)
        return imap_reply_err(s, err, "REPLACE");
    struct buf code = uids_of(m->items, 1, uidvalidity);
    imap_write(s, "* OK %.*s replaced\r\n", SLICE_ARG(buf_slice(&code)));
    buf_free(&code);
    s->tell_modseq = s->qresync;
    return imap_reply(s, "OK REPLACE completed");
}

/* What must hold whatever the store says; NULL: it does. */
static const char *unfit(const struct imap_session *s)
{
    const struct append_args *a = s->args;
    if (s->append.failed)
        return "NO [UNAVAILABLE] the message could not be spooled";
    if (s->append.has_nul) // BODY[] can hold none (RFC 3516 4.4)
        return s->append.binary ? "NO [UNKNOWN-CTE] octets that are NUL are not stored" : "BAD a literal holds no NUL";
    if (a->replace && s->read_only)
        return "NO [READ-ONLY] the mailbox was opened read-only";
    return NULL;
}

static enum imap_result run_append(struct imap_session *s, struct worker *worker)
{
    const struct append_args *a = s->args;
    struct uid_range *target = NULL;
    size_t targets = 0;
    const char *reply = unfit(s);
    if (reply)
        return imap_reply(s, "%s", reply);
    if (!worker)
        return IMAP_NEED_WORKER;
    if (a->replace && imap_resolve(s, &a->target, &target, &targets))
        return imap_reply(s, "BAD no such message");
    if (a->replace && targets == 0)
        return imap_reply(s, "NO [NONEXISTENT] there is no such message");
    struct making m = { .db = imap_db(s, worker) };
    struct mailbox mailbox;
    if (!m.db)
        return IMAP_DONE;
    enum err err = mailbox_find(m.db, s->arena, s->account, a->path, &mailbox);
    if (err == ERR_NOT_FOUND)
        return imap_reply(s, "NO [TRYCREATE] there is no such mailbox");
    if (err)
        return imap_reply_err(s, err, s->command->name);
    err = make_items(s, &m);
    enum imap_result result = err          ? refuse(s, &m, err)
                              : a->replace ? replace_item(s, &m, &mailbox, target[0].first)
                                           : append_items(s, &m, mailbox.id);
    drop_making(s, &m);
    return result;
}

const struct imap_command imap_append = {
    .name = "APPEND",
    .source = "RFC 3501 6.3.11, RFC 3502, RFC 4469, RFC 6855 4",
    .states = IMAP_INSIDE,
    .flags = IMAP_WRITES,
    .capability = "MULTIAPPEND CATENATE",
    .parse_in = parse_append,
    .run = run_append,
};
const struct imap_command imap_replace = {
    .name = "REPLACE",
    .source = "RFC 8508 3",
    .states = IMAP_SELECTED,
    .flags = IMAP_TAKES_UID | IMAP_WRITES,
    .capability = "REPLACE",
    .parse_in = parse_replace,
    .run = run_append,
};
