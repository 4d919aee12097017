#include <criterion/criterion.h>

#include "base/buf.h"
#include "protocol/imap/fetch.h"

static const struct {
    const char *in;
    enum err err;
    size_t count;
    const char *label; // of the last item, when it has one
    bool sets_seen, needs_message, needs_octets;
} rows[] = {
    { "ALL", ERR_OK, 4, NULL, false, true, false },
    { "fast", ERR_OK, 3, NULL, false, false, false },
    { "FULL", ERR_OK, 5, NULL, false, true, false },
    { "FLAGS", ERR_OK, 1, NULL, false, false, false },
    { "(UID FLAGS)", ERR_OK, 2, NULL, false, false, false },
    { "(uid rfc822.size internaldate)", ERR_OK, 3, NULL, false, false, false },
    { "BODY", ERR_OK, 1, NULL, false, true, false },
    { "BODY[]", ERR_OK, 1, "BODY[]", true, true, true },
    { "BODY.PEEK[]<0.100>", ERR_OK, 1, "BODY[]<0>", false, true, true },
    { "body.peek[1.2.mime]", ERR_OK, 1, "BODY[1.2.MIME]", false, true, true },
    { "BODY[3.HEADER]", ERR_OK, 1, "BODY[3.HEADER]", true, true, true },
    { "BODY[TEXT]<10.5>", ERR_OK, 1, "BODY[TEXT]<10>", true, true, true },
    { "BODY.PEEK[HEADER.FIELDS (From \"To\")]", ERR_OK, 1, "BODY[HEADER.FIELDS (From To)]", false, true, true },
    { "BODY[1.HEADER.FIELDS.NOT (x)]", ERR_OK, 1, "BODY[1.HEADER.FIELDS.NOT (x)]", true, true, true },
    { "BODY[HEADER.FIELDS (\"a b\" {3}\r\nx\"y)]", ERR_OK, 1, "BODY[HEADER.FIELDS (\"a b\" \"x\\\"y\")]", true, true, true },
    { "RFC822.HEADER", ERR_OK, 1, NULL, false, true, true },
    { "RFC822", ERR_OK, 1, NULL, true, true, true },
    { "PREVIEW (LAZY)", ERR_OK, 1, NULL, false, true, false },
    { "(FLAGS) (CHANGEDSINCE 12)", ERR_OK, 1, NULL, false, false, false },
    { "(FLAGS) (CHANGEDSINCE 12 VANISHED)", ERR_OK, 1, NULL, false, false, false },
    { "(FLAGS) (VANISHED)", ERR_SYNTAX, 0, NULL, false, false, false },
    { "(FLAGS) (CHANGEDSINCE)", ERR_SYNTAX, 0, NULL, false, false, false },
    { "()", ERR_SYNTAX, 0, NULL, false, false, false },
    { "(FLAGS", ERR_SYNTAX, 0, NULL, false, false, false },
    { "FLAGS UID", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[MIME]", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[0]", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[1.]", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[1", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[]<0.0>", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[]<5>", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[HEADER.FIELDS ()]", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODY[HEADERX]", ERR_SYNTAX, 0, NULL, false, false, false },
    { "BODYX", ERR_SYNTAX, 0, NULL, false, false, false },
    { "(ALL)", ERR_SYNTAX, 0, NULL, false, false, false },
    { "", ERR_SYNTAX, 0, NULL, false, false, false },
};

Test(fetch, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in);
        struct fetch_program p = { 0 };
        cr_expect_eq(fetch_parse(&in, arena, &p), rows[i].err, "%s", rows[i].in);
        cr_expect_eq(p.count, rows[i].count, "%s: %zu items", rows[i].in, p.count);
        if (rows[i].label && p.count)
            cr_expect(slice_eq(p.items[p.count - 1].label, slice_of(rows[i].label)), "%s: %.*s", rows[i].in,
                      SLICE_ARG(p.items[p.count - 1].label));
        cr_expect_eq(p.sets_seen, rows[i].sets_seen, "%s: seen", rows[i].in);
        cr_expect_eq(p.needs_message, rows[i].needs_message, "%s: message", rows[i].in);
        cr_expect_eq(p.needs_octets, rows[i].needs_octets, "%s: octets", rows[i].in);
    }
    arena_close(&arena);
}

Test(fetch, limits)
{
    static const struct {
        const char *open, *one, *close;
        unsigned count;
    } limits[] = {
        { "(FLAGS", " FLAGS", ")", FETCH_ITEMS_MAX },
        { "BODY[1", ".1", "]", FETCH_PARTS_MAX },
        { "BODY[HEADER.FIELDS (a", " a", ")]", FETCH_FIELDS_MAX },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (unsigned over = 0; over < 2; over++) {
            struct buf text = { 0 };
            buf_add_text(&text, limits[i].open);
            for (unsigned k = 1; k < limits[i].count + over; k++)
                buf_add_text(&text, limits[i].one);
            buf_add_text(&text, limits[i].close);
            struct slice in = buf_slice(&text);
            struct fetch_program p;
            cr_expect_eq(fetch_parse(&in, arena, &p), over ? ERR_LIMIT : ERR_OK, "%s %u", limits[i].open, over);
            buf_free(&text);
        }
    arena_close(&arena);
}
