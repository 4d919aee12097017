/* Header fields and their parameters: RFC 5322 2.2, RFC 2045 5.1, RFC 2231. */
#include "protocol/mime/mime_internal.h"

static const struct {
    const char *name;
    uint8_t len, field;
    bool joined; // an address list: repeated fields are joined
} known[] = {
#define ROW(text, id, joined) { text, sizeof(text) - 1, id, joined }
    ROW("date", FIELD_DATE, false),
    ROW("subject", FIELD_SUBJECT, false),
    ROW("from", FIELD_FROM, true),
    ROW("sender", FIELD_SENDER, true),
    ROW("reply-to", FIELD_REPLY_TO, true),
    ROW("to", FIELD_TO, true),
    ROW("cc", FIELD_CC, true),
    ROW("bcc", FIELD_BCC, true),
    ROW("in-reply-to", FIELD_IN_REPLY_TO, false),
    ROW("message-id", FIELD_MESSAGE_ID, false),
    ROW("references", FIELD_REFERENCES, false),
    ROW("content-type", FIELD_CONTENT_TYPE, false),
    ROW("content-transfer-encoding", FIELD_CONTENT_ENCODING, false),
    ROW("content-disposition", FIELD_CONTENT_DISPOSITION, false),
    ROW("content-id", FIELD_CONTENT_ID, false),
    ROW("content-description", FIELD_CONTENT_DESCRIPTION, false),
    ROW("content-md5", FIELD_CONTENT_MD5, false),
    ROW("content-language", FIELD_CONTENT_LANGUAGE, false),
    ROW("content-location", FIELD_CONTENT_LOCATION, false),
    ROW("importance", FIELD_IMPORTANCE, false),
    ROW("priority", FIELD_PRIORITY, false),
    ROW("x-priority", FIELD_X_PRIORITY, false),
#undef ROW
};

static struct slice take_line(struct slice *s)
{
    size_t at = slice_find(*s, '\n');
    struct slice line = slice_head(*s, at == SIZE_MAX ? s->len : at + 1);
    *s = slice_tail(*s, line.len);
    return line;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool mime_field_next(struct slice *header, struct slice *name, struct slice *value, struct slice *line)
{
    while (header->len) {
        struct slice all = take_line(header);
        size_t first = all.len;
        while (header->len && is_blank(header->at[0]))
            all.len += take_line(header).len;
        struct slice head = slice_head(all, first);
        size_t colon = slice_find(head, ':');
        if (colon == SIZE_MAX || colon == 0 || is_blank(all.at[0]))
            continue;
        *name = slice_trim(slice_head(all, colon));
        *value = slice_tail(all, colon + 1);
        *line = all;
        return true;
    }
    return false;
}

struct slice mime_unfold(struct slice value, struct arena *arena)
{
    value = slice_trim(value);
    bool clean = true;
    for (size_t i = 0; i < value.len && clean; i++)
        clean = value.at[i] != '\n' && value.at[i] != '\r' && value.at[i] != '\0';
    if (clean)
        return value;
    char *to = arena_alloc(arena, value.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '\r' && i + 1 < value.len && value.at[i + 1] == '\n')
            continue;
        // The blank that marks the folded line stays, so the words stay apart.
        if (c == '\n')
            continue;
        to[len++] = c == '\0' || c == '\r' ? ' ' : c;
    }
    return slice_make(to, len);
}

struct joined { // further fields of an address list
    struct slice value;
    struct joined *next;
};

static struct slice join(struct slice first, const struct joined *more, struct arena *arena)
{
    size_t len = first.len;
    for (const struct joined *j = more; j; j = j->next)
        len += 2 + j->value.len;
    char *to = arena_alloc(arena, len + 1);
    size_t at = 0;
    memcpy(to, first.at, first.len);
    at = first.len;
    for (const struct joined *j = more; j; j = j->next) {
        memcpy(to + at, ", ", 2);
        memcpy(to + at + 2, j->value.at, j->value.len);
        at += 2 + j->value.len;
    }
    return slice_make(to, len);
}

