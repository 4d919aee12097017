/* The policy that each protocol version is given, of the settings' section [policy]. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/eas/policy.h"
#include "tests/support/environment.h"

#define SETS_MAX 4

TestSuite(eas_policy, .init = forget_variables);

static const struct {
    const char *name;
    const char *sets[SETS_MAX];
    bool fits_12_0;
    int version;
    const char *elements; // as names and values, in order
} rows[] = {
    { "nothing is asked for", { NULL }, true, 161, "DevicePasswordEnabled=0" },
    { "a password", { "policy.device_password_enabled=true", "policy.min_device_password_length=6" }, true, 120,
      "DevicePasswordEnabled=1 MinDevicePasswordLength=6" },
    { "no password, so nothing about it", { "policy.min_device_password_length=6" }, true, 161, "DevicePasswordEnabled=0" },
    { "the second group at 12.1", { "policy.allow_camera=false", "policy.allow_bluetooth=1" }, false, 121,
      "DevicePasswordEnabled=0 AllowCamera=0 AllowBluetooth=1" },
    { "12.0 has the first group only", { "policy.allow_camera=false", "policy.attachments_enabled=false" }, false, 120,
      "DevicePasswordEnabled=0 AttachmentsEnabled=0" },
    { "fewer than four attempts the protocol does not know",
      { "policy.device_password_enabled=true", "policy.max_device_password_failed_attempts=1" }, true, 141,
      "DevicePasswordEnabled=1 MaxDevicePasswordFailedAttempts=4" },
    { "a list", { "policy.approved_application_list= aGFzaA== ,, eA==" }, false, 141,
      "DevicePasswordEnabled=0 ApprovedApplicationList(aGFzaA== eA==)" },
};

static struct settings *open_settings(const char *const *sets)
{
    struct settings *settings = NULL;
    struct trace trace = { 0 };
    size_t count = 0;
    while (count < SETS_MAX && sets[count])
        count++;
    cr_assert_eq(settings_open(NULL, sets, count, &trace, &settings), ERR_OK, "%s", trace.text);
    return settings;
}

static void list_elements(const struct wbxml_node *document, struct buf *out)
{
    for (const struct wbxml_node *node = document->child; node; node = node->next) {
        buf_printf(out, "%s%s", buf_len(out) ? " " : "", strchr(wbxml_name(node->tag), ':') + 1);
        if (!node->child)
            buf_printf(out, "=%.*s", SLICE_ARG(node->text));
        for (const struct wbxml_node *item = node->child; item; item = item->next)
            buf_printf(out, "%s%.*s%s", item == node->child ? "(" : " ", SLICE_ARG(item->text), item->next ? "" : ")");
    }
}

Test(eas_policy, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings *settings = open_settings(rows[i].sets);
        struct buf document = { 0 }, text = { 0 };
        struct wbxml_writer writer;
        struct wbxml_node *root;
        cr_expect_eq(eas_policy_fits(settings, 120), rows[i].fits_12_0, "%s", rows[i].name);
        cr_expect(eas_policy_fits(settings, 121), "%s", rows[i].name);
        wbxml_writer_init(&writer, &document);
        eas_policy_write(&writer, settings, rows[i].version);
        cr_assert_eq(wbxml_parse(buf_slice(&document), arena, &root, NULL), ERR_OK, "%s", rows[i].name);
        cr_expect_eq(root->tag, WB_Provision_EASProvisionDoc);
        list_elements(root, &text);
        cr_expect(slice_eq(buf_slice(&text), slice_of(rows[i].elements)), "%s: %.*s", rows[i].name,
                  SLICE_ARG(buf_slice(&text)));
        buf_free(&document);
        buf_free(&text);
        settings_close(&settings);
    }
    arena_close(&arena);
}

/* A phone is asked again when what it was asked for changes, and not when something else does. */
Test(eas_policy, hashes)
{
    static const struct {
        const char *name, *set;
        bool same;
    } changes[] = {
        { "a switch", "policy.allow_camera=false", false },
        { "a number", "policy.max_attachment_size=1000", false },
        { "a list", "policy.approved_application_list=eA==", false },
        { "what counts with a password only", "policy.device_password_history=3", true },
        { "how strict we are", "policy.allow_partial=true", true },
        { "another section", "eas.devices_max=3", true },
        { "the default, written out", "policy.allow_camera=true", true },
    };
    static const char *const none[SETS_MAX] = { NULL };
    struct settings *settings = open_settings(none);
    uint64_t hash = eas_policy_hash(settings);
    cr_expect_neq(hash, 0u);
    settings_close(&settings);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *const sets[SETS_MAX] = { changes[i].set };
        settings = open_settings(sets);
        cr_expect_eq(eas_policy_hash(settings) == hash, changes[i].same, "%s", changes[i].name);
        settings_close(&settings);
    }
}
