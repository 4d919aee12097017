/* Address lists as they come: RFC 5322 3.4 with its obsolete forms, and what mail programs write against it. */
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

struct reader {
    struct slice in;
    struct arena *arena;
    struct mime_addresses *list;
    size_t room;
    struct buf text; // words read so far, unquoted
    size_t at_sign;  // offset of the last unquoted '@' in text, SIZE_MAX when none
    bool quoted;     // some word was quoted
    struct buf comment;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct mime_address *add(struct reader *r, enum mime_address_kind kind)
{
    struct mime_addresses *list = r->list;
    if (list->count == r->room) {
        size_t room = r->room ? r->room * 2 : 4;
        struct mime_address *items = arena_new(r->arena, struct mime_address, room);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        r->room = room;
    }
    struct mime_address *item = &list->items[list->count++];
    *item = (struct mime_address){ .kind = kind };
    return item;
}

static struct slice keep(struct reader *r, struct slice s)
{
    return s.len ? arena_copy(r->arena, s) : SLICE_LIT("");
}

/* An unquoted address holds no blanks; what folding or a careless hand put there goes. */
static struct slice keep_unspaced(struct reader *r, struct slice s, bool quoted)
{
    char *to = arena_text(r->arena, s);
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++)
        if (quoted || !is_blank(to[i]))
            to[len++] = to[i];
    return slice_make(to, len);
}

static void take_comment(struct reader *r)
{
    int depth = 0;
    size_t i = 0;
    buf_clear(&r->comment);
    for (; i < r->in.len; i++) {
        char c = r->in.at[i];
        if (c == '\\' && i + 1 < r->in.len)
            c = r->in.at[++i];
        else if (c == '(' && depth++ == 0)
            continue;
        else if (c == ')' && --depth == 0)
            break;
        buf_add_byte(&r->comment, c);
    }
    r->in = slice_tail(r->in, i < r->in.len ? i + 1 : i);
}

static void take_quoted(struct reader *r)
{
    size_t i = 1;
    for (; i < r->in.len && r->in.at[i] != '"'; i++) {
        if (r->in.at[i] == '\\' && i + 1 < r->in.len)
            i++;
        buf_add_byte(&r->text, r->in.at[i]);
    }
    r->in = slice_tail(r->in, i < r->in.len ? i + 1 : i);
    r->quoted = true;
}

/* Octets of an RFC 2047 word at the front, which may hold commas against the rules; 0 when there is none. */
static size_t word_width(struct slice in)
{
    if (in.len < 8 || in.at[0] != '=' || in.at[1] != '?')
        return 0;
    size_t i = 2;
    for (int marks = 0; i < in.len && !is_blank(in.at[i]) && in.at[i] != '"' && in.at[i] != '<'; i++) {
        if (in.at[i] != '?')
            continue;
        if (++marks == 3)
            return i + 1 < in.len && in.at[i + 1] == '=' ? i + 2 : 0;
    }
    return 0;
}

static void take_atom(struct reader *r)
{
    size_t width = word_width(r->in);
    if (!width) {
        width = 1;
        while (width < r->in.len && !is_blank(r->in.at[width]) && !strchr("\"(),:;<>@[", r->in.at[width]))
            width++;
    }
    buf_add(&r->text, slice_head(r->in, width));
    r->in = slice_tail(r->in, width);
}

static void take_domain_literal(struct reader *r)
{
    size_t end = slice_find(r->in, ']');
    struct slice text = slice_head(r->in, end == SIZE_MAX ? r->in.len : end + 1);
    buf_add(&r->text, text);
    r->in = slice_tail(r->in, text.len);
}

static void split_spec(struct reader *r, struct mime_address *to)
{
    struct slice text = buf_slice(&r->text);
    if (r->at_sign == SIZE_MAX) {
        to->mailbox = keep_unspaced(r, slice_trim(text), r->quoted);
        to->host = SLICE_LIT("");
        return;
    }
    to->mailbox = keep_unspaced(r, slice_head(text, r->at_sign), r->quoted);
    to->host = keep_unspaced(r, slice_tail(text, r->at_sign + 1), false);
}

