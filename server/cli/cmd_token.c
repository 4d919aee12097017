/* token add, list, revoke: who may use the admin API. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/cli/cli.h"
#include "storage/admin.h"

static const struct {
    const char *name;
    unsigned bit;
} scopes[] = { { "read", ADMIN_READ }, { "restore", ADMIN_RESTORE }, { "manage", ADMIN_MANAGE } };
#define SCOPE_COUNT (sizeof scopes / sizeof *scopes)

static bool parse_scopes(const char *text, unsigned *bits)
{
    struct slice rest = slice_of(text);
    *bits = 0;
    while (rest.len) {
        struct slice word = slice_cut(&rest, ',');
        unsigned bit = 0;
        for (size_t i = 0; i < SCOPE_COUNT; i++)
            if (slice_eq(word, slice_of(scopes[i].name)))
                bit = scopes[i].bit;
        if (!bit)
            return false;
        *bits |= bit;
    }
    return *bits != 0;
}

static const struct actor by_cli = { .protocol = BY_ADMIN, .name = "cli" };

static int token_add(struct cli *cli)
{
    const char *wanted = cli_option(cli, "--scopes"), *domain = cli_option(cli, "--domain");
    char token[ADMIN_TOKEN_LEN + 1];
    unsigned bits = ADMIN_ALL;
    if (cli->word_count != 1)
        return cli_fail("usage: godwit token add NAME [--scopes read,restore,manage] [--domain DOMAIN]");
    if (wanted && !parse_scopes(wanted, &bits))
        return cli_fail("--scopes %s: write some of read,restore,manage", wanted);
    enum err err = admin_token_create(cli->db, slice_of(cli->words[0]), bits, domain, &by_cli, token);
    if (err == ERR_EXISTS)
        return cli_fail("there is a token %s already; godwit token revoke ends it", cli->words[0]);
    if (err)
        return cli_fail_err(cli, err, "the token could not be made");
    puts(token); // alone on its line, for scripts; the store has only its hash
    return 0;
}

static int token_list(struct cli *cli)
{
    struct admin_token *tokens;
    size_t count;
    enum err err = admin_token_list(cli->db, cli->arena, &tokens, &count);
    if (err)
        return cli_fail_err(cli, err, "the tokens could not be listed");
    for (size_t i = 0; i < count; i++) {
        char made[32];
        time_t seconds = (time_t)(tokens[i].created_us / US_PER_S);
        struct tm t;
        strftime(made, sizeof made, "%Y-%m-%d", gmtime_r(&seconds, &t));
        printf("%-24s %s %-24s", tokens[i].name, made, tokens[i].domain ? tokens[i].domain : "all domains");
        for (size_t k = 0; k < SCOPE_COUNT; k++)
            if (tokens[i].scopes & scopes[k].bit)
                printf(" %s", scopes[k].name);
        putchar('\n');
    }
    return 0;
}

static int token_revoke(struct cli *cli)
{
    if (cli->word_count != 1)
        return cli_fail("usage: godwit token revoke NAME");
    enum err err = admin_token_revoke(cli->db, slice_of(cli->words[0]), &by_cli);
    if (err == ERR_NOT_FOUND)
        return cli_fail("there is no token %s; godwit token list shows all", cli->words[0]);
    if (err)
        return cli_fail_err(cli, err, "the token could not be revoked");
    printf("revoked %s\n", cli->words[0]);
    return 0;
}

extern const struct cli_command cli_token_add, cli_token_list, cli_token_revoke;
const struct cli_command cli_token_add = {
    .name = "token add",
    .usage = "NAME [--scopes read,restore,manage] [--domain D]",
    .help = "Makes a bearer token for the admin API and prints it, once.",
    .needs_store = true,
    .run = token_add,
};
const struct cli_command cli_token_list = {
    .name = "token list",
    .usage = "",
    .help = "Lists the tokens of the admin API.",
    .needs_store = true,
    .run = token_list,
};
const struct cli_command cli_token_revoke = {
    .name = "token revoke",
    .usage = "NAME",
    .help = "Ends a token.",
    .needs_store = true,
    .run = token_revoke,
};
