#include <criterion/criterion.h>

#include "server/eas/directory.h"

static const struct {
    const char *setting, *own, *domains;
} rows[] = {
    { "", "a.test", "a.test" },
    { "a.test b.test", "a.test", "a.test a.test b.test" },
    { "A.Test,b.test", "a.test", "a.test a.test b.test" },
    { "a.test b.test", "c.test", "c.test" },
    { "a.test b.test; c.test d.test", "d.test", "d.test c.test d.test" },
    { "a.test b.test; b.test c.test", "b.test", "b.test a.test b.test b.test c.test" },
    { "a.test b.test; b.test c.test", "a.test", "a.test a.test b.test" },
    { " ;; , ;", "a.test", "a.test" },
    { "xa.test b.test", "a.test", "a.test" },
};

Test(eas_directory, joined_domains)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice *domains;
        size_t count;
        struct buf out = { 0 };
        eas_joined_domains(slice_of(rows[i].setting), slice_of(rows[i].own), arena, &domains, &count);
        for (size_t j = 0; j < count; j++)
            buf_printf(&out, "%s%.*s", j ? " " : "", SLICE_ARG(domains[j]));
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].domains)), "%s for %s: %.*s", rows[i].setting, rows[i].own,
                  SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
    arena_close(&arena);
}
