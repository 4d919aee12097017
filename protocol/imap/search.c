#include "protocol/imap/search.h"

#include "protocol/imap/scan.h"

#define OBJECT_ID_MAX 255u

enum argument { ARG_NONE, ARG_TEXT, ARG_DATE, ARG_NUMBER, ARG_NZ_NUMBER, ARG_KEYWORD, ARG_OBJECT };

static const struct {
    const char *name;
    enum search_op op;
    enum argument argument;
    uint64_t flag; // of SEARCH_FLAG
    bool negated;
} keys[] = {
    { "ALL", SEARCH_ALL, ARG_NONE, 0, false },
    { "ANSWERED", SEARCH_FLAG, ARG_NONE, SCAN_ANSWERED, false },
    { "BCC", SEARCH_BCC, ARG_TEXT, 0, false },
    { "BEFORE", SEARCH_BEFORE, ARG_DATE, 0, false },
    { "BODY", SEARCH_BODY, ARG_TEXT, 0, false },
    { "CC", SEARCH_CC, ARG_TEXT, 0, false },
    { "DELETED", SEARCH_FLAG, ARG_NONE, SCAN_DELETED, false },
    { "DRAFT", SEARCH_FLAG, ARG_NONE, SCAN_DRAFT, false },
    { "EMAILID", SEARCH_EMAILID, ARG_OBJECT, 0, false },
    { "FLAGGED", SEARCH_FLAG, ARG_NONE, SCAN_FLAGGED, false },
    { "FROM", SEARCH_FROM, ARG_TEXT, 0, false },
    { "KEYWORD", SEARCH_KEYWORD, ARG_KEYWORD, 0, false },
    { "LARGER", SEARCH_LARGER, ARG_NUMBER, 0, false },
    { "OLD", SEARCH_RECENT, ARG_NONE, 0, true },
    { "OLDER", SEARCH_OLDER, ARG_NZ_NUMBER, 0, false },
    { "ON", SEARCH_ON, ARG_DATE, 0, false },
    { "RECENT", SEARCH_RECENT, ARG_NONE, 0, false },
    { "SAVEDATESUPPORTED", SEARCH_SAVEDATESUPPORTED, ARG_NONE, 0, false },
    { "SAVEDBEFORE", SEARCH_SAVEDBEFORE, ARG_DATE, 0, false },
    { "SAVEDON", SEARCH_SAVEDON, ARG_DATE, 0, false },
    { "SAVEDSINCE", SEARCH_SAVEDSINCE, ARG_DATE, 0, false },
    { "SEEN", SEARCH_FLAG, ARG_NONE, SCAN_SEEN, false },
    { "SENTBEFORE", SEARCH_SENTBEFORE, ARG_DATE, 0, false },
    { "SENTON", SEARCH_SENTON, ARG_DATE, 0, false },
    { "SENTSINCE", SEARCH_SENTSINCE, ARG_DATE, 0, false },
    { "SINCE", SEARCH_SINCE, ARG_DATE, 0, false },
    { "SMALLER", SEARCH_SMALLER, ARG_NUMBER, 0, false },
    { "SUBJECT", SEARCH_SUBJECT, ARG_TEXT, 0, false },
    { "TEXT", SEARCH_TEXT, ARG_TEXT, 0, false },
    { "THREADID", SEARCH_THREADID, ARG_OBJECT, 0, false },
    { "TO", SEARCH_TO, ARG_TEXT, 0, false },
    { "UNANSWERED", SEARCH_FLAG, ARG_NONE, SCAN_ANSWERED, true },
    { "UNDELETED", SEARCH_FLAG, ARG_NONE, SCAN_DELETED, true },
    { "UNDRAFT", SEARCH_FLAG, ARG_NONE, SCAN_DRAFT, true },
    { "UNFLAGGED", SEARCH_FLAG, ARG_NONE, SCAN_FLAGGED, true },
    { "UNKEYWORD", SEARCH_KEYWORD, ARG_KEYWORD, 0, true },
    { "UNSEEN", SEARCH_FLAG, ARG_NONE, SCAN_SEEN, true },
    { "YOUNGER", SEARCH_YOUNGER, ARG_NZ_NUMBER, 0, false },
};

