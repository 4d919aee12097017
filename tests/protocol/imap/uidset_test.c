#include <criterion/criterion.h>

#include "protocol/imap/uidset.h"

static const struct {
    const char *name, *in;
    enum err err;
    uint32_t uid, largest;
    bool has;
} rows[] = {
    { "reversed run", "9:2", ERR_OK, 5, 9, true },
    { "star past the end names the last", "9:*", ERR_OK, 4, 4, true },
    { "star in an empty mailbox", "*", ERR_OK, 1, 0, false },
    { "stops at the first foreign byte", "1:4,9 (FLAGS)", ERR_OK, 9, 9, true },
    { "not in a gap", "1:4,9", ERR_OK, 6, 9, false },
    { "the largest number", "4294967295", ERR_OK, 4294967295u, 9, true },
    { "dangling comma", "1,", ERR_SYNTAX, 0, 0, false },
    { "dangling colon", "1:", ERR_SYNTAX, 0, 0, false },
    { "zero is no number", "0", ERR_SYNTAX, 0, 0, false },
    { "too big", "4294967296", ERR_SYNTAX, 0, 0, false },
    { "empty", "", ERR_SYNTAX, 0, 0, false },
};

Test(uidset, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in);
        struct uidset set = { 0 };
        cr_expect_eq(uidset_parse(&in, arena, &set), rows[i].err, "%s", rows[i].name);
        bool has = uidset_has(&set, rows[i].uid, rows[i].largest);
        cr_expect_eq(has, rows[i].has, "%s", rows[i].name);
        if (!rows[i].err) {
            struct uidset sorted;
            uidset_normalise(&set, rows[i].largest, arena, &sorted);
            cr_expect_eq(uidset_has_sorted(&sorted, rows[i].uid), rows[i].has, "%s, sorted", rows[i].name);
        }
        if (rows[i].err)
            cr_expect_eq(in.len, strlen(rows[i].in), "%s: input moved on error", rows[i].name);
    }
    arena_close(&arena);
}

Test(uidset, saved_result)
{
    struct arena *arena = arena_open();
    struct slice in = SLICE_LIT("$ FLAGS");
    struct uidset set;
    cr_assert_eq(uidset_parse(&in, arena, &set), ERR_OK);
    cr_expect(set.saved);
    cr_expect_eq(in.len, 6);
    arena_close(&arena);
}

Test(uidset, too_many_runs_are_refused)
{
    struct arena *arena = arena_open();
    struct buf text = { 0 };
    for (unsigned i = 0; i <= UIDSET_RUNS_MAX; i++)
        buf_printf(&text, i ? ",%u" : "%u", 2 * i + 1);
    struct slice in = buf_slice(&text);
    struct uidset set;
    cr_expect_eq(uidset_parse(&in, arena, &set), ERR_LIMIT);
    buf_free(&text);
    arena_close(&arena);
}

Test(uidset, normalised)
{
    static const struct {
        const char *in, *out;
        uint32_t largest;
    } cases[] = {
        { "5,1:3,2:4", "1:5", 9 }, { "9:2", "2:9", 9 },  { "*", "7", 7 },   { "*", "", 0 },
        { "20:*", "7:20", 7 },     { "3,1", "1,3", 9 },  { "1:*", "1:3", 3 }, { "4294967295,1", "1,4294967295", 3 },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice in = slice_of(cases[i].in);
        struct uidset set, sorted;
        struct buf out = { 0 };
        cr_assert_eq(uidset_parse(&in, arena, &set), ERR_OK);
        uidset_normalise(&set, cases[i].largest, arena, &sorted);
        for (size_t k = 0; k < sorted.count; k++) {
            buf_printf(&out, k ? ",%u" : "%u", sorted.runs[k].first);
            if (sorted.runs[k].last != sorted.runs[k].first)
                buf_printf(&out, ":%u", sorted.runs[k].last);
        }
        cr_expect(slice_eq(buf_slice(&out), slice_of(cases[i].out)), "%s gave %.*s", cases[i].in,
                  SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
    arena_close(&arena);
}

Test(uidset, written)
{
    struct buf out = { 0 };
    uidset_write((uint32_t[]){ 1, 2, 3, 7, 9, 10 }, 6, &out);
    cr_expect(slice_eq(buf_slice(&out), SLICE_LIT("1:3,7,9:10")));
    buf_clear(&out);
    uidset_write(NULL, 0, &out);
    cr_expect_eq(buf_len(&out), 0);
    buf_free(&out);
}
