/* The store's epoch, for the day it goes back in time (hard case 6). */
#include <inttypes.h>

#include "storage/db_internal.h"

/* The jump is far beyond what a standby can lag behind, and small in 32 bits of uid. Items follow uids, so both jump;
 * a state that a phone brings has S and A below the new clock, as after any other gap. */
static enum err jump(struct db *db)
{
    return db_exec(db, "update account set modseq = modseq + 1000000;"
                       "update mailbox set uidnext = uidnext + 1000000");
}

enum err db_check_epoch(struct db *db)
{
    enum err err = db_begin(db, "read committed");
    if (err)
        return err;
    PGresult *meta = NULL;
    err = db_run(db,
                 "select m.system_identifier, m.timeline, s.system_identifier,"
                 "       greatest(c.timeline_id, ('x' || substr(w.name, 1, 8))::bit(32)::int)::bigint"
                 "  from (select * from store_meta for update) m, pg_control_system() s, pg_control_checkpoint() c,"
                 "       pg_walfile_name(pg_current_wal_lsn()) w(name)",
                 NULL, &meta);
    if (err)
        goto out;
    int64_t system = res_i64(meta, 0, 2), timeline = res_i64(meta, 0, 3);
    bool known = !res_null(meta, 0, 0);
    bool same = known && res_i64(meta, 0, 0) == system && res_i64(meta, 0, 1) == timeline;
    if (same)
        goto out;
    struct db_args args = { 0 };
    args_i64(&args, system);
    args_i64(&args, timeline);
    args_i64(&args, known ? 1 : 0);
    err = db_run_only(db, "update store_meta set system_identifier = $1, timeline = $2, epoch = epoch + $3", &args,
                      NULL);
    if (!err && known)
        err = jump(db);
out:
    PQclear(meta);
    return db_end(db, err);
}
