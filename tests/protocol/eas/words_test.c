/* The small grammars: dates, ids, categories, base64. */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "protocol/eas/base64.h"
#include "protocol/eas/category.h"
#include "protocol/eas/date.h"
#include "protocol/eas/ids.h"

Test(eas_date, parse)
{
    static const struct {
        const char *text;
        bool good;
        int64_t us;
    } rows[] = {
        { "2026-03-07T12:34:56.789Z", true, INT64_C(1772886896789000) },
        { "2026-03-07T12:34:56Z", true, INT64_C(1772886896000000) },
        { "20260307T123456Z", true, INT64_C(1772886896000000) },
        { "2024-02-29T00:00:00.000Z", true, INT64_C(1709164800000000) },
        { "1969-12-31T23:59:59.500Z", true, INT64_C(-500000) },
        { "2025-02-29T00:00:00Z", false, 0 },
        { "2026-04-31T00:00:00Z", false, 0 },
        { "2026-13-01T00:00:00Z", false, 0 },
        { "2026-03-07T24:00:00Z", false, 0 },
        { "2016-12-31T23:59:60Z", true, INT64_C(1483228800000000) },
        { "9999-12-31T23:59:59.999Z", true, INT64_C(253402300799999000) },
        { "9999-12-31T23:59:60Z", false, 0 },
        { "2026-03-07 12:34:56Z", false, 0 },
        { "2026-03-07T12:34:56+01:00", false, 0 },
        { "", false, 0 },
        { "0000-01-01T00:00:00Z", false, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t us = 0;
        cr_expect_eq(eas_date_parse(slice_of(rows[i].text), &us), rows[i].good, "%s", rows[i].text);
        cr_expect_eq(us, rows[i].us, "%s: %ld", rows[i].text, (long)us);
    }
}

Test(eas_date, format)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        { INT64_C(1772886896789999), "2026-03-07T12:34:56.789Z" },
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { INT64_MAX, "1970-01-01T00:00:00.000Z" }, // far outside: something valid all the same
        { INT64_MIN, "1970-01-01T00:00:00.000Z" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[EAS_DATE_SIZE];
        eas_date_format(rows[i].us, text);
        cr_expect_str_eq(text, rows[i].text);
    }
}

Test(eas_ids, round_trip_and_refusals)
{
    char text[EAS_ID_SIZE];
    struct eas_attachment_id attachment;
    struct eas_item_id item;
    int64_t mailbox;
    eas_attachment_id_format((struct eas_attachment_id){ { INT64_MAX, UINT32_MAX }, UINT32_MAX }, text);
    cr_assert(eas_attachment_id_parse(slice_of(text), &attachment));
    cr_expect(attachment.item.mailbox == INT64_MAX && attachment.item.item == UINT32_MAX && attachment.part == UINT32_MAX);
    cr_expect(eas_item_id_parse(SLICE_LIT("5:17"), &item) && item.mailbox == 5 && item.item == 17);
    cr_expect(eas_attachment_id_parse(SLICE_LIT("5:17:0"), &attachment) && attachment.part == 0);
    static const char *const bad[] = { "", ":", "5:", ":5", "0:5", "5:0", "05:1", "-5:1", "5:1x", "5 :1", "5:4294967296",
                                       "9223372036854775808:1", "outbox" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_not(eas_item_id_parse(slice_of(bad[i]), &item), "%s", bad[i]);
    cr_expect_not(eas_folder_id_parse(SLICE_LIT("0"), &mailbox));
    cr_expect_not(eas_folder_id_parse(SLICE_LIT("5:1"), &mailbox));
    cr_expect_not(eas_attachment_id_parse(SLICE_LIT("5"), &attachment));
    cr_expect_not(eas_attachment_id_parse(SLICE_LIT("17:0"), &attachment));
}

static const struct {
    const char *name, *keyword; // keyword NULL: refused
} categories[] = {
    { "Work", "Work" },
    { "Red Category", "cat.Red&ACA-Category" },
    { "B\xc3\xbcro", "cat.B&APw-ro" },
    { "R&D", "R&D" },
    { "R&D 2", "cat.R&ACY-D&ACA-2" },
    { "$Forwarded", "cat.$Forwarded" },
    { "Junk", "cat.Junk" },
    { "cat.x", "cat.cat.x" },
    { "\xf0\x9f\x90\xa6", "cat.&2D3cJg-" },
    { "a\xe6\x97\xa5\xe6\x9c\xac z", "cat.a&ZeVnLAAg-z" },
    { "", NULL },
    { "  ", NULL },
    { "\xff", NULL },
    { "1234567890123456789012345678901234567890123456789012345678901", NULL },
};

Test(eas_category, to_keyword_and_back)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        struct slice keyword = { NULL, 0 }, name;
        enum err err = eas_category_to_keyword(slice_of(categories[i].name), arena, &keyword);
        cr_expect_eq(err == ERR_OK, categories[i].keyword != NULL, "%s", categories[i].name);
        if (err || !categories[i].keyword)
            continue;
        cr_expect(slice_eq(keyword, slice_of(categories[i].keyword)), "%s: %.*s", categories[i].name, SLICE_ARG(keyword));
        cr_expect(eas_category_from_keyword(keyword, arena, &name));
        cr_expect(slice_eq(name, slice_of(categories[i].name)), "%s came back as %.*s", categories[i].name,
                  SLICE_ARG(name));
    }
    arena_close(&arena);
}

