/* HTML to text and back. One pass of an own tokenizer, linear in its input whatever the nesting (an element tree of
 * hostile HTML is not); libxml2 knows the named entities. */
#include <libxml/HTMLparser.h>

#include "protocol/mime/html_internal.h"
#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

#define ENTITY_MAX 32u
#define HREF_MAX 2048u

enum tag_kind { TAG_OTHER, TAG_LINE, TAG_PARAGRAPH, TAG_BREAK, TAG_RULE, TAG_ITEM, TAG_CELL, TAG_HIDDEN, TAG_PRE, TAG_LINK, TAG_IMAGE };

static const struct {
    struct slice name;
    enum tag_kind kind;
} tags[] = {
    { SLICE_LIT("a"), TAG_LINK },           { SLICE_LIT("address"), TAG_LINE },
    { SLICE_LIT("article"), TAG_LINE },     { SLICE_LIT("blockquote"), TAG_PARAGRAPH },
    { SLICE_LIT("br"), TAG_BREAK },         { SLICE_LIT("center"), TAG_LINE },
    { SLICE_LIT("dd"), TAG_LINE },          { SLICE_LIT("div"), TAG_LINE },
    { SLICE_LIT("dl"), TAG_PARAGRAPH },     { SLICE_LIT("dt"), TAG_LINE },
    { SLICE_LIT("footer"), TAG_LINE },      { SLICE_LIT("form"), TAG_LINE },
    { SLICE_LIT("h1"), TAG_PARAGRAPH },     { SLICE_LIT("h2"), TAG_PARAGRAPH },
    { SLICE_LIT("h3"), TAG_PARAGRAPH },     { SLICE_LIT("h4"), TAG_PARAGRAPH },
    { SLICE_LIT("h5"), TAG_PARAGRAPH },     { SLICE_LIT("h6"), TAG_PARAGRAPH },
    { SLICE_LIT("header"), TAG_LINE },      { SLICE_LIT("hr"), TAG_RULE },
    { SLICE_LIT("img"), TAG_IMAGE },        { SLICE_LIT("li"), TAG_ITEM },
    { SLICE_LIT("ol"), TAG_LINE },          { SLICE_LIT("p"), TAG_PARAGRAPH },
    { SLICE_LIT("pre"), TAG_PRE },          { SLICE_LIT("script"), TAG_HIDDEN },
    { SLICE_LIT("section"), TAG_LINE },     { SLICE_LIT("style"), TAG_HIDDEN },
    { SLICE_LIT("table"), TAG_LINE },       { SLICE_LIT("td"), TAG_CELL },
    { SLICE_LIT("template"), TAG_HIDDEN },  { SLICE_LIT("th"), TAG_CELL },
    { SLICE_LIT("title"), TAG_HIDDEN },     { SLICE_LIT("tr"), TAG_LINE },
    { SLICE_LIT("ul"), TAG_LINE },
};

