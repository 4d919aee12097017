/* The scanner: one pass over the octets finds every part's header and body to the octet. RFC 2046 5.1. */
#include "protocol/mime/mime_internal.h"

struct frame { // a part that is open at the current position
    uint32_t part;
    struct slice boundary; // of a multipart; empty for messages and leaves
    bool closed;           // its last boundary was seen: the epilogue
    uint32_t children;
    uint32_t lines_at; // line breaks before its body
};

struct scanner {
    struct mime_tree *tree;
    struct slice raw;
    size_t at;
    uint32_t lines; // line breaks before `at`
    struct frame open[MIME_DEPTH_MAX + 2];
    size_t depth;
    size_t headers_left; // octets of headers that are still looked at
};

static struct slice line_at(const struct scanner *s)
{
    const char *from = s->raw.at + s->at;
    const char *lf = memchr(from, '\n', s->raw.len - s->at);
    return slice_make(from, lf ? (size_t)(lf + 1 - from) : s->raw.len - s->at);
}

static void pass(struct scanner *s, struct slice line)
{
    s->at += line.len;
    s->lines += line.at[line.len - 1] == '\n';
}

static bool match(const struct scanner *s, struct slice line, size_t *frame, bool *closing)
{
    if (line.len < 3 || line.at[0] != '-' || line.at[1] != '-')
        return false;
    struct slice text = slice_tail(line, 2);
    while (text.len && strchr(" \t\r\n", text.at[text.len - 1]) && text.at[text.len - 1])
        text.len--;
    // Innermost first: a part that reuses its parent's boundary is read as the part's own.
    for (size_t i = s->depth; i-- > 0;) {
        const struct frame *f = &s->open[i];
        if (!f->boundary.len || f->closed || !slice_starts(text, f->boundary))
            continue;
        struct slice rest = slice_tail(text, f->boundary.len);
        *closing = rest.len == 2 && rest.at[0] == '-' && rest.at[1] == '-';
        if (rest.len && !*closing)
            continue;
        if (!*closing && s->tree->count >= MIME_PARTS_MAX)
            return false; // further parts belong to the last
        *frame = i;
        return true;
    }
    return false;
}

static uint32_t add_part(struct mime_tree *tree)
{
    if (tree->count == tree->room) {
        size_t room = tree->room ? tree->room * 4 : 4;
        struct mime_part *parts = arena_new(tree->arena, struct mime_part, room);
        struct mime_node *nodes = arena_new(tree->arena, struct mime_node, room);
        if (tree->count) {
            memcpy(parts, tree->parts, tree->count * sizeof *parts);
            memcpy(nodes, tree->nodes, tree->count * sizeof *nodes);
        }
        tree->parts = parts;
        tree->nodes = nodes;
        tree->room = room;
    }
    return (uint32_t)tree->count++;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] <= ' ' || (unsigned char)s.at[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?=", s.at[i]))
            return false;
    return s.len > 0 && s.len <= 127; // RFC 6838 4.2
}

/* The octets of a value, also of one that RFC 2231 encodes without need. */
static struct slice param_value(const struct mime_param *param, struct arena *arena)
{
    return param->extended ? mime_param_text(param, arena) : param->value;
}

static void read_type(struct mime_tree *tree, uint32_t index, bool in_digest)
{
    struct mime_node *node = &tree->nodes[index];
    struct mime_part *part = &tree->parts[index];
    struct slice rest = node->fields.value[FIELD_CONTENT_TYPE];
    bool given = rest.at != NULL;
    mime_skip_cfws(&rest);
    struct slice value = slice_cut(&rest, ';');
    struct slice subtype = value;
    struct slice type = slice_trim(slice_cut(&subtype, '/'));
    size_t comment = slice_find(subtype, '(');
    if (comment != SIZE_MAX)
        subtype.len = comment;
    subtype = slice_trim(subtype);
    // "text/plain charset=x": the semicolon was forgotten
    size_t blank = slice_find(subtype, ' ');
    if (blank != SIZE_MAX) {
        if (!rest.len)
            rest = slice_tail(subtype, blank);
        subtype.len = blank;
    }
    if (given && is_token(type) && is_token(subtype)) {
        node->type = type;
        node->subtype = subtype;
        mime_params_read(rest, tree->arena, &node->params);
    } else if (!given && in_digest) {
        node->type = SLICE_LIT("message");
        node->subtype = SLICE_LIT("rfc822");
    } else {
        node->type = SLICE_LIT("text");
        node->subtype = SLICE_LIT("plain");
        if (given)
            mime_params_read(rest, tree->arena, &node->params);
    }
    part->type = mime_lower(node->type, tree->arena);
    part->subtype = mime_lower(node->subtype, tree->arena);
    const struct mime_param *charset = mime_param_find(&node->params, "charset");
    part->charset = charset ? mime_lower(slice_trim(param_value(charset, tree->arena)), tree->arena) : SLICE_LIT("");
}