static void reset(struct reader *r)
{
    buf_clear(&r->text);
    r->at_sign = SIZE_MAX;
    r->quoted = false;
}

/* Past "<"; fills route, mailbox and host, ends behind ">". */
static void take_angle(struct reader *r, struct mime_address *to)
{
    reset(r);
    while (r->in.len) {
        char c = r->in.at[0];
        if (c == '>') {
            r->in = slice_tail(r->in, 1);
            break;
        }
        if (c == ',' && (buf_len(&r->text) == 0 || buf_slice(&r->text).at[0] != '@'))
            break; // the bracket was never closed
        if (c == '(') {
            take_comment(r);
        } else if (c == '<') { // a second bracket
            r->in = slice_tail(r->in, 1);
        } else if (c == '"') {
            take_quoted(r);
        } else if (c == '[') {
            take_domain_literal(r);
        } else if (c == ':' && buf_len(&r->text) && buf_slice(&r->text).at[0] == '@') {
            to->route = keep_unspaced(r, buf_slice(&r->text), false);
            reset(r);
            r->in = slice_tail(r->in, 1);
        } else {
            if (c == '@')
                r->at_sign = buf_len(&r->text);
            buf_add_byte(&r->text, c);
            r->in = slice_tail(r->in, 1);
        }
    }
    split_spec(r, to);
}

/* To the next separator; a comment on the way may be the name. */
static void skip_rest(struct reader *r)
{
    while (r->in.len && r->in.at[0] != ',' && r->in.at[0] != ';') {
        if (r->in.at[0] == '(')
            take_comment(r);
        else
            r->in = slice_tail(r->in, 1);
    }
}

/* One mailbox, or the head of a group: then true. */
static bool take_one(struct reader *r, bool in_group)
{
    bool space = false;
    reset(r);
    buf_clear(&r->comment);
    while (r->in.len) {
        char c = r->in.at[0];
        if (is_blank(c)) {
            space = true;
            r->in = slice_tail(r->in, 1);
            continue;
        }
        if (c == ',' || c == ';')
            break;
        if (c == '(') {
            take_comment(r);
            space = true;
            continue;
        }
        if (c == ':' && !in_group) {
            r->in = slice_tail(r->in, 1);
            add(r, ADDRESS_GROUP_START)->mailbox = keep(r, slice_trim(buf_slice(&r->text)));
            return true;
        }
        if (c == '<') {
            struct slice name = keep(r, slice_trim(buf_slice(&r->text)));
            struct mime_address *to = add(r, ADDRESS_MAILBOX);
            r->in = slice_tail(r->in, 1);
            take_angle(r, to);
            skip_rest(r);
            to->name = name.len ? name : keep(r, slice_trim(buf_slice(&r->comment)));
            return false;
        }
        if (space && buf_len(&r->text) && c != '@')
            buf_add_byte(&r->text, ' ');
        space = false;
        if (c == '"') {
            take_quoted(r);
        } else if (c == '[' && r->at_sign != SIZE_MAX) {
            take_domain_literal(r);
        } else if (c == '>' || c == ')') { // of a bracket that was never opened
            r->in = slice_tail(r->in, 1);
        } else if (strchr("@:[", c) && c) {
            if (c == '@')
                r->at_sign = buf_len(&r->text);
            buf_add_byte(&r->text, c);
            r->in = slice_tail(r->in, 1);
        } else {
            take_atom(r);
        }
    }
    if (buf_len(&r->text) == 0 && !r->quoted)
        return false;
    struct mime_address *to = add(r, ADDRESS_MAILBOX);
    split_spec(r, to);
    to->name = keep(r, slice_trim(buf_slice(&r->comment)));
    return false;
}

