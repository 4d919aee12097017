#include "server/eas/mail_search.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/eas/item.h"
#include "server/search_reader.h"

#define IN_ANY (SEARCH_IN_FROM | SEARCH_IN_TO | SEARCH_IN_CC | SEARCH_IN_BCC | SEARCH_IN_SUBJECT | SEARCH_IN_BODY)
#define META_BATCH 100u // descriptions that are looked at together

/* ---- the query ---- */

static struct search_node *node_of(struct arena *arena, enum search_test test, int64_t number)
{
    struct search_node *node = arena_new(arena, struct search_node, 1);
    node->test = test;
    node->number = number;
    return node;
}

static void add_child(struct search_node *parent, struct search_node *child)
{
    child->next = parent->children;
    parent->children = child;
}

static unsigned where_of(enum eas_term_kind kind)
{
    switch (kind) {
    case EAS_TERM_FROM: return SEARCH_IN_FROM;
    case EAS_TERM_TO: return SEARCH_IN_TO;
    case EAS_TERM_CC: return SEARCH_IN_CC;
    case EAS_TERM_BCC: return SEARCH_IN_BCC;
    case EAS_TERM_PARTICIPANT: return SEARCH_IN_FROM | SEARCH_IN_TO | SEARCH_IN_CC | SEARCH_IN_BCC;
    case EAS_TERM_SUBJECT: return SEARCH_IN_SUBJECT;
    case EAS_TERM_BODY: return SEARCH_IN_BODY;
    default: return IN_ANY;
    }
}

static struct search_node *term_node(struct arena *arena, const struct eas_term *term)
{
    struct search_node *node;
    bool negated = term->negated;
    if (term->kind == EAS_TERM_READ || term->kind == EAS_TERM_FLAGGED) {
        node = node_of(arena, SEARCH_IS_FLAGGED, term->kind == EAS_TERM_READ ? FLAG_SEEN : FLAG_FLAGGED);
        negated ^= !term->on;
    } else {
        node = node_of(arena, SEARCH_IS_TEXT, 0);
        node->where = where_of(term->kind);
        node->text = search_folded(term->text, arena);
    }
    if (!negated)
        return node;
    struct search_node *not = node_of(arena, SEARCH_IS_NOT, 0);
    add_child(not, node);
    return not ;
}

/* Neighbours joined by OR are one condition. Attachments are looked at afterwards (keep_attached). */
static void add_terms(struct arena *arena, const struct eas_mail_query *mail, struct search_node *all)
{
    struct search_node *group = NULL;
    for (size_t i = 0; i < mail->term_count; i++) {
        const struct eas_term *term = &mail->terms[i];
        if (term->kind == EAS_TERM_ATTACHMENT)
            continue;
        if (!group && term->or_next) {
            group = node_of(arena, SEARCH_IS_OR, 0);
            add_child(all, group);
        }
        add_child(group ? group : all, term_node(arena, term));
        if (!term->or_next)
            group = NULL;
    }
}

static struct search_node *query_of(struct arena *arena, const struct eas_mail_query *mail)
{
    struct search_node *all = node_of(arena, SEARCH_IS_AND, 0);
    add_terms(arena, mail, all);
    if (mail->has_conversation)
        add_child(all, node_of(arena, SEARCH_IS_THREAD, mail->conversation));
    if (mail->has_after)
        add_child(all, node_of(arena, SEARCH_IS_SINCE, mail->after_us + 1));
    if (mail->has_before)
        add_child(all, node_of(arena, SEARCH_IS_BEFORE, mail->before_us));
    return all->children ? all : node_of(arena, SEARCH_IS_ALL, 0);
}

/* ---- the folders ---- */

static bool has_mailbox(const struct mailbox_id *list, size_t count, struct mailbox_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].n == id.n)
            return true;
    }
    return false;
}

/* errors: ERR_NOT_FOUND */
static enum err add_named(const struct eas_mail_query *mail, const struct mailbox *all, size_t all_count,
                          struct mailbox_id *list, size_t *count)
{
    for (size_t i = 0; i < mail->collection_count; i++) {
        bool known = mail->collections[i] == 0; // the Outbox
        for (size_t j = 0; j < all_count; j++) {
            if (all[j].id.n != mail->collections[i])
                continue;
            known = true;
            if (!has_mailbox(list, *count, all[j].id))
                list[(*count)++] = all[j].id;
        }
        if (!known)
            return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

/* Parents stand before their children in the order of paths. */
static void add_children(const struct mailbox *all, size_t all_count, struct mailbox_id *list, size_t *count)
{
    for (size_t j = 0; j < all_count; j++) {
        if (has_mailbox(list, *count, all[j].parent) && !has_mailbox(list, *count, all[j].id))
            list[(*count)++] = all[j].id;
    }
}

static enum err choose_mailboxes(struct eas_request *req, const struct eas_search_request *request,
                                 struct search_scope *scope)
{
    struct mailbox *all;
    size_t all_count;
    int64_t modseq;
    if (request->mail.everywhere)
        return ERR_OK;
    enum err err = mailbox_list(req->db, req->arena, eas_account(req), &all, &all_count, &modseq);
    if (err)
        return err;
    struct mailbox_id *list = arena_new(req->arena, struct mailbox_id, all_count + 1);
    err = add_named(&request->mail, all, all_count, list, &scope->mailbox_count);
    if (!err && request->deep)
        add_children(all, all_count, list, &scope->mailbox_count);
    scope->mailboxes = list;
    return err;
}

/* ---- the hits ---- */

struct harvest {
    struct eas_request *req;
    const struct eas_mail_query *mail;
    int64_t end_us;
    struct found_hit *hits;
    size_t count;
    bool judges_attachments;
};

static bool is_wanted(const struct eas_mail_query *mail, bool has_attachments)
{
    for (size_t i = 0; i < mail->term_count; i++) {
        const struct eas_term *term = &mail->terms[i];
        if (term->kind == EAS_TERM_ATTACHMENT && (term->on ^ term->negated) != has_attachments)
            return false;
    }
    return true;
}

static void keep(struct harvest *harvest, const struct search_found *found)
{
    if (harvest->count < EAS_SEARCH_HITS_MAX)
        harvest->hits[harvest->count++] = (struct found_hit){ found->mailbox.n, found->item };
}

static int by_id(const void *a, const void *b)
{
    const struct message_id *x = a, *y = b;
    return (x->n > y->n) - (x->n < y->n);
}

static const struct message_row *row_of(const struct message_row *rows, size_t count, struct message_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].id.n == id.n)
            return &rows[i];
    }
    return NULL;
}

