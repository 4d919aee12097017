#include "server/smtp/autoreply.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "protocol/mime/autoreply.h"
#include "protocol/mime/meta.h"
#include "server/smtp/trace_lines.h"
#include "storage/account.h"
#include "storage/submission.h"
#include "storage/vacation.h"

#define INBOX_ID 1 // of every account

struct autoreply {
    struct workers *workers;
    struct loops *loops;
    struct hub *hub;
    const struct settings *settings;
    const char *hostname;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    size_t under_way; // guarded by lock
};

struct reply_job {
    struct job job;
    struct autoreply *autoreply;
    size_t header_len;
    char header[]; // the delivered message's, with the recipient's prefix
};

/* ---- who is answered what ---- */

struct occasion { // one message that came
    struct db *db;
    struct arena *arena;
    struct account account;
    struct auto_reply_to to;
    struct vacation vacation;
};

static bool same_answer(const struct vacation_message *a, const struct vacation_message *b)
{
    return a->enabled == b->enabled && (!a->enabled || (a->html == b->html && slice_eq(a->body, b->body)));
}

/* Known is whom one of the newest messages in Sent went to, whatever program put it there. */
static enum err is_known(struct occasion *o, bool *known)
{
    struct message_id *ids;
    struct message_row *rows = NULL;
    size_t count = 0, row_count = 0;
    *known = false;
    enum err err = vacation_newest_sent(o->db, o->arena, o->account.id, AUTOREPLY_KNOWN_LOOK, &ids, &count);
    if (!err && count)
        err = message_get(o->db, o->arena, o->account.id, ids, count, &rows, &row_count);
    for (size_t i = 0; !err && i < row_count && !*known; i++) {
        struct mime_meta meta;
        if (mime_meta_unpack(rows[i].meta, rows[i].prefix.len, o->arena, &meta))
            continue;
        *known = mime_addresses_name(meta.to, o->to.sender, o->arena) ||
                 mime_addresses_name(meta.cc, o->to.sender, o->arena) || mime_addresses_name(meta.bcc, o->to.sender, o->arena);
    }
    return err;
}

static enum err choose(struct occasion *o, const struct vacation_message **message)
{
    const struct vacation_message *all = o->vacation.messages;
    struct slice own = slice_of(o->account.login), theirs = o->to.sender;
    slice_cut(&own, '@');
    slice_cut(&theirs, '@');
    bool known = false;
    enum err err = ERR_OK;
    if (slice_eq_nocase(own, theirs)) {
        *message = &all[VACATION_INTERNAL];
        return ERR_OK;
    }
    if (!same_answer(&all[VACATION_KNOWN], &all[VACATION_UNKNOWN]))
        err = is_known(o, &known);
    *message = &all[known ? VACATION_KNOWN : VACATION_UNKNOWN];
    return err;
}

/* ---- sending it ---- */

static enum err send_reply(struct autoreply *autoreply, struct occasion *o, struct slice raw)
{
    struct buf packed = { 0 }, prefix = { 0 };
    struct mime_meta meta;
    struct account local;
    struct delivery_target target;
    struct change_set changes = { .count = 0 };
    struct actor by = { .protocol = BY_SYSTEM, .name = "autoreply" };
    mime_describe(raw, o->arena, &meta);
    mime_meta_pack(&meta, &packed);
    struct submission submission = {
        .account = o->account.id, .internal_date_us = clock_wall_us(), .sender = SLICE_LIT(""), .by = &by,
        .message = { .octets = { raw, -1, (int64_t)raw.len }, .meta = buf_slice(&packed), .thread = meta.thread,
                     .sent_us = meta.date_us },
        .addresses = &o->to.sender,
    };
    enum err err = account_find_recipient(o->db, o->arena, o->to.sender, &local);
    if (!err) {
        trace_lines(SLICE_LIT(""), o->to.sender, autoreply->hostname, "autoreply", &prefix);
        target = (struct delivery_target){ .account = local.id, .prefix = buf_slice(&prefix) };
        submission.targets = &target;
        submission.target_count = 1;
    } else if (err == ERR_NOT_FOUND) {
        struct slice domain = o->to.sender;
        bool ours = false;
        slice_cut(&domain, '@');
        err = account_domain_is_local(o->db, domain, &ours);
        if (!err && ours)
            err = ERR_NOT_FOUND;
        submission.far = &o->to.sender;
        submission.far_count = 1;
    }
    if (!err)
        err = submission_send(o->db, &submission, &changes);
    if (!err && changes.count)
        hub_publish(autoreply->hub, &changes);
    buf_free(&packed);
    buf_free(&prefix);
    return err;
}