struct parser {
    struct arena *arena;
    struct search_program *program;
    size_t count; // keys so far
};

static struct search_key *new_key(struct parser *p, enum search_op op)
{
    struct search_key *key = arena_new(p->arena, struct search_key, 1);
    key->op = op;
    return key;
}

static struct search_key *negate(struct parser *p, struct search_key *key)
{
    struct search_key *not = new_key(p, SEARCH_NOT);
    not->children = key;
    return not;
}

static enum err take_key(struct parser *p, struct slice *in, unsigned depth, struct search_key **key);

/* search-key *(SP search-key), up to `end` (")" or the end of the input) */
static enum err take_keys(struct parser *p, struct slice *in, unsigned depth, struct search_key **key)
{
    struct search_key *first = NULL, *last = NULL;
    do {
        struct search_key *one;
        enum err err = take_key(p, in, depth, &one);
        if (err)
            return err;
        if (last)
            last->next = one;
        else
            first = one;
        last = one;
    } while (scan_sp(in));
    if (first == last) {
        *key = first;
        return ERR_OK;
    }
    *key = new_key(p, SEARCH_AND);
    (*key)->children = first;
    return ERR_OK;
}

static enum err take_or(struct parser *p, struct slice *in, unsigned depth, struct search_key **key)
{
    struct search_key *left, *right;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    enum err err = take_key(p, in, depth + 1, &left);
    if (!err && !scan_sp(in))
        err = ERR_SYNTAX;
    if (!err)
        err = take_key(p, in, depth + 1, &right);
    if (err)
        return err;
    *key = new_key(p, SEARCH_OR);
    left->next = right;
    (*key)->children = left;
    return ERR_OK;
}

static enum err take_header(struct parser *p, struct slice *in, struct search_key **key)
{
    static const struct {
        const char *field;
        enum search_op op;
    } known[] = { { "From", SEARCH_FROM },
                  { "To", SEARCH_TO },
                  { "Cc", SEARCH_CC },
                  { "Bcc", SEARCH_BCC },
                  { "Subject", SEARCH_SUBJECT } };
    struct search_key *k = *key = new_key(p, SEARCH_HEADER);
    if (!scan_sp(in) || scan_astring(in, p->arena, &k->field) || !scan_sp(in) ||
        scan_astring(in, p->arena, &k->text))
        return ERR_SYNTAX;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (k->text.len && slice_eq_nocase(k->field, slice_of(known[i].field))) {
            k->op = known[i].op;
            return ERR_OK;
        }
    return ERR_OK;
}

/* entry-name SP entry-type-req of MODSEQ (RFC 7162 3.1.5) are accepted and make no difference: there is one modseq a
 * message. */
