#include <criterion/criterion.h>

#include "protocol/smtp/command.h"

static const struct {
    const char *name, *line;
    enum err err;
    enum smtp_verb verb;
    const char *path;
    uint64_t size;
    bool smtputf8;
} rows[] = {
    { "LHLO", "LHLO client.example", ERR_OK, SMTP_LHLO, "", 0, false },
    { "verbs in any case", "lhlo x", ERR_OK, SMTP_LHLO, "", 0, false },
    { "LHLO without a name", "LHLO", ERR_SYNTAX, SMTP_LHLO, "", 0, false },
    { "HELO", "HELO x", ERR_OK, SMTP_HELO, "", 0, false },
    { "EHLO", "EHLO x", ERR_OK, SMTP_EHLO, "", 0, false },
    { "MAIL", "MAIL FROM:<a@b.c>", ERR_OK, SMTP_MAIL, "a@b.c", 0, false },
    { "null sender", "MAIL FROM:<>", ERR_OK, SMTP_MAIL, "", 0, false },
    { "null sender with a size", "MAIL FROM:<> SIZE=10", ERR_OK, SMTP_MAIL, "", 10, false },
    { "all parameters", "MAIL FROM:<a@b> SIZE=123 BODY=8BITMIME SMTPUTF8", ERR_OK, SMTP_MAIL, "a@b", 123, true },
    { "parameters in any case", "mail from:<a@b> size=5 body=7bit smtputf8", ERR_OK, SMTP_MAIL, "a@b", 5, true },
    { "two blanks between parameters", "MAIL FROM:<a@b>  SIZE=5  SMTPUTF8 ", ERR_OK, SMTP_MAIL, "a@b", 5, true },
    { "blank behind the colon", "MAIL FROM: <a@b>", ERR_OK, SMTP_MAIL, "a@b", 0, false },
    { "without brackets", "MAIL FROM:a@b SIZE=5", ERR_OK, SMTP_MAIL, "a@b", 5, false },
    { "no path", "MAIL FROM:", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "no FROM", "MAIL <a@b>", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "bracket never closed", "MAIL FROM:<a@b", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "size that is none", "MAIL FROM:<a@b> SIZE=x", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "size beyond numbers", "MAIL FROM:<a@b> SIZE=99999999999999999999", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "BINARYMIME is not offered", "MAIL FROM:<a@b> BODY=BINARYMIME", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "unknown parameter", "MAIL FROM:<a@b> FOO=1", ERR_NOT_FOUND, SMTP_MAIL, "", 0, false },
    { "text glued to the path", "MAIL FROM:<a@b>SIZE=1", ERR_SYNTAX, SMTP_MAIL, "", 0, false },
    { "RCPT", "RCPT TO:<a+tag@b>", ERR_OK, SMTP_RCPT, "a+tag@b", 0, false },
    { "RCPT of nobody", "RCPT TO:<>", ERR_SYNTAX, SMTP_RCPT, "", 0, false },
    { "RCPT with a parameter", "RCPT TO:<a@b> NOTIFY=NEVER", ERR_NOT_FOUND, SMTP_RCPT, "", 0, false },
    { "MAIL's parameter at RCPT", "RCPT TO:<a@b> SIZE=1", ERR_NOT_FOUND, SMTP_RCPT, "", 0, false },
    { "quoted local part", "RCPT TO:<\"a b\"@c>", ERR_OK, SMTP_RCPT, "a b@c", 0, false },
    { "quotes and backslashes in it", "RCPT TO:<\"a\\\"\\\\>b\"@c>", ERR_OK, SMTP_RCPT, "a\"\\>b@c", 0, false },
    { "quoted, never closed", "RCPT TO:<\"a b@c>", ERR_SYNTAX, SMTP_RCPT, "", 0, false },
    { "source route is dropped", "RCPT TO:<@x.y,@z:a@b>", ERR_OK, SMTP_RCPT, "a@b", 0, false },
    { "source route without an end", "RCPT TO:<@x.y>", ERR_SYNTAX, SMTP_RCPT, "", 0, false },
    { "8-bit address", "RCPT TO:<j\xc3\xb6@b>", ERR_OK, SMTP_RCPT, "j\xc3\xb6@b", 0, false },
    { "control character", "RCPT TO:<a\tb@c>", ERR_SYNTAX, SMTP_RCPT, "", 0, false },
    { "bracket in the address", "RCPT TO:<a<b@c>", ERR_SYNTAX, SMTP_RCPT, "", 0, false },
    { "DATA", "DATA", ERR_OK, SMTP_DATA, "", 0, false },
    { "DATA with an argument", "DATA now", ERR_SYNTAX, SMTP_DATA, "", 0, false },
    { "RSET", "rset", ERR_OK, SMTP_RSET, "", 0, false },
    { "NOOP may say something", "NOOP hello there", ERR_OK, SMTP_NOOP, "", 0, false },
    { "VRFY", "VRFY alice", ERR_OK, SMTP_VRFY, "", 0, false },
    { "QUIT", "QUIT", ERR_OK, SMTP_QUIT, "", 0, false },
    { "blank behind the verb", "QUIT ", ERR_OK, SMTP_QUIT, "", 0, false },
    { "STARTTLS", "STARTTLS", ERR_OK, SMTP_STARTTLS, "", 0, false },
    { "unknown", "HELP", ERR_OK, SMTP_UNKNOWN, "", 0, false },
    { "nothing", "", ERR_OK, SMTP_UNKNOWN, "", 0, false },
    { "an HTTP request", "POST / HTTP/1.1", ERR_OK, SMTP_UNKNOWN, "", 0, false },
};

Test(command, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_command c;
        enum err err = smtp_parse(slice_of(rows[i].line), arena, &c);
        cr_expect_eq(err, rows[i].err, "%s: %s", rows[i].name, err_name(err));
        cr_expect_eq(c.verb, rows[i].verb, "%s", rows[i].name);
        if (err)
            continue;
        cr_expect(slice_eq(c.path, slice_of(rows[i].path)), "%s: %.*s", rows[i].name, SLICE_ARG(c.path));
        cr_expect_eq(c.size, rows[i].size, "%s", rows[i].name);
        cr_expect_eq(c.smtputf8, rows[i].smtputf8, "%s", rows[i].name);
    }
    arena_close(&arena);
}

Test(command, addresses_are_limited)
{
    struct arena *arena = arena_open();
    static const struct {
        const char *quote;
        size_t len; // of the local part
        enum err err;
    } limits[] = {
        { "", SMTP_PATH_MAX - 2, ERR_OK },
        { "", SMTP_PATH_MAX - 1, ERR_SYNTAX },
        { "\"", SMTP_PATH_MAX - 2, ERR_OK },
        { "\"", SMTP_PATH_MAX + 1, ERR_SYNTAX },
    };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct smtp_command c;
        char *local = arena_alloc(arena, limits[i].len + 1);
        memset(local, 'x', limits[i].len);
        char *line = arena_printf(arena, "RCPT TO:<%s%s%s@b>", limits[i].quote, local, limits[i].quote);
        cr_expect_eq(smtp_parse(slice_of(line), arena, &c), limits[i].err, "row %zu", i);
    }
    arena_close(&arena);
}
