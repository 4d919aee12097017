/* Bearer tokens of the admin API: shown once, hashed at rest, revocable, audited. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "storage/admin.h"
#include "tests/support/rig.h"

static struct db *db;
static struct arena *arena;
static char name[64];

static void setup(void)
{
    db = rig_open();
    arena = arena_open();
    snprintf(name, sizeof name, "token%" PRIi64, id_new());
}

static void teardown(void)
{
    arena_close(&arena);
    db_close(&db);
}

TestSuite(admin_token, .init = setup, .fini = teardown);

static int64_t audited(const char *what)
{
    char sql[120];
    snprintf(sql, sizeof sql, "select count(*) from audit where account_id = $1 and what = '%s' and actor = 'admin'", what);
    return rig_number(db, (struct account_id){ 0 }, sql);
}

Test(admin_token, is_verified_until_it_is_revoked)
{
    char token[ADMIN_TOKEN_LEN + 1], other[ADMIN_TOKEN_LEN + 1];
    struct admin_token found;
    int64_t added = audited("token_add"), revoked = audited("token_revoke");
    cr_assert_eq(admin_token_create(db, slice_of(name), ADMIN_READ | ADMIN_RESTORE, "Example.Test", &by_admin, token), ERR_OK);
    cr_expect_eq(strlen(token), (size_t)ADMIN_TOKEN_LEN);
    cr_assert_eq(admin_token_verify(db, arena, slice_of(token), &found), ERR_OK);
    cr_expect_str_eq(found.name, name);
    cr_expect_eq(found.scopes, (unsigned)(ADMIN_READ | ADMIN_RESTORE));
    cr_expect_str_eq(found.domain, "example.test");
    cr_expect_eq(admin_token_create(db, slice_of(name), ADMIN_ALL, NULL, &by_admin, other), ERR_EXISTS, "the name is in use");
    cr_assert_eq(admin_token_revoke(db, slice_of(name), &by_admin), ERR_OK);
    cr_expect_eq(admin_token_verify(db, arena, slice_of(token), &found), ERR_DENIED);
    cr_expect_eq(admin_token_revoke(db, slice_of(name), &by_admin), ERR_NOT_FOUND);
    cr_assert_eq(admin_token_create(db, slice_of(name), ADMIN_ALL, NULL, &by_admin, other), ERR_OK, "the name is free again");
    cr_expect_str_neq(token, other);
    cr_assert_eq(admin_token_verify(db, arena, slice_of(other), &found), ERR_OK);
    cr_expect_null(found.domain);
    cr_expect_eq(audited("token_add"), added + 2, "one line for each that was made");
    cr_expect_eq(audited("token_revoke"), revoked + 1);
    cr_assert_eq(admin_token_revoke(db, slice_of(name), &by_admin), ERR_OK);
}

Test(admin_token, the_store_has_only_its_hash)
{
    char token[ADMIN_TOKEN_LEN + 1];
    cr_assert_eq(admin_token_create(db, slice_of(name), ADMIN_READ, NULL, &by_admin, token), ERR_OK);
    struct db_args args = { 0 };
    PGresult *r = NULL;
    args_text(&args, token);
    args_text(&args, name);
    cr_assert_eq(db_run(db,
                        "select (select count(*) from admin_token t where t::text like '%' || $1 || '%'),"
                        " (select count(*) from audit a where a::text like '%' || $1 || '%'),"
                        " (select hash = sha256(convert_to($1, 'UTF8')) from admin_token where name = $2)",
                        &args, &r),
                 ERR_OK);
    cr_expect_eq(res_i64(r, 0, 0), 0);
    cr_expect_eq(res_i64(r, 0, 1), 0);
    cr_expect(res_bool(r, 0, 2));
    PQclear(r);
}

Test(admin_token, what_is_no_token_is_denied)
{
    char token[ADMIN_TOKEN_LEN + 1];
    struct admin_token found;
    cr_assert_eq(admin_token_create(db, slice_of(name), ADMIN_READ, NULL, &by_admin, token), ERR_OK);
    cr_expect_eq(admin_token_verify(db, arena, slice_head(slice_of(token), ADMIN_TOKEN_LEN - 1), &found), ERR_DENIED);
    cr_expect_eq(admin_token_verify(db, arena, SLICE_LIT(""), &found), ERR_DENIED);
    token[ADMIN_TOKEN_LEN - 1] = token[ADMIN_TOKEN_LEN - 1] == '0' ? '1' : '0';
    cr_expect_eq(admin_token_verify(db, arena, slice_of(token), &found), ERR_DENIED, "one digit off");
    token[0] = 'G';
    cr_expect_eq(admin_token_verify(db, arena, slice_of(token), &found), ERR_DENIED);
}

Test(admin_token, names)
{
    static const char *const bad[] = { "", "two words", "line\nbreak", "\xc3\xa9",
                                       "12345678901234567890123456789012345678901234567890123456789012345" };
    char token[ADMIN_TOKEN_LEN + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(admin_token_create(db, slice_of(bad[i]), ADMIN_READ, NULL, &by_admin, token), ERR_SYNTAX, "\"%s\"", bad[i]);
    cr_assert_eq(admin_token_create(db, slice_of(name), ADMIN_MANAGE, NULL, &by_admin, token), ERR_OK);
    struct admin_token *all;
    size_t count, found = 0;
    cr_assert_eq(admin_token_list(db, arena, &all, &count), ERR_OK);
    for (size_t i = 0; i < count; i++)
        found += strcmp(all[i].name, name) == 0 && all[i].scopes == ADMIN_MANAGE;
    cr_expect_eq(found, 1u);
}

/* A token without its line in the audit would be a secret one: both or neither. */
Test(admin_token, is_not_made_without_its_audit)
{
    struct db *scratch = rig_open_scratch(db, "audit");
    char token[ADMIN_TOKEN_LEN + 1];
    struct admin_token *all;
    size_t count;
    cr_assert_eq(admin_token_create(scratch, SLICE_LIT("kept"), ADMIN_READ, NULL, &by_admin, token), ERR_OK);
    cr_assert_eq(db_exec(scratch, "alter table audit add check (what not like 'token%') not valid"), ERR_OK);
    cr_expect_eq(admin_token_create(scratch, slice_of(name), ADMIN_READ, NULL, &by_admin, token), ERR_UNAVAILABLE);
    cr_expect_eq(admin_token_revoke(scratch, SLICE_LIT("kept"), &by_admin), ERR_UNAVAILABLE);
    cr_assert_eq(admin_token_list(scratch, arena, &all, &count), ERR_OK);
    cr_assert_eq(count, 1u);
    cr_expect_str_eq(all->name, "kept");
    db_close(&scratch);
    rig_drop_scratch(db, "audit");
}
