/* Binary parameters and results. Formats: the *_send and *_recv functions of PostgreSQL, stable since 8.0. */
#include "storage/db_internal.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "storage/message.h"

// pg_type.dat
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_INT4_ARRAY = 1007,
    OID_TEXT_ARRAY = 1009,
    OID_INT8_ARRAY = 1016,
    OID_BYTEA_ARRAY = 1001,
    OID_TIMESTAMPTZ = 1184,
    OID_TIMESTAMPTZ_ARRAY = 1185,
    OID_JSONB = 3802,
    OID_INT8MULTIRANGE = 4536,
};

#define POSTGRES_EPOCH_US INT64_C(946684800000000) // 2000-01-01, in microseconds since 1970
#define RANGE_LOWER_INCLUSIVE 0x02                 // rangetypes.h RANGE_LB_INC

static int add(struct db_args *args, Oid type, const char *value, size_t len)
{
    assert(args->count < DB_ARGS_MAX);
    int i = args->count++;
    args->types[i] = type;
    args->values[i] = value;
    args->lengths[i] = (int)len;
    return i;
}

static void add_fixed(struct db_args *args, Oid type, const void *bytes, size_t len)
{
    int i = add(args, type, NULL, len);
    memcpy(args->room[i], bytes, len);
    args->values[i] = args->room[i];
}

void args_i64(struct db_args *args, int64_t n)
{
    uint64_t wire = htobe64((uint64_t)n);
    add_fixed(args, OID_INT8, &wire, 8);
}

void args_i64_or_null(struct db_args *args, int64_t n)
{
    if (n)
        args_i64(args, n);
    else
        add(args, OID_INT8, NULL, 0);
}

void args_i32(struct db_args *args, int32_t n)
{
    uint32_t wire = htobe32((uint32_t)n);
    add_fixed(args, OID_INT4, &wire, 4);
}

void args_i16(struct db_args *args, int16_t n)
{
    uint16_t wire = htobe16((uint16_t)n);
    add_fixed(args, OID_INT2, &wire, 2);
}

void args_bool(struct db_args *args, bool on)
{
    char wire = on ? 1 : 0;
    add_fixed(args, OID_BOOL, &wire, 1);
}

void args_time(struct db_args *args, int64_t us)
{
    if (us) {
        uint64_t wire = htobe64((uint64_t)(us - POSTGRES_EPOCH_US));
        add_fixed(args, OID_TIMESTAMPTZ, &wire, 8);
    } else {
        add(args, OID_TIMESTAMPTZ, NULL, 0);
    }
}

void args_text(struct db_args *args, const char *text)
{
    add(args, OID_TEXT, text, text ? strlen(text) : 0);
}

void args_slice(struct db_args *args, struct slice text)
{
    add(args, OID_TEXT, text.at ? text.at : "", text.len);
}

void args_bytes(struct db_args *args, struct slice bytes)
{
    add(args, OID_BYTEA, bytes.at ? bytes.at : "", bytes.len);
}

static struct arena *args_arena(struct db_args *args)
{
    if (!args->arena)
        args->arena = arena_open();
    return args->arena;
}

void args_json(struct db_args *args, struct slice json)
{
    if (json.len == 0) {
        add(args, OID_JSONB, NULL, 0);
        return;
    }
    char *wire = arena_alloc(args_arena(args), json.len + 1);
    wire[0] = 1; // jsonb's version of the text form
    memcpy(wire + 1, json.at, json.len);
    add(args, OID_JSONB, wire, json.len + 1);
}

static char *put_i32(char *at, int32_t n)
{
    uint32_t wire = htobe32((uint32_t)n);
    memcpy(at, &wire, 4);
    return at + 4;
}

static char *put_i64(char *at, int64_t n)
{
    uint64_t wire = htobe64((uint64_t)n);
    memcpy(at, &wire, 8);
    return at + 8;
}

/* ndim, has-null flag, element type, then size and lower bound of the one dimension. */
#define ARRAY_HEAD 20u

static char *put_array_head(char *at, Oid element, bool nulls, size_t count)
{
    at = put_i32(at, count ? 1 : 0);
    at = put_i32(at, nulls);
    at = put_i32(at, (int32_t)element);
    if (count) {
        at = put_i32(at, (int32_t)count);
        at = put_i32(at, 1);
    }
    return at;
}

void args_i64_array(struct db_args *args, const int64_t *n, size_t count)
{
    char *wire = arena_alloc(args_arena(args), ARRAY_HEAD + 12 * count);
    char *at = put_array_head(wire, OID_INT8, false, count);
    for (size_t i = 0; i < count; i++)
        at = put_i64(put_i32(at, 8), n[i]);
    add(args, OID_INT8_ARRAY, wire, (size_t)(at - wire));
}

void args_i32_array(struct db_args *args, const int32_t *n, size_t count)
{
    char *wire = arena_alloc(args_arena(args), ARRAY_HEAD + 8 * count);
    char *at = put_array_head(wire, OID_INT4, false, count);
    for (size_t i = 0; i < count; i++)
        at = put_i32(put_i32(at, 4), n[i]);
    add(args, OID_INT4_ARRAY, wire, (size_t)(at - wire));
}

void args_time_array(struct db_args *args, const int64_t *us, size_t count)
{
    char *wire = arena_alloc(args_arena(args), ARRAY_HEAD + 12 * count);
    char *at = put_array_head(wire, OID_TIMESTAMPTZ, true, count);
    for (size_t i = 0; i < count; i++)
        at = us[i] ? put_i64(put_i32(at, 8), us[i] - POSTGRES_EPOCH_US) : put_i32(at, -1);
    add(args, OID_TIMESTAMPTZ_ARRAY, wire, (size_t)(at - wire));
}

