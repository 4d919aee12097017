/* The environment of a test. */
#pragma once

#include <glib.h>
#include <unistd.h>

/* The variables that ./test sets for others are no settings: drops all whose name begins with GODWIT_. */
static inline void forget_variables(void)
{
    char **names = g_listenv();
    for (char **name = names; *name; name++)
        if (g_str_has_prefix(*name, "GODWIT_"))
            unsetenv(*name);
    g_strfreev(names);
}
