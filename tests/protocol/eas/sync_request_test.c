#include <criterion/criterion.h>

#include "protocol/eas/sync_request.h"
#include "tests/support/notation.h"

#define COLLECTION "+AirSync:Collection AirSync:SyncKey=7 AirSync:CollectionId=5 "
#define HEAD "+AirSync:Sync +AirSync:Collections "

static const struct {
    const char *name, *notation;
    enum err err;
    uint32_t window, wait_s;
    bool get_changes, moves, partial;
    size_t commands;
} rows[] = {
    { "defaults", HEAD COLLECTION "- - -", ERR_OK, 100, 0, true, true, false, 0 },
    { "window 0 is the most", HEAD COLLECTION "AirSync:WindowSize=0 - - -", ERR_OK, 512, 0, true, true, false, 0 },
    { "window 5000 too", HEAD COLLECTION "AirSync:WindowSize=5000 - - -", ERR_OK, 512, 0, true, true, false, 0 },
    { "no changes, no moves", HEAD COLLECTION "AirSync:DeletesAsMoves=0 AirSync:GetChanges=0 - - -", ERR_OK, 100, 0, false,
      false, false, 0 },
    { "empty tags are true", HEAD COLLECTION "AirSync:DeletesAsMoves= AirSync:GetChanges= - - -", ERR_OK, 100, 0, true,
      true, false, 0 },
    { "wait in minutes", HEAD COLLECTION "- - AirSync:Wait=2 -", ERR_OK, 100, 120, true, true, false, 0 },
    { "heartbeat in seconds", HEAD COLLECTION "- - AirSync:HeartbeatInterval=90 -", ERR_OK, 100, 90, true, true, false, 0 },
    { "both", HEAD COLLECTION "- - AirSync:Wait=2 AirSync:HeartbeatInterval=90 -", ERR_SYNTAX, 0, 0, false, false, false,
      0 },
    { "commands",
      HEAD COLLECTION "+AirSync:Commands +AirSync:Delete AirSync:ServerId=5:1 - +AirSync:Fetch AirSync:ServerId=5:2 - - - - -",
      ERR_OK, 100, 0, true, true, false, 2 },
    { "empty commands", HEAD COLLECTION "AirSync:Commands= - - -", ERR_OK, 100, 0, true, true, false, 0 },
    { "a command without id", HEAD COLLECTION "+AirSync:Commands AirSync:Delete= - - - -", ERR_SYNTAX, 0, 0, false, false,
      false, 0 },
    { "commands with key 0 are nobody's",
      HEAD "+AirSync:Collection AirSync:SyncKey=0 AirSync:CollectionId=5 +AirSync:Commands +AirSync:Delete "
           "AirSync:ServerId=5:1 - - - - -",
      ERR_OK, 100, 0, false, true, false, 0 },
    { "any order",
      "+AirSync:Sync AirSync:WindowSize=9 +AirSync:Collections +AirSync:Collection +AirSync:Commands +AirSync:Fetch "
      "AirSync:ServerId=5:2 - - AirSync:WindowSize=7 AirSync:CollectionId=5 +AirSync:Options AirSync:FilterType=1 - "
      "AirSync:SyncKey=7 - - -",
      ERR_OK, 7, 0, true, true, false, 1 },
    { "a Fetch of nothing is passed over",
      HEAD COLLECTION "+AirSync:Commands +AirSync:Fetch AirSync:ServerId= - +AirSync:Fetch AirSync:ServerId=5:2 - - - - -", ERR_OK,
      100, 0, true, true, false, 1 },
    { "no collection id", HEAD "+AirSync:Collection AirSync:SyncKey=7 - - -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "empty root", "AirSync:Sync=", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "no collections", "+AirSync:Sync AirSync:WindowSize=5 -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "partial alone", "+AirSync:Sync AirSync:Partial= -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "a collection twice", HEAD COLLECTION "- " COLLECTION "- - -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "a wait of years is out of range, not out of syntax", HEAD COLLECTION "- - AirSync:HeartbeatInterval=4294967295 -", ERR_OK,
      100, UINT32_MAX, true, true, false, 0 },
    { "no number", HEAD COLLECTION "- - AirSync:HeartbeatInterval=soon -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
    { "empty collections", "+AirSync:Sync AirSync:Collections= -", ERR_SYNTAX, 0, 0, false, false, false, 0 },
};

Test(eas_sync, parse)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct eas_sync_request request;
        enum err err = eas_sync_parse(notation_build(arena, rows[i].notation), arena, &request);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
        if (err || rows[i].err)
            continue;
        cr_assert_eq(request.collection_count, 1, "%s", rows[i].name);
        cr_expect_eq(request.wait_s, rows[i].wait_s, "%s", rows[i].name);
        cr_expect_eq(request.collections[0].window, rows[i].window, "%s", rows[i].name);
        cr_expect_eq(request.collections[0].get_changes, rows[i].get_changes, "%s", rows[i].name);
        cr_expect_eq(request.collections[0].deletes_as_moves, rows[i].moves, "%s", rows[i].name);
        cr_expect_eq(request.collections[0].command_count, rows[i].commands, "%s", rows[i].name);
    }
    arena_close(&arena);
}

