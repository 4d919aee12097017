#include <criterion/criterion.h>
#include <stdlib.h>

#include "server/http/spool.h"

static const struct {
    const char *name;
    size_t piece, count;
    bool file;
} rows[] = {
    { "nothing", 0, 0, false },
    { "a little", 10, 3, false },
    { "as much as memory takes", SPOOL_MEMORY_BYTES / 4, 4, false },
    { "one octet more", SPOOL_MEMORY_BYTES + 1, 1, true },
    { "in many pieces", 30000, 100, true },
};

Test(spool, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct spool spool;
        spool_init(&spool);
        char *piece = malloc(rows[i].piece + 1);
        for (size_t k = 0; k < rows[i].count; k++) {
            memset(piece, (int)('a' + k % 26), rows[i].piece);
            cr_assert_eq(spool_add(&spool, "/tmp", slice_make(piece, rows[i].piece), NULL), ERR_OK);
        }
        cr_assert_eq(spool_end(&spool, NULL), ERR_OK, "%s", rows[i].name);
        struct slice all = spool_slice(&spool);
        cr_assert_eq(all.len, rows[i].piece * rows[i].count, "%s", rows[i].name);
        cr_expect_eq(spool.fd >= 0, rows[i].file, "%s", rows[i].name);
        for (size_t k = 0; k < rows[i].count; k++)
            cr_assert_eq(all.at[k * rows[i].piece + rows[i].piece / 2], (char)('a' + k % 26), "%s",
                         rows[i].name);
        free(piece);
        spool_fini(&spool);
    }
}

Test(spool, missing_directory_is_told)
{
    struct spool spool;
    struct trace trace = { 0 };
    spool_init(&spool);
    char *bytes = calloc(1, SPOOL_MEMORY_BYTES + 1);
    cr_assert_eq(
        spool_add(&spool, "/nowhere/at/all", slice_make(bytes, SPOOL_MEMORY_BYTES + 1), &trace),
        ERR_UNAVAILABLE);
    cr_expect(strstr(trace.text, "/nowhere/at/all"));
    free(bytes);
    spool_fini(&spool);
}