/* Keeps those whose attachments are as the query wants them. */
static enum err keep_attached(struct harvest *harvest, const struct search_found *found, size_t count)
{
    struct arena *arena = arena_open();
    struct message_id ids[META_BATCH];
    struct message_row *rows;
    size_t row_count;
    for (size_t i = 0; i < count; i++)
        ids[i] = found[i].message;
    qsort(ids, count, sizeof *ids, by_id);
    enum err err = message_get(harvest->req->db, arena, eas_account(harvest->req), ids, count, &rows, &row_count);
    for (size_t i = 0; i < count && !err; i++) {
        const struct message_row *row = row_of(rows, row_count, found[i].message);
        struct mime_meta meta;
        if (row && eas_item_meta(arena, row, &meta) == ERR_OK && is_wanted(harvest->mail, meta.has_attachments))
            keep(harvest, &found[i]);
    }
    arena_close(&arena);
    return err;
}

static enum err take_hits(struct harvest *harvest, const struct search_found *found, size_t count)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < count && !err; i += META_BATCH) {
        size_t batch = count - i < META_BATCH ? count - i : META_BATCH;
        if (harvest->judges_attachments)
            err = keep_attached(harvest, found + i, batch);
        for (size_t j = 0; j < batch && !harvest->judges_attachments; j++)
            keep(harvest, &found[i + j]);
    }
    return err;
}

/* One search of at most EAS_SEARCH_HITS_MAX hits; *after is where the next one goes on, uid 0 at the end. */
static enum err find_some(struct harvest *harvest, struct search_scope *scope, const struct search_node *query)
{
    struct eas_request *req = harvest->req;
    struct search_find *find = search_find_open(eas_account(req), scope, query, &search_reader);
    enum err err = ERR_OK;
    for (bool done = false; !done && !err;) {
        if (clock_mono_us() > harvest->end_us)
            err = ERR_LIMIT;
        else
            err = search_find_step(find, req->db, &done);
    }
    if (!err) {
        bool more;
        size_t count;
        const struct search_found *found = search_find_hits(find, &count, &more);
        err = take_hits(harvest, found, count);
        scope->after = more ? found[count - 1] : (struct search_found){ .uid = 0 };
    }
    search_find_close(&find);
    return err;
}

static enum err search(struct eas_request *req, const struct eas_search_request *request, struct found_hit **hits,
                       size_t *count)
{
    int64_t limit_s = settings_int(req->app->server->settings, SETTING_EAS_SEARCH_MAX_S);
    struct search_scope scope = { .limit = EAS_SEARCH_HITS_MAX };
    struct harvest harvest = { .req = req, .mail = &request->mail, .end_us = clock_mono_us() + limit_s * US_PER_S };
    harvest.hits = arena_new(req->arena, struct found_hit, EAS_SEARCH_HITS_MAX);
    for (size_t i = 0; i < request->mail.term_count; i++)
        harvest.judges_attachments |= request->mail.terms[i].kind == EAS_TERM_ATTACHMENT;
    enum err err = choose_mailboxes(req, request, &scope);
    bool nowhere = !request->mail.everywhere && scope.mailbox_count == 0;
    const struct search_node *query = query_of(req->arena, &request->mail);
    if (!err && !nowhere && !request->mail.no_mail) {
        do {
            err = find_some(&harvest, &scope, query);
        } while (!err && scope.after.uid && harvest.count < EAS_SEARCH_HITS_MAX);
    }
    *hits = harvest.hits;
    *count = harvest.count;
    return err;
}

enum err eas_mail_search(struct eas_request *req, const struct eas_search_request *request, bool may_forget,
                         struct found_hit **hits, size_t *count)
{
    struct buf key = { 0 };
    struct found *found = req->app->found;
    enum err err = ERR_OK;
    eas_search_key(request, &key);
    bool later_page = request->range.first > 0 && !request->rebuild;
    if (!later_page || !found_get(found, eas_account(req), req->device.id, buf_slice(&key), req->arena, hits, count)) {
        err = later_page && !may_forget ? ERR_CONFLICT : search(req, request, hits, count);
        if (!err)
            found_put(found, eas_account(req), req->device.id, buf_slice(&key), *hits, *count);
    }
    buf_free(&key);
    return err;
}