/* A document of `count` equal children around a number of their own; count is the most that is taken, or one more. */
static enum err parse_many(struct arena *arena, const char *head, const char *child, const char *tail, size_t count, bool ping)
{
    struct buf notation = { 0 };
    struct eas_sync_request sync;
    struct eas_ping_request pings;
    buf_add_text(&notation, head);
    for (size_t i = 0; i < count; i++)
        buf_printf(&notation, child, i + 1);
    buf_add_text(&notation, tail);
    buf_add_byte(&notation, '\0');
    const struct wbxml_node *root = notation_build(arena, buf_slice(&notation).at);
    enum err err = ping ? eas_ping_parse(root, arena, &pings) : eas_sync_parse(root, arena, &sync);
    buf_free(&notation);
    return err;
}

static const struct {
    const char *name, *head, *child, *tail;
    size_t most;
    enum err beyond;
    bool ping;
} many[] = {
    { "collections", HEAD, "+AirSync:Collection AirSync:SyncKey=7 AirSync:CollectionId=%zu - ", "- -", EAS_COLLECTIONS_MAX,
      ERR_LIMIT, false },
    { "commands", HEAD COLLECTION "+AirSync:Commands ", "+AirSync:Delete AirSync:ServerId=5:%zu - ", "- - - -",
      EAS_COMMANDS_MAX, ERR_SYNTAX, false },
    { "folders of a Ping", "+Ping:Ping +Ping:Folders ", "+Ping:Folder Ping:Id=%zu - ", "- -", 1000, ERR_LIMIT, true },
};

Test(eas_sync, counts)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        for (size_t more = 0; more < 2; more++) {
            enum err err = parse_many(arena, many[i].head, many[i].child, many[i].tail, many[i].most + more, many[i].ping);
            cr_expect_eq(err, more ? many[i].beyond : ERR_OK, "%zu %s: %s", many[i].most + more, many[i].name, err_name(err));
        }
    }
    arena_close(&arena);
}

Test(eas_sync, options_of_sms_are_passed_over)
{
    struct arena *arena = arena_open();
    struct eas_sync_request request;
    cr_assert_eq(eas_sync_parse(notation_build(arena, HEAD COLLECTION "+AirSync:Options AirSync:FilterType=3 - +AirSync:Options "
                                                             "AirSync:Class=SMS AirSync:FilterType=1 - - - -"),
                                arena, &request),
                 ERR_OK);
    cr_expect(request.collections[0].has_options);
    cr_expect_eq(request.collections[0].options.filter, 3);
    cr_expect_eq(request.collections[0].options_err, ERR_OK);
    cr_assert_eq(eas_sync_parse(notation_build(arena, HEAD COLLECTION "+AirSync:Options AirSync:FilterType=3 - +AirSync:Options "
                                                             "AirSync:FilterType=1 - - - -"),
                                arena, &request),
                 ERR_OK);
    cr_expect_eq(request.collections[0].options_err, ERR_SYNTAX, "a class twice");
    arena_close(&arena);
}

