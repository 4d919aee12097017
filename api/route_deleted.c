#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/api_internal.h"
#include "base/clock.h"
#include "protocol/mime/meta.h"
#include "storage/retention.h"

#define PAGE_ROWS 1000u // that one request looks at
#define RESTORE_MAX 10000u

static const char *const protocols[] = { "system", "lmtp", "imap", "pop3", "eas", "submission", "admin" };

static struct slice query(struct api_call *call, const char *name)
{
    return call->request->query(call->request->query_ctx, name);
}

static bool holds(struct api_call *call, struct slice text, struct slice word)
{
    return !word.at || strcasestr(arena_text(call->arena, text), arena_text(call->arena, word));
}

/* RFC 3339 in UTC: "2026-11-22T10:00:00Z", or the date alone. */
static bool take_since(struct api_call *call, int64_t *us)
{
    struct slice since = query(call, "since");
    if (!since.at)
        return true;
    struct tm t = { 0 };
    const char *text = arena_text(call->arena, since), *end = strptime(text, "%Y-%m-%d", &t);
    if (end && *end == 'T')
        end = strptime(end, "T%H:%M:%SZ", &t);
    if (!end || *end)
        return false;
    *us = (int64_t)timegm(&t) * US_PER_S;
    return true;
}

/* Where the page before ended, as its `next` has it: removal in microseconds, mailbox and uid of the last row. */
static bool take_after(struct api_call *call, struct deleted_filter *filter)
{
    struct slice after = query(call, "after");
    char rest;
    return !after.at || (sscanf(arena_text(call->arena, after), "%" SCNi64 ".%" SCNi64 ".%" SCNu32 "%c",
                                &filter->behind_removed_us, &filter->behind.mailbox.n, &filter->behind.uid, &rest) == 3 &&
                         filter->behind_removed_us > 0);
}

static json_t *next_json(struct api_call *call, const struct deleted_row *rows, size_t count)
{
    if (count < PAGE_ROWS)
        return json_null();
    const struct deleted_row *last = &rows[count - 1];
    return json_string(arena_printf(call->arena, "%" PRIi64 ".%" PRIi64 ".%" PRIu32, last->removed_us, last->mailbox.n, last->uid));
}

static json_t *row_json(struct api_call *call, const struct deleted_row *row, const struct mime_meta *meta)
{
    return json_pack("{s:s, s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o, s:I}", "id",
                     arena_printf(call->arena, "%" PRIi64 ":%" PRIu32, row->mailbox.n, row->uid), "folder",
                     api_string(row->mailbox_path), "folder_deleted", row->mailbox_deleted, "deleted",
                     api_time(row->removed_us), "date", api_time(row->internal_us), "protocol", protocols[row->protocol],
                     "by", api_string(row->removed_by), "from", api_text(meta->from), "subject", api_text(meta->subject),
                     "size", (json_int_t)meta->size);
}

void api_list_deleted(struct api_call *call)
{
    struct deleted_filter filter = { .limit = PAGE_ROWS };
    struct account account;
    struct deleted_row *rows;
    size_t count;
    if (!api_account(call, &account))
        return;
    if (!take_since(call, &filter.since_us)) {
        api_problem(call->reply, 422, "since: 2026-11-22 or 2026-11-22T10:00:00Z");
        return;
    }
    if (!take_after(call, &filter)) {
        api_problem(call->reply, 422, "after: the value of next in the page before");
        return;
    }
    struct slice folder = query(call, "folder"), from = query(call, "from"), subject = query(call, "subject");
    enum err err = deleted_list(call->db, call->arena, account.id, &filter, &rows, &count);
    if (err) {
        api_error(call, err, "deleted mail");
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        struct mime_meta meta = { 0 };
        if (mime_meta_unpack(rows[i].message.meta, rows[i].message.prefix.len, call->arena, &meta))
            meta = (struct mime_meta){ 0 };
        if ((!folder.at || slice_eq_nocase(folder, slice_of(rows[i].mailbox_path))) && holds(call, meta.from, from) &&
            holds(call, meta.subject, subject))
            json_array_append_new(list, row_json(call, &rows[i], &meta));
    }
    api_json(call, 200, json_pack("{s:o, s:o}", "deleted", list, "next", next_json(call, rows, count)));
}

static bool take_ids(struct api_call *call, const json_t *body, struct deleted_id **ids, size_t *count)
{
    const json_t *list = json_object_get(body, "ids");
    *count = json_array_size(list);
    bool good = json_is_array(list) && *count > 0 && *count <= RESTORE_MAX;
    *ids = arena_new(call->arena, struct deleted_id, good ? *count : 1);
    for (size_t i = 0; good && i < *count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        char rest;
        good = text && sscanf(text, "%" SCNi64 ":%" SCNu32 "%c", &(*ids)[i].mailbox.n, &(*ids)[i].uid, &rest) == 2;
    }
    if (!good)
        api_problem(call->reply, 422, "ids: 1 to 10000 ids as the list gives them");
    return good;
}

static json_t *restored_json(struct api_call *call, const struct account *account, const struct restored *result)
{
    struct mailbox mailbox = { 0 };
    if (result->mailbox.n && mailbox_get(call->db, call->arena, account->id, result->mailbox, &mailbox))
        mailbox.path = NULL;
    return json_pack("{s:s, s:s, s:o, s:I}", "id",
                     arena_printf(call->arena, "%" PRIi64 ":%" PRIu32, result->from.mailbox.n, result->from.uid), "result",
                     result->err ? err_name(result->err) : "restored", "folder", api_string(mailbox.path), "uid",
                     (json_int_t)result->uid);
}

void api_restore_deleted(struct api_call *call)
{
    struct account account;
    struct mailbox target = { 0 };
    struct change_set changes = { 0 };
    struct deleted_id *ids;
    size_t count;
    if (!api_account(call, &account))
        return;
    json_t *body = api_body(call);
    if (!body)
        return;
    const json_t *to = json_object_get(body, "to");
    enum err err = ERR_OK;
    if (json_is_string(to))
        err = mailbox_find(call->db, call->arena, account.id,
                           (struct slice){ json_string_value(to), json_string_length(to) }, &target);
    if (err) {
        api_error(call, err, "folder");
    } else if (take_ids(call, body, &ids, &count)) {
        struct restored *results = arena_new(call->arena, struct restored, count);
        err = deleted_restore(call->db, call->arena, account.id, ids, count, target.id, &call->by, results, &changes);
        api_publish(call, &changes);
        json_t *list = json_array();
        for (size_t i = 0; !err && i < count; i++)
            json_array_append_new(list, restored_json(call, &account, &results[i]));
        if (err) {
            json_decref(list);
            api_error(call, err, "restore");
        } else {
            api_json(call, 200, json_pack("{s:o}", "restored", list));
        }
    }
    json_decref(body);
}
