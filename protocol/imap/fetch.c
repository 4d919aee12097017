#include "protocol/imap/fetch.h"

#include "base/buf.h"
#include "protocol/imap/scan.h"

static const struct {
    const char *name;
    enum fetch_kind kind;
} simple_items[] = {
    { "UID", FETCH_UID },
    { "FLAGS", FETCH_FLAGS },
    { "INTERNALDATE", FETCH_INTERNALDATE },
    { "RFC822.SIZE", FETCH_RFC822_SIZE },
    { "RFC822.HEADER", FETCH_RFC822_HEADER },
    { "RFC822.TEXT", FETCH_RFC822_TEXT },
    { "RFC822", FETCH_RFC822 },
    { "MODSEQ", FETCH_MODSEQ },
    { "ENVELOPE", FETCH_ENVELOPE },
    { "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
    { "PREVIEW", FETCH_PREVIEW },
    { "SAVEDATE", FETCH_SAVEDATE },
    { "EMAILID", FETCH_EMAILID },
    { "THREADID", FETCH_THREADID },
};

static const struct {
    const char *name;
    enum fetch_kind kinds[5];
    size_t count;
} macros[] = {
    { "ALL", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE }, 4 },
    { "FAST", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE }, 3 },
    { "FULL", { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE, FETCH_BODY }, 5 },
};

/* A prefix without case, whatever follows: "BODY.PEEK[" is no word of its own. */
static bool take_prefix(struct slice *in, const char *text)
{
    struct slice prefix = slice_of(text);
    if (!slice_starts_nocase(*in, prefix))
        return false;
    *in = slice_tail(*in, prefix.len);
    return true;
}

/* section-part = nz-number *("." nz-number); leaves a dot that is followed by a name. */
static enum err take_parts(struct slice *in, struct arena *arena, struct fetch_item *item)
{
    uint32_t numbers[FETCH_PARTS_MAX];
    size_t count = 0;
    struct slice rest = *in;
    uint32_t number;
    while (scan_nz_number(&rest, &number)) {
        if (count == FETCH_PARTS_MAX)
            return ERR_LIMIT;
        numbers[count++] = number;
        *in = rest;
        if (!slice_take(&rest, '.'))
            break;
    }
    uint32_t *parts = arena_new(arena, uint32_t, count + 1);
    for (size_t i = 0; i < count; i++)
        parts[i] = numbers[i];
    item->parts = parts;
    item->part_count = count;
    return ERR_OK;
}

/* header-list = "(" astring *(SP astring) ")" */
static enum err take_fields(struct slice *in, struct arena *arena, struct fetch_item *item)
{
    struct slice names[FETCH_FIELDS_MAX];
    size_t count = 0;
    if (!scan_sp(in) || !slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        if (count == FETCH_FIELDS_MAX)
            return ERR_LIMIT;
        enum err err = scan_astring(in, arena, &names[count++]);
        if (err)
            return err;
    } while (scan_sp(in));
    if (!slice_take(in, ')'))
        return ERR_SYNTAX;
    struct slice *fields = arena_new(arena, struct slice, count);
    for (size_t i = 0; i < count; i++)
        fields[i] = names[i];
    item->fields = fields;
    item->field_count = count;
    return ERR_OK;
}

/* What may follow the part numbers inside "[...]". */
static enum err take_section_text(struct slice *in, struct arena *arena, struct fetch_item *item)
{
    item->text = FETCH_TEXT_ALL;
    if (in->len && in->at[0] == ']')
        return ERR_OK;
    if (item->part_count && !slice_take(in, '.'))
        return ERR_SYNTAX;
    if (take_prefix(in, "HEADER.FIELDS.NOT")) {
        item->text = FETCH_TEXT_FIELDS_NOT;
        return take_fields(in, arena, item);
    }
    if (take_prefix(in, "HEADER.FIELDS")) {
        item->text = FETCH_TEXT_FIELDS;
        return take_fields(in, arena, item);
    }
    if (take_prefix(in, "HEADER"))
        item->text = FETCH_TEXT_HEADER;
    else if (take_prefix(in, "TEXT"))
        item->text = FETCH_TEXT_TEXT;
    else if (item->part_count && take_prefix(in, "MIME"))
        item->text = FETCH_TEXT_MIME;
    else
        return ERR_SYNTAX;
    return ERR_OK;
}

