/* THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 3), on keys that are known. Nothing recurses: a chain of replies may
 * be as long as the mailbox. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

struct thread_message {
    uint32_t number;  // to be told: message number or uid
    uint32_t place;   // its place in the mailbox, which settles equal dates
    int64_t date_us;  // sent date, or the internal one when there is none
    struct slice subject; // base subject, folded
    bool is_reply;        // the subject had a mark of a reply or a forward
    struct slice message_id; // with <>; empty: none
    struct slice references; // "<a> <b>": of References, else the first id of In-Reply-To
};

/* Appends "(2)(3 6 (4 23)(44 7 96))". Scratch memory is in the arena. messages are put into another order. */
void thread_by_subject(struct thread_message *messages, size_t count, struct buf *out);
void thread_by_references(const struct thread_message *messages, size_t count, struct arena *arena, struct buf *out);
