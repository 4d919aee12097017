#include <stdlib.h>

#include "protocol/wbxml/wbxml.h"

const struct wbxml_row wbxml_rows[] = {
#define X(page, name, token, since) { WB_##page##_##name, (since), #page, #page ":" #name },
    WBXML_TAGS(X)
#undef X
};
const size_t wbxml_row_count = sizeof wbxml_rows / sizeof *wbxml_rows;

/* Rows stand in ascending order of their tags. */
const struct wbxml_row *wbxml_find(uint16_t tag)
{
    size_t low = 0, high = wbxml_row_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (wbxml_rows[middle].tag == tag)
            return &wbxml_rows[middle];
        if (wbxml_rows[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *wbxml_name(uint16_t tag)
{
    const struct wbxml_row *row = wbxml_find(tag);
    return row ? row->name : "?";
}
