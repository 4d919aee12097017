#include "storage/account.h"

#include <inttypes.h>
#include <string.h>

#include "storage/db_internal.h"
#include "storage/mailbox.h"

static const struct {
    const char *name;
    enum mailbox_role role;
} first_mailboxes[] = { // INBOX first: deliver_2's callers know it as mailbox 1
    { "INBOX", ROLE_INBOX }, { "Drafts", ROLE_DRAFTS }, { "Sent", ROLE_SENT },
    { "Trash", ROLE_TRASH }, { "Junk", ROLE_JUNK },     { "Archive", ROLE_ARCHIVE },
};
#define FIRST_MAILBOXES (sizeof first_mailboxes / sizeof *first_mailboxes)

/* Lower-cased "local@domain" into text; its domain begins behind *at. */
static bool normal_login(struct slice login, char text[LOGIN_MAX + 1], size_t *at)
{
    if (login.len == 0 || login.len > LOGIN_MAX)
        return false;
    size_t signs = 0;
    for (size_t i = 0; i < login.len; i++) {
        unsigned char c = (unsigned char)login.at[i];
        if (c <= ' ' || c == 0x7f)
            return false;
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        if (c == '@') {
            signs++;
            *at = i;
        }
    }
    text[login.len] = 0;
    return signs == 1 && *at > 0 && *at + 1 < login.len;
}

enum err account_create(struct db *db, struct slice login, const char *password_hash, int64_t quota_bytes,
                        struct account_id *id)
{
    char text[LOGIN_MAX + 1];
    size_t at = 0;
    if (!normal_login(login, text, &at))
        return fail(&db->trace, ERR_SYNTAX, "a login is local@domain");
    struct slice names[FIRST_MAILBOXES];
    int32_t roles[FIRST_MAILBOXES];
    for (size_t i = 0; i < FIRST_MAILBOXES; i++) {
        names[i] = slice_of(first_mailboxes[i].name);
        roles[i] = (int32_t)first_mailboxes[i].role;
    }
    struct db_args args = { 0 };
    args_text(&args, text);
    args_text(&args, text + at + 1);
    args_text(&args, password_hash);
    args_i64(&args, quota_bytes);
    args_text_array(&args, names, FIRST_MAILBOXES);
    args_i32_array(&args, roles, FIRST_MAILBOXES);
    PGresult *result = NULL;
    enum err err = db_run(db, "select account_create_1($1, $2, $3, $4, $5, $6)", &args, &result);
    if (!err)
        id->n = res_i64(result, 0, 0);
    PQclear(result);
    return err;
}

#define ACCOUNT_COLUMNS                                                                                           \
    "d.account_id, d.login, d.password_hash, d.status, d.auth_version, d.eas_enabled, a.modseq, a.used_bytes,"    \
    " a.used_count, a.quota_bytes, d.created_at, d.name"
#define ACCOUNT_FROM " from directory d join account a on a.account_id = d.account_id"

static void read_account(struct arena *arena, const PGresult *result, int row, struct account *account)
{
    *account = (struct account){
        .id.n = res_i64(result, row, 0),
        .login = res_text(arena, result, row, 1),
        .password_hash = res_text(arena, result, row, 2),
        .status = (enum account_status)res_i64(result, row, 3),
        .auth_version = res_i64(result, row, 4),
        .eas_enabled = res_bool(result, row, 5),
        .modseq = res_i64(result, row, 6),
        .used_bytes = res_i64(result, row, 7),
        .used_count = res_i64(result, row, 8),
        .quota_bytes = res_i64(result, row, 9),
        .created_us = res_time(result, row, 10),
        .name = res_text(arena, result, row, 11),
    };
}

