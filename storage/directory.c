#include "storage/directory.h"

#include <inttypes.h>

#include "storage/db_internal.h"

#define PERSON_COLUMNS "account_id, login, name"

static void read_person(struct arena *arena, const PGresult *result, int row, struct person *person)
{
    *person = (struct person){
        .id.n = res_i64(result, row, 0),
        .login = res_text(arena, result, row, 1),
        .name = res_text(arena, result, row, 2),
    };
}

static size_t split_words(struct slice text, struct slice words[DIRECTORY_WORDS_MAX])
{
    size_t count = 0;
    while (text.len && count < DIRECTORY_WORDS_MAX) {
        struct slice word = slice_trim(slice_cut(&text, ' '));
        if (word.len)
            words[count++] = word;
    }
    return count;
}

enum err directory_find(struct db *db, struct arena *arena, const struct slice *domains, size_t domain_count,
                        struct slice text, uint32_t limit, struct person **people, size_t *count)
{
    struct slice words[DIRECTORY_WORDS_MAX];
    size_t word_count = split_words(text, words);
    struct db_args args = { 0 };
    PGresult *result = NULL;
    *count = 0;
    *people = NULL;
    if (word_count == 0 || domain_count == 0)
        return ERR_OK;
    args_text_array(&args, domains, domain_count);
    args_text_array(&args, words, word_count);
    args_i32(&args, (int32_t)limit);
    enum err err =
        db_run(db,
               "select " PERSON_COLUMNS " from directory d"
               " where domain = any ($1) and status = 0 and not exists ("
               "  select from unnest($2::text[]) w where not ("
               "   starts_with(d.login, lower(w)) or position(' ' || lower(w) in ' ' || lower(d.name)) > 0"
               "   or position(' ' || lower(w) in ' ' || translate(split_part(d.login, '@', 1), '._-', '   ')) > 0))"
               " order by lower(coalesce(nullif(name, ''), login)), login limit $3",
               &args, &result);
    if (!err) {
        *count = (size_t)PQntuples(result);
        *people = arena_new(arena, struct person, *count);
        for (size_t i = 0; i < *count; i++)
            read_person(arena, result, (int)i, &(*people)[i]);
    }
    PQclear(result);
    return err;
}

enum err directory_get(struct db *db, struct arena *arena, const struct slice *domains, size_t domain_count,
                       struct slice address, struct person *person)
{
    struct db_args args = { 0 };
    PGresult *result = NULL;
    args_text_array(&args, domains, domain_count);
    args_slice(&args, address);
    enum err err = db_run(db,
                          "select " PERSON_COLUMNS " from directory"
                          " where domain = any ($1) and login = lower($2) and status = 0",
                          &args, &result);
    if (!err && PQntuples(result) == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "no such person");
    if (!err)
        read_person(arena, result, 0, person);
    PQclear(result);
    return err;
}

bool directory_name_is_good(struct slice name)
{
    bool good = name.len <= DIRECTORY_NAME_MAX;
    for (size_t i = 0; i < name.len && good; i++)
        good = (unsigned char)name.at[i] >= ' ' && name.at[i] != 0x7f;
    return good;
}

enum err directory_set_name(struct db *db, struct account_id id, struct slice name)
{
    struct db_args args = { 0 };
    int64_t rows = 0;
    if (!directory_name_is_good(name))
        return fail(&db->trace, ERR_SYNTAX, "a name is at most %u octets without control characters",
                    DIRECTORY_NAME_MAX);
    args_i64(&args, id.n);
    args_slice(&args, name);
    enum err err =
        db_run_only(db, "update directory set name = $2 where account_id = $1 and status <> 2", &args, &rows);
    if (!err && rows == 0)
        err = fail(&db->trace, ERR_NOT_FOUND, "account=%" PRIi64, id.n);
    return err;
}
