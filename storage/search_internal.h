/* What the files of search share: signatures and packs. */
#pragma once

#include "storage/db_internal.h"
#include "storage/search.h"

/* ---- search_signature.c: which sequences of characters a text has ----
 * A text's sequences are its runs of three characters, and of two where both are U+2E80 or above (CJK words are that
 * short); a text that contains another has all of its sequences. */

#define SEARCH_SEQUENCES_MAX 32768u // of one message; who has more is always compared
#define SEARCH_WIDE 0x2e80u

struct sequences { // a set of hashes; zero-initialised is empty
    uint32_t *slots; // open addressing, 0 is free
    size_t count, room;
    bool full; // there were more than SEARCH_SEQUENCES_MAX
};
/* Adds those of one text; none spans two texts. */
void sequences_add(struct sequences *set, struct slice text);
void sequences_add_hash(struct sequences *set, uint32_t hash);
void sequences_free(struct sequences *set);
/* The hashes in the arena, in no order. */
uint32_t *sequences_list(const struct sequences *set, struct arena *arena, size_t *count);

/* ---- search_pack.c: 256 messages in a row ---- */

#define PACK_SHIFT 8
#define PACK_MESSAGES (1u << PACK_SHIFT)

struct pack_entry { // one packed message; slices point into the pack
    struct message_id message;
    struct slice lines[SEARCH_LINES];
    bool cut; // a line was longer: only a hit in it counts
    bool has_sent_day;
    int32_t sent_day;
    struct slice signature; // empty: says nothing
};

struct pack {
    int64_t number; // message ids number * 256 and on
    int64_t upto;   // message ids below this one are in it, as far as they exist
    uint16_t *common; // ascending upper halves of hashes that are in no signature since many messages have them
    size_t common_count;
    struct pack_entry *entries; // ascending by message
    size_t count;
};

/* Packs by number, missing ones left out, ascending; in the arena. with_signatures: else entries have none. */
MUST_USE enum err packs_read(struct db *db, struct arena *arena, struct account_id account, const int64_t *numbers,
                             size_t count, bool with_signatures, struct pack **packs, size_t *pack_count);
const struct pack_entry *pack_find(const struct pack *pack, struct message_id message);
/* Those of the hashes that signatures of this pack tell something about; to rare[count]. */
size_t pack_rare(const struct pack *pack, const uint32_t *hashes, size_t count, uint32_t *rare);
/* Whether the message may have all these (rare) sequences. */
bool entry_may_have(const struct pack_entry *entry, const uint32_t *rare, size_t count);

/* The bits of so many hashes in so many octets. */
struct slice pack_sign(struct arena *arena, const uint32_t *hashes, size_t count, size_t octets);
/* Writes a pack whose upto was `was` (0: there was none). *written: false when somebody else wrote it first, or when one
 * of its messages is gone: nothing was changed. */
MUST_USE enum err pack_write(struct db *db, struct account_id account, const struct pack *pack, int64_t was, bool *written);

/* ---- search.c ---- */

/* Whether the row alone says that the query is not met. */
bool search_rules_out(const struct search *search, const struct search_row *row);

/* ---- search_read.c: messages read for comparing ---- */

struct search_message { // loaded, its texts not yet made
    struct message_row row;
    struct slice octets; // the whole message; empty when it is big and read in pieces
};
/* Rows and octets of the messages in the arena, ascending by id, missing ones left out. */
MUST_USE enum err search_load(struct db *db, struct arena *arena, struct account_id account, const struct message_id *ids,
                              size_t count, struct search_message **messages, size_t *message_count);
MUST_USE enum err search_texts_of(struct db *db, const struct search_reader *reader, const struct search_message *message,
                                  bool whole, struct arena *arena, struct search_texts *texts);

/* How many messages from the front make one batch: not too many, not too many octets. sizes[i]: octets. */
size_t search_batch(const int64_t *sizes, size_t count);
