#include <criterion/criterion.h>

#include "base/buf.h"
#include "protocol/imap/search.h"

static const char *const ops[] = {
    [SEARCH_ALL] = "all",       [SEARCH_AND] = "and",         [SEARCH_OR] = "or",        [SEARCH_NOT] = "not",
    [SEARCH_SEQ] = "seq",       [SEARCH_UID] = "uid",         [SEARCH_FLAG] = "flag",    [SEARCH_KEYWORD] = "keyword",
    [SEARCH_RECENT] = "recent", [SEARCH_LARGER] = "larger",   [SEARCH_SMALLER] = "smaller", [SEARCH_BEFORE] = "before",
    [SEARCH_ON] = "on",         [SEARCH_SINCE] = "since",     [SEARCH_SENTBEFORE] = "sentbefore",
    [SEARCH_SENTON] = "senton", [SEARCH_SENTSINCE] = "sentsince", [SEARCH_SAVEDBEFORE] = "savedbefore",
    [SEARCH_SAVEDON] = "savedon", [SEARCH_SAVEDSINCE] = "savedsince", [SEARCH_OLDER] = "older",
    [SEARCH_YOUNGER] = "younger", [SEARCH_HEADER] = "header", [SEARCH_FROM] = "from",    [SEARCH_TO] = "to",
    [SEARCH_CC] = "cc",         [SEARCH_BCC] = "bcc",         [SEARCH_SUBJECT] = "subject", [SEARCH_BODY] = "body",
    [SEARCH_TEXT] = "text",     [SEARCH_MODSEQ] = "modseq",   [SEARCH_EMAILID] = "emailid", [SEARCH_THREADID] = "threadid",
    [SEARCH_SAVEDATESUPPORTED] = "savedatesupported",
};

/* A program as text, to compare whole trees at once. */
static void show(const struct search_key *key, struct buf *out)
{
    buf_add_text(out, ops[key->op]);
    if (key->number)
        buf_printf(out, "=%llu", (unsigned long long)key->number);
    if (key->field.len)
        buf_printf(out, "<%.*s>", SLICE_ARG(key->field));
    if (key->text.len)
        buf_printf(out, "'%.*s'", SLICE_ARG(key->text));
    if (key->children) {
        buf_add_byte(out, '(');
        for (const struct search_key *child = key->children; child; child = child->next) {
            if (child != key->children)
                buf_add_byte(out, ' ');
            show(child, out);
        }
        buf_add_byte(out, ')');
    }
}

