#include "tests/support/notation.h"

#include <criterion/criterion.h>

static uint16_t tag_of(struct slice name)
{
    for (size_t i = 0; i < wbxml_row_count; i++) {
        if (slice_eq(name, slice_of(wbxml_rows[i].name)))
            return wbxml_rows[i].tag;
    }
    cr_assert_fail("no tag %.*s", SLICE_ARG(name));
    return 0;
}

static struct slice with_blanks(struct arena *arena, struct slice text)
{
    char *copy = arena_text(arena, text);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(copy[i] == '_' ? ' ' : copy[i]);
    return slice_make(copy, text.len);
}

struct wbxml_node *notation_build(struct arena *arena, const char *notation)
{
    struct buf out = { 0 };
    struct wbxml_writer writer;
    struct slice rest = slice_of(notation);
    uint16_t open[WBXML_DEPTH_MAX];
    size_t depth = 0;
    wbxml_writer_init(&writer, &out);
    while (rest.len) {
        struct slice text = slice_cut(&rest, ' ');
        if (slice_eq(text, SLICE_LIT("-"))) {
            wbxml_end(&writer, open[--depth]);
            continue;
        }
        bool opens = slice_take(&text, '+');
        uint16_t tag = tag_of(slice_cut(&text, '='));
        if (opens) {
            open[depth++] = tag;
            wbxml_start(&writer, tag);
        } else {
            wbxml_text(&writer, tag, with_blanks(arena, text));
        }
    }
    struct wbxml_node *root;
    cr_assert_eq(wbxml_parse(arena_copy(arena, buf_slice(&out)), arena, &root, NULL), ERR_OK);
    buf_free(&out);
    return root;
}
