/* api/openapi.yaml and api/routes.h name the same operations, with the same methods, paths and scopes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/routes.h"
#include "storage/admin.h"

static const struct operation {
    const char *id, *method, *path;
    unsigned scope;
} routes[] = {
#define X(id, method, path, scope, function) { #id, method, path, scope },
    API_ROUTES(X)
#undef X
};
#define ROUTE_COUNT (sizeof routes / sizeof *routes)

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = { { "none", 0 }, { "read", ADMIN_READ }, { "restore", ADMIN_RESTORE }, { "manage", ADMIN_MANAGE } };

struct found {
    char id[64], method[16], path[128], scope[16];
};

/* The operations of the file, by its own fixed indentation: path 2, method 4, what belongs to it 6. */
static size_t read_contract(struct found *found, size_t max)
{
    FILE *file = fopen(GODWIT_SOURCE_DIR "/api/openapi.yaml", "r");
    cr_assert_not_null(file);
    char line[512], path[128] = "", method[16] = "";
    size_t count = 0;
    while (fgets(line, sizeof line, file) && strncmp(line, "components:", 11) != 0) {
        char text[128];
        if (sscanf(line, "  %127[^: ]:", text) == 1 && strncmp(line, "  /", 3) == 0)
            snprintf(path, sizeof path, "%s", text);
        else if (*path && strncmp(line, "    ", 4) == 0 && line[4] != ' ' && sscanf(line, "    %15[a-z]:", text) == 1)
            snprintf(method, sizeof method, "%.15s", text);
        else if (sscanf(line, "      operationId: %63s", text) == 1) {
            cr_assert_lt(count, max);
            snprintf(found[count].id, sizeof found[count].id, "%.63s", text);
            snprintf(found[count].path, sizeof found[count].path, "%s", path);
            snprintf(found[count++].method, sizeof found[0].method, "%s", method);
        } else if (count && sscanf(line, "      x-scope: %15s", text) == 1)
            snprintf(found[count - 1].scope, sizeof found[0].scope, "%.15s", text);
    }
    fclose(file);
    return count;
}

Test(openapi, contract_and_routes_are_equal)
{
    struct found found[64] = { 0 };
    size_t count = read_contract(found, 64);
    cr_expect_eq(count, ROUTE_COUNT, "%zu operations in openapi.yaml, %zu in routes.h", count, ROUTE_COUNT);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct found *same = NULL;
        for (size_t k = 0; k < count; k++)
            if (strcmp(found[k].id, routes[i].id) == 0)
                same = &found[k];
        cr_assert_not_null(same, "%s is not in openapi.yaml", routes[i].id);
        cr_expect_str_eq(same->path, routes[i].path, "%s", routes[i].id);
        cr_expect_eq(strcasecmp(same->method, routes[i].method), 0, "%s: %s", routes[i].id, same->method);
        bool scope_same = false;
        for (size_t k = 0; k < sizeof scopes / sizeof *scopes; k++)
            scope_same = scope_same || (scopes[k].scope == routes[i].scope && strcmp(scopes[k].name, same->scope) == 0);
        cr_expect(scope_same, "%s: x-scope %s", routes[i].id, same->scope);
    }
}