/* "<" number "." nz-number ">" */
static enum err take_partial(struct slice *in, struct fetch_item *item)
{
    if (!slice_take(in, '<'))
        return ERR_OK;
    if (!scan_number64(in, &item->partial_at) || !slice_take(in, '.') || !scan_nz_number(in, &item->partial_len) ||
        !slice_take(in, '>'))
        return ERR_SYNTAX;
    item->partial = true;
    return ERR_OK;
}

static void add_field_name(struct buf *label, struct slice name)
{
    bool atom = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        atom = atom && scan_is_astring_char(name.at[i]);
    if (atom) {
        buf_add(label, name);
        return;
    }
    buf_add_byte(label, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"' || name.at[i] == '\\')
            buf_add_byte(label, '\\');
        // A literal may hold what a quoted string cannot: such a name matches nothing, and is shown defused.
        buf_add_byte(label, name.at[i] >= 0x20 && name.at[i] < 0x7f ? name.at[i] : '?');
    }
    buf_add_byte(label, '"');
}

static struct slice make_label(struct arena *arena, const struct fetch_item *item)
{
    static const char *const texts[] = {
        [FETCH_TEXT_ALL] = "",           [FETCH_TEXT_HEADER] = "HEADER",
        [FETCH_TEXT_FIELDS] = "HEADER.FIELDS", [FETCH_TEXT_FIELDS_NOT] = "HEADER.FIELDS.NOT",
        [FETCH_TEXT_TEXT] = "TEXT",      [FETCH_TEXT_MIME] = "MIME",
    };
    struct buf label = { 0 };
    buf_add_text(&label, item->kind == FETCH_SECTION  ? "BODY["
                         : item->kind == FETCH_BINARY ? "BINARY["
                                                      : "BINARY.SIZE[");
    for (size_t i = 0; i < item->part_count; i++)
        buf_printf(&label, i ? ".%u" : "%u", (unsigned)item->parts[i]);
    if (item->part_count && item->text != FETCH_TEXT_ALL)
        buf_add_byte(&label, '.');
    buf_add_text(&label, texts[item->text]);
    if (item->field_count) {
        buf_add_text(&label, " (");
        for (size_t i = 0; i < item->field_count; i++) {
            if (i)
                buf_add_byte(&label, ' ');
            add_field_name(&label, item->fields[i]);
        }
        buf_add_byte(&label, ')');
    }
    buf_add_byte(&label, ']');
    if (item->partial)
        buf_printf(&label, "<%llu>", (unsigned long long)item->partial_at);
    struct slice copy = arena_copy(arena, buf_slice(&label));
    buf_free(&label);
    return copy;
}

static enum err take_bracketed(struct slice *in, struct arena *arena, struct fetch_item *item)
{
    bool binary = item->kind != FETCH_SECTION;
    enum err err = take_parts(in, arena, item);
    if (!err && !binary)
        err = take_section_text(in, arena, item);
    if (!err && !slice_take(in, ']'))
        err = ERR_SYNTAX;
    if (!err && item->kind != FETCH_BINARY_SIZE)
        err = take_partial(in, item);
    if (!err)
        item->label = make_label(arena, item);
    return err;
}

