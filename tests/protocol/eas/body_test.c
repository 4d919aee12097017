/* Options, the choice of a body, cutting, charsets, MIME as text. */
#include <criterion/criterion.h>

#include "protocol/eas/body.h"

static struct wbxml_node *parse(struct arena *arena, struct buf *document)
{
    struct wbxml_node *root = NULL;
    cr_assert_eq(wbxml_parse(buf_slice(document), arena, &root, NULL), ERR_OK);
    return root;
}

struct preference {
    int type, truncation, all_or_none, preview; // -1: absent
};

static enum err options_of(struct arena *arena, int mime_support, const struct preference *list, size_t count,
                           struct eas_options *options)
{
    struct buf document = { 0 };
    struct wbxml_writer writer;
    wbxml_writer_init(&writer, &document);
    wbxml_start(&writer, WB_AirSync_Options);
    wbxml_u64(&writer, WB_AirSync_FilterType, 3);
    wbxml_u64(&writer, WB_AirSync_MIMESupport, (uint64_t)mime_support);
    for (size_t i = 0; i < count; i++) {
        wbxml_start(&writer, WB_AirSyncBase_BodyPreference);
        wbxml_u64(&writer, WB_AirSyncBase_Type, (uint64_t)list[i].type);
        if (list[i].truncation >= 0)
            wbxml_u64(&writer, WB_AirSyncBase_TruncationSize, (uint64_t)list[i].truncation);
        if (list[i].all_or_none >= 0)
            wbxml_u64(&writer, WB_AirSyncBase_AllOrNone, (uint64_t)list[i].all_or_none);
        if (list[i].preview >= 0)
            wbxml_u64(&writer, WB_AirSyncBase_Preview, (uint64_t)list[i].preview);
        wbxml_end(&writer, WB_AirSyncBase_BodyPreference);
    }
    wbxml_end(&writer, WB_AirSync_Options);
    *options = EAS_OPTIONS_DEFAULT;
    enum err err = eas_options_parse(parse(arena, &document), options);
    buf_free(&document);
    return err;
}

Test(eas_options, pack_round_trip)
{
    struct arena *arena = arena_open();
    static const struct preference list[] = { { 1, 512, -1, 100 }, { 2, 70000, 1, -1 }, { 4, -1, -1, -1 } };
    struct eas_options options, back;
    struct buf packed = { 0 };
    cr_assert_eq(options_of(arena, 2, list, 3, &options), ERR_OK);
    cr_expect_eq(options.filter, 3);
    cr_expect_eq(options.preference_count, 3);
    cr_expect(options.preferences[1].all_or_none);
    eas_options_pack(&options, &packed);
    eas_options_unpack(buf_slice(&packed), &back);
    cr_expect_eq(back.preference_count, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(back.preferences[i].type, options.preferences[i].type);
        cr_expect_eq(back.preferences[i].truncation, options.preferences[i].truncation);
        cr_expect_eq(back.preferences[i].has_truncation, options.preferences[i].has_truncation);
        cr_expect_eq(back.preferences[i].preview, options.preferences[i].preview);
    }
    for (size_t len = 0; len < buf_len(&packed); len++) {
        eas_options_unpack(slice_head(buf_slice(&packed), len), &back);
        cr_expect_eq(back.preference_count, 0, "cut at %zu gives the default", len);
        cr_expect_eq(back.mime_truncation, 8);
    }
    // The first preference's type follows the eight octets of the head.
    packed.bytes[packed.start + 8] = 9;
    eas_options_unpack(buf_slice(&packed), &back);
    cr_expect_eq(back.preference_count, 0, "a type that is none gives the default");
    buf_free(&packed);
    arena_close(&arena);
}

