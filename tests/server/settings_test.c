#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "server/settings.h"
#include "tests/support/environment.h"

TestSuite(settings, .init = forget_variables);

/* Writes a settings file and gives its path; removed by forget_file. */
static char *make_file(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/godwit-settings-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static const struct {
    const char *name, *file, *variable, *value, *set; // NULL: left out
    const char *story;                                // NULL: accepted
    const char *second_story;                         // also in it
} rows[] = {
    { "nothing", NULL, NULL, NULL, NULL, NULL, NULL },
    { "a file", "[retention]\ndays = 3\n", NULL, NULL, NULL, NULL, NULL },
    { "a typing error gets the line and the nearest name", "# mine\n[retention]\n\ndayz = 3\n", NULL, NULL, NULL,
      ":4: there is no setting retention.dayz", "did you mean retention.days?" },
    { "an unknown section", "[retentoin]\ndays = 3\n", NULL, NULL, NULL, ":2: there is no setting retentoin.days",
      "did you mean retention.days?" },
    { "an empty unknown section", "[nonsense]\n", NULL, NULL, NULL, ":1: there is no section [nonsense]", NULL },
    { "a number out of range", "[retention]\ndays = 0\n", NULL, NULL, NULL, ":2: retention.days cannot be \"0\"",
      "a number from 1 to 3650" },
    { "no number", "[retention]\ndays = two weeks\n", NULL, NULL, NULL, ":2: retention.days cannot be \"two weeks\"",
      NULL },
    { "a size over its limit", NULL, NULL, NULL, "lmtp.size_max=1G", "lmtp.size_max cannot be \"1G\"",
      "K, M and G allowed" },
    { "no boolean", NULL, NULL, NULL, "auth.plaintext=perhaps", "true or false", NULL },
    { "an address without a port", NULL, NULL, NULL, "imap.listen=localhost", "127.0.0.1:1143", NULL },
    { "a port over 65535", NULL, NULL, NULL, "imap.listen=127.0.0.1:65536", "imap.listen cannot be", NULL },
    { "a listener switched off", NULL, NULL, NULL, "imap.listen=", NULL, NULL },
    { "a --set without a value", NULL, NULL, NULL, "imap.listen", "write section.key=value", NULL },
    { "an unknown --set", NULL, NULL, NULL, "push.quiet=3", "did you mean push.quiet_s?", NULL },
    { "a variable", NULL, "GODWIT_RETENTION_DAYS", "5", NULL, NULL, NULL },
    { "an unknown variable", NULL, "GODWIT_RETENTION_DAYZ", "5", NULL, "GODWIT_RETENTION_DAYZ", NULL },
    { "a bad variable", NULL, "GODWIT_RETENTION_DAYS", "-1", NULL, "GODWIT_RETENTION_DAYS: retention.days cannot be",
      NULL },
    { "the variable of ./run is none of ours", NULL, "GODWIT_DATA", "/somewhere", NULL, NULL, NULL },
    { "no key file", "days = 3\n", NULL, NULL, NULL, "", NULL },
};

Test(settings, refusals_say_where_and_what)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct trace trace = { 0 };
        struct settings *settings = NULL;
        const char *file = rows[i].file ? make_file(rows[i].file) : NULL;
        if (rows[i].variable)
            setenv(rows[i].variable, rows[i].value, 1);
        enum err err = settings_open(file, &rows[i].set, rows[i].set ? 1 : 0, &trace, &settings);
        cr_expect_eq(err, rows[i].story ? ERR_SYNTAX : ERR_OK, "%s: %s", rows[i].name, trace.text);
        if (rows[i].story)
            cr_expect_not_null(strstr(trace.text, rows[i].story), "%s: %s", rows[i].name, trace.text);
        if (rows[i].second_story)
            cr_expect_not_null(strstr(trace.text, rows[i].second_story), "%s: %s", rows[i].name, trace.text);
        if (file && rows[i].story)
            cr_expect_not_null(strstr(trace.text, file), "%s: names the file: %s", rows[i].name, trace.text);
        settings_close(&settings);
        if (rows[i].variable)
            unsetenv(rows[i].variable);
        if (file)
            unlink(file);
    }
}

Test(settings, a_missing_file_is_an_error)
{
    struct trace trace = { 0 };
    struct settings *settings = NULL;
    cr_expect_eq(settings_open("/nowhere/godwit.conf", NULL, 0, &trace, &settings), ERR_NOT_FOUND);
    cr_expect_not_null(strstr(trace.text, "/nowhere/godwit.conf"), "%s", trace.text);
}

Test(settings, later_sources_win)
{
    struct trace trace = { 0 };
    struct settings *settings = NULL;
    const char *set = "retention.days=7", *file = make_file("[retention]\ndays=3\n[lmtp]\nsize_max=2M\n");
    cr_assert_eq(settings_open(file, NULL, 0, &trace, &settings), ERR_OK, "%s", trace.text);
    cr_expect_eq(settings_int(settings, SETTING_RETENTION_DAYS), 3);
    cr_expect_eq(settings_int(settings, SETTING_LMTP_SIZE_MAX), 2 << 20);
    settings_close(&settings);
    setenv("GODWIT_RETENTION_DAYS", "5", 1);
    cr_assert_eq(settings_open(file, NULL, 0, &trace, &settings), ERR_OK, "%s", trace.text);
    cr_expect_eq(settings_int(settings, SETTING_RETENTION_DAYS), 5);
    settings_close(&settings);
    cr_assert_eq(settings_open(file, &set, 1, &trace, &settings), ERR_OK, "%s", trace.text);
    cr_expect_eq(settings_int(settings, SETTING_RETENTION_DAYS), 7);
    settings_close(&settings);
    unsetenv("GODWIT_RETENTION_DAYS");
    unlink(file);
}

static void add_line(void *ctx, const char *text)
{
    buf_printf(ctx, "%s\n", text);
}

Test(settings, what_is_shown_can_be_read_again_and_hides_secrets)
{
    static const char *const urls[] = { "database.url=postgresql://me:hunter2@db/mail",
                                        "database.url=host=db password=hunter2 dbname=mail" };
    for (size_t i = 0; i < 2; i++) {
        struct trace trace = { 0 };
        struct settings *settings = NULL, *again = NULL;
        struct buf text = { 0 };
        const char *sets[] = { urls[i], "retention.days=21" };
        cr_assert_eq(settings_open(NULL, sets, 2, &trace, &settings), ERR_OK, "%s", trace.text);
        settings_print(settings, add_line, &text);
        buf_add_byte(&text, '\0');
        const char *shown = buf_slice(&text).at;
        cr_expect_null(strstr(shown, "hunter2"), "%s", urls[i]);
        cr_expect_not_null(strstr(shown, "***"));
        cr_expect_not_null(strstr(shown, "days = 21"));
        const char *file = make_file(shown);
        cr_expect_eq(settings_open(file, NULL, 0, &trace, &again), ERR_OK, "%s", trace.text);
        cr_expect_eq(settings_int(again, SETTING_RETENTION_DAYS), 21);
        unlink(file);
        settings_close(&settings);
        settings_close(&again);
        buf_free(&text);
    }
}
