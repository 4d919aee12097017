/* What a trace shows of a document, and what a bucket of requests lets through. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "server/eas/throttle.h"
#include "server/eas/trace.h"

static const struct {
    const char *name;
    uint16_t root, tag;
    const char *text;
    bool content;
    const char *shown, *hidden;
} rows[] = {
    { "a key", WB_AirSync_Sync, WB_AirSync_SyncKey, "17", false, "AirSync:SyncKey = 17", NULL },
    { "a subject", WB_AirSync_Sync, WB_Email_Subject, "Geheim", false, "Email:Subject = [6 octets]", "Geheim" },
    { "a subject that was asked for", WB_AirSync_Sync, WB_Email_Subject, "Geheim", true, "Email:Subject = Geheim", NULL },
    { "a body", WB_AirSync_Sync, WB_AirSyncBase_Data, "Geheim", false, "AirSyncBase:Data = [6 octets]", "Geheim" },
    { "a password", WB_Settings_Settings, WB_Settings_Password, "Geheim", true, "Settings:Password = [left out]", "Geheim" },
    { "a name for a file server", WB_ItemOperations_ItemOperations, WB_ItemOperations_UserName, "Geheim", true,
      "ItemOperations:UserName = [left out]", "Geheim" },
    { "a line of its own", WB_AirSync_Sync, WB_AirSync_SyncKey, "1\n< HTTP 200\\", false, "= 1\\x0a< HTTP 200\\x5c", NULL },
};

Test(eas_trace, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf document = { 0 }, out = { 0 };
        struct wbxml_writer writer;
        wbxml_writer_init(&writer, &document);
        wbxml_start(&writer, rows[i].root);
        wbxml_cstr(&writer, rows[i].tag, rows[i].text);
        wbxml_end(&writer, rows[i].root);
        eas_trace_decode(buf_slice(&document), rows[i].content, &out);
        cr_expect_neq(slice_find_slice(buf_slice(&out), slice_of(rows[i].shown)), SIZE_MAX, "%s: %.*s", rows[i].name,
                      SLICE_ARG(buf_slice(&out)));
        if (rows[i].hidden)
            cr_expect_eq(slice_find_slice(buf_slice(&out), slice_of(rows[i].hidden)), SIZE_MAX, "%s", rows[i].name);
        buf_free(&document);
        buf_free(&out);
    }
}

Test(eas_trace, it_is_cut_and_says_what_it_cannot_read)
{
    struct buf document = { 0 }, out = { 0 }, text = { 0 };
    struct wbxml_writer writer;
    for (size_t i = 0; i < EAS_TRACE_TEXT_MAX + 5; i++)
        buf_add_byte(&text, 'x');
    wbxml_writer_init(&writer, &document);
    wbxml_start(&writer, WB_AirSync_Sync);
    for (size_t i = 0; i < 2 * EAS_TRACE_ENTRY_MAX / EAS_TRACE_TEXT_MAX; i++)
        wbxml_text(&writer, WB_AirSync_SyncKey, buf_slice(&text));
    wbxml_end(&writer, WB_AirSync_Sync);
    eas_trace_decode(buf_slice(&document), false, &out);
    cr_expect_neq(slice_find_slice(buf_slice(&out), SLICE_LIT("x [5 octets more]\n")), SIZE_MAX);
    cr_expect_neq(slice_find_slice(buf_slice(&out), SLICE_LIT("[cut here]")), SIZE_MAX);
    cr_expect_lt(buf_len(&out), EAS_TRACE_ENTRY_MAX + 2 * EAS_TRACE_TEXT_MAX);
    buf_clear(&out);
    eas_trace_decode(slice_head(buf_slice(&document), 20), false, &out);
    cr_expect_neq(slice_find_slice(buf_slice(&out), SLICE_LIT("[not readable as WBXML: syntax, 20 octets]")), SIZE_MAX,
                  "%.*s", SLICE_ARG(buf_slice(&out)));
    buf_free(&document);
    buf_free(&out);
    buf_free(&text);
}

Test(eas_throttle, a_bucket_fills_evenly)
{
    struct eas_throttle *throttle = eas_throttle_open(6);
    struct account_id one = { 1 }, two = { 2 };
    int64_t now = 1000 * US_PER_S;
    for (int i = 0; i < 6; i++)
        cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now), 0, "%d", i);
    cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now), 10);
    cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("a"), now + 4 * US_PER_S), 6, "a DeviceId has no case");
    cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("B"), now), 0, "another phone");
    cr_expect_eq(eas_throttle_take(throttle, two, SLICE_LIT("A"), now), 0, "another account");
    cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now + 10 * US_PER_S), 0, "one more after ten seconds");
    cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now + 10 * US_PER_S), 10);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now + 600 * US_PER_S), 0, "full again: %d", i);
    eas_throttle_close(&throttle);
    cr_expect_null(throttle);
    throttle = eas_throttle_open(0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(eas_throttle_take(throttle, one, SLICE_LIT("A"), now), 0, "0 is any number");
    eas_throttle_close(&throttle);
}