Test(eas_sync, kept_request_and_partial)
{
    struct arena *arena = arena_open();
    struct eas_sync_request full, kept, partial;
    struct buf packed = { 0 };
    cr_assert_eq(eas_sync_parse(notation_build(arena, HEAD COLLECTION "AirSync:WindowSize=25 - +AirSync:Collection AirSync:SyncKey=9 "
                                                             "AirSync:CollectionId=6 AirSync:DeletesAsMoves=0 - - "
                                                             "AirSync:HeartbeatInterval=90 AirSync:WindowSize=50 -"),
                                arena, &full),
                 ERR_OK);
    eas_sync_pack(&full, &packed);
    cr_assert_eq(eas_sync_unpack(buf_slice(&packed), arena, &kept), ERR_OK);
    cr_expect(kept.collection_count == 2 && kept.wait_s == 90 && kept.window == 50 && kept.heartbeat_given);
    cr_expect(kept.collections[0].window == 25 && kept.collections[0].deletes_as_moves && !kept.collections[0].key_given);
    cr_expect(!kept.collections[1].deletes_as_moves && kept.collections[1].get_changes);
    for (size_t len = 0; len < buf_len(&packed); len++)
        cr_expect_eq(eas_sync_unpack(slice_head(buf_slice(&packed), len), arena, &partial), ERR_NOT_FOUND, "cut at %zu", len);

    cr_assert_eq(eas_sync_parse(notation_build(arena, "+AirSync:Sync +AirSync:Collections +AirSync:Collection AirSync:SyncKey=8 "
                                             "AirSync:CollectionId=5 - - AirSync:Partial= -"),
                                arena, &partial),
                 ERR_OK);
    eas_sync_merge(&partial, &kept, arena);
    cr_expect(partial.collection_count == 2 && partial.wait_s == 90);
    cr_expect(partial.collections[0].key_given && slice_eq(partial.collections[0].key, SLICE_LIT("8")));
    cr_expect(slice_eq(partial.collections[1].id, SLICE_LIT("6")) && !partial.collections[1].key_given);
    buf_free(&packed);
    arena_close(&arena);
}

static const struct {
    const char *name, *notation;
    enum err err;
    bool heartbeat;
    size_t folders;
} pings[] = {
    { "whole", "+Ping:Ping Ping:HeartbeatInterval=480 +Ping:Folders +Ping:Folder Ping:Id=5 Ping:Class=Email - - -", ERR_OK,
      true, 1 },
    { "interval only", "+Ping:Ping Ping:HeartbeatInterval=480 -", ERR_OK, true, 0 },
    { "folders only", "+Ping:Ping +Ping:Folders +Ping:Folder Ping:Id=5 - +Ping:Folder Ping:Id=6 - - -", ERR_OK, false, 2 },
    { "the same twice", "+Ping:Ping +Ping:Folders +Ping:Folder Ping:Id=5 - +Ping:Folder Ping:Id=5 - - -", ERR_SYNTAX, false,
      0 },
    { "no children", "Ping:Ping=", ERR_SYNTAX, false, 0 },
    { "interval no number", "+Ping:Ping Ping:HeartbeatInterval=x -", ERR_SYNTAX, false, 0 },
    { "folder without id", "+Ping:Ping +Ping:Folders +Ping:Folder Ping:Class=Email - - -", ERR_SYNTAX, false, 0 },
};

Test(eas_ping, parse_and_keep)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof pings / sizeof *pings; i++) {
        struct eas_ping_request request, kept;
        enum err err = eas_ping_parse(notation_build(arena, pings[i].notation), arena, &request);
        cr_expect_eq(err, pings[i].err, "%s", pings[i].name);
        if (err)
            continue;
        cr_expect_eq(request.has_heartbeat, pings[i].heartbeat, "%s", pings[i].name);
        cr_expect_eq(request.folder_count, pings[i].folders, "%s", pings[i].name);
        struct buf packed = { 0 };
        eas_ping_pack(&request, &packed);
        err = eas_ping_unpack(buf_slice(&packed), arena, &kept);
        cr_expect_eq(err, pings[i].folders ? ERR_OK : ERR_NOT_FOUND, "%s", pings[i].name);
        if (!err)
            cr_expect(slice_eq(kept.folders[pings[i].folders - 1], request.folders[pings[i].folders - 1]));
        buf_free(&packed);
    }
    arena_close(&arena);
}