Test(eas_options, refusals)
{
    struct arena *arena = arena_open();
    static const struct {
        const char *name;
        struct preference list[2];
        size_t count;
        int mime_support;
        enum err err;
    } rows[] = {
        { "a type twice", { { 1, -1, -1, -1 }, { 1, 5, -1, -1 } }, 2, 0, ERR_SYNTAX },
        { "unknown type", { { 5, -1, -1, -1 } }, 1, 0, ERR_SYNTAX },
        { "type zero", { { 0, -1, -1, -1 } }, 1, 0, ERR_SYNTAX },
        { "preview too long", { { 1, -1, -1, 256 } }, 1, 0, ERR_SYNTAX },
        { "AllOrNone no boolean", { { 1, 5, 17, -1 } }, 1, 0, ERR_SYNTAX },
        { "MIMESupport 3", { { 1, -1, -1, -1 } }, 1, 3, ERR_SYNTAX },
        { "all is well", { { 1, -1, -1, 255 } }, 1, 2, ERR_OK },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_options options;
        enum err err = options_of(arena, rows[i].mime_support, rows[i].list, rows[i].count, &options);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
    }
    arena_close(&arena);
}

/* MS-ASAIRS 2.2.2.12: the children of a preference, once each and in order; ConversationMode and the like beside them. */
Test(eas_options, order_of_a_preference)
{
    static const struct {
        const char *name;
        uint16_t tags[4]; // with the value 1
        enum err err;
    } rows[] = {
        { "all in order", { WB_AirSyncBase_Type, WB_AirSyncBase_TruncationSize, WB_AirSyncBase_AllOrNone, WB_AirSyncBase_Preview },
          ERR_OK },
        { "some", { WB_AirSyncBase_Type, WB_AirSyncBase_Preview }, ERR_OK },
        { "type last", { WB_AirSyncBase_TruncationSize, WB_AirSyncBase_Type }, ERR_SYNTAX },
        { "all before size", { WB_AirSyncBase_Type, WB_AirSyncBase_AllOrNone, WB_AirSyncBase_TruncationSize }, ERR_SYNTAX },
        { "preview before all", { WB_AirSyncBase_Type, WB_AirSyncBase_Preview, WB_AirSyncBase_AllOrNone }, ERR_SYNTAX },
        { "all twice",
          { WB_AirSyncBase_Type, WB_AirSyncBase_TruncationSize, WB_AirSyncBase_AllOrNone, WB_AirSyncBase_AllOrNone },
          ERR_SYNTAX },
        { "type twice", { WB_AirSyncBase_Type, WB_AirSyncBase_Type }, ERR_SYNTAX },
        { "no type", { WB_AirSyncBase_TruncationSize }, ERR_SYNTAX },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf document = { 0 };
        struct wbxml_writer writer;
        struct eas_options options = EAS_OPTIONS_DEFAULT;
        wbxml_writer_init(&writer, &document);
        wbxml_start(&writer, WB_AirSync_Options);
        wbxml_start(&writer, WB_AirSyncBase_BodyPreference);
        for (size_t k = 0; k < 4 && rows[i].tags[k]; k++)
            wbxml_cstr(&writer, rows[i].tags[k], "1");
        wbxml_end(&writer, WB_AirSyncBase_BodyPreference);
        wbxml_end(&writer, WB_AirSync_Options);
        cr_expect_eq(eas_options_parse(parse(arena, &document), &options), rows[i].err, "%s", rows[i].name);
        buf_free(&document);
    }
    arena_close(&arena);
}

Test(eas_body, choice)
{
    static const struct {
        const char *name;
        int version, mime_support;
        bool native_html, smime;
        struct preference list[3];
        size_t count;
        uint8_t first;
    } rows[] = {
        { "none at 14.1: metadata", 141, 0, true, false, { { 0 } }, 0, EAS_BODY_NONE },
        { "none at 12.1: plain", 121, 0, true, false, { { 0 } }, 0, EAS_BODY_TEXT },
        { "native wins: HTML", 141, 0, true, false, { { 1, -1, -1, -1 }, { 2, -1, -1, -1 } }, 2, EAS_BODY_HTML },
        { "native wins: text", 141, 0, false, false, { { 1, -1, -1, -1 }, { 2, -1, -1, -1 } }, 2, EAS_BODY_TEXT },
        { "only HTML asked of text", 141, 0, false, false, { { 2, -1, -1, -1 } }, 1, EAS_BODY_HTML },
        { "MIME allowed", 141, 2, true, false, { { 1, -1, -1, -1 }, { 4, -1, -1, -1 } }, 2, EAS_BODY_MIME },
        { "MIME for S/MIME only", 141, 1, true, false, { { 2, -1, -1, -1 }, { 4, -1, -1, -1 } }, 2, EAS_BODY_HTML },
        { "MIME for S/MIME", 141, 1, true, true, { { 2, -1, -1, -1 }, { 4, -1, -1, -1 } }, 2, EAS_BODY_MIME },
        { "MIME asked, not permitted", 141, 0, true, false, { { 4, -1, -1, -1 } }, 1, EAS_BODY_HTML },
        { "RTF only", 141, 0, true, false, { { 3, -1, -1, -1 } }, 1, EAS_BODY_TEXT },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_options options;
        struct eas_body_choice choices[EAS_PREFERENCES_MAX + 1];
        cr_assert_eq(options_of(arena, rows[i].mime_support, rows[i].list, rows[i].count, &options), ERR_OK);
        cr_assert_geq(eas_body_choose(&options, rows[i].version, rows[i].native_html, rows[i].smime, choices), 1);
        cr_expect_eq(choices[0].type, rows[i].first, "%s: %d", rows[i].name, choices[0].type);
    }
    arena_close(&arena);
}

