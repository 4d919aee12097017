/* Arrows point down only: reads the includes of every source file and refuses a wrong one. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *folder;
    const char *may[6]; // folders it may include, its own among them
} layers[] = {
    { "base", { "base" } },
    { "protocol", { "protocol", "base" } },
    { "storage", { "storage", "base" } },
    { "api", { "api", "storage", "protocol", "base" } },
    { "server", { "server", "api", "storage", "protocol", "base" } },
};

static size_t files_seen;

static void check_file(const char *path, size_t layer)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    char line[1024], folder[64];
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        // Only our own headers have a folder in front; <...> are libraries.
        if (sscanf(line, "#include \"%63[a-z]/", folder) != 1)
            continue;
        bool allowed = false, ours = false;
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            ours = ours || strcmp(folder, layers[i].folder) == 0;
        for (size_t i = 0; i < 6 && layers[layer].may[i]; i++)
            allowed = allowed || strcmp(folder, layers[layer].may[i]) == 0;
        cr_expect(!ours || allowed, "%s:%u: %s may not include %s", path, number, layers[layer].folder, folder);
    }
    fclose(file);
    files_seen++;
}

static void walk(const char *folder, size_t layer)
{
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir, "%s", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (entry->d_type == DT_DIR)
            walk(path, layer);
        else if (len > 2 && (strcmp(entry->d_name + len - 2, ".c") == 0 || strcmp(entry->d_name + len - 2, ".h") == 0))
            check_file(path, layer);
    }
    closedir(dir);
}

Test(layers, arrows_point_down)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", GODWIT_SOURCE_DIR, layers[i].folder);
        walk(path, i);
    }
    cr_expect_gt(files_seen, 50);
}
