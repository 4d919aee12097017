#include "protocol/smtp/command.h"

static const struct {
    const char *name;
    enum smtp_verb verb;
} verbs[] = {
    { "LHLO", SMTP_LHLO }, { "HELO", SMTP_HELO }, { "EHLO", SMTP_EHLO }, { "MAIL", SMTP_MAIL },
    { "RCPT", SMTP_RCPT }, { "DATA", SMTP_DATA }, { "RSET", SMTP_RSET }, { "NOOP", SMTP_NOOP },
    { "VRFY", SMTP_VRFY }, { "QUIT", SMTP_QUIT }, { "STARTTLS", SMTP_STARTTLS },
};

/* Local-part in quotes: '"a b"@x'; moved past the closing quote. */
static bool take_quoted(struct slice *in, char *out, size_t *len)
{
    *in = slice_tail(*in, 1);
    while (in->len && in->at[0] != '"') {
        if (in->at[0] == '\\' && in->len > 1)
            *in = slice_tail(*in, 1);
        if ((unsigned char)in->at[0] < 0x20 || *len >= SMTP_PATH_MAX)
            return false;
        out[(*len)++] = in->at[0];
        *in = slice_tail(*in, 1);
    }
    return slice_take(in, '"');
}

/* "<" [source-route ":"] mailbox ">" (RFC 5321 4.1.2); the route is dropped (4.1.1.3). Without brackets too: some clients
 * leave them out. The quotes of a local part are taken off, so that '"alice"@x' is alice. */
static bool take_path(struct slice *in, struct arena *arena, struct slice *path)
{
    char text[SMTP_PATH_MAX + 1];
    size_t len = 0;
    bool bracket = slice_take(in, '<');
    if (in->len && in->at[0] == '@') {
        size_t colon = slice_find(*in, ':');
        if (colon == SIZE_MAX)
            return false;
        *in = slice_tail(*in, colon + 1);
    }
    if (in->len && in->at[0] == '"' && !take_quoted(in, text, &len))
        return false;
    while (in->len && in->at[0] != '>' && in->at[0] != ' ') {
        unsigned char c = (unsigned char)in->at[0];
        if (c < 0x21 || c == 0x7f || c == '<' || c == '"' || len >= SMTP_PATH_MAX)
            return false;
        text[len++] = (char)c;
        *in = slice_tail(*in, 1);
    }
    if (bracket && !slice_take(in, '>'))
        return false;
    *path = arena_copy(arena, slice_make(text, len));
    return true;
}

static enum err take_parameter(struct slice parameter, struct smtp_command *command)
{
    struct slice value = parameter, name = slice_cut(&value, '=');
    if (command->verb == SMTP_MAIL) {
        if (slice_eq_nocase(name, SLICE_LIT("SIZE")))
            return slice_to_u64(value, INT64_MAX, &command->size) ? ERR_OK : ERR_SYNTAX;
        if (slice_eq_nocase(name, SLICE_LIT("BODY"))) {
            command->body_8bit = slice_eq_nocase(value, SLICE_LIT("8BITMIME"));
            return command->body_8bit || slice_eq_nocase(value, SLICE_LIT("7BIT")) ? ERR_OK : ERR_SYNTAX;
        }
        if (slice_eq_nocase(name, SLICE_LIT("SMTPUTF8"))) {
            command->smtputf8 = true;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err parse_path(struct smtp_command *command, const char *word, struct arena *arena)
{
    struct slice in = command->argument;
    if (!slice_starts_nocase(in, slice_of(word)))
        return ERR_SYNTAX;
    in = slice_tail(in, strlen(word));
    while (slice_take(&in, ' ')) // "FROM: <a@b>" is wrong and common
        ;
    if (in.len == 0 || !take_path(&in, arena, &command->path))
        return ERR_SYNTAX;
    while (in.len) {
        if (!slice_take(&in, ' '))
            return ERR_SYNTAX;
        struct slice parameter = slice_cut(&in, ' ');
        if (in.at[-1] == ' ' && in.len) { // the blank opens the next one
            in.at--;
            in.len++;
        }
        enum err err = parameter.len ? take_parameter(parameter, command) : ERR_OK;
        if (err)
            return err;
    }
    return ERR_OK;
}

enum err smtp_parse(struct slice line, struct arena *arena, struct smtp_command *command)
{
    struct slice rest = line, name = slice_cut(&rest, ' ');
    *command = (struct smtp_command){ .argument = slice_trim(rest) };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (slice_eq_nocase(slice_trim(name), slice_of(verbs[i].name)))
            command->verb = verbs[i].verb;
    switch (command->verb) {
    case SMTP_MAIL:
        return parse_path(command, "FROM:", arena);
    case SMTP_RCPT: {
        enum err err = parse_path(command, "TO:", arena);
        return !err && command->path.len == 0 ? ERR_SYNTAX : err;
    }
    case SMTP_LHLO:
    case SMTP_VRFY:
        return command->argument.len ? ERR_OK : ERR_SYNTAX;
    case SMTP_DATA:
    case SMTP_RSET:
    case SMTP_QUIT:
    case SMTP_STARTTLS:
        return command->argument.len ? ERR_SYNTAX : ERR_OK;
    default:
        return ERR_OK;
    }
}
