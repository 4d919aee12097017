#include "protocol/eas/free_text.h"

static const struct {
    struct slice name;
    enum eas_term_kind kind;
} properties[] = {
    { { "from", 4 }, EAS_TERM_FROM },
    { { "to", 2 }, EAS_TERM_TO },
    { { "cc", 2 }, EAS_TERM_CC },
    { { "bcc", 3 }, EAS_TERM_BCC },
    { { "participants", 12 }, EAS_TERM_PARTICIPANT },
    { { "subject", 7 }, EAS_TERM_SUBJECT },
    { { "body", 4 }, EAS_TERM_BODY },
    { { "hasattachment", 13 }, EAS_TERM_ATTACHMENT },
    { { "hasattachments", 14 }, EAS_TERM_ATTACHMENT },
    { { "isread", 6 }, EAS_TERM_READ },
    { { "isflagged", 9 }, EAS_TERM_FLAGGED },
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' || c == ')';
}

static void skip_blanks(struct slice *in)
{
    while (in->len && is_blank(in->at[0]))
        *in = slice_tail(*in, 1);
}

/* A quoted text or what stands before the next blank. */
static struct slice take_text(struct slice *in)
{
    if (slice_take(in, '"'))
        return slice_trim(slice_cut(in, '"'));
    size_t len = 0;
    while (len < in->len && !is_blank(in->at[len]))
        len++;
    struct slice text = slice_head(*in, len);
    *in = slice_tail(*in, len);
    return text;
}

static bool parse_switch(struct slice text, bool *on)
{
    *on = slice_eq_nocase(text, SLICE_LIT("true")) || slice_eq_nocase(text, SLICE_LIT("yes")) ||
          slice_eq(text, SLICE_LIT("1"));
    return *on || slice_eq_nocase(text, SLICE_LIT("false")) || slice_eq_nocase(text, SLICE_LIT("no")) ||
           slice_eq(text, SLICE_LIT("0"));
}

/* "name:value" with a name that we know and a value that fits it; else nothing is taken. */
static bool take_property(struct slice *in, struct eas_term *term)
{
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        struct slice rest = *in;
        if (!slice_starts_nocase(rest, properties[i].name))
            continue;
        rest = slice_tail(rest, properties[i].name.len);
        if (!slice_take(&rest, ':'))
            continue;
        term->kind = properties[i].kind;
        term->text = take_text(&rest);
        if (term->kind >= EAS_TERM_ATTACHMENT ? !parse_switch(term->text, &term->on) : term->text.len == 0)
            continue;
        *in = rest;
        return true;
    }
    return false;
}

/* An operator in capitals with a blank or the end behind it. */
static bool take_word(struct slice *in, struct slice word)
{
    if (!slice_starts(*in, word) || (in->len > word.len && !is_blank(in->at[word.len])))
        return false;
    *in = slice_tail(*in, word.len);
    skip_blanks(in);
    return true;
}

/* false: an empty term, such as a pair of quotes. */
static bool take_term(struct slice *in, struct eas_term *term)
{
    *term = (struct eas_term){ .kind = EAS_TERM_ANY };
    while (take_word(in, SLICE_LIT("NOT")) || (in->len > 1 && in->at[0] == '-' && !is_blank(in->at[1]))) {
        slice_take(in, '-');
        term->negated = !term->negated;
    }
    if (take_property(in, term))
        return true;
    term->kind = EAS_TERM_ANY;
    term->text = take_text(in);
    return term->text.len > 0;
}

enum err eas_free_text_parse(struct slice text, struct arena *arena, struct eas_term **terms, size_t *count)
{
    if (text.len > EAS_FREE_TEXT_MAX)
        return ERR_LIMIT;
    *terms = arena_new(arena, struct eas_term, EAS_TERMS_MAX);
    *count = 0;
    for (skip_blanks(&text); text.len; skip_blanks(&text)) {
        struct eas_term term;
        if (take_word(&text, SLICE_LIT("AND")))
            continue;
        if (take_word(&text, SLICE_LIT("OR"))) {
            if (*count)
                (*terms)[*count - 1].or_next = true;
            continue;
        }
        if (!take_term(&text, &term))
            continue;
        if (*count == EAS_TERMS_MAX)
            return ERR_LIMIT;
        (*terms)[(*count)++] = term;
    }
    for (size_t i = 0; i < *count; i++) { // hasattachments: holds for all the rest
        bool alone =
            i + 1 == *count || (*terms)[i].kind == EAS_TERM_ATTACHMENT || (*terms)[i + 1].kind == EAS_TERM_ATTACHMENT;
        (*terms)[i].or_next &= !alone;
    }
    return ERR_OK;
}
