#include "server/eas/directory.h"

static struct slice lower(struct arena *arena, struct slice text)
{
    char *copy = arena_text(arena, text);
    for (size_t i = 0; i < text.len; i++)
        copy[i] = (char)(copy[i] >= 'A' && copy[i] <= 'Z' ? copy[i] + 32 : copy[i]);
    return slice_make(copy, text.len);
}

static size_t split_group(struct slice group, struct slice *domains)
{
    static const char blanks[] = " ,\t";
    size_t count = 0;
    while ((group = slice_tail(group, slice_span(group, blanks))).len) {
        size_t len = 0;
        while (len < group.len && !memchr(blanks, group.at[len], sizeof blanks - 1))
            len++;
        domains[count++] = slice_head(group, len);
        group = slice_tail(group, len);
    }
    return count;
}

void eas_joined_domains(struct slice setting, struct slice own, struct arena *arena, struct slice **domains,
                        size_t *count)
{
    setting = lower(arena, setting);
    struct slice *all = arena_new(arena, struct slice, setting.len + 2),
                 *group = arena_new(arena, struct slice, setting.len + 1);
    own = lower(arena, own);
    *count = 0;
    all[(*count)++] = own;
    while (setting.len) {
        size_t members = split_group(slice_cut(&setting, ';'), group);
        bool mine = false;
        for (size_t i = 0; i < members; i++)
            mine |= slice_eq(group[i], own);
        for (size_t i = 0; i < members && mine; i++)
            all[(*count)++] = group[i];
    }
    *domains = all;
}

static void domains_of(struct eas_request *req, struct slice **domains, size_t *count)
{
    struct slice own = slice_of(req->login.login);
    slice_cut(&own, '@');
    const char *joined = settings_text(req->app->server->settings, SETTING_DIRECTORY_JOINED_DOMAINS);
    eas_joined_domains(slice_of(joined), own, req->arena, domains, count);
}

enum err eas_directory_find(struct eas_request *req, struct slice text, uint32_t limit, struct person **people,
                            size_t *count)
{
    struct slice *domains;
    size_t domain_count;
    domains_of(req, &domains, &domain_count);
    return directory_find(req->db, req->arena, domains, domain_count, text, limit, people, count);
}

enum err eas_directory_get(struct eas_request *req, struct slice address, struct person *person)
{
    struct slice *domains;
    size_t domain_count;
    domains_of(req, &domains, &domain_count);
    return directory_get(req->db, req->arena, domains, domain_count, address, person);
}

static struct slice alias_of(const struct person *person)
{
    struct slice login = slice_of(person->login);
    return slice_cut(&login, '@');
}

struct slice eas_directory_name(const struct person *person)
{
    return *person->name ? slice_of(person->name) : alias_of(person);
}

void eas_directory_write(struct wbxml_writer *writer, const struct person *person, uint16_t picture, uint16_t status)
{
    wbxml_text(writer, WB_GAL_DisplayName, eas_directory_name(person));
    wbxml_text(writer, WB_GAL_Alias, alias_of(person));
    wbxml_cstr(writer, WB_GAL_EmailAddress, person->login);
    if (picture) {
        wbxml_start(writer, picture);
        wbxml_u64(writer, status, EAS_NO_PICTURE);
        wbxml_end(writer, picture);
    }
}
