#include "storage/admin.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "storage/db_internal.h"
#include "storage/digest.h"
#include "storage/retention.h"

#define TOKEN_PREFIX "gwt_"
#define TOKEN_OCTETS 32u

static void hash_token(struct slice token, unsigned char sum[DIGEST_LEN])
{
    struct digest *digest = digest_open();
    digest_add(digest, token.at, token.len);
    digest_close(&digest, sum);
}

static enum err make_token(struct db *db, char token[ADMIN_TOKEN_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char octets[TOKEN_OCTETS];
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return fail(&db->trace, ERR_UNAVAILABLE, "no random numbers: %s", strerror(errno));
    memcpy(token, TOKEN_PREFIX, sizeof TOKEN_PREFIX - 1);
    char *at = token + sizeof TOKEN_PREFIX - 1;
    for (size_t i = 0; i < TOKEN_OCTETS; i++) {
        *at++ = hex[octets[i] >> 4];
        *at++ = hex[octets[i] & 15];
    }
    *at = '\0';
    return ERR_OK;
}

static bool name_is_good(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] > '~')
            return false;
    return name.len > 0 && name.len <= ADMIN_TOKEN_NAME_MAX;
}

enum err admin_token_create(struct db *db, struct slice name, unsigned scopes, const char *domain,
                            const struct actor *by, char token[ADMIN_TOKEN_LEN + 1])
{
    unsigned char sum[DIGEST_LEN];
    if (!name_is_good(name))
        return fail(&db->trace, ERR_SYNTAX, "a token's name is 1 to %u printable characters without blanks",
                    ADMIN_TOKEN_NAME_MAX);
    enum err err = make_token(db, token);
    if (err)
        return err;
    hash_token(slice_of(token), sum);
    struct db_args args = { 0 };
    args_i64(&args, id_new());
    args_slice(&args, name);
    args_bytes(&args, slice_make(sum, sizeof sum));
    args_i16(&args, (int16_t)scopes);
    args_text(&args, domain);
    err = db_begin(db, "read committed");
    if (err) {
        args_release(&args);
        return err;
    }
    err = db_run_only(db, "insert into admin_token (token_id, name, hash, scopes, domain) values ($1, $2, $3, $4, lower($5))",
                      &args, NULL);
    return db_end(db, err ? err : audit_write(db, (struct account_id){ 0 }, by, "token_add", NULL));
}

#define TOKEN_COLUMNS "select name, scopes, domain, created_at from admin_token where revoked_at is null"

static void read_token(struct arena *arena, const PGresult *result, int row, struct admin_token *token)
{
    *token = (struct admin_token){
        .name = res_text(arena, result, row, 0),
        .scopes = (unsigned)res_i64(result, row, 1),
        .domain = res_text(arena, result, row, 2),
        .created_us = res_time(result, row, 3),
    };
}

enum err admin_token_verify(struct db *db, struct arena *arena, struct slice token, struct admin_token *found)
{
    unsigned char sum[DIGEST_LEN];
    if (token.len != ADMIN_TOKEN_LEN || !slice_starts(token, SLICE_LIT(TOKEN_PREFIX)))
        return fail(&db->trace, ERR_DENIED, "not a token");
    hash_token(token, sum);
    struct db_args args = { 0 };
    args_bytes(&args, slice_make(sum, sizeof sum));
    PGresult *result = NULL;
    enum err err = db_run(db, TOKEN_COLUMNS " and hash = $1", &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_DENIED, "unknown token");
    if (!err)
        read_token(arena, result, 0, found);
    PQclear(result);
    return err;
}

enum err admin_token_list(struct db *db, struct arena *arena, struct admin_token **tokens, size_t *count)
{
    PGresult *result = NULL;
    enum err err = db_run(db, TOKEN_COLUMNS " order by name", NULL, &result);
    if (!err) {
        *count = (size_t)PQntuples(result);
        *tokens = arena_new(arena, struct admin_token, *count);
        for (size_t i = 0; i < *count; i++)
            read_token(arena, result, (int)i, &(*tokens)[i]);
    }
    PQclear(result);
    return err;
}

enum err admin_token_revoke(struct db *db, struct slice name, const struct actor *by)
{
    int64_t rows = 0;
    struct db_args args = { 0 };
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    args_slice(&args, name);
    err = db_run_only(db, "update admin_token set revoked_at = now() where name = $1 and revoked_at is null", &args,
                               &rows);
    if (!err && rows == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such token");
    return db_end(db, err ? err : audit_write(db, (struct account_id){ 0 }, by, "token_revoke", NULL));
}