struct text_maker {
    struct slice in;
    struct buf *out;
    size_t start;      // of our text in out
    size_t max;        // stop when so many octets were made
    bool brief;        // previews: no links, no rules
    unsigned newlines; // line breaks owed before the next word
    bool space;        // a blank is owed
    unsigned pre;      // nested <pre>
    char href[HREF_MAX];
    size_t href_len, link_at; // of the open link
    bool no_quote[2];         // no more " or ' in the rest: do not search again
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static void owe_newlines(struct text_maker *m, unsigned count)
{
    if (m->newlines < count)
        m->newlines = count;
    m->space = false;
}

static void pay(struct text_maker *m)
{
    bool first = buf_len(m->out) == m->start;
    if (m->newlines && !first)
        for (unsigned i = 0; i < m->newlines; i++)
            buf_add_text(m->out, "\r\n");
    else if (m->space && !first)
        buf_add_byte(m->out, ' ');
    m->newlines = 0;
    m->space = false;
}

static void add_octets(struct text_maker *m, struct slice s)
{
    pay(m);
    buf_add(m->out, s);
}

static void add_code(uint32_t code, struct buf *out)
{
    char c[4];
    size_t len;
    if (code < 0x80) {
        c[0] = (char)code;
        len = 1;
    } else if (code < 0x800) {
        c[0] = (char)(0xc0 | code >> 6);
        c[1] = (char)(0x80 | (code & 0x3f));
        len = 2;
    } else if (code < 0x10000) {
        c[0] = (char)(0xe0 | code >> 12);
        c[1] = (char)(0x80 | (code >> 6 & 0x3f));
        c[2] = (char)(0x80 | (code & 0x3f));
        len = 3;
    } else {
        c[0] = (char)(0xf0 | code >> 18);
        c[1] = (char)(0x80 | (code >> 12 & 0x3f));
        c[2] = (char)(0x80 | (code >> 6 & 0x3f));
        c[3] = (char)(0x80 | (code & 0x3f));
        len = 4;
    }
    buf_add(out, slice_make(c, len));
}

/* WHATWG HTML 13.2.5.80: numbers of C1 controls mean characters of windows-1252. */
static uint32_t named_by_number(uint32_t code)
{
    static const uint16_t windows[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178,
    };
    return code >= 0x80 && code < 0xa0 ? windows[code - 0x80] : code;
}

/* The character of "&name;" or "&#n;" at the front, 0 when it is none; *width is its length. */
static uint32_t entity(struct slice s, size_t *width)
{
    char name[ENTITY_MAX];
    size_t i = 1, len = 0;
    while (i < s.len && len + 1 < sizeof name && (s.at[i] == '#' || (s.at[i] >= '0' && s.at[i] <= '9') ||
                                                  ((s.at[i] | 0x20) >= 'a' && (s.at[i] | 0x20) <= 'z')))
        name[len++] = s.at[i++];
    name[len] = '\0';
    *width = i + (i < s.len && s.at[i] == ';');
    if (len == 0)
        return 0;
    if (name[0] == '#') {
        bool hex = (name[1] | 0x20) == 'x';
        uint32_t code = 0;
        size_t digits = 0;
        for (const char *at = name + 1 + hex; *at; at++, digits++) {
            int digit = *at <= '9' ? *at - '0' : (*at | 0x20) - 'a' + 10;
            if (*at == '#' || digit >= (hex ? 16 : 10) || code > 0x10ffff)
                return 0;
            code = code * (hex ? 16u : 10u) + (uint32_t)digit;
        }
        bool legal = code >= 0x20 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) && code != 0xfffe && code != 0xffff;
        return digits && (legal || code == '\t' || code == '\n') ? named_by_number(code) : 0;
    }
    const htmlEntityDesc *known = htmlEntityLookup((const xmlChar *)name);
    return known ? known->value : 0;
}

static void take_text(struct text_maker *m)
{
    size_t run = 0;
    char c = m->in.at[0];
    if (c == '&') {
        size_t width = 1;
        uint32_t code = entity(m->in, &width);
        if (code == 0) {
            add_octets(m, SLICE_LIT("&"));
            width = 1;
        } else if (code == 0xa0 || (code <= 0x20 && !m->pre)) {
            m->space = m->newlines == 0;
        } else {
            pay(m);
            add_code(code, m->out);
        }
        m->in = slice_tail(m->in, width);
        return;
    }
    if (is_space(c)) {
        if (m->pre && c == '\n')
            m->newlines++;
        else if (m->pre && c != '\r')
            add_octets(m, SLICE_LIT(" "));
        else if (m->newlines == 0)
            m->space = true;
        m->in = slice_tail(m->in, 1);
        return;
    }
    while (run < m->in.len && m->in.at[run] != '<' && m->in.at[run] != '&' && !is_space(m->in.at[run]))
        run++;
    if (run == 0)
        run = 1; // a '<' that begins no tag
    add_octets(m, slice_head(m->in, run));
    m->in = slice_tail(m->in, run);
}

/* Offset of the '>' that ends the tag, outside of quotes. */
static size_t tag_end(struct text_maker *m)
{
    for (size_t i = 1; i < m->in.len; i++) {
        char c = m->in.at[i];
        if (c == '>')
            return i;
        bool single = c == '\'';
        if ((c != '"' && !single) || m->no_quote[single])
            continue;
        size_t close = slice_find(slice_tail(m->in, i + 1), c);
        if (close == SIZE_MAX)
            m->no_quote[single] = true;
        else
            i += 1 + close;
    }
    return m->in.len;
}