/* *word says what came of it. */
static enum err answer(struct autoreply *autoreply, struct occasion *o, struct slice header, const char **word)
{
    const struct vacation_message *message;
    bool fresh = false;
    enum err err = account_get(o->db, o->arena, o->account.id, &o->account);
    if (err)
        return err;
    enum auto_reply_verdict verdict = mime_auto_reply_judge(header, slice_of(o->account.login), o->arena, &o->to);
    *word = mime_auto_reply_word(verdict);
    if (verdict)
        return ERR_OK;
    err = vacation_get(o->db, o->arena, o->account.id, &o->vacation);
    *word = "not_away";
    if (err || !vacation_is_on(&o->vacation, clock_wall_us()))
        return err;
    err = choose(o, &message);
    *word = "not_for_this_sender";
    if (err || !message->enabled || !message->body.len)
        return err;
    err = vacation_claim(o->db, o->account.id, o->to.sender, (int)settings_int(autoreply->settings, SETTING_VACATION_PERIOD_DAYS),
                         &fresh);
    *word = "answered_before";
    if (err || !fresh)
        return err;
    struct buf raw = { 0 };
    mime_auto_reply_compose(&o->to, slice_of(o->account.login), message->body, message->html, &raw);
    err = send_reply(autoreply, o, buf_slice(&raw));
    buf_free(&raw);
    *word = "sent";
    return err;
}

static void reply_run(struct job *job, struct worker *worker)
{
    struct reply_job *reply = job->ctx;
    struct occasion o = { .db = worker_db(worker), .arena = arena_open(), .account.id = job->account };
    const char *word = "";
    enum err err = o.db ? answer(reply->autoreply, &o, slice_make(reply->header, reply->header_len), &word) : ERR_UNAVAILABLE;
    log_event(err ? LOG_WARN : LOG_INFO, "auto_reply", LOG_I("account", job->account.n), LOG_S("to", o.to.sender),
              LOG_T("result", err ? err_name(err) : word));
    arena_close(&o.arena);
}

static void reply_done(struct job *job)
{
    struct reply_job *reply = job->ctx;
    struct autoreply *autoreply = reply->autoreply;
    free(reply);
    pthread_mutex_lock(&autoreply->lock);
    if (--autoreply->under_way == 0)
        pthread_cond_broadcast(&autoreply->idle);
    pthread_mutex_unlock(&autoreply->lock);
}

/* ---- from the delivery ---- */

/* false: too long to be looked at, and what forbids an answer may stand at its end. */
static bool take_header(struct slice raw, struct slice *header)
{
    struct slice look = raw.len > AUTOREPLY_HEADER_MAX ? slice_head(raw, AUTOREPLY_HEADER_MAX) : raw;
    size_t end = slice_find_slice(look, SLICE_LIT("\r\n\r\n"));
    *header = end == SIZE_MAX ? look : slice_head(look, end + 2);
    return end != SIZE_MAX || look.len == raw.len;
}

static bool take_place(struct autoreply *autoreply)
{
    pthread_mutex_lock(&autoreply->lock);
    bool free_place = autoreply->under_way < AUTOREPLY_QUEUE_MAX;
    autoreply->under_way += free_place;
    pthread_mutex_unlock(&autoreply->lock);
    return free_place;
}

static void start(struct autoreply *autoreply, const struct delivery_target *target, struct slice raw)
{
    struct slice header;
    const char *refusal = !take_header(raw, &header) ? "long_header" : !take_place(autoreply) ? "too_many" : NULL;
    if (refusal) {
        log_event(LOG_WARN, "auto_reply", LOG_I("account", target->account.n), LOG_T("result", refusal));
        return;
    }
    struct slice prefix = target->prefix;
    struct reply_job *reply = mem_alloc(sizeof *reply + prefix.len + header.len);
    reply->autoreply = autoreply;
    reply->header_len = prefix.len + header.len;
    if (prefix.len)
        memcpy(reply->header, prefix.at, prefix.len);
    if (header.len)
        memcpy(reply->header + prefix.len, header.at, header.len);
    // Not in the account's queue of writes, where deliveries would wait for it: it locks the account for an instant only.
    reply->job = (struct job){ .run = reply_run, .done = reply_done, .ctx = reply, .account = target->account,
                               .home = loops_next(autoreply->loops) };
    worker_submit(autoreply->workers, &reply->job);
}

void autoreply_note(struct autoreply *autoreply, const struct delivery_target *targets, size_t count, struct slice raw)
{
    for (size_t i = 0; i < count; i++)
        if (targets[i].auto_reply && !targets[i].result && targets[i].mailbox.n == INBOX_ID)
            start(autoreply, &targets[i], raw);
}

enum err autoreply_open(struct workers *workers, struct loops *loops, struct hub *hub, const struct settings *settings,
                        const char *hostname, struct autoreply **autoreply)
{
    struct autoreply *made = mem_new(struct autoreply);
    made->workers = workers;
    made->loops = loops;
    made->hub = hub;
    made->settings = settings;
    made->hostname = hostname;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->idle, NULL);
    *autoreply = made;
    return ERR_OK;
}

void autoreply_close(struct autoreply **autoreply)
{
    struct autoreply *gone = *autoreply;
    if (!gone)
        return;
    pthread_mutex_lock(&gone->lock);
    while (gone->under_way)
        pthread_cond_wait(&gone->idle, &gone->lock);
    pthread_mutex_unlock(&gone->lock);
    pthread_cond_destroy(&gone->idle);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
    *autoreply = NULL;
}
