#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/merge_sort.h"

Test(slice, numbers)
{
    static const struct {
        const char *in;
        uint64_t max, number;
        bool ok;
    } rows[] = {
        { "0", 9, 0, true },
        { "18446744073709551615", UINT64_MAX, UINT64_MAX, true },
        { "18446744073709551616", UINT64_MAX, 0, false },
        { "10", 9, 0, false },
        { "9", 9, 9, true },
        { "5", 4, 0, false },
        { "", 9, 0, false },
        { "1a", 99, 0, false },
        { "-1", 99, 0, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t n = 0;
        cr_expect_eq(slice_to_u64(slice_of(rows[i].in), rows[i].max, &n), rows[i].ok, "%s", rows[i].in);
        cr_expect_eq(n, rows[i].number, "%s", rows[i].in);
    }
}

Test(slice, cutting)
{
    struct slice s = SLICE_LIT("a,b,,c");
    cr_expect(slice_eq(slice_cut(&s, ','), SLICE_LIT("a")));
    cr_expect(slice_eq(slice_cut(&s, ','), SLICE_LIT("b")));
    cr_expect(slice_eq(slice_cut(&s, ','), SLICE_LIT("")));
    cr_expect(slice_eq(slice_cut(&s, ','), SLICE_LIT("c")));
    cr_expect_eq(s.len, 0);
    cr_expect_eq(slice_find_slice(SLICE_LIT("hello"), SLICE_LIT("llo")), 2);
    cr_expect_eq(slice_find_slice(SLICE_LIT("he"), SLICE_LIT("llo")), SIZE_MAX);
    cr_expect(slice_eq(slice_trim(SLICE_LIT(" \t a b\r\n")), SLICE_LIT("a b")));
    cr_expect(slice_starts_nocase(SLICE_LIT("Bearer x"), SLICE_LIT("bearer ")));
    cr_expect(slice_ends_nocase(SLICE_LIT("a@B"), SLICE_LIT("@b")));
}

Test(arena, gives_zeroed_aligned_memory_and_starts_over)
{
    struct arena *arena = arena_open();
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 + 1) {
            unsigned char *at = arena_alloc(arena, size);
            cr_expect_eq((uintptr_t)at % 16, 0);
            for (size_t i = 0; i < size; i++)
                cr_assert_eq(at[i], 0);
            memset(at, 0xaa, size);
        }
        arena_reset(arena);
        cr_expect_eq(arena_used(arena), 0);
    }
    cr_expect_str_eq(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    arena_close(&arena);
    cr_expect_null(arena);
}

Test(buf, grows_consumes_and_moves)
{
    struct buf a = { 0 }, b = { 0 };
    for (unsigned i = 0; i < 10000; i++) {
        buf_add_u64(&a, i % 10);
        if (i % 3 == 0)
            buf_consume(&a, 1);
    }
    cr_expect_eq(buf_len(&a), 10000 - 3334);
    cr_expect_eq(buf_slice(&a).at[0], '4');
    buf_add_text(&b, "x");
    buf_move(&b, &a);
    cr_expect_eq(buf_len(&b), 6667);
    cr_expect_eq(buf_len(&a), 0);
    buf_truncate(&b, 1);
    buf_move(&a, &b);
    cr_expect(slice_eq(buf_slice(&a), SLICE_LIT("x")));
    buf_free(&a);
    buf_free(&b);
}

Test(err, every_error_has_a_name_and_a_story)
{
    for (int i = 0; i < ERR_COUNT; i++)
        cr_expect_str_neq(err_name((enum err)i), "unknown");
    struct trace trace = { 0 };
    cr_expect_eq(fail(&trace, ERR_LIMIT, "%d too many", 3), ERR_LIMIT);
    cr_expect_str_eq(trace.text, "3 too many");
    cr_expect_eq(fail(NULL, ERR_STATE, "nobody listens"), ERR_STATE);
}

/* A client's text can neither end a line nor fake a key. */
Test(log, values_are_escaped_and_cut, .init = cr_redirect_stderr)
{
    char longer[400];
    memset(longer, 'x', sizeof longer);
    log_event(LOG_INFO, "login", LOG_T("login", "a\r\nresult=ok \"b\\"), LOG_S("empty", SLICE_LIT("")),
              LOG_S("long", slice_make(longer, sizeof longer)), LOG_I("n", -5), LOG_MS("took", 1.25));
    log_event(LOG_DEBUG, "hidden", LOG_I("n", 1));
    char text[2048] = { 0 };
    fflush(stderr);
    FILE *got = cr_get_redirected_stderr();
    size_t len = fread(text, 1, sizeof text - 1, got);
    cr_assert_gt(len, 0);
    cr_expect_not_null(strstr(text, " info login login=a\\x0d\\x0aresult\\x3dok\\x20\\x22b\\x5c empty=- long=xxx"), "%s", text);
    cr_expect_not_null(strstr(text, "x... n=-5 took=1.250\n"), "%s", text);
    cr_expect_null(strstr(text, "hidden"));
    cr_expect_eq(slice_count(slice_of(text), '\n'), 1);
    cr_expect_lt(len, 500);
}

Test(log, levels)
{
    enum log_level level;
    cr_expect(log_level_parse(SLICE_LIT("WARN"), &level));
    cr_expect_eq(level, LOG_WARN);
    cr_expect_not(log_level_parse(SLICE_LIT("loud"), &level));
}

static int by_tens(uint32_t a, uint32_t b, void *ctx)
{
    const uint32_t *values = ctx;
    return (values[a] / 10 > values[b] / 10) - (values[a] / 10 < values[b] / 10);
}

Test(merge_sort, sorts_in_steps_and_keeps_equal_ones_in_order)
{
    for (uint32_t count = 0; count < 70; count++) {
        uint32_t values[70], items[70], room[70], steps = 0;
        struct merge_sort sort;
        for (uint32_t i = 0; i < count; i++) {
            values[i] = i * 37 % 101;
            items[i] = i;
        }
        merge_sort_init(&sort, items, room, count);
        while (!merge_sort_step(&sort, 7, by_tens, values))
            steps++;
        cr_expect(count < 9 || steps >= count / 7, "%u in %u steps", count, steps);
        for (uint32_t i = 1; i < count; i++) {
            int by = by_tens(sort.from[i - 1], sort.from[i], values);
            cr_expect(by < 0 || (by == 0 && sort.from[i - 1] < sort.from[i]), "%u of %u", i, count);
        }
    }
}