/* The value of an attribute in a tag's text. */
static struct slice attribute(struct slice tag, struct slice want)
{
    size_t i = 0;
    while (i < tag.len) {
        while (i < tag.len && (is_space(tag.at[i]) || tag.at[i] == '/'))
            i++;
        size_t name_at = i;
        while (i < tag.len && !is_space(tag.at[i]) && tag.at[i] != '=')
            i++;
        struct slice name = slice_make(tag.at + name_at, i - name_at), value = SLICE_LIT("");
        while (i < tag.len && is_space(tag.at[i]))
            i++;
        if (i < tag.len && tag.at[i] == '=') {
            i++;
            while (i < tag.len && is_space(tag.at[i]))
                i++;
            char quote = i < tag.len && (tag.at[i] == '"' || tag.at[i] == '\'') ? tag.at[i++] : '\0';
            size_t value_at = i;
            while (i < tag.len && (quote ? tag.at[i] != quote : !is_space(tag.at[i])))
                i++;
            value = slice_make(tag.at + value_at, i - value_at);
            i += quote && i < tag.len;
        }
        if (slice_eq_nocase(name, want))
            return slice_trim(value);
    }
    return SLICE_LIT("");
}

/* Past the text of <script>, <style> and the like: nothing inside is a tag but its own end. */
static void skip_hidden(struct text_maker *m, struct slice name)
{
    size_t i = 0;
    for (;; i++) {
        const char *hit = i < m->in.len ? memchr(m->in.at + i, '<', m->in.len - i) : NULL;
        if (!hit) {
            m->in = slice_tail(m->in, m->in.len);
            return;
        }
        i = (size_t)(hit - m->in.at);
        struct slice rest = slice_tail(m->in, i);
        if (rest.len > 2 && rest.at[1] == '/' && slice_starts_nocase(slice_tail(rest, 2), name)) {
            m->in = rest;
            return;
        }
    }
}

/* Text of an attribute, its entities decoded. */
static void add_attribute(struct slice value, struct buf *out)
{
    while (value.len) {
        size_t width = 1;
        uint32_t code = value.at[0] == '&' ? entity(value, &width) : 0;
        if (code)
            add_code(code == 0xa0 ? ' ' : code, out);
        else
            buf_add_byte(out, value.at[0]);
        value = slice_tail(value, code ? width : 1);
    }
}

static void open_link(struct text_maker *m, struct slice tag)
{
    struct slice href = attribute(tag, SLICE_LIT("href"));
    m->href_len = 0;
    if (m->brief || href.len > HREF_MAX || !slice_starts_nocase(href, SLICE_LIT("http")))
        return;
    for (size_t i = 0; i < href.len;) {
        size_t width = 1;
        bool amp = href.at[i] == '&' && entity(slice_tail(href, i), &width) == '&';
        m->href[m->href_len++] = href.at[i];
        i += amp ? width : 1;
    }
    m->link_at = buf_len(m->out);
}

/* The target behind the words of a link, unless they show it already. */
static void close_link(struct text_maker *m)
{
    struct slice all = buf_slice(m->out);
    struct slice href = slice_make(m->href, m->href_len);
    m->href_len = 0;
    if (!href.len || all.len <= m->link_at || slice_find_slice(slice_tail(all, m->link_at), href) != SIZE_MAX)
        return;
    buf_add_text(m->out, " <");
    buf_add(m->out, href);
    buf_add_byte(m->out, '>');
}

