#include <criterion/criterion.h>

#include "protocol/eas/base64.h"
#include "protocol/eas/basic.h"

/* What is encoded behind "Basic ", and what it gives; user NULL: refused. */
static const struct {
    const char *name, *credentials, *user, *password;
} rows[] = {
    { "plain", "alice@example.test:demo", "alice@example.test", "demo" },
    { "colon in the password", "a@b:x:y:", "a@b", "x:y:" },
    { "empty password", "a@b:", "a@b", "" },
    { "no colon", "a@b", NULL, NULL },
    { "no user", ":demo", NULL, NULL },
    { "nothing", "", NULL, NULL },
    { "ISO-8859-1", "j\xfcrgen@b:\xe4", "j\xc3\xbcrgen@b", "\xc3\xa4" },
    { "UTF-8", "j\xc3\xbcrgen@b:\xc3\xa4", "j\xc3\xbcrgen@b", "\xc3\xa4" },
    { "domain of Windows", "EXAMPLE\\alice@example.test:x", "alice@example.test", "x" },
    { "domain of mail", "example.test\\alice:x", "alice@example.test", "x" },
    { "short name", "EXAMPLE\\alice:x", "alice", "x" },
    { "only a domain", "EXAMPLE\\:x", NULL, NULL },
};

Test(eas_basic, rows)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena *arena = arena_open();
        struct buf header = { 0 };
        struct slice user, password;
        buf_add_text(&header, "basic ");
        base64_add(&header, slice_of(rows[i].credentials));
        enum err err = eas_basic_parse(buf_slice(&header), arena, &user, &password);
        cr_expect_eq(err, rows[i].user ? ERR_OK : ERR_SYNTAX, "%s", rows[i].name);
        if (!err && rows[i].user) {
            cr_expect(slice_eq(user, slice_of(rows[i].user)), "%s: %.*s", rows[i].name, SLICE_ARG(user));
            cr_expect(slice_eq(password, slice_of(rows[i].password)), "%s", rows[i].name);
        }
        buf_free(&header);
        arena_close(&arena);
    }
}

Test(eas_basic, headers)
{
    static const struct {
        const char *header;
        enum err err;
    } headers[] = {
        { "", ERR_SYNTAX },
        { "Basic", ERR_SYNTAX },
        { "Basic ", ERR_SYNTAX },
        { "Bearer YTpi", ERR_SYNTAX },
        { "Basic YTp*", ERR_SYNTAX },
        { "Basic YTpi YTpi", ERR_SYNTAX },
        { "Basic YQA6Yg==", ERR_SYNTAX }, // a NUL
        { "BASIC   YTpi ", ERR_OK },
    };
    struct arena *arena = arena_open();
    struct slice user, password;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        cr_expect_eq(eas_basic_parse(slice_of(headers[i].header), arena, &user, &password), headers[i].err, "%s",
                     headers[i].header);
    char *longest = arena_alloc(arena, EAS_CREDENTIALS_MAX + 2);
    memset(longest, 'A', EAS_CREDENTIALS_MAX + 1);
    cr_expect_eq(eas_basic_parse(slice_make(longest, EAS_CREDENTIALS_MAX + 1), arena, &user, &password), ERR_LIMIT);
    arena_close(&arena);
}
