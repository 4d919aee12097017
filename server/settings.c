#include "server/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

extern char **environ;

enum type { TEXT, INT, BOOL, PATH, ADDRESS, SIZE, ACCESS };

static const struct row {
    const char *section, *key;
    enum type type;
    const char *preset;
    int64_t min, max;
    const char *doc;
} rows[SETTING_COUNT] = {
#define X(id, section, key, type, def, min, max, doc) [SETTING_##id] = { section, key, type, def, min, max, doc },
    SETTINGS(X)
#undef X
};

struct settings {
    char *text[SETTING_COUNT];
    int64_t number[SETTING_COUNT];
};

/* ---- values ---- */

static bool parse_bool(const char *text, int64_t *number)
{
    static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < 4; i++)
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *number = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    return false;
}

/* "64M": octets with K, M or G, when the type is SIZE. */
static bool parse_number(const char *text, bool size, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text)
        return false;
    int shift = 0;
    if (size && *end)
        shift = toupper((unsigned char)*end) == 'K' ? 10 : toupper((unsigned char)*end) == 'M' ? 20 : toupper((unsigned char)*end) == 'G' ? 30 : 0;
    if (shift)
        end++;
    if (*end || value > INT64_MAX >> shift || value < 0)
        return false;
    *number = (int64_t)value << shift;
    return true;
}

static bool parse_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    return !*text || (colon && parse_number(colon + 1, false, &port) && port <= 65535);
}

/* What a value of the type may be, for messages. */
static const char *expected(const struct row *row, char room[96])
{
    switch (row->type) {
    case BOOL:
        return "true or false";
    case ACCESS:
        return "allow, quarantine or block";
    case ADDRESS:
        return "an address such as 127.0.0.1:1143 or [::1]:1143, or nothing to switch it off";
    case INT:
        snprintf(room, 96, "a number from %lld to %lld", (long long)row->min, (long long)row->max);
        return room;
    case SIZE:
        snprintf(room, 96, "a size from %lld to %lld octets, K, M and G allowed", (long long)row->min,
                 (long long)row->max);
        return room;
    default:
        return "text";
    }
}

static enum err set(struct settings *settings, size_t id, const char *value, const char *where, struct trace *trace)
{
    const struct row *row = &rows[id];
    int64_t number = 0;
    bool good = true;
    char room[96];
    if (row->type == BOOL)
        good = parse_bool(value, &number);
    else if (row->type == INT || row->type == SIZE)
        good = parse_number(value, row->type == SIZE, &number) && number >= row->min && number <= row->max;
    else if (row->type == ADDRESS)
        good = parse_address(value);
    else if (row->type == ACCESS)
        good = strcmp(value, "allow") == 0 || strcmp(value, "quarantine") == 0 || strcmp(value, "block") == 0;
    if (!good)
        return fail(trace, ERR_SYNTAX, "%s: %s.%s cannot be \"%.60s\": write %s", where, row->section, row->key, value,
                    expected(row, room));
    free(settings->text[id]);
    settings->text[id] = mem_text(value);
    settings->number[id] = number;
    return ERR_OK;
}

/* ---- names ---- */

static size_t find(const char *section, const char *key)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
            return i;
    return SETTING_COUNT;
}

/* Edits (insert, delete, replace) that make b of a. */
static size_t distance(const char *a, const char *b)
{
    size_t width = strlen(b);
    size_t line[128];
    if (width >= 127)
        return 127;
    for (size_t j = 0; j <= width; j++)
        line[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = line[0];
        line[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t above = line[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (line[j - 1] + 1 < best)
                best = line[j - 1] + 1;
            line[j] = best;
            diagonal = above;
        }
    }
    return line[width];
}

static enum err unknown(const char *name, const char *where, struct trace *trace)
{
    size_t best = SIZE_MAX, nearest = 0;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char full[128];
        snprintf(full, sizeof full, "%s.%s", rows[i].section, rows[i].key);
        size_t d = distance(name, full);
        if (d < best) {
            best = d;
            nearest = i;
        }
    }
    if (best <= strlen(name) / 2)
        return fail(trace, ERR_SYNTAX, "%s: there is no setting %.80s; did you mean %s.%s?", where, name,
                    rows[nearest].section, rows[nearest].key);
    return fail(trace, ERR_SYNTAX, "%s: there is no setting %.80s; \"godwit config show\" lists all", where, name);
}

/* ---- sources ---- */