static enum err take_modseq(struct parser *p, struct slice *in, struct search_key **key)
{
    struct slice name;
    *key = new_key(p, SEARCH_MODSEQ);
    p->program->uses_modseq = true;
    if (!scan_sp(in))
        return ERR_SYNTAX;
    if (in->len && in->at[0] == '"') {
        if (scan_string(in, p->arena, &name) || !scan_sp(in) ||
            !(scan_word(in, "all") || scan_word(in, "priv") || scan_word(in, "shared")) || !scan_sp(in))
            return ERR_SYNTAX;
    }
    return scan_number64(in, &(*key)->number) ? ERR_OK : ERR_SYNTAX;
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") (RFC 8474 7) */
static bool take_object_id(struct slice *in, struct slice *id)
{
    size_t len = slice_span(*in, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    if (len == 0 || len > OBJECT_ID_MAX)
        return false;
    *id = slice_head(*in, len);
    *in = slice_tail(*in, len);
    return true;
}

static enum err take_named(struct parser *p, struct slice *in, size_t row, struct search_key **key)
{
    struct search_key *k = new_key(p, keys[row].op);
    uint32_t number;
    int64_t days;
    k->number = keys[row].flag;
    if (keys[row].argument != ARG_NONE && !scan_sp(in))
        return ERR_SYNTAX;
    switch (keys[row].argument) {
    case ARG_NONE:
        break;
    case ARG_TEXT: {
        enum err err = scan_astring(in, p->arena, &k->text);
        if (err)
            return err;
        break;
    }
    case ARG_KEYWORD:
        if (!scan_atom(in, &k->text))
            return ERR_SYNTAX;
        break;
    case ARG_OBJECT:
        if (!take_object_id(in, &k->text))
            return ERR_SYNTAX;
        break;
    case ARG_DATE:
        if (!scan_date(in, &days))
            return ERR_SYNTAX;
        k->number = (uint64_t)days;
        break;
    case ARG_NUMBER:
        if (!scan_number64(in, &k->number))
            return ERR_SYNTAX;
        break;
    case ARG_NZ_NUMBER:
        if (!scan_nz_number(in, &number))
            return ERR_SYNTAX;
        k->number = number;
        break;
    }
    *key = keys[row].negated ? negate(p, k) : k;
    return ERR_OK;
}

static enum err take_key(struct parser *p, struct slice *in, unsigned depth, struct search_key **key)
{
    if (depth > SEARCH_DEPTH_MAX || ++p->count > SEARCH_KEYS_MAX)
        return ERR_LIMIT;
    if (slice_take(in, '(')) {
        enum err err = take_keys(p, in, depth + 1, key);
        return err ? err : slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
    }
    if (scan_word(in, "NOT")) {
        struct search_key *child;
        if (!scan_sp(in))
            return ERR_SYNTAX;
        enum err err = take_key(p, in, depth + 1, &child);
        if (!err)
            *key = negate(p, child);
        return err;
    }
    if (scan_word(in, "OR"))
        return take_or(p, in, depth, key);
    if (scan_word(in, "HEADER"))
        return take_header(p, in, key);
    if (scan_word(in, "MODSEQ"))
        return take_modseq(p, in, key);
    if (scan_word(in, "UID")) {
        *key = new_key(p, SEARCH_UID);
        return scan_sp(in) ? uidset_parse(in, p->arena, &(*key)->set) : ERR_SYNTAX;
    }
    if (scan_word(in, "NEW")) { // (RECENT UNSEEN)
        struct search_key *seen = new_key(p, SEARCH_FLAG), *recent = new_key(p, SEARCH_RECENT);
        seen->number = SCAN_SEEN;
        recent->next = negate(p, seen);
        *key = new_key(p, SEARCH_AND);
        (*key)->children = recent;
        return ERR_OK;
    }
    for (size_t row = 0; row < sizeof keys / sizeof *keys; row++)
        if (scan_word(in, keys[row].name))
            return take_named(p, in, row, key);
    *key = new_key(p, SEARCH_SEQ);
    return uidset_parse(in, p->arena, &(*key)->set);
}

static enum err take_returns(struct slice *in, struct search_program *program)
{
    static const struct {
        const char *name;
        unsigned bit;
    } options[] = { { "MIN", SEARCH_RETURN_MIN },
                    { "MAX", SEARCH_RETURN_MAX },
                    { "ALL", SEARCH_RETURN_ALL },
                    { "COUNT", SEARCH_RETURN_COUNT },
                    { "SAVE", SEARCH_RETURN_SAVE },
                    { "PARTIAL", SEARCH_RETURN_PARTIAL } };
    if (!scan_sp(in) || !slice_take(in, '('))
        return ERR_SYNTAX;
    program->has_return = true;
    if (slice_take(in, ')')) {
        program->returns = SEARCH_RETURN_ALL;
        return ERR_OK;
    }
    do {
        size_t i = 0;
        while (i < sizeof options / sizeof *options && !scan_word(in, options[i].name))
            i++;
        if (i == sizeof options / sizeof *options)
            return ERR_SYNTAX;
        // A second PARTIAL, or one beside ALL, is refused below (RFC 9394 3.1).
        if (options[i].bit == SEARCH_RETURN_PARTIAL && program->returns & SEARCH_RETURN_PARTIAL)
            return ERR_SYNTAX;
        program->returns |= options[i].bit;
        if (options[i].bit == SEARCH_RETURN_PARTIAL) {
            if (!scan_sp(in) || partial_parse(in, &program->partial))
                return ERR_SYNTAX;
        }
    } while (scan_sp(in));
    if ((program->returns & SEARCH_RETURN_PARTIAL) && (program->returns & SEARCH_RETURN_ALL))
        return ERR_SYNTAX;
    if (!slice_take(in, ')'))
        return ERR_SYNTAX;
    if (program->returns == 0)
        program->returns = SEARCH_RETURN_ALL;
    return ERR_OK;
}

/* RETURN of SEARCH and SORT, with the space behind it. */
static enum err take_return_option(struct slice *in, struct search_program *program)
{
    if (!scan_word(in, "RETURN"))
        return ERR_OK;
    enum err err = take_returns(in, program);
    return err ? err : scan_sp(in) ? ERR_OK : ERR_SYNTAX;
}

/* The keys, up to the end. */
static enum err take_all_keys(struct slice *in, struct arena *arena, struct search_program *program)
{
    struct parser p = { arena, program, 0 };
    enum err err = take_keys(&p, in, 0, &program->root);
    return !err && in->len ? ERR_SYNTAX : err;
}

enum err search_parse(struct slice *in, struct arena *arena, struct search_program *program)
{
    struct search_program result = { 0 };
    struct slice rest = *in;
    enum err err = take_return_option(&rest, &result);
    if (!err && scan_word(&rest, "CHARSET")) {
        if (!scan_sp(&rest) || scan_astring(&rest, arena, &result.charset) || !scan_sp(&rest))
            err = ERR_SYNTAX;
    }
    if (!err)
        err = take_all_keys(&rest, arena, &result);
    if (err)
        return err;
    *program = result;
    *in = rest;
    return ERR_OK;
}

/* charset SP search-key *(SP search-key) */
static enum err take_charset_and_keys(struct slice *in, struct arena *arena, struct search_program *program)
{
    if (scan_astring(in, arena, &program->charset) || !program->charset.len || !scan_sp(in))
        return ERR_SYNTAX;
    return take_all_keys(in, arena, program);
}

static enum err take_sort_keys(struct slice *in, struct sort_program *program)
{
    static const char *const names[] = { "ARRIVAL", "CC", "DATE", "DISPLAYFROM", "DISPLAYTO", "FROM", "SIZE", "SUBJECT", "TO" };
    if (!slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        size_t i = 0;
        bool reverse = scan_word(in, "REVERSE");
        if (reverse && !scan_sp(in))
            return ERR_SYNTAX;
        while (i < sizeof names / sizeof *names && !scan_word(in, names[i]))
            i++;
        if (i == sizeof names / sizeof *names)
            return ERR_SYNTAX;
        if (program->count == SORT_KEYS_MAX)
            return ERR_LIMIT;
        program->keys[program->count++] = (struct sort_key){ (enum sort_by)i, reverse };
    } while (scan_sp(in));
    return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

enum err sort_parse(struct slice *in, struct arena *arena, struct sort_program *program)
{
    struct sort_program result = { 0 };
    struct slice rest = *in;
    enum err err = take_return_option(&rest, &result.search);
    if (!err)
        err = take_sort_keys(&rest, &result);
    if (!err && !scan_sp(&rest))
        err = ERR_SYNTAX;
    if (!err)
        err = take_charset_and_keys(&rest, arena, &result.search);
    if (err)
        return err;
    *program = result;
    *in = rest;
    return ERR_OK;
}

enum err thread_parse(struct slice *in, struct arena *arena, struct thread_program *program)
{
    struct thread_program result = { 0 };
    struct slice rest = *in;
    result.by_subject = scan_word(&rest, "ORDEREDSUBJECT");
    if ((!result.by_subject && !scan_word(&rest, "REFERENCES")) || !scan_sp(&rest))
        return ERR_SYNTAX;
    enum err err = take_charset_and_keys(&rest, arena, &result.search);
    if (err)
        return err;
    *program = result;
    *in = rest;
    return ERR_OK;
}