static enum err take_item(struct slice *in, struct arena *arena, struct fetch_item *item)
{
    static const struct {
        const char *opening;
        enum fetch_kind kind;
        bool peek;
    } sections[] = {
        { "BODY[", FETCH_SECTION, false },       { "BODY.PEEK[", FETCH_SECTION, true },
        { "BINARY[", FETCH_BINARY, false },      { "BINARY.PEEK[", FETCH_BINARY, true },
        { "BINARY.SIZE[", FETCH_BINARY_SIZE, true },
    };
    *item = (struct fetch_item){ 0 };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (take_prefix(in, sections[i].opening)) {
            item->kind = sections[i].kind;
            item->peek = sections[i].peek;
            return take_bracketed(in, arena, item);
        }
    if (scan_word(in, "BODY")) {
        item->kind = FETCH_BODY;
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof simple_items / sizeof *simple_items; i++)
        if (scan_word(in, simple_items[i].name)) {
            item->kind = simple_items[i].kind;
            item->peek = item->kind == FETCH_RFC822_HEADER;
            if (item->kind == FETCH_PREVIEW)
                item->lazy = take_prefix(in, " (LAZY)");
            return ERR_OK;
        }
    return ERR_SYNTAX;
}

static enum err take_modifiers(struct slice *in, struct fetch_program *program)
{
    if (!slice_take(in, ' '))
        return ERR_OK;
    if (!slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        if (scan_word(in, "CHANGEDSINCE")) {
            if (program->has_changed_since || !scan_sp(in) || !scan_number64(in, &program->changed_since))
                return ERR_SYNTAX;
            program->has_changed_since = true;
        } else if (scan_word(in, "VANISHED")) {
            program->vanished = true;
        } else if (scan_word(in, "PARTIAL")) {
            if (program->has_partial || !scan_sp(in) || partial_parse(in, &program->partial))
                return ERR_SYNTAX;
            program->has_partial = true;
        } else {
            return ERR_SYNTAX;
        }
    } while (scan_sp(in));
    if (!slice_take(in, ')') || (program->vanished && !program->has_changed_since))
        return ERR_SYNTAX;
    return ERR_OK;
}

static void judge(struct fetch_program *program)
{
    for (size_t i = 0; i < program->count; i++) {
        const struct fetch_item *item = &program->items[i];
        switch (item->kind) {
        case FETCH_SECTION:
        case FETCH_BINARY:
        case FETCH_RFC822:
        case FETCH_RFC822_TEXT:
            program->sets_seen = program->sets_seen || !item->peek;
            // fall through
        case FETCH_RFC822_HEADER:
        case FETCH_BINARY_SIZE:
            program->needs_octets = true;
            // fall through
        case FETCH_ENVELOPE:
        case FETCH_BODY:
        case FETCH_BODYSTRUCTURE:
        case FETCH_PREVIEW:
        case FETCH_THREADID:
            program->needs_message = true;
            break;
        default:
            break;
        }
    }
}

enum err fetch_parse(struct slice *in, struct arena *arena, struct fetch_program *program)
{
    struct fetch_item found[FETCH_ITEMS_MAX];
    struct fetch_program result = { 0 };
    struct slice rest = *in;
    enum err err = ERR_OK;
    for (size_t m = 0; m < sizeof macros / sizeof *macros && !result.count; m++)
        if (scan_word(&rest, macros[m].name))
            for (; result.count < macros[m].count; result.count++)
                found[result.count] = (struct fetch_item){ .kind = macros[m].kinds[result.count] };
    if (!result.count) {
        bool listed = slice_take(&rest, '(');
        do {
            if (result.count == FETCH_ITEMS_MAX)
                return ERR_LIMIT;
            err = take_item(&rest, arena, &found[result.count++]);
            if (err)
                return err;
        } while (listed && scan_sp(&rest));
        if (listed && !slice_take(&rest, ')'))
            return ERR_SYNTAX;
    }
    struct fetch_item *items = arena_new(arena, struct fetch_item, result.count);
    for (size_t i = 0; i < result.count; i++)
        items[i] = found[i];
    result.items = items;
    err = take_modifiers(&rest, &result);
    if (err || rest.len)
        return err ? err : ERR_SYNTAX;
    judge(&result);
    *in = rest;
    *program = result;
    return ERR_OK;
}