/* The line of "key =" in its section: GLib does not tell. */
static unsigned line_of(const char *text, const char *section, const char *key)
{
    unsigned line = 0;
    bool inside = false;
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        struct slice s = slice_trim(slice_make(at, strcspn(at, "\n")));
        line++;
        if (s.len > 2 && s.at[0] == '[') {
            inside = slice_eq(slice_make(s.at + 1, s.len - 2), slice_of(section));
            if (inside && !key)
                return line;
        } else if (inside && key) {
            if (slice_eq(slice_trim(slice_cut(&s, '=')), slice_of(key)))
                return line;
        }
    }
    return 0;
}

static enum err read_section(struct settings *settings, GKeyFile *keys, const char *section, const char *file,
                             const char *text, struct trace *trace)
{
    char **names = g_key_file_get_keys(keys, section, NULL, NULL);
    enum err err = ERR_OK;
    char where[512], full[256];
    if (names && !names[0] && find(section, "") == SETTING_COUNT) {
        bool known = false;
        for (size_t i = 0; i < SETTING_COUNT; i++)
            known = known || strcmp(rows[i].section, section) == 0;
        if (!known)
            err = fail(trace, ERR_SYNTAX, "%s:%u: there is no section [%.60s]", file, line_of(text, section, NULL), section);
    }
    for (size_t i = 0; names && names[i] && !err; i++) {
        snprintf(where, sizeof where, "%s:%u", file, line_of(text, section, names[i]));
        size_t id = find(section, names[i]);
        if (id == SETTING_COUNT) {
            snprintf(full, sizeof full, "%s.%s", section, names[i]);
            err = unknown(full, where, trace);
            break;
        }
        char *value = g_key_file_get_string(keys, section, names[i], NULL);
        err = value ? set(settings, id, value, where, trace)
                    : fail(trace, ERR_SYNTAX, "%s: %s.%s is not readable text", where, section, names[i]);
        g_free(value);
    }
    g_strfreev(names);
    return err;
}

/* Sections, "key = value" below them, and comments: GLib says what is wrong with a file, but not where. */
static enum err check_lines(const char *file, const char *text, struct trace *trace)
{
    unsigned line = 0;
    bool inside = false;
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        struct slice s = slice_trim(slice_make(at, strcspn(at, "\n")));
        line++;
        if (s.len == 0 || s.at[0] == '#')
            continue;
        if (s.at[0] == '[' && s.at[s.len - 1] == ']')
            inside = true;
        else if (!inside)
            return fail(trace, ERR_SYNTAX, "%s:%u: \"%.*s\" stands in no section; put a line like [imap] above it", file,
                        line, (int)(s.len > 60 ? 60 : s.len), s.at);
        else if (s.at[0] == '=' || !memchr(s.at, '=', s.len))
            return fail(trace, ERR_SYNTAX, "%s:%u: \"%.*s\" is no setting; write key = value, and # before a comment",
                        file, line, (int)(s.len > 60 ? 60 : s.len), s.at);
    }
    return ERR_OK;
}

static enum err read_file(struct settings *settings, const char *file, struct trace *trace)
{
    char *text = NULL;
    gsize len;
    GError *error = NULL;
    if (!g_file_get_contents(file, &text, &len, &error)) {
        enum err err = fail(trace, ERR_NOT_FOUND, "cannot read the settings: %s", error->message);
        g_error_free(error);
        return err;
    }
    GKeyFile *keys = g_key_file_new();
    enum err err = check_lines(file, text, trace);
    if (!err && !g_key_file_load_from_data(keys, text, len, G_KEY_FILE_NONE, &error)) {
        err = fail(trace, ERR_SYNTAX, "%s: %s", file, error->message);
        g_error_free(error);
    }
    char **sections = g_key_file_get_groups(keys, NULL);
    for (size_t i = 0; sections[i] && !err; i++)
        err = read_section(settings, keys, sections[i], file, text, trace);
    g_strfreev(sections);
    g_key_file_free(keys);
    g_free(text);
    return err;
}

/* Which setting GODWIT_IMAP_LISTEN_TLS is. */
static size_t find_variable(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        char full[128];
        snprintf(full, sizeof full, "%s_%s", rows[i].section, rows[i].key);
        for (char *c = full; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        if (strcmp(full, name) == 0)
            return i;
    }
    return SETTING_COUNT;
}

static enum err read_environment(struct settings *settings, struct trace *trace)
{
    static const char prefix[] = "GODWIT_";
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, prefix, sizeof prefix - 1) != 0 || !equals)
            continue;
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(equals - *entry), *entry);
        const char *rest = name + sizeof prefix - 1;
        // GODWIT_DATA is for ./run; the others belong to the tests.
        if (strcmp(rest, "DATA") == 0 || strncmp(rest, "TEST_", 5) == 0 || strncmp(rest, "MODEL_", 6) == 0)
            continue;
        size_t id = find_variable(rest);
        if (id == SETTING_COUNT)
            return fail(trace, ERR_SYNTAX, "environment: there is no setting for %s; write GODWIT_SECTION_KEY", name);
        enum err err = set(settings, id, equals + 1, name, trace);
        if (err)
            return err;
    }
    return ERR_OK;
}