Test(eas_category, system_keywords_are_none)
{
    struct arena *arena = arena_open();
    static const char *const keywords[] = { "$Forwarded", "$MDNSent", "Junk", "NONJUNK", "NotJunk", "\\Recent", "" };
    struct slice name;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        cr_expect_not(eas_category_from_keyword(slice_of(keywords[i]), arena, &name), "%s", keywords[i]);
    cr_expect(eas_category_from_keyword(SLICE_LIT("cat.&broken"), arena, &name));
    cr_expect(slice_eq(name, SLICE_LIT("cat.&broken")), "an IMAP client's own is shown as it is");
    cr_expect(eas_category_from_keyword(SLICE_LIT("cat."), arena, &name));
    cr_expect_not(eas_category_from_keyword(SLICE_LIT("cat.\xff\xbb" "0eAA"), arena, &name), "a name is UTF-8");
    arena_close(&arena);
}

/* Eight digits of base64 become nine octets: an IMAP client's keyword as long as keywords may be, all of it digits. */
Test(eas_category, a_name_longer_than_its_keyword)
{
    struct arena *arena = arena_open();
    struct buf keyword = { 0 };
    struct slice name;
    buf_add_text(&keyword, "cat.&");
    for (int i = 0; i < 31; i++)
        buf_add_text(&keyword, "ip6Knoqe"); // three times U+8A9E
    buf_add_text(&keyword, "-");
    cr_expect(eas_category_from_keyword(buf_slice(&keyword), arena, &name));
    char *behind = arena_alloc(arena, 16);
    cr_expect_eq(name.len, 279);
    cr_expect(behind >= name.at + name.len, "the name runs into what lies behind");
    for (size_t i = 0; i < name.len; i += 3)
        cr_expect(memcmp(name.at + i, "\xe8\xaa\x9e", 3) == 0);
    buf_free(&keyword);
    arena_close(&arena);
}

Test(eas_base64, round_trip)
{
    struct arena *arena = arena_open();
    uint8_t octets[64];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 37 + 200);
    for (size_t len = 0; len <= sizeof octets; len++) {
        struct buf text = { 0 };
        struct slice back;
        base64_add(&text, slice_make(octets, len));
        cr_expect_eq(buf_len(&text), base64_len(len));
        cr_expect_eq(base64_take(buf_slice(&text), arena, &back), ERR_OK);
        cr_expect(slice_eq(back, slice_make(octets, len)), "%zu", len);
        buf_free(&text);
    }
    struct slice back;
    cr_expect_eq(base64_take(SLICE_LIT("A"), arena, &back), ERR_SYNTAX);
    cr_expect_eq(base64_take(SLICE_LIT("AA==="), arena, &back), ERR_SYNTAX);
    cr_expect_eq(base64_take(SLICE_LIT("A\nAA"), arena, &back), ERR_SYNTAX);
    arena_close(&arena);
}