static void add_slices(struct db_args *args, Oid array, Oid element, const struct slice *slices, size_t count,
                       bool null_is_empty)
{
    size_t size = ARRAY_HEAD;
    for (size_t i = 0; i < count; i++)
        size += 4 + slices[i].len;
    char *wire = arena_alloc(args_arena(args), size);
    char *at = put_array_head(wire, element, !null_is_empty, count);
    for (size_t i = 0; i < count; i++) {
        if (!slices[i].at && !null_is_empty) {
            at = put_i32(at, -1);
            continue;
        }
        at = put_i32(at, (int32_t)slices[i].len);
        if (slices[i].len)
            memcpy(at, slices[i].at, slices[i].len);
        at += slices[i].len;
    }
    add(args, array, wire, (size_t)(at - wire));
}

void args_text_array(struct db_args *args, const struct slice *texts, size_t count)
{
    add_slices(args, OID_TEXT_ARRAY, OID_TEXT, texts, count, false);
}

void args_bytes_array(struct db_args *args, const struct slice *bytes, size_t count)
{
    add_slices(args, OID_BYTEA_ARRAY, OID_BYTEA, bytes, count, true);
}

void args_ranges(struct db_args *args, const struct uid_range *ranges, size_t count)
{
    char *wire = arena_alloc(args_arena(args), 4 + (4 + 1 + 12 + 12) * count);
    char *at = put_i32(wire, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        assert(ranges[i].first <= ranges[i].last);
        at = put_i32(at, 1 + 12 + 12);
        *at++ = RANGE_LOWER_INCLUSIVE;
        at = put_i64(put_i32(at, 8), ranges[i].first);
        at = put_i64(put_i32(at, 8), (int64_t)ranges[i].last + 1);
    }
    add(args, OID_INT8MULTIRANGE, wire, (size_t)(at - wire));
}

void args_release(struct db_args *args)
{
    if (args->arena)
        arena_close(&args->arena);
    args->count = 0;
}

/* ---- results ---- */

static uint32_t get_u32(const char *at)
{
    uint32_t wire;
    memcpy(&wire, at, 4);
    return be32toh(wire);
}

static uint64_t get_u64(const char *at)
{
    uint64_t wire;
    memcpy(&wire, at, 8);
    return be64toh(wire);
}

int64_t res_i64(const PGresult *result, int row, int column)
{
    const char *at = PQgetvalue(result, row, column);
    switch (PQgetisnull(result, row, column) ? 0 : PQgetlength(result, row, column)) {
    case 0:
        return 0;
    case 2: {
        uint16_t wire;
        memcpy(&wire, at, 2);
        return (int16_t)be16toh(wire);
    }
    case 4:
        return (int32_t)get_u32(at);
    case 8:
        return (int64_t)get_u64(at);
    default:
        assert(!"an integer column");
        return 0;
    }
}

bool res_bool(const PGresult *result, int row, int column)
{
    return !PQgetisnull(result, row, column) && PQgetvalue(result, row, column)[0] != 0;
}

int64_t res_time(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return 0;
    assert(PQgetlength(result, row, column) == 8);
    return (int64_t)get_u64(PQgetvalue(result, row, column)) + POSTGRES_EPOCH_US;
}

struct slice res_slice(const PGresult *result, int row, int column)
{
    return slice_make(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

char *res_text(struct arena *arena, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return NULL;
    return arena_text(arena, res_slice(result, row, column));
}

struct slice res_json(const PGresult *result, int row, int column)
{
    struct slice wire = res_slice(result, row, column);
    return wire.len ? slice_tail(wire, 1) : wire;
}

/* Moves past an array's head; returns its number of elements. */
static size_t take_array_head(struct slice *wire)
{
    if (wire->len < ARRAY_HEAD) // null or no dimension: empty
        return 0;
    size_t count = get_u32(wire->at + 12);
    *wire = slice_tail(*wire, ARRAY_HEAD);
    return count;
}

/* Moves past one element; false for a null one. */
static bool take_element(struct slice *wire, struct slice *element)
{
    assert(wire->len >= 4);
    int32_t len = (int32_t)get_u32(wire->at);
    *wire = slice_tail(*wire, 4);
    if (len < 0)
        return false;
    assert(wire->len >= (size_t)len);
    *element = slice_head(*wire, (size_t)len);
    *wire = slice_tail(*wire, (size_t)len);
    return true;
}

const char *const *res_text_array(struct arena *arena, const PGresult *result, int row, int column, size_t *count)
{
    struct slice wire = res_slice(result, row, column);
    *count = take_array_head(&wire);
    const char **texts = arena_new(arena, const char *, *count);
    for (size_t i = 0; i < *count; i++) {
        struct slice element = { "", 0 };
        take_element(&wire, &element);
        texts[i] = arena_text(arena, element);
    }
    return texts;
}

int64_t *res_i64_array(struct arena *arena, const PGresult *result, int row, int column, size_t *count)
{
    struct slice wire = res_slice(result, row, column);
    *count = take_array_head(&wire);
    int64_t *numbers = arena_new(arena, int64_t, *count);
    for (size_t i = 0; i < *count; i++) {
        struct slice element;
        if (take_element(&wire, &element) && element.len == 8)
            numbers[i] = (int64_t)get_u64(element.at);
    }
    return numbers;
}