static enum err read_set(struct settings *settings, const char *text, struct trace *trace)
{
    struct slice value = slice_of(text), name = slice_cut(&value, '='), key = name;
    char section_text[64], key_text[64], full[160];
    snprintf(full, sizeof full, "%.*s", SLICE_ARG(name));
    if (!memchr(text, '=', strlen(text)))
        return fail(trace, ERR_SYNTAX, "--set %.80s: write section.key=value", text);
    struct slice section = slice_cut(&key, '.');
    snprintf(section_text, sizeof section_text, "%.*s", SLICE_ARG(section));
    snprintf(key_text, sizeof key_text, "%.*s", SLICE_ARG(key));
    size_t id = find(section_text, key_text);
    return id == SETTING_COUNT ? unknown(full, "--set", trace) : set(settings, id, value.at, "--set", trace);
}

enum err settings_open(const char *file, const char *const *sets, size_t set_count, struct trace *trace,
                       struct settings **settings)
{
    struct settings *made = mem_new(struct settings);
    enum err err = ERR_OK;
    for (size_t i = 0; i < SETTING_COUNT && !err; i++)
        err = set(made, i, rows[i].preset, "default", trace);
    if (!err && file)
        err = read_file(made, file, trace);
    if (!err)
        err = read_environment(made, trace);
    for (size_t i = 0; i < set_count && !err; i++)
        err = read_set(made, sets[i], trace);
    if (err)
        settings_close(&made);
    *settings = made;
    return err;
}

void settings_close(struct settings **settings)
{
    if (!*settings)
        return;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        free((*settings)->text[i]);
    free(*settings);
    *settings = NULL;
}

const char *settings_text(const struct settings *settings, enum setting_id id)
{
    return settings->text[id];
}

int64_t settings_int(const struct settings *settings, enum setting_id id)
{
    assert(rows[id].type == INT || rows[id].type == SIZE);
    return settings->number[id];
}

bool settings_bool(const struct settings *settings, enum setting_id id)
{
    assert(rows[id].type == BOOL);
    return settings->number[id];
}

/* ---- showing ---- */

/* "postgresql://user:secret@host/db" and "... password=secret ..." without the secret. */
static void mask_secret(const char *text, struct buf *out)
{
    struct slice s = slice_of(text);
    size_t scheme = slice_find_slice(s, SLICE_LIT("://"));
    size_t at = slice_find(s, '@');
    if (scheme != SIZE_MAX && at != SIZE_MAX && at > scheme) {
        struct slice user = slice_make(s.at + scheme + 3, at - scheme - 3);
        size_t colon = slice_find(user, ':');
        if (colon != SIZE_MAX) {
            buf_add(out, slice_head(s, scheme + 3 + colon));
            buf_add_text(out, ":***");
            buf_add(out, slice_tail(s, at));
            return;
        }
    }
    size_t word = slice_find_slice(s, SLICE_LIT("password="));
    if (word != SIZE_MAX) {
        buf_add(out, slice_head(s, word + 9));
        buf_add_text(out, "***");
        struct slice rest = slice_tail(s, word + 9);
        if (slice_find(rest, ' ') != SIZE_MAX)
            buf_add(out, slice_tail(rest, slice_find(rest, ' ')));
        return;
    }
    buf_add(out, s);
}

void settings_print(const struct settings *settings, void (*line)(void *ctx, const char *text), void *ctx)
{
    const char *section = "";
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        struct buf text = { 0 };
        char room[96];
        if (strcmp(section, rows[i].section) != 0) {
            if (*section)
                line(ctx, "");
            section = rows[i].section;
            buf_printf(&text, "[%s]%c", section, 0);
            line(ctx, buf_slice(&text).at);
            buf_clear(&text);
        }
        buf_printf(&text, "# %s", rows[i].doc);
        if (rows[i].type != TEXT && rows[i].type != PATH)
            buf_printf(&text, " (%s; default %s)", expected(&rows[i], room), *rows[i].preset ? rows[i].preset : "nothing");
        buf_add_byte(&text, '\0');
        line(ctx, buf_slice(&text).at);
        buf_clear(&text);
        buf_printf(&text, "%s = ", rows[i].key);
        mask_secret(settings->text[i], &text);
        buf_add_byte(&text, '\0');
        line(ctx, buf_slice(&text).at);
        buf_free(&text);
    }
}