void mime_fields_read(struct slice header, struct arena *arena, struct mime_fields *fields)
{
    struct joined *first[FIELD_COUNT] = { 0 }, *last[FIELD_COUNT] = { 0 };
    struct slice name, value, line;
    *fields = (struct mime_fields){ 0 };
    if (header.len > MIME_HEADER_MAX)
        header.len = MIME_HEADER_MAX;
    while (mime_field_next(&header, &name, &value, &line)) {
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (known[i].len != name.len || !slice_eq_nocase(name, slice_make(known[i].name, known[i].len)))
                continue;
            enum mime_field field = known[i].field;
            struct slice text = { 0 };
            if (!fields->value[field].at || known[i].joined)
                text = mime_unfold(value, arena);
            if (!fields->value[field].at) {
                fields->value[field] = text;
            } else if (known[i].joined && text.len) {
                struct joined *more = arena_new(arena, struct joined, 1);
                more->value = text;
                if (last[field])
                    last[field]->next = more;
                else
                    first[field] = more;
                last[field] = more;
            }
            break;
        }
    }
    for (int f = 0; f < FIELD_COUNT; f++)
        if (first[f])
            fields->value[f] = join(fields->value[f], first[f], arena);
}

struct slice mime_lower(struct slice s, struct arena *arena)
{
    size_t i = 0;
    while (i < s.len && !(s.at[i] >= 'A' && s.at[i] <= 'Z'))
        i++;
    if (i == s.len)
        return s;
    char *to = arena_text(arena, s);
    for (; i < s.len; i++)
        if (to[i] >= 'A' && to[i] <= 'Z')
            to[i] = (char)(to[i] + 32);
    return slice_make(to, s.len);
}

void mime_skip_cfws(struct slice *in)
{
    int depth = 0;
    while (in->len) {
        char c = in->at[0];
        if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (c == '\\' && depth && in->len > 1)
            *in = slice_tail(*in, 1);
        else if (!depth && !is_blank(c))
            return;
        *in = slice_tail(*in, 1);
    }
}

static struct slice take_quoted(struct slice *in, struct arena *arena)
{
    size_t end = 1, escapes = 0;
    for (; end < in->len && in->at[end] != '"'; end++)
        if (in->at[end] == '\\' && end + 1 < in->len) {
            end++;
            escapes++;
        }
    struct slice text = slice_make(in->at + 1, end - 1);
    *in = slice_tail(*in, end < in->len ? end + 1 : end);
    if (!escapes)
        return text;
    char *to = arena_alloc(arena, text.len - escapes + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\\' && i + 1 < text.len)
            i++;
        to[len++] = text.at[i];
    }
    return slice_make(to, len);
}

/* To the next parameter; what stands in a comment on the way is none. */
static void skip_to_semicolon(struct slice *in)
{
    mime_skip_cfws(in);
    size_t end = slice_find(*in, ';');
    *in = slice_tail(*in, end == SIZE_MAX ? in->len : end);
}

/* A token, or what people write in its place: "filename=my file.pdf". */
static struct slice take_bare(struct slice *in)
{
    size_t end = 0;
    while (end < in->len && in->at[end] != ';' && !(is_blank(in->at[end]) && end + 1 < in->len && in->at[end + 1] == '('))
        end++;
    struct slice text = slice_head(*in, end);
    *in = slice_tail(*in, end);
    skip_to_semicolon(in);
    return slice_trim(text);
}

struct raw_param {
    struct slice name, value;
    int section; // -1: none
    bool extended, used;
};