static void read_encoding(struct mime_node *node, struct mime_part *part)
{
    static const struct {
        struct slice name;
        enum mime_encoding encoding;
    } rows[] = {
        { SLICE_LIT("7bit"), MIME_7BIT },       { SLICE_LIT("8bit"), MIME_8BIT },
        { SLICE_LIT("binary"), MIME_BINARY },   { SLICE_LIT("base64"), MIME_BASE64 },
        { SLICE_LIT("quoted-printable"), MIME_QUOTED_PRINTABLE },
    };
    struct slice value = node->fields.value[FIELD_CONTENT_ENCODING];
    struct slice rest = value;
    value = slice_trim(slice_cut(&rest, ';'));
    size_t end = 0;
    while (end < value.len && value.at[end] != ' ' && value.at[end] != '(')
        end++;
    value.len = end;
    node->encoding = value.len ? value : SLICE_LIT("7bit");
    part->encoding = MIME_UNKNOWN_ENCODING;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (slice_eq_nocase(node->encoding, rows[i].name))
            part->encoding = (uint8_t)rows[i].encoding;
}

static void read_disposition(struct mime_tree *tree, struct mime_node *node, struct mime_part *part)
{
    struct slice rest = node->fields.value[FIELD_CONTENT_DISPOSITION];
    if (rest.at) {
        struct slice value = slice_trim(slice_cut(&rest, ';'));
        if (is_token(value))
            node->disposition = value;
        mime_params_read(rest, tree->arena, &node->disposition_params);
    }
    part->inline_disposition = slice_eq_nocase(node->disposition, SLICE_LIT("inline"));
    const struct mime_param *name = mime_param_find(&node->disposition_params, "filename");
    if (!name || !name->value.len)
        name = mime_param_find(&node->params, "name");
    part->filename = name ? mime_param_text(name, tree->arena) : SLICE_LIT("");
    struct slice id = slice_trim(node->fields.value[FIELD_CONTENT_ID]);
    slice_take(&id, '<');
    size_t end = slice_find(id, '>');
    if (end != SIZE_MAX)
        id.len = end;
    part->content_id = id.len ? mime_decode_text(id, tree->arena) : SLICE_LIT("");
    struct slice location = node->fields.value[FIELD_CONTENT_LOCATION];
    part->content_location = location.len ? mime_decode_text(location, tree->arena) : SLICE_LIT("");
}

/* A multipart's children continue its own number; those of a message's or the root's multipart that of the message. */
static struct slice numbering(const struct mime_tree *tree, uint32_t index)
{
    const struct mime_part *part = &tree->parts[index];
    return part->imap_section.len || index == 0 ? part->imap_section : tree->parts[part->parent].imap_section;
}

static struct slice numbered(struct mime_tree *tree, struct slice base, uint32_t number)
{
    const char *text = base.len ? arena_printf(tree->arena, "%.*s.%u", SLICE_ARG(base), number)
                                : arena_printf(tree->arena, "%u", number);
    return slice_of(text);
}

/* The number of a part that is not a multipart. */
static void set_section(struct mime_tree *tree, uint32_t index, uint32_t child)
{
    struct mime_part *part = &tree->parts[index];
    const struct mime_part *parent = &tree->parts[part->parent];
    if (index == 0)
        part->imap_section = SLICE_LIT("1");
    else if (parent->is_message)
        part->imap_section = numbered(tree, parent->imap_section, 1);
    else
        part->imap_section = numbered(tree, numbering(tree, part->parent), child);
}

static void read_header_lines(struct scanner *s, struct mime_part *part)
{
    uint32_t before = s->lines;
    size_t frame;
    bool closing;
    part->header_at = s->at;
    while (s->at < s->raw.len) {
        struct slice line = line_at(s);
        bool blank = line.at[0] == '\n' || (line.len == 2 && line.at[0] == '\r' && line.at[1] == '\n');
        if (!blank && match(s, line, &frame, &closing))
            break; // the header was cut off
        pass(s, line);
        if (blank)
            break;
    }
    part->header_len = s->at - part->header_at;
    part->header_lines = s->lines - before;
    part->body_at = s->at;
}

static bool is_message_type(const struct mime_part *part)
{
    return slice_eq(part->type, SLICE_LIT("message")) &&
           (slice_eq(part->subtype, SLICE_LIT("rfc822")) || slice_eq(part->subtype, SLICE_LIT("global")));
}

