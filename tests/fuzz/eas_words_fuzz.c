/* The small grammars of EAS: dates, ids, categories, base64, Basic credentials, streamed parts; the first octet chooses. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "protocol/eas/base64.h"
#include "protocol/eas/basic.h"
#include "protocol/eas/category.h"
#include "protocol/eas/date.h"
#include "protocol/eas/ids.h"
#include "protocol/mime/part_stream.h"
#include "protocol/wbxml/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_date(struct slice in)
{
    int64_t us, again;
    char text[EAS_DATE_SIZE];
    if (!eas_date_parse(in, &us))
        return;
    eas_date_format(us, text);
    bool good = eas_date_parse(slice_of(text), &again);
    assert(good && again / 1000 * 1000 == again && us - again >= 0 && us - again < 1000);
}

static void check_ids(struct slice in)
{
    struct eas_attachment_id id, again;
    char text[EAS_ID_SIZE];
    if (!eas_attachment_id_parse(in, &id))
        return;
    assert(id.item.mailbox > 0 && id.item.item > 0);
    eas_attachment_id_format(id, text);
    bool good = eas_attachment_id_parse(slice_of(text), &again);
    assert(good && again.item.mailbox == id.item.mailbox && again.item.item == id.item.item && again.part == id.part);
}

static void check_category(struct slice in, struct arena *arena)
{
    struct slice keyword, name;
    if (eas_category_from_keyword(in, arena, &name))
        assert(utf8_valid(name));
    if (eas_category_to_keyword(in, arena, &keyword))
        return;
    for (size_t i = 0; i < keyword.len; i++)
        assert(keyword.at[i] > 0x20 && keyword.at[i] < 0x7f && !strchr("(){%*\"\\]", keyword.at[i]));
    bool good = eas_category_from_keyword(keyword, arena, &name);
    assert(good && slice_eq(name, slice_trim(in)));
}

static void check_base64(struct slice in, struct arena *arena)
{
    struct slice octets, again;
    struct buf text = { 0 };
    if (base64_take(in, arena, &octets) == ERR_OK) {
        base64_add(&text, octets);
        assert(buf_len(&text) == base64_len(octets.len));
        enum err err = base64_take(buf_slice(&text), arena, &again);
        assert(err == ERR_OK && slice_eq(octets, again));
    }
    buf_free(&text);
}

static void check_basic(struct slice in, struct arena *arena)
{
    struct slice user, password;
    if (eas_basic_parse(in, arena, &user, &password))
        return;
    assert(user.len && utf8_valid(user) && utf8_valid(password));
    assert(slice_find(user, '\0') == SIZE_MAX && slice_find(password, '\0') == SIZE_MAX);
}

/* Whole, and in pieces of any size: the same octets. */
static void check_stream(struct slice in, uint8_t encoding, size_t piece)
{
    struct part_stream stream;
    struct buf whole = { 0 }, pieces = { 0 };
    struct slice rest = in;
    part_stream_init(&stream, encoding);
    part_stream_add(&stream, in, &whole);
    part_stream_end(&stream, &whole);
    part_stream_fini(&stream);
    part_stream_init(&stream, encoding);
    while (rest.len) {
        struct slice one = slice_head(rest, rest.len < piece ? rest.len : piece);
        part_stream_add(&stream, one, &pieces);
        rest = slice_tail(rest, one.len);
    }
    part_stream_end(&stream, &pieces);
    part_stream_fini(&stream);
    assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    assert(buf_len(&whole) <= in.len);
    buf_free(&whole);
    buf_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct arena *arena = arena_open();
    struct slice in = slice_make(data + 1, size - 1);
    switch (data[0] % 7) {
    case 0:
        check_date(in);
        break;
    case 1:
        check_ids(in);
        break;
    case 2:
        check_category(in, arena);
        break;
    case 3:
        check_base64(in, arena);
        break;
    case 4:
        check_basic(in, arena);
        break;
    case 5:
        check_stream(slice_tail(in, 1), MIME_BASE64, 1 + data[1] % 8);
        break;
    default:
        check_stream(slice_tail(in, 1), MIME_QUOTED_PRINTABLE, 1 + data[1] % 8);
        break;
    }
    arena_close(&arena);
    return 0;
}