static enum err get_one(struct db *db, struct arena *arena, const char *sql, struct db_args *args,
                        struct account *account)
{
    PGresult *result = NULL;
    enum err err = db_run(db, sql, args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such account");
    if (!err)
        read_account(arena, result, 0, account);
    PQclear(result);
    return err;
}

enum err account_find(struct db *db, struct arena *arena, struct slice login, struct account *account)
{
    char text[LOGIN_MAX + 1];
    size_t at = 0;
    if (!normal_login(login, text, &at))
        return fail(&db->trace, ERR_NOT_FOUND, "not a login");
    struct db_args args = { 0 };
    args_text(&args, text);
    return get_one(db, arena, "select " ACCOUNT_COLUMNS ACCOUNT_FROM " where d.login = $1 and d.status <> 2", &args,
                   account);
}

enum err account_find_app(struct db *db, struct arena *arena, struct slice login, struct slice hash,
                          struct account *account, int64_t *app)
{
    char text[LOGIN_MAX + 1];
    size_t at = 0;
    if (!normal_login(login, text, &at))
        return fail(&db->trace, ERR_NOT_FOUND, "not a login");
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_text(&args, text);
    args_bytes(&args, hash);
    enum err err = db_run(db,
                          "select " ACCOUNT_COLUMNS ", p.app_id" ACCOUNT_FROM
                          " left join app_password p on p.account_id = d.account_id and p.hash = $2"
                          " where d.login = $1 and d.status <> 2",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such account");
    if (!err) {
        read_account(arena, result, 0, account);
        *app = res_i64(result, 0, PQnfields(result) - 1);
    }
    PQclear(result);
    return err;
}

enum err account_get(struct db *db, struct arena *arena, struct account_id id, struct account *account)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    return get_one(db, arena, "select " ACCOUNT_COLUMNS ACCOUNT_FROM " where d.account_id = $1 and d.status <> 2",
                   &args, account);
}

enum err account_find_recipient(struct db *db, struct arena *arena, struct slice address, struct account *account)
{
    char text[LOGIN_MAX + 1];
    size_t at = 0;
    if (!normal_login(address, text, &at))
        return fail(&db->trace, ERR_NOT_FOUND, "not an address");
    const char *plus = memchr(text, '+', at);
    char base[LOGIN_MAX + 1];
    memcpy(base, text, sizeof base);
    if (plus && plus > text)
        memmove(base + (plus - text), base + at, strlen(base + at) + 1);
    struct db_args args = { 0 };
    args_text(&args, text);
    args_text(&args, base);
    return get_one(db, arena,
                   "select " ACCOUNT_COLUMNS ACCOUNT_FROM " where d.login in ($1, $2) and d.status <> 2"
                   " order by d.login <> $1 limit 1",
                   &args, account);
}

enum err account_domain_is_local(struct db *db, struct slice domain, bool *local)
{
    char text[LOGIN_MAX + 1];
    if (domain.len == 0 || domain.len > LOGIN_MAX) {
        *local = false;
        return ERR_OK;
    }
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.at[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    struct db_args args = { 0 };
    args_slice(&args, slice_make(text, domain.len));
    PGresult *result = NULL;
    enum err err = db_run(db, "select 1 from directory where domain = $1 and status <> 2 limit 1", &args, &result);
    if (!err)
        *local = PQntuples(result) > 0;
    PQclear(result);
    return err;
}

enum err account_list(struct db *db, struct arena *arena, struct account **accounts, size_t *count)
{
    PGresult *result = NULL;
    enum err err = db_run(db, "select " ACCOUNT_COLUMNS ACCOUNT_FROM " where d.status <> 2 order by d.login", NULL,
                          &result);
    if (!err) {
        *count = (size_t)PQntuples(result);
        *accounts = arena_new(arena, struct account, *count);
        for (size_t i = 0; i < *count; i++)
            read_account(arena, result, (int)i, &(*accounts)[i]);
    }
    PQclear(result);
    return err;
}

/* Runs an update of the directory that returns the account's clock. */
static enum err change_auth(struct db *db, struct account_id id, const char *sql, struct db_args *args,
                            struct change_set *changes)
{
    PGresult *result = NULL;
    enum err err = db_run(db, sql, args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, id.n);
    if (!err)
        change_set_add(changes, (struct change){ .account = id, .modseq = res_i64(result, 0, 0), .kinds = CHANGE_AUTH });
    PQclear(result);
    return err;
}

enum err account_set_password(struct db *db, struct account_id id, const char *password_hash,
                              struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    args_text(&args, password_hash);
    return change_auth(db, id,
                       "update directory d set password_hash = $2, auth_version = auth_version + 1 from account a"
                       " where d.account_id = $1 and d.status <> 2 and a.account_id = $1 returning a.modseq",
                       &args, changes);
}

enum err account_set_status(struct db *db, struct account_id id, enum account_status status,
                            struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    args_i16(&args, (int16_t)status);
    return change_auth(db, id,
                       "update directory d set status = $2, auth_version = auth_version + 1,"
                       " deleted_at = case when $2 = 2 then now() end from account a"
                       " where d.account_id = $1 and d.status <> 2 and a.account_id = $1 returning a.modseq",
                       &args, changes);
}

enum err account_set_eas(struct db *db, struct account_id id, bool on, struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    args_bool(&args, on);
    return change_auth(db, id,
                       "update directory d set eas_enabled = $2, auth_version = auth_version + 1 from account a"
                       " where d.account_id = $1 and d.status <> 2 and a.account_id = $1 returning a.modseq",
                       &args, changes);
}

enum err account_set_quota(struct db *db, struct account_id id, int64_t quota_bytes)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    args_i64(&args, quota_bytes);
    int64_t rows = 0;
    enum err err = db_run_only(db, "update account set quota_bytes = $2 where account_id = $1", &args, &rows);
    if (!err && rows == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, id.n);
    return err;
}

enum err account_delete(struct db *db, struct account_id id, const struct actor *by, struct change_set *changes)
{
    struct db_args args = { 0 };
    args_i64(&args, id.n);
    args_i64(&args, id_new());
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    return change_auth(db, id,
                       "with gone as (update directory d set status = 2, auth_version = auth_version + 1,"
                       "  deleted_at = now() from account a"
                       "  where d.account_id = $1 and d.status <> 2 and a.account_id = $1 returning d.login, a.modseq),"
                       " noted as (insert into audit (account_id, audit_id, protocol, actor, what, detail)"
                       "  select $1, $2, $3, $4, 'account_delete', login from gone)"
                       " select modseq from gone",
                       &args, changes);
}

enum err account_clocks(struct db *db, const struct account_id *ids, size_t count, int64_t *modseq,
                        int64_t *auth_version)
{
    _Static_assert(sizeof *ids == sizeof(int64_t), "an array of ids is an array of numbers");
    struct db_args args = { 0 };
    args_i64_array(&args, (const int64_t *)ids, count);
    PGresult *result = NULL;
    enum err err = db_run(db,
                          "select i.n, a.modseq, d.auth_version from unnest($1::bigint[]) with ordinality i(id, n)"
                          " join account a on a.account_id = i.id"
                          " join directory d on d.account_id = i.id and d.status <> 2",
                          &args, &result);
    if (!err) {
        memset(modseq, 0, count * sizeof *modseq);
        memset(auth_version, 0, count * sizeof *auth_version);
        for (int row = 0; row < PQntuples(result); row++) {
            size_t i = (size_t)res_i64(result, row, 0) - 1;
            modseq[i] = res_i64(result, row, 1);
            auth_version[i] = res_i64(result, row, 2);
        }
    }
    PQclear(result);
    return err;
}