/* Opens the part that begins here; true when it is a message, whose own part begins right behind. */
static bool open_part(struct scanner *s, uint32_t parent)
{
    struct mime_tree *tree = s->tree;
    uint32_t index = add_part(tree);
    struct mime_part *part = &tree->parts[index];
    struct mime_node *node = &tree->nodes[index];
    struct frame *up = index ? &s->open[s->depth - 1] : NULL;
    bool in_digest = false;
    part->parent = parent;
    if (index) {
        part->depth = tree->parts[parent].depth + 1;
        in_digest = tree->parts[parent].is_multipart && slice_eq(tree->parts[parent].subtype, SLICE_LIT("digest"));
        up->children++;
    }
    read_header_lines(s, part);
    // A bound for all headers together: what is described from them is kept, several times their size.
    size_t look = part->header_len < s->headers_left ? part->header_len : s->headers_left;
    s->headers_left -= look;
    mime_fields_read(slice_make(s->raw.at + part->header_at, look), tree->arena, &node->fields);
    read_type(tree, index, in_digest);
    read_encoding(node, part);
    read_disposition(tree, node, part);

    bool may_nest = part->depth < MIME_DEPTH_MAX;
    struct slice boundary = { 0 };
    if (slice_eq(part->type, SLICE_LIT("multipart")) && may_nest) {
        const struct mime_param *param = mime_param_find(&node->params, "boundary");
        if (param)
            boundary = param_value(param, tree->arena);
        if (boundary.len > MIME_BOUNDARY_MAX)
            boundary.len = 0;
        while (boundary.len && boundary.at[boundary.len - 1] == ' ')
            boundary.len--;
        part->is_multipart = boundary.len > 0;
    }
    // A base64 message would need decoding before it has parts: it is an attachment like any other.
    part->is_message = is_message_type(part) && may_nest && tree->count < MIME_PARTS_MAX &&
                       part->encoding != MIME_BASE64 && part->encoding != MIME_QUOTED_PRINTABLE;
    bool child_of_multipart = index && tree->parts[parent].is_multipart;
    if (!part->is_multipart || child_of_multipart)
        set_section(tree, index, up ? up->children : 1);
    s->open[s->depth++] = (struct frame){ .part = index, .boundary = boundary, .lines_at = s->lines };
    return part->is_message;
}

static void open_parts(struct scanner *s, uint32_t parent)
{
    while (open_part(s, parent))
        parent = s->open[s->depth - 1].part;
}

/* A multipart that cannot be one is shown as its text (imap.md 9.3). */
static void demote(struct mime_tree *tree, uint32_t index)
{
    struct mime_part *part = &tree->parts[index];
    struct mime_node *node = &tree->nodes[index];
    part->is_multipart = false;
    part->type = node->type = SLICE_LIT("text");
    part->subtype = node->subtype = SLICE_LIT("plain");
    node->params = (struct mime_params){ 0 };
    if (!part->imap_section.len)
        set_section(tree, index, 1);
}

static void close_part(struct scanner *s, size_t end, uint32_t lines)
{
    struct frame *frame = &s->open[--s->depth];
    struct mime_part *part = &s->tree->parts[frame->part];
    if (end > part->body_at) {
        part->body_len = end - part->body_at;
        part->body_lines = lines - frame->lines_at;
    }
    if (slice_eq(part->type, SLICE_LIT("multipart")) && frame->children == 0)
        demote(s->tree, frame->part);
}

static void close_above(struct scanner *s, size_t depth, size_t end, uint32_t lines)
{
    while (s->depth > depth)
        close_part(s, end, lines);
}

/* At a boundary line of an open multipart. */
static void turn(struct scanner *s, struct slice line, size_t frame, bool closing)
{
    size_t end = s->at;
    uint32_t lines = s->lines;
    // The line break before the boundary belongs to the boundary.
    if (end > 0 && s->raw.at[end - 1] == '\n') {
        end--;
        lines--;
        if (end > 0 && s->raw.at[end - 1] == '\r')
            end--;
    }
    close_above(s, frame + 1, end, lines);
    pass(s, line);
    if (closing)
        s->open[frame].closed = true;
    else
        open_parts(s, s->open[frame].part);
}

void mime_tree_scan(struct slice raw, struct arena *arena, struct mime_tree *tree)
{
    struct scanner s = { .tree = tree, .raw = raw, .headers_left = MIME_HEADERS_MAX };
    *tree = (struct mime_tree){ .raw = raw, .arena = arena };
    open_parts(&s, 0);
    while (s.at < raw.len) {
        struct slice line = line_at(&s);
        size_t frame;
        bool closing;
        if (line.at[0] == '-' && match(&s, line, &frame, &closing))
            turn(&s, line, frame, closing);
        else
            pass(&s, line);
    }
    close_above(&s, 0, raw.len, s.lines);
}
