#include "protocol/imap/metadata.h"

#include "protocol/imap/scan.h"

/* entry: "/private/..." or "/shared/...", of printable ASCII without wildcards, no empty level (RFC 5464 3.2). */
static enum err take_entry(struct slice *in, struct arena *arena, struct slice *entry)
{
    struct slice name;
    enum err err = scan_astring(in, arena, &name);
    if (err)
        return err;
    if (name.len > METADATA_ENTRY_MAX)
        return ERR_LIMIT;
    char *lower = arena_alloc(arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool twice = c == '/' && i + 1 < name.len && name.at[i + 1] == '/';
        if (c < 0x20 || c == 0x7f || c == '*' || c == '%' || twice)
            return ERR_SYNTAX;
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    *entry = slice_make(lower, name.len);
    bool rooted = slice_starts(*entry, SLICE_LIT("/private")) || slice_starts(*entry, SLICE_LIT("/shared"));
    size_t root = entry->len > 1 && lower[1] == 'p' ? 8 : 7;
    if (!rooted || (entry->len > root && lower[root] != '/') || lower[entry->len - 1] == '/')
        return ERR_SYNTAX;
    return ERR_OK;
}

/* "(MAXSIZE n DEPTH 1)", if that is what stands there. */
static enum err take_options(struct slice *in, struct metadata_command *c, bool *taken)
{
    struct slice rest = *in;
    uint64_t depth;
    *taken = false;
    if (!slice_take(&rest, '('))
        return ERR_OK;
    do {
        if (scan_word(&rest, "MAXSIZE")) {
            if (!scan_sp(&rest) || !scan_number64(&rest, &c->max))
                return ERR_SYNTAX;
            c->has_max = true;
        } else if (scan_word(&rest, "DEPTH")) {
            if (!scan_sp(&rest))
                return ERR_SYNTAX;
            if (scan_word(&rest, "infinity"))
                c->depth = METADATA_ALL;
            else if (scan_number64(&rest, &depth) && depth <= 1)
                c->depth = depth ? METADATA_CHILDREN : METADATA_SELF;
            else
                return ERR_SYNTAX;
        } else {
            return *taken ? ERR_SYNTAX : ERR_OK; // the entries
        }
        *taken = true;
    } while (scan_sp(&rest));
    if (!slice_take(&rest, ')'))
        return ERR_SYNTAX;
    *in = rest;
    return ERR_OK;
}

static enum err add_item(struct metadata_item *items, size_t *count, struct slice *in, struct arena *arena, bool set)
{
    if (*count == METADATA_LIST_MAX)
        return ERR_LIMIT;
    struct metadata_item *item = &items[(*count)++];
    bool nil = false;
    *item = (struct metadata_item){ 0 };
    enum err err = take_entry(in, arena, &item->entry);
    if (err || !set)
        return err;
    if (slice_count(slice_tail(item->entry, 1), '/') == 0)
        return ERR_SYNTAX; // "/private" itself has no value
    err = scan_sp(in) ? scan_nstring(in, arena, &item->value, &nil) : ERR_SYNTAX;
    if (!err && item->value.len > METADATA_VALUE_MAX)
        err = ERR_LIMIT;
    if (nil)
        item->value = (struct slice){ 0 };
    else if (!err && !item->value.at)
        item->value = SLICE_LIT("");
    return err;
}

static enum err take_items(struct slice *in, struct arena *arena, struct metadata_command *c, bool set)
{
    struct metadata_item *items = arena_new(arena, struct metadata_item, METADATA_LIST_MAX);
    bool listed = slice_take(in, '(');
    enum err err = listed || !set ? ERR_OK : ERR_SYNTAX;
    do {
        err = err ? err : add_item(items, &c->count, in, arena, set);
    } while (!err && listed && scan_sp(in));
    if (!err && listed && !slice_take(in, ')'))
        err = ERR_SYNTAX;
    c->items = items;
    return err;
}

enum err metadata_parse_get(struct slice *in, struct arena *arena, struct metadata_command *command)
{
    struct metadata_command c = { 0 };
    bool before = false, behind = false;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    enum err err = take_options(in, &c, &before);
    if (err || (before && !scan_sp(in)))
        return ERR_SYNTAX;
    err = scan_astring(in, arena, &c.mailbox);
    if (err || !scan_sp(in))
        return err ? err : ERR_SYNTAX;
    err = take_options(in, &c, &behind); // many clients put them here
    if (err || (before && behind) || (behind && !scan_sp(in)))
        return ERR_SYNTAX;
    err = take_items(in, arena, &c, false);
    *command = c;
    return err;
}

enum err metadata_parse_set(struct slice *in, struct arena *arena, struct metadata_command *command)
{
    struct metadata_command c = { 0 };
    enum err err = scan_sp(in) ? scan_astring(in, arena, &c.mailbox) : ERR_SYNTAX;
    if (!err)
        err = scan_sp(in) ? take_items(in, arena, &c, true) : ERR_SYNTAX;
    *command = c;
    return err;
}

bool metadata_covers(struct slice asked, enum metadata_depth depth, struct slice entry)
{
    if (slice_eq(asked, entry))
        return true;
    if (depth == METADATA_SELF || !slice_starts(entry, asked) || entry.at[asked.len] != '/')
        return false;
    return depth == METADATA_ALL || slice_count(slice_tail(entry, asked.len + 1), '/') == 0;
}
