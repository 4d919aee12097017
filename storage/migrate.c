/* The schema inside the program: numbered migrations, forward only, then the functions whose text is not in force. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "storage/db_internal.h"

struct schema_file {
    const char *name, *sql;
};

#include "storage_schema.inc"

#define MIGRATION_LOCK "7236284160" // any number that no other program on the database uses

static enum err apply_migrations(struct db *db)
{
    PGresult *done = NULL;
    enum err err = db_run(db, "select name from schema_migration order by name", NULL, &done);
    int count = err ? 0 : PQntuples(done), at = 0;
    for (const struct schema_file *file = schema_migrations; !err && file->name; file++) {
        if (at < count && slice_eq(res_slice(done, at, 0), slice_of(file->name))) {
            at++;
            continue;
        }
        if (at < count) {
            err = fail(&db->trace, ERR_STATE, "the store holds migration %.*s, which this program does not know",
                       SLICE_ARG(res_slice(done, at, 0)));
            break;
        }
        err = db_exec(db, file->sql);
        struct db_args args = { 0 };
        args_text(&args, file->name);
        if (!err)
            err = db_run_only(db, "insert into schema_migration (name) values ($1)", &args, NULL);
    }
    if (!err && at < count)
        err = fail(&db->trace, ERR_STATE, "the store was made by a newer program: it holds migration %.*s",
                   SLICE_ARG(res_slice(done, at, 0)));
    PQclear(done);
    return err;
}

static enum err apply_function(struct db *db, const struct schema_file *file)
{
    struct db_args args = { 0 };
    args_text(&args, file->name);
    args_text(&args, file->sql);
    PGresult *same = NULL;
    enum err err = db_run(db, "select 1 from schema_function where name = $1 and text = $2", &args, &same);
    bool in_force = !err && PQntuples(same) > 0;
    PQclear(same);
    if (err || in_force)
        return err;
    err = db_exec(db, file->sql);
    if (err)
        return err;
    args = (struct db_args){ 0 };
    args_text(&args, file->name);
    args_text(&args, file->sql);
    return db_run_only(db,
                       "insert into schema_function (name, text) values ($1, $2)"
                       " on conflict (name) do update set text = excluded.text",
                       &args, NULL);
}

enum err db_migrate(struct db *db)
{
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    err = db_exec(db, "set local lock_timeout = 0; set local statement_timeout = 0;"
                      "select pg_advisory_xact_lock(" MIGRATION_LOCK ");"
                      "create table if not exists schema_migration ("
                      " name text primary key, applied_at timestamptz not null default now());"
                      "create table if not exists schema_function (name text primary key, text text not null)");
    if (!err)
        err = apply_migrations(db);
    for (const struct schema_file *file = schema_functions; !err && file->name; file++)
        err = apply_function(db, file);
    return db_end(db, err);
}