Test(eas_body, cut)
{
    static const struct {
        const char *name, *in;
        uint64_t max;
        bool html;
        const char *out;
    } rows[] = {
        { "whole", "abc", 3, false, "abc" },
        { "at a border", "abc", 2, false, "ab" },
        { "not inside a character", "a\xc3\xbc", 2, false, "a" },
        { "not inside four octets", "\xf0\x9f\x90\xa6", 3, false, "" },
        { "not inside a tag", "ab<b class", 5, true, "ab" },
        { "behind a tag", "ab<b>cd", 6, true, "ab<b>c" },
        { "plain text does not mind", "ab<b class", 5, false, "ab<b " },
        { "nothing", "abc", 0, false, "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice cut = eas_body_cut(slice_of(rows[i].in), rows[i].max, rows[i].html);
        cr_expect(slice_eq(cut, slice_of(rows[i].out)), "%s: %.*s", rows[i].name, SLICE_ARG(cut));
    }
}

Test(eas_body, html_declares_utf8)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "<p>x</p>", "<p>x</p>" },
        { "<meta charset=iso-8859-1><p>", "<meta charset=utf-8><p>" },
        { "<META content=\"text/html; charset=windows-1252\">y", "<META content=\"text/html; charset=utf-8\">y" },
        { "<meta charset='x'><meta name=a>", "<meta charset='utf-8'><meta name=a>" },
        { "<p>charset=koi8-r</p>", "<p>charset=koi8-r</p>" },
        { "<meta charset=", "<meta charset=" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = { 0 };
        eas_html_declare_utf8(slice_of(rows[i].in), &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].out)), "%s: %.*s", rows[i].in, SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
}

Test(eas_body, preview_counts_characters)
{
    cr_expect(slice_eq(eas_preview(SLICE_LIT("\xc3\xbc\xc3\xbc\xc3\xbc"), 2), SLICE_LIT("\xc3\xbc\xc3\xbc")));
    cr_expect(slice_eq(eas_preview(SLICE_LIT("ab"), 5), SLICE_LIT("ab")));
}

/* Two parts, the second in 8-bit ISO-8859-1: only that one is encoded anew, all else stays as it was. */
Test(eas_body, mime_that_is_no_utf8)
{
    struct arena *arena = arena_open();
    struct mime_meta meta;
    struct buf out = { 0 };
    static const char raw[] = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                              "Content-Type: text/plain\r\n\r\nplain\r\n--b\r\n"
                              "Content-Type: text/plain; charset=iso-8859-1\r\n"
                              "Content-Transfer-Encoding:\r\n 8bit\r\n\r\nB\xfcro\r\n--b--\r\n";
    mime_describe(slice_make(raw, sizeof raw - 1), arena, &meta);
    eas_mime_to_text(slice_make(raw, sizeof raw - 1), &meta, &out);
    static const char expected[] = "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                                   "Content-Type: text/plain\r\n\r\nplain\r\n--b\r\n"
                                   "Content-Type: text/plain; charset=iso-8859-1\r\n"
                                   "Content-Transfer-Encoding: base64\r\n\r\nQvxybw==\r\n\r\n--b--\r\n";
    cr_expect(slice_eq(buf_slice(&out), slice_of(expected)), "%.*s", SLICE_ARG(buf_slice(&out)));
    buf_free(&out);
    arena_close(&arena);
}