static void turn_tag(struct text_maker *m, struct slice name, struct slice rest, bool closing)
{
    enum tag_kind kind = TAG_OTHER;
    for (size_t i = 0; i < sizeof tags / sizeof *tags && kind == TAG_OTHER; i++)
        if (slice_eq_nocase(name, tags[i].name))
            kind = tags[i].kind;
    struct slice alt;
    switch (kind) {
    case TAG_LINE:
        owe_newlines(m, 1);
        break;
    case TAG_PARAGRAPH:
        owe_newlines(m, 2);
        break;
    case TAG_BREAK:
        if (m->newlines < 3)
            m->newlines++;
        m->space = false;
        break;
    case TAG_RULE:
        owe_newlines(m, 1);
        if (!m->brief)
            add_octets(m, SLICE_LIT("--------------------"));
        owe_newlines(m, 1);
        break;
    case TAG_ITEM:
        owe_newlines(m, 1);
        if (!closing && !m->brief)
            add_octets(m, SLICE_LIT("* "));
        break;
    case TAG_CELL:
        if (m->newlines == 0)
            m->space = true;
        break;
    case TAG_HIDDEN:
        if (!closing)
            skip_hidden(m, name);
        break;
    case TAG_PRE:
        owe_newlines(m, 1);
        m->pre += !closing;
        m->pre -= closing && m->pre;
        break;
    case TAG_LINK:
        if (closing)
            close_link(m);
        else
            open_link(m, rest);
        break;
    case TAG_IMAGE:
        alt = attribute(rest, SLICE_LIT("alt"));
        if (!closing && !m->brief && alt.len && alt.len < 200) {
            add_octets(m, SLICE_LIT("["));
            add_attribute(alt, m->out);
            buf_add_byte(m->out, ']');
        }
        break;
    case TAG_OTHER:
        break;
    }
}

static void take_tag(struct text_maker *m)
{
    struct slice s = m->in;
    if (slice_starts(s, SLICE_LIT("<!--"))) {
        size_t end = slice_find_slice(slice_tail(s, 4), SLICE_LIT("-->"));
        m->in = slice_tail(s, end == SIZE_MAX ? s.len : 4 + end + 3);
        return;
    }
    bool closing = s.len > 1 && s.at[1] == '/';
    size_t at = 1 + closing;
    bool letter = at < s.len && (s.at[at] | 0x20) >= 'a' && (s.at[at] | 0x20) <= 'z';
    if (!letter && !(s.len > 1 && (s.at[1] == '!' || s.at[1] == '?'))) {
        take_text(m);
        return;
    }
    size_t end = tag_end(m);
    struct slice tag = slice_make(s.at + at, end > at ? end - at : 0);
    m->in = slice_tail(s, end < s.len ? end + 1 : end);
    size_t width = 0;
    while (width < tag.len && !is_space(tag.at[width]) && tag.at[width] != '/')
        width++;
    if (letter)
        turn_tag(m, slice_head(tag, width), slice_tail(tag, width), closing);
}

void html_text(struct slice html_utf8, bool brief, size_t max, struct buf *out)
{
    struct text_maker m = { .in = html_utf8, .out = out, .start = buf_len(out), .max = max, .brief = brief };
    while (m.in.len && buf_len(out) - m.start < max) {
        if (m.in.at[0] == '<')
            take_tag(&m);
        else
            take_text(&m);
    }
}

void mime_html_to_text(struct slice html_utf8, struct buf *out)
{
    struct buf text = { 0 };
    html_text(html_utf8, false, SIZE_MAX, &text);
    if (buf_len(&text))
        buf_add_text(&text, "\r\n");
    mime_clean_utf8(buf_slice(&text), false, out);
    buf_free(&text);
}

void mime_text_to_html(struct slice text, struct buf *out)
{
    buf_add_text(out, "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"></head><body><div>");
    bool blank = true; // at the start of a line or behind a blank: the next blank must not vanish
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '\r' && i + 1 < text.len && text.at[i + 1] == '\n')
            continue;
        if (c == '\r') // a line end all the same
            c = '\n';
        if (c == '\n')
            buf_add_text(out, "<br>\r\n");
        else if (c == '&')
            buf_add_text(out, "&amp;");
        else if (c == '<')
            buf_add_text(out, "&lt;");
        else if (c == '>')
            buf_add_text(out, "&gt;");
        else if (c == '"')
            buf_add_text(out, "&quot;");
        else if (c == ' ' && blank)
            buf_add_text(out, "&nbsp;");
        else
            buf_add_byte(out, c);
        blank = c == ' ' || c == '\n';
    }
    buf_add_text(out, "</div></body></html>\r\n");
}