static const struct {
    const char *in;
    enum err err;
    const char *tree;
} rows[] = {
    { "ALL", ERR_OK, "all" },
    { "unseen", ERR_OK, "not(flag=1)" },
    { "FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", ERR_OK, "and(flag=4 since=8797 not(from'Smith'))" },
    { "OR (SEEN DELETED) 1:4", ERR_OK, "or(and(flag=1 flag=8) seq)" },
    { "NEW", ERR_OK, "and(recent not(flag=1))" },
    { "OLD", ERR_OK, "not(recent)" },
    { "KEYWORD $Junk", ERR_OK, "keyword'$Junk'" },
    { "HEADER Subject hi", ERR_OK, "subject<Subject>'hi'" },
    { "HEADER X-Spam \"\"", ERR_OK, "header<X-Spam>" },
    { "CHARSET UTF-8 TEXT {4}\r\n\xc3\xbc\xc3\xb6", ERR_OK, "text'\xc3\xbc\xc3\xb6'" },
    { "MODSEQ \"/flags/\\\\draft\" all 620162338", ERR_OK, "modseq=620162338" },
    { "MODSEQ 5 LARGER 0", ERR_OK, "and(modseq=5 larger)" },
    { "UID 5:7 YOUNGER 60", ERR_OK, "and(uid younger=60)" },
    { "((ALL))", ERR_OK, "all" },
    { "RETURN () ALL", ERR_OK, "all" },
    { "RETURN (MIN COUNT PARTIAL -1:-100) CHARSET us-ascii ALL", ERR_OK, "all" },
    { "", ERR_SYNTAX, NULL },
    { "FROM", ERR_SYNTAX, NULL },
    { "OR SEEN", ERR_SYNTAX, NULL },
    { "(SEEN", ERR_SYNTAX, NULL },
    { "SEEN)", ERR_SYNTAX, NULL },
    { "SINCE 32-Jan-2020", ERR_SYNTAX, NULL },
    { "YOUNGER 0", ERR_SYNTAX, NULL },
    { "RETURN (BEST) ALL", ERR_SYNTAX, NULL },
    { "RETURN (PARTIAL 1:-5) ALL", ERR_SYNTAX, NULL },
    { "RETURN (PARTIAL 1:5 ALL) ALL", ERR_SYNTAX, NULL },
    { "RETURN (PARTIAL 1:5 PARTIAL 1:5) ALL", ERR_SYNTAX, NULL },
    { "RETURN (UPDATE) ALL", ERR_SYNTAX, NULL },
    { "SAVEDATESUPPORTED NOT SAVEDON 1-Feb-1994", ERR_OK, "and(savedatesupported not(savedon=8797))" },
    { "EMAILID M6d99ac3275bb4e THREADID T64b478a75b7ea9", ERR_OK, "and(emailid'M6d99ac3275bb4e' threadid'T64b478a75b7ea9')" },
    { "EMAILID \"M1\"", ERR_SYNTAX, NULL },
    { "KEYWORD \\Seen", ERR_SYNTAX, NULL },
    { "UID $", ERR_OK, "uid" },
    { "UNKNOWNKEY", ERR_SYNTAX, NULL },
    { "ALL  SEEN", ERR_SYNTAX, NULL },
};

Test(search, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice in = slice_of(rows[i].in);
        struct search_program p;
        enum err err = search_parse(&in, arena, &p);
        cr_expect_eq(err, rows[i].err, "%s", rows[i].in);
        if (err)
            continue;
        struct buf out = { 0 };
        show(p.root, &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].tree)), "%s gave %.*s", rows[i].in,
                  SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
    arena_close(&arena);
}

Test(search, returns)
{
    struct arena *arena = arena_open();
    struct slice in = SLICE_LIT("RETURN (MIN MAX COUNT SAVE PARTIAL 1:50) UNSEEN");
    struct search_program p;
    cr_assert_eq(search_parse(&in, arena, &p), ERR_OK);
    cr_expect(p.has_return);
    cr_expect_eq(p.returns, SEARCH_RETURN_MIN | SEARCH_RETURN_MAX | SEARCH_RETURN_COUNT | SEARCH_RETURN_SAVE |
                                SEARCH_RETURN_PARTIAL);
    cr_expect(p.partial.first == 1 && p.partial.last == 50);
    arena_close(&arena);
}

Test(search, limits)
{
    struct arena *arena = arena_open();
    for (unsigned over = 0; over < 2; over++) {
        struct buf deep = { 0 }, wide = { 0 };
        struct search_program p;
        for (unsigned i = 0; i < SEARCH_DEPTH_MAX + over; i++)
            buf_add_text(&deep, "NOT ");
        buf_add_text(&deep, "SEEN");
        struct slice in = buf_slice(&deep);
        cr_expect_eq(search_parse(&in, arena, &p), over ? ERR_LIMIT : ERR_OK, "depth %u", over);
        for (unsigned i = 0; i < SEARCH_KEYS_MAX + over; i++)
            buf_add_text(&wide, i ? " SEEN" : "SEEN");
        in = buf_slice(&wide);
        cr_expect_eq(search_parse(&in, arena, &p), over ? ERR_LIMIT : ERR_OK, "keys %u", over);
        buf_free(&deep);
        buf_free(&wide);
    }
    arena_close(&arena);
}

