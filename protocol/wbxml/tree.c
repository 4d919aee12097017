#include "protocol/wbxml/wbxml.h"

struct piece {
    struct slice text;
    struct piece *next;
};

struct level { // an open element
    struct wbxml_node *node, *last_child;
    struct piece *first, *last;
    size_t len;
};

static size_t text_max(uint16_t tag)
{
    switch (tag) {
    case WB_ComposeMail_Mime:
    case WB_AirSyncBase_Data:
    case WB_AirSyncBase_Content:
    case WB_Email_MIMEData:
    case WB_Email_Body:
        return SIZE_MAX;
    default:
        return WBXML_TEXT_MAX;
    }
}

static enum err add_piece(struct level *level, struct arena *arena, const struct wbxml_token *token)
{
    level->len += token->text.len;
    if (level->len > text_max(level->node->tag))
        return ERR_LIMIT;
    struct piece *piece = arena_new(arena, struct piece, 1);
    piece->text = token->text;
    if (level->last)
        level->last->next = piece;
    else
        level->first = piece;
    level->last = piece;
    level->node->opaque |= token->event == WBXML_OPAQUE;
    return ERR_OK;
}

static void join_pieces(struct level *level, struct arena *arena)
{
    if (!level->first)
        return;
    if (level->first == level->last) {
        level->node->text = level->first->text;
        return;
    }
    char *text = arena_alloc(arena, level->len + 1);
    size_t at = 0;
    for (const struct piece *piece = level->first; piece; piece = piece->next) {
        memcpy(text + at, piece->text.at, piece->text.len);
        at += piece->text.len;
    }
    level->node->text = slice_make(text, level->len);
}

static struct wbxml_node *open_node(struct level *parent, struct arena *arena, uint16_t tag)
{
    struct wbxml_node *node = arena_new(arena, struct wbxml_node, 1);
    node->tag = tag;
    node->text = SLICE_LIT("");
    if (parent && parent->last_child)
        parent->last_child->next = node;
    else if (parent)
        parent->node->child = node;
    if (parent)
        parent->last_child = node;
    return node;
}

enum err wbxml_parse(struct slice document, struct arena *arena, struct wbxml_node **root, size_t *unknown)
{
    struct wbxml_reader reader;
    enum err err = wbxml_reader_init(&reader, document);
    if (err)
        return err;
    struct level levels[WBXML_DEPTH_MAX];
    struct wbxml_node *top = NULL;
    size_t depth = 0, skipped = 0, skipping = 0; // skipping: open elements below and with an unknown one
    for (;;) {
        struct wbxml_token token;
        err = wbxml_read(&reader, &token);
        if (err)
            return err;
        if (token.event == WBXML_DONE)
            break;
        if (token.event == WBXML_START && (skipping || !token.known)) {
            skipped += skipping == 0;
            skipping++;
        } else if (token.event == WBXML_END && skipping) {
            skipping--;
        } else if (token.event == WBXML_START) {
            struct wbxml_node *node = open_node(depth ? &levels[depth - 1] : NULL, arena, token.tag);
            top = top ? top : node;
            levels[depth++] = (struct level){ .node = node };
        } else if (token.event == WBXML_END) {
            join_pieces(&levels[--depth], arena);
        } else if (!skipping) {
            err = add_piece(&levels[depth - 1], arena, &token);
            if (err)
                return err;
        }
    }
    if (unknown)
        *unknown = skipped;
    if (!top)
        return ERR_SYNTAX;
    *root = top;
    return ERR_OK;
}

struct wbxml_node *wbxml_child(const struct wbxml_node *node, uint16_t tag)
{
    struct wbxml_node *child = node ? node->child : NULL;
    while (child && child->tag != tag)
        child = child->next;
    return child;
}

struct wbxml_node *wbxml_same(const struct wbxml_node *node)
{
    struct wbxml_node *next = node->next;
    while (next && next->tag != node->tag)
        next = next->next;
    return next;
}

size_t wbxml_count(const struct wbxml_node *node, uint16_t tag)
{
    size_t count = 0;
    for (const struct wbxml_node *child = wbxml_child(node, tag); child; child = wbxml_same(child))
        count++;
    return count;
}

struct slice wbxml_child_text(const struct wbxml_node *node, uint16_t tag)
{
    const struct wbxml_node *child = wbxml_child(node, tag);
    return child ? child->text : (struct slice){ NULL, 0 };
}

bool wbxml_number(const struct wbxml_node *node, uint64_t max, uint64_t *number)
{
    return node && slice_to_u64(slice_trim(node->text), max, number);
}

bool wbxml_bool(const struct wbxml_node *node, bool otherwise)
{
    if (!node)
        return otherwise;
    struct slice text = slice_trim(node->text);
    return !slice_eq(text, SLICE_LIT("0")) && !slice_eq_nocase(text, SLICE_LIT("false"));
}

bool wbxml_is_bool(const struct wbxml_node *node)
{
    struct slice text = slice_trim(node->text);
    return text.len == 0 || slice_eq(text, SLICE_LIT("0")) || slice_eq(text, SLICE_LIT("1")) ||
           slice_eq_nocase(text, SLICE_LIT("true")) || slice_eq_nocase(text, SLICE_LIT("false"));
}
