/* What the reader takes, the writer can write again, and it reads the same. */
#include <stdlib.h>

#include "protocol/wbxml/wbxml.h"

static void write_node(struct wbxml_writer *writer, const struct wbxml_node *node)
{
    if (node->child) {
        wbxml_start(writer, node->tag);
        for (const struct wbxml_node *child = node->child; child; child = child->next)
            write_node(writer, child);
        wbxml_end(writer, node->tag);
    } else if (node->opaque) {
        wbxml_opaque(writer, node->tag, node->text);
    } else {
        wbxml_text(writer, node->tag, node->text);
    }
}

static size_t count_nodes(const struct wbxml_node *node)
{
    size_t count = 1;
    for (const struct wbxml_node *child = node->child; child; child = child->next)
        count += count_nodes(child);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct wbxml_node *root, *again;
    if (wbxml_parse(slice_make(data, size), arena, &root, NULL) == ERR_OK) {
        struct buf out = { 0 };
        struct wbxml_writer writer;
        wbxml_writer_init(&writer, &out);
        write_node(&writer, root);
        if (wbxml_parse(buf_slice(&out), arena, &again, NULL) != ERR_OK || count_nodes(root) != count_nodes(again))
            abort();
        buf_free(&out);
    }
    arena_close(&arena);
    return 0;
}
