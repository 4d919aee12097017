#include "server/search_reader.h"

#include "protocol/mime/searchable.h"

static enum err read_octets(void *ctx, uint64_t at, uint64_t len, struct slice *out)
{
    return search_octets_read(ctx, at, len, out);
}

static enum err read_texts(const struct message_row *row, struct search_octets *octets, bool whole, struct arena *arena,
                           struct search_texts *texts)
{
    struct mime_meta meta;
    struct mime_searchable found;
    const struct mime_source source = { octets, read_octets };
    if (mime_meta_unpack(row->meta, row->prefix.len, arena, &meta))
        return ERR_OK; // not described: nothing to look into
    enum err err = mime_searchable_read(&meta, &source, whole, arena, &found);
    if (err)
        return err;
    _Static_assert((int)SEARCH_LINES == (int)MIME_LINES, "the same lines in the same order");
    memcpy(texts->lines, found.lines, sizeof texts->lines);
    texts->has_sent_day = found.has_sent_day;
    texts->sent_day = found.sent_day;
    texts->header = found.header;
    texts->own_len = found.own_len;
    texts->body = found.body;
    return ERR_OK;
}

const struct search_reader search_reader = { read_texts };

struct slice search_folded(struct slice utf8, struct arena *arena)
{
    return mime_folded(utf8, arena);
}
