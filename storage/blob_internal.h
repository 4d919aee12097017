/* Shared within storage/: octets made ready for blob_put_1, so that small messages are stored in the round trip of the
 * write that refers to them. */
#pragma once

#include "storage/blob.h"
#include "storage/db_internal.h"
#include "storage/digest.h"

#define PIECE_MAX 1980u // a row of this still fits four to a page and is not TOASTed

/* New blobs and touched ones of one write: the first eight parameters of deliver_2, append_1 and replace_1. */
struct blob_set {
    struct arena *arena;
    size_t count, room;
    int64_t *ids, *sizes;
    int32_t *pieces;
    struct slice *hashes;
    size_t piece_count, piece_room;
    int64_t *piece_ids;
    int32_t *piece_ns;
    struct slice *piece_data;
    size_t touched_count, touched_room;
    int64_t *touched;
};

/* Makes octets part of the write, in the arena; those over BLOB_CHUNK_BYTES are written ahead and touched.
 * errors: ERR_LIMIT (over BLOB_MAX), ERR_UNAVAILABLE (also: the file cannot be read) */
MUST_USE enum err blob_set_add(struct db *db, struct blob_set *set, const struct octets *octets, struct blob_id *id);
void blob_set_touch(struct blob_set *set, struct blob_id id);
void blob_set_args(const struct blob_set *set, struct db_args *args); // $1 to $8

/* The octets' length whatever they lie in. */
int64_t octets_size(const struct octets *octets);
/* The length of octets that are stored. errors: ERR_NOT_FOUND */
MUST_USE enum err blob_size(struct db *db, struct blob_id id, int64_t *size);
/* Whole octets of several small blobs in one round trip, in the arena: octets[i] of ids[i]. Those stored in chunks, or
 * gone, stay empty. */
MUST_USE enum err blob_read_small(struct db *db, struct arena *arena, const struct blob_id *ids, size_t count,
                                  struct slice *octets);
