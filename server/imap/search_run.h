/* A search program over the session's view, in steps: what SEARCH, SORT and THREAD share. */
#pragma once

#include "protocol/imap/search.h"
#include "server/imap/session.h"
#include "storage/search.h"

struct imap_search {
    const struct search_program *program;
    struct search_node *query;
    struct search *search;
    struct search_row *rows; // the window that is judged: message numbers from `first` on
    uint32_t first, count, window, total;
    uint32_t *hits; // message numbers, ascending
    size_t hit_count, hit_room;
    int64_t start_us;
};

/* Translates the program and gets ready. IMAP_WAIT: go on with imap_search_step; IMAP_DONE: a refusal is replied;
 * IMAP_NEED_WORKER. work lives in the command's arena, and is undone by imap_search_fini. */
enum imap_result imap_search_init(struct imap_session *s, struct worker *worker, const struct search_program *program,
                                  struct imap_search *work);
void imap_search_fini(struct imap_search *work);
/* Goes on; *done: hits are complete. IMAP_DONE: a refusal is replied (and *done false), else IMAP_WAIT. */
enum imap_result imap_search_step(struct imap_session *s, struct worker *worker, struct imap_search *work, bool *done);
/* Row of a hit as it is now: flags and modseq of the newest version. */
const struct placement *imap_search_row(const struct imap_session *s, uint32_t number);
/* Whether the criteria hold message numbers: then no EXPUNGE may come before the reply (RFC 3501 7.4.1). */
bool imap_search_uses_numbers(const struct search_program *program);

/* ---- search_result.c ---- */

struct esearch_result { // message numbers or uids, in the order to be told
    const uint32_t *numbers;
    size_t count;
    const uint32_t *message_numbers; // the same as message numbers
};
/* The answer of SEARCH RETURN and SORT RETURN, and what SAVE saves (RFC 4731, 5182, 5267, 9394). */
void imap_write_esearch(struct imap_session *s, const struct search_program *program, const struct esearch_result *result);
/* Forgets the saved result. */
void imap_search_unsave(struct imap_session *s);