/* "filename*1*" into its name, section and whether it is percent-encoded. */
static void split_name(struct raw_param *param)
{
    param->section = -1;
    struct slice rest = param->name;
    struct slice base = slice_cut(&rest, '*');
    if (base.len == param->name.len || base.len == 0)
        return;
    param->name = base;
    if (rest.len == 0) {
        param->extended = true;
        return;
    }
    if (rest.at[rest.len - 1] == '*') {
        param->extended = true;
        rest.len--;
    }
    uint64_t number = 0;
    if (slice_to_u64(rest, MIME_PARAMS_MAX, &number))
        param->section = (int)number;
    else
        param->extended = false;
}

static void add_percent(struct slice s, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
                     c == '-' || c == '_';
        if (plain) {
            buf_add_byte(out, (char)c);
        } else {
            char code[3] = { '%', hex[c >> 4], hex[c & 15] };
            buf_add(out, slice_make(code, 3));
        }
    }
}

static void join_sections(struct raw_param *raw, size_t count, size_t at, struct arena *arena, struct mime_param *to)
{
    struct raw_param *in_order[MIME_PARAMS_MAX + 1] = { 0 };
    bool extended = false;
    for (size_t i = at; i < count; i++) {
        if (raw[i].section < 0 || !slice_eq(raw[i].name, raw[at].name))
            continue;
        raw[i].used = true;
        if (!in_order[raw[i].section])
            in_order[raw[i].section] = &raw[i];
    }
    for (size_t n = 0; n <= MIME_PARAMS_MAX && in_order[n]; n++)
        extended = extended || in_order[n]->extended;
    struct buf text = { 0 };
    for (size_t n = 0; n <= MIME_PARAMS_MAX && in_order[n]; n++) {
        if (n == 0 && extended && !in_order[n]->extended)
            buf_add_text(&text, "utf-8''");
        if (extended && !in_order[n]->extended)
            add_percent(in_order[n]->value, &text);
        else
            buf_add(&text, in_order[n]->value);
    }
    *to = (struct mime_param){ raw[at].name, arena_copy(arena, buf_slice(&text)), extended };
    buf_free(&text);
}

void mime_params_read(struct slice rest, struct arena *arena, struct mime_params *params)
{
    struct raw_param raw[MIME_PARAMS_MAX];
    size_t count = 0;
    *params = (struct mime_params){ 0 };
    while (count < MIME_PARAMS_MAX) {
        mime_skip_cfws(&rest);
        while (slice_take(&rest, ';'))
            mime_skip_cfws(&rest);
        if (!rest.len)
            break;
        size_t width = 0;
        while (width < rest.len && rest.at[width] != '=' && rest.at[width] != ';')
            width++;
        struct slice name = slice_trim(slice_head(rest, width));
        rest = slice_tail(rest, width);
        if (!slice_take(&rest, '='))
            continue;
        mime_skip_cfws(&rest);
        struct raw_param *param = &raw[count];
        *param = (struct raw_param){ .name = mime_lower(name, arena) };
        if (rest.len && rest.at[0] == '"') {
            param->value = take_quoted(&rest, arena);
            skip_to_semicolon(&rest);
        } else {
            param->value = take_bare(&rest);
        }
        if (!name.len)
            continue;
        split_name(param);
        count++;
    }
    if (!count)
        return;
    params->items = arena_new(arena, struct mime_param, count);
    for (size_t i = 0; i < count; i++) {
        if (raw[i].used)
            continue;
        struct mime_param *to = &params->items[params->count++];
        if (raw[i].section >= 0)
            join_sections(raw, count, i, arena, to);
        else
            *to = (struct mime_param){ raw[i].name, raw[i].value, raw[i].extended };
    }
}

const struct mime_param *mime_param_find(const struct mime_params *params, const char *name)
{
    struct slice want = slice_of(name);
    const struct mime_param *found = NULL;
    // RFC 6266 4.3, and what mail programs do: the extended form wins over the plain one.
    for (size_t i = 0; i < params->count; i++)
        if (slice_eq(params->items[i].name, want) && (!found || (params->items[i].extended && !found->extended)))
            found = &params->items[i];
    return found;
}
