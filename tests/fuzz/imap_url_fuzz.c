/* URLs of CATENATE. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/mutf7.h"
#include "protocol/imap/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct imap_url url;
    if (imap_url_parse(slice_make(data, size), arena, &url)) {
        assert(url.uid > 0 && url.section.kind == FETCH_SECTION);
        assert(!url.mailbox.at || (url.mailbox.len && utf8_is_valid(url.mailbox)));
    }
    arena_close(&arena);
    return 0;
}
