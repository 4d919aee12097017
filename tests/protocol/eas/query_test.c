#include <criterion/criterion.h>

#include "protocol/eas/query.h"
#include "protocol/eas/version.h"

static const struct {
    const char *name, *raw;
    enum err err;
    int version;
    const char *command, *device_id, *device_type, *item_id;
    bool has_key;
    uint32_t key;
    bool save, multipart;
} rows[] = {
    { "plain", "Cmd=Sync&User=alice&DeviceId=ABC123&DeviceType=iPhone", ERR_OK, 0, "Sync", "ABC123", "iPhone", "", false, 0,
      false, false },
    { "Cmd comes last", "User=alice&DeviceId=Appl1&DeviceType=iPad&Cmd=Ping", ERR_OK, 0, "Ping", "Appl1", "iPad", "", false,
      0, false, false },
    { "names in any case", "cmd=Sync&deviceid=A&DEVICETYPE=B", ERR_OK, 0, "Sync", "A", "B", "", false, 0, false, false },
    { "percent codes and plus", "Cmd=SmartReply&ItemId=5%3A7+x&DeviceId=A&DeviceType=B&SaveInSent=T", ERR_OK, 0,
      "SmartReply", "A", "B", "5:7 x", false, 0, true, false },
    { "bad percent code", "Cmd=Sync&DeviceId=%4", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "empty command", "Cmd=&DeviceId=A", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "empty", "", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "base64 of MS-ASHTTP", "jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l", ERR_OK, 140, "Sync", "v140Device", "SmartPhone", "",
      false, 0, false, false },
    // 79 13 09 04 | 02 "id" | 04 78 56 34 12 | 02 "ty" | 07 01 03 | 03 03 "5:7" | 63 01 "x"
    { "key, options, unknown tag", "eRMJBAJpZAR4VjQSAnR5BwEDAwM1OjdjAXg=", ERR_OK, 121, "ItemOperations", "id", "ty",
      "5:7", true, 0x12345678, true, true },
    { "padding left out", "eRMJBAJpZAR4VjQSAnR5BwEDAwM1OjdjAXg", ERR_OK, 121, "ItemOperations", "id", "ty", "5:7", true,
      0x12345678, true, true },
    { "padding percent-encoded", "eRMJBAJpZAR4VjQSAnR5BwEDAwM1OjdjAXg%3D", ERR_OK, 121, "ItemOperations", "id", "ty",
      "5:7", true, 0x12345678, true, true },
    // 8C 12 09 04 | 10 00..0F | 00 | 02 "WP"
    { "binary device id", "jBIJBBAAAQIDBAUGBwgJCgsMDQ4PAAJXUA==", ERR_OK, 140, "Ping",
      "000102030405060708090A0B0C0D0E0F", "WP", "", false, 0, false, false },
    { "unknown command code", "jGMJBAFhAAFi", ERR_OK, 140, "", "a", "b", "", false, 0, false, false },
    { "cut in the head", "jAA", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "device id past the end", "jAAJBAp2MTQw", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "no device id", "jAAJBAAAAWI=", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "key of three octets", "jAAJBAFhAwECAwFi", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
    { "no base64", "!!!!", ERR_SYNTAX, 0, "", "", "", "", false, 0, false, false },
};

Test(eas_query, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_query query;
        enum err err = eas_query_parse(slice_of(rows[i].raw), arena, &query);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
        if (err || rows[i].err)
            continue;
        cr_expect_eq(query.version, rows[i].version, "%s", rows[i].name);
        cr_expect(slice_eq(query.command, slice_of(rows[i].command)), "%s: command", rows[i].name);
        cr_expect(slice_eq(query.device_id, slice_of(rows[i].device_id)), "%s: id %.*s", rows[i].name,
                  SLICE_ARG(query.device_id));
        cr_expect(slice_eq(query.device_type, slice_of(rows[i].device_type)), "%s: type", rows[i].name);
        cr_expect(slice_eq(query.item_id, slice_of(rows[i].item_id)), "%s: item", rows[i].name);
        cr_expect_eq(query.has_policy_key, rows[i].has_key, "%s", rows[i].name);
        cr_expect_eq(query.policy_key, rows[i].key, "%s: %x", rows[i].name, query.policy_key);
        cr_expect_eq(query.save_in_sent, rows[i].save, "%s", rows[i].name);
        cr_expect_eq(query.accept_multipart, rows[i].multipart, "%s", rows[i].name);
    }
    arena_close(&arena);
}

Test(eas_query, too_long)
{
    struct arena *arena = arena_open();
    struct eas_query query;
    char *raw = arena_alloc(arena, EAS_QUERY_MAX + 8);
    memset(raw, 'a', EAS_QUERY_MAX + 4);
    memcpy(raw, "Cmd=", 4);
    cr_expect_eq(eas_query_parse(slice_make(raw, EAS_QUERY_MAX), arena, &query), ERR_OK);
    cr_expect_eq(eas_query_parse(slice_make(raw, EAS_QUERY_MAX + 1), arena, &query), ERR_LIMIT);
    arena_close(&arena);
}

Test(eas_query, device_ids)
{
    cr_expect(eas_device_id_is_good(SLICE_LIT("ApplDNPG12345")));
    cr_expect(eas_device_id_is_good(SLICE_LIT("12345678901234567890123456789012")));
    cr_expect_not(eas_device_id_is_good(SLICE_LIT("123456789012345678901234567890123")));
    cr_expect_not(eas_device_id_is_good(SLICE_LIT("")));
    cr_expect_not(eas_device_id_is_good(SLICE_LIT("a b")));
    cr_expect_not(eas_device_type_is_good(SLICE_LIT("a\"b")));
}

Test(eas_version, rows)
{
    static const struct {
        const char *text;
        int version;
        bool served;
    } versions[] = {
        { "12.1", 121, true }, { "14.0", 140, true }, { "14.1", 141, true }, { "16.0", 160, true }, { "16.1", 161, true },
        { " 14.1 ", 141, true }, { "2.5", 25, false }, { "12.0", 120, true }, { "1.0", 10, false }, { "14", 0, false },
        { "14.11", 0, false }, { "", 0, false }, { "x.y", 0, false }, { "114.1", 0, false },
    };
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        cr_expect_eq(eas_version_parse(slice_of(versions[i].text)), versions[i].version, "%s", versions[i].text);
        cr_expect_eq(eas_version_is_served(versions[i].version), versions[i].served, "%s", versions[i].text);
    }
}