void mime_addresses_read(struct slice value, struct arena *arena, struct mime_addresses *list)
{
    struct reader r = { .in = value, .arena = arena, .list = list };
    bool in_group = false;
    *list = (struct mime_addresses){ 0 };
    while (r.in.len && list->count < MIME_ADDRESSES_MAX) {
        char c = r.in.at[0];
        if (is_blank(c) || c == ',') {
            r.in = slice_tail(r.in, 1);
        } else if (c == ';') {
            r.in = slice_tail(r.in, 1);
            if (in_group)
                add(&r, ADDRESS_GROUP_END);
            in_group = false;
        } else if (take_one(&r, in_group)) {
            in_group = true;
        }
    }
    if (in_group)
        add(&r, ADDRESS_GROUP_END);
    buf_free(&r.text);
    buf_free(&r.comment);
}

static bool needs_quotes(struct slice s, const char *specials)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == '\0' || strchr(specials, s.at[i]))
            return true;
    return false;
}

static void add_maybe_quoted(struct slice s, const char *specials, struct buf *out)
{
    if (!needs_quotes(s, specials)) {
        buf_add(out, s);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"' || s.at[i] == '\\')
            buf_add_byte(out, '\\');
        buf_add_byte(out, s.at[i]);
    }
    buf_add_byte(out, '"');
}

/* An address is never encoded; 8-bit octets of an unknown charset are read as those of other header text. */
static struct slice spec_text(struct slice s, struct arena *arena)
{
    if (mime_is_ascii(s) || mime_is_utf8(s))
        return s;
    struct buf utf8 = { 0 };
    mime_to_utf8((struct slice){ 0 }, s, &utf8);
    struct slice text = arena_copy(arena, buf_slice(&utf8));
    buf_free(&utf8);
    return text;
}

static void add_spec(const struct mime_address *address, struct arena *arena, struct buf *out)
{
    if (address->mailbox.len == 0 && address->host.len)
        buf_add_text(out, "\"\"");
    add_maybe_quoted(spec_text(address->mailbox, arena), "\"(),:;<>@[\\] \t", out);
    if (address->host.len) {
        buf_add_byte(out, '@');
        buf_add(out, spec_text(address->host, arena));
    }
}

struct slice mime_address_spec(const struct mime_address *address, struct arena *arena)
{
    struct buf out = { 0 }, clean = { 0 };
    add_spec(address, arena, &out);
    mime_clean_utf8(buf_slice(&out), true, &clean);
    struct slice spec = arena_copy(arena, buf_slice(&clean));
    buf_free(&out);
    buf_free(&clean);
    return spec;
}

struct slice mime_addresses_text(const struct mime_addresses *list, struct arena *arena)
{
    struct buf out = { 0 }, clean = { 0 };
    bool separate = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct mime_address *a = &list->items[i];
        if (a->kind == ADDRESS_GROUP_END) {
            buf_add_byte(&out, ';');
            separate = true;
            continue;
        }
        if (a->kind == ADDRESS_MAILBOX && !a->name.len && !a->mailbox.len && !a->host.len)
            continue; // "<>"
        if (separate)
            buf_add_text(&out, ", ");
        if (a->kind == ADDRESS_GROUP_START) {
            add_maybe_quoted(mime_decode_text(a->mailbox, arena), "\"(),:;<>@[\\]", &out);
            buf_add_text(&out, i + 1 < list->count && list->items[i + 1].kind == ADDRESS_MAILBOX ? ": " : ":");
            separate = false;
            continue;
        }
        struct slice name = a->name.len ? slice_trim(mime_decode_text(a->name, arena)) : a->name;
        if (name.len) {
            add_maybe_quoted(name, "\"(),:;<>@[\\]", &out);
            buf_add_text(&out, " <");
        }
        add_spec(a, arena, &out);
        if (name.len)
            buf_add_byte(&out, '>');
        separate = true;
    }
    mime_clean_utf8(buf_slice(&out), true, &clean);
    struct slice text = buf_len(&clean) ? arena_copy(arena, buf_slice(&clean)) : SLICE_LIT("");
    buf_free(&out);
    buf_free(&clean);
    return text;
}
