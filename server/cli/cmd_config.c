#include <stdio.h>

#include "server/cli/cli.h"

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

static int config_show(struct cli *cli)
{
    settings_print(cli->settings, print_line, NULL);
    return 0;
}

extern const struct cli_command cli_config_show;
const struct cli_command cli_config_show = {
    .name = "config show",
    .usage = "",
    .help = "Prints every setting with its value and documentation.",
    .run = config_show,
};
