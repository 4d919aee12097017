/* What SORT and THREAD share: messages are found, then their stored keys are read, in steps. */
#pragma once

#include "protocol/mime/meta.h"
#include "server/imap/search_run.h"

struct search_keys {
    struct imap_search run;
    bool found, read; // what is done
    size_t next;         // hits before it are read
    struct arena *arena; // of a batch
};
/* Called when all are found, before the first key: makes room for run.hit_count messages. */
typedef void (*search_found_fn)(struct imap_session *s);
/* Called once for each hit, in order. meta is NULL when the message's content is gone. */
typedef void (*search_keys_fn)(struct imap_session *s, size_t hit, const struct placement *row, const struct mime_meta *meta);

/* Goes on. IMAP_WAIT: for another step, or keys->read; IMAP_NEED_WORKER; IMAP_DONE: a refusal is replied. */
enum imap_result imap_search_keys_step(struct imap_session *s, struct worker *worker, struct search_keys *keys,
                                       search_found_fn found, search_keys_fn fn);
void imap_search_keys_fini(struct search_keys *keys);
