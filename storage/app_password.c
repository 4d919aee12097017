#include "storage/app_password.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "storage/db_internal.h"
#include "storage/digest.h"
#include "storage/retention.h"

#define GROUP 4u

static void hash_text(struct slice text, unsigned char sum[DIGEST_LEN])
{
    struct digest *digest = digest_open();
    digest_add(digest, text.at, text.len);
    digest_close(&digest, sum);
}

static enum err make_text(struct db *db, char text[APP_PASSWORD_LEN + 1])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; // 32, none that looks like another
    _Static_assert(sizeof letters == 33, "5 bits a letter");
    unsigned char octets[APP_PASSWORD_LEN];
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return fail(&db->trace, ERR_UNAVAILABLE, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < APP_PASSWORD_LEN; i++)
        text[i] = (char)(i % (GROUP + 1) == GROUP ? '-' : letters[octets[i] % 32]);
    text[APP_PASSWORD_LEN] = '\0';
    return ERR_OK;
}

/* It stands in a path of the admin API as it is. */
static bool name_is_good(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~' || strchr("/?#%", name.at[i]))
            return false;
    return name.len > 0 && name.len <= APP_PASSWORD_NAME_MAX;
}

/* Inside a transaction. The lock on the directory's row keeps the count true and the account alive. */
static enum err insert(struct db *db, struct account_id account, struct slice name, const unsigned char sum[DIGEST_LEN])
{
    struct db_args lock = { 0 }, args = { 0 };
    PGresult *result = NULL;
    args_i64(&lock, account.n);
    enum err err = db_run(db, "select 1 from directory where account_id = $1 and status <> 2 for update", &lock, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such account");
    PQclear(result);
    if (err)
        return err;
    int64_t rows = 0;
    args_i64(&args, account.n);
    args_i64(&args, id_new());
    args_slice(&args, name);
    args_bytes(&args, slice_make(sum, DIGEST_LEN));
    args_i64(&args, APP_PASSWORDS_MAX);
    err = db_run_only(db,
                      "insert into app_password (account_id, app_id, name, hash) select $1, $2, $3, $4"
                      " where (select count(*) from app_password where account_id = $1) < $5",
                      &args, &rows);
    if (!err && rows == 0)
        err = fail(&db->trace, ERR_LIMIT, "an account has at most %d app passwords", APP_PASSWORDS_MAX);
    return err;
}

enum err app_password_create(struct db *db, struct account_id account, struct slice name, const struct actor *by,
                             char text[APP_PASSWORD_LEN + 1])
{
    unsigned char sum[DIGEST_LEN];
    if (!name_is_good(name))
        return fail(&db->trace, ERR_SYNTAX, "a name is 1 to %u printable characters without blanks and /?#%%", APP_PASSWORD_NAME_MAX);
    enum err err = make_text(db, text);
    if (!err)
        err = db_begin(db, "read committed");
    if (err)
        return err;
    hash_text(slice_of(text), sum);
    err = insert(db, account, name, sum);
    return db_end(db, err ? err : audit_write(db, account, by, "app_password_add", NULL));
}

enum err app_password_list(struct db *db, struct arena *arena, struct account_id account, struct app_password **list,
                           size_t *count)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    enum err err = db_run(db, "select name, created_at, last_used from app_password where account_id = $1 order by name",
                          &args, &result);
    if (!err) {
        *count = (size_t)PQntuples(result);
        *list = arena_new(arena, struct app_password, *count + 1);
        for (size_t i = 0; i < *count; i++)
            (*list)[i] = (struct app_password){ res_text(arena, result, (int)i, 0), res_time(result, (int)i, 1),
                                                res_time(result, (int)i, 2) };
    }
    PQclear(result);
    return err;
}

enum err app_password_revoke(struct db *db, struct account_id account, struct slice name, const struct actor *by,
                             struct change_set *changes)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_i64(&args, account.n);
    args_slice(&args, name);
    args_i64(&args, id_new());
    args_i16(&args, (int16_t)by->protocol);
    args_text(&args, by->name);
    enum err err = db_run(db,
                          "with gone as (delete from app_password where account_id = $1 and name = $2 returning name),"
                          " raised as (update directory d set auth_version = auth_version + 1 from account a, gone"
                          "  where d.account_id = $1 and a.account_id = $1 returning a.modseq),"
                          " noted as (insert into audit (account_id, audit_id, protocol, actor, what, detail)"
                          "  select $1, $3, $4, $5, 'app_password_revoke', name from gone)"
                          " select modseq from raised",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such app password");
    if (!err)
        change_set_add(changes,
                       (struct change){ .account = account, .modseq = res_i64(result, 0, 0), .kinds = CHANGE_AUTH });
    PQclear(result);
    return err;
}

enum err app_password_find(struct db *db, struct arena *arena, struct slice login, struct slice password,
                           struct account *account, int64_t *app)
{
    unsigned char sum[DIGEST_LEN];
    bool may_be = password.len == APP_PASSWORD_LEN && password.at[GROUP] == '-';
    *app = 0;
    if (!may_be)
        return account_find(db, arena, login, account);
    hash_text(password, sum);
    return account_find_app(db, arena, login, slice_make(sum, sizeof sum), account, app);
}

enum err app_password_touch(struct db *db, const struct app_use *uses, size_t count)
{
    struct arena *arena = arena_open();
    int64_t *accounts = arena_new(arena, int64_t, count + 1), *apps = arena_new(arena, int64_t, count + 1);
    int64_t *times = arena_new(arena, int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        accounts[i] = uses[i].account;
        apps[i] = uses[i].app;
        times[i] = uses[i].at_us;
    }
    struct db_args args = { 0 };
    args_i64_array(&args, accounts, count);
    args_i64_array(&args, apps, count);
    args_time_array(&args, times, count);
    enum err err = db_run_only(db,
                               "update app_password p set last_used = greatest(p.last_used, u.at)"
                               " from (select account_id, app_id, max(at) as at"
                               "  from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) v(account_id, app_id, at)"
                               "  group by 1, 2) u where p.account_id = u.account_id and p.app_id = u.app_id",
                               &args, NULL);
    arena_close(&arena);
    return err;
}
