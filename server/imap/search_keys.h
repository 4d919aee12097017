/* The stored keys of messages that were found, for SORT and THREAD: read in steps. */
#pragma once

#include "protocol/mime/meta.h"
#include "server/imap/search_run.h"

struct search_keys {
    size_t next; // hits before it are read
    struct arena *arena; // of a batch
};
/* Called once for each hit, in order. meta is NULL when the message's content is gone. */
typedef void (*search_keys_fn)(struct imap_session *s, size_t hit, const struct placement *row, const struct mime_meta *meta);

/* Goes on; *done when all are read. IMAP_DONE: a refusal is replied, else IMAP_WAIT. */
enum imap_result imap_search_keys_step(struct imap_session *s, struct worker *worker, const struct imap_search *run,
                                       struct search_keys *keys, search_keys_fn fn, bool *done);
void imap_search_keys_fini(struct search_keys *keys);