static const struct {
    const char *in;
    enum err err;
    const char *keys; // a digit of enum sort_by each, "-" in front of one that is reversed
    const char *tree;
} sort_rows[] = {
    { "(SUBJECT) UTF-8 SINCE 1-Feb-1994", ERR_OK, "7", "since=8797" },
    { "(SUBJECT REVERSE DATE) US-ASCII ALL", ERR_OK, "7-2", "all" },
    { "RETURN (ALL COUNT) (DISPLAYFROM reverse displayto) utf-8 NOT SEEN", ERR_OK, "3-4", "not(flag=1)" },
    { "(ARRIVAL CC FROM SIZE TO) \"UTF-8\" ALL", ERR_OK, "01568", "all" },
    { "() UTF-8 ALL", ERR_SYNTAX, NULL, NULL },
    { "(REVERSE) UTF-8 ALL", ERR_SYNTAX, NULL, NULL },
    { "(REVERSE REVERSE DATE) UTF-8 ALL", ERR_SYNTAX, NULL, NULL },
    { "(DATE) ALL", ERR_SYNTAX, NULL, NULL },
    { "(DATE) \"\" ALL", ERR_SYNTAX, NULL, NULL },
    { "(DATE)  UTF-8 ALL", ERR_SYNTAX, NULL, NULL },
    { "DATE UTF-8 ALL", ERR_SYNTAX, NULL, NULL },
    { "(DATE) UTF-8", ERR_SYNTAX, NULL, NULL },
};

Test(search, sort_rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof sort_rows / sizeof *sort_rows; i++) {
        struct slice in = slice_of(sort_rows[i].in);
        struct sort_program p;
        struct buf keys = { 0 }, tree = { 0 };
        enum err err = sort_parse(&in, arena, &p);
        cr_expect_eq(err, sort_rows[i].err, "%s", sort_rows[i].in);
        if (err)
            continue;
        for (size_t k = 0; k < p.count; k++)
            buf_printf(&keys, "%s%d", p.keys[k].reverse ? "-" : "", (int)p.keys[k].by);
        show(p.search.root, &tree);
        cr_expect(slice_eq(buf_slice(&keys), slice_of(sort_rows[i].keys)), "%s", sort_rows[i].in);
        cr_expect(slice_eq(buf_slice(&tree), slice_of(sort_rows[i].tree)), "%s", sort_rows[i].in);
        buf_free(&keys);
        buf_free(&tree);
    }
    arena_close(&arena);
}

Test(search, sort_limit)
{
    struct arena *arena = arena_open();
    for (unsigned over = 0; over < 2; over++) {
        struct buf text = { 0 };
        struct sort_program p;
        for (unsigned i = 0; i < SORT_KEYS_MAX + over; i++)
            buf_add_text(&text, i ? " SIZE" : "(SIZE");
        buf_add_text(&text, ") UTF-8 ALL");
        struct slice in = buf_slice(&text);
        cr_expect_eq(sort_parse(&in, arena, &p), over ? ERR_LIMIT : ERR_OK);
        buf_free(&text);
    }
    arena_close(&arena);
}

Test(search, threads)
{
    static const struct {
        const char *in;
        enum err err;
        bool by_subject;
    } thread_rows[] = {
        { "REFERENCES UTF-8 SINCE 5-MAR-2000", ERR_OK, false },
        { "orderedsubject us-ascii TEXT gewp", ERR_OK, true },
        { "REFS UTF-8 ALL", ERR_SYNTAX, false },
        { "REFERENCES ALL", ERR_SYNTAX, false },
        { "REFERENCES UTF-8", ERR_SYNTAX, false },
        { "", ERR_SYNTAX, false },
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof thread_rows / sizeof *thread_rows; i++) {
        struct slice in = slice_of(thread_rows[i].in);
        struct thread_program p;
        enum err err = thread_parse(&in, arena, &p);
        cr_expect_eq(err, thread_rows[i].err, "%s", thread_rows[i].in);
        if (!err)
            cr_expect_eq(p.by_subject, thread_rows[i].by_subject, "%s", thread_rows[i].in);
    }
    arena_close(&arena);
}
