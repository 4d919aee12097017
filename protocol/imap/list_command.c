#include "protocol/imap/list_command.h"

#include "protocol/imap/scan.h"

struct word {
    const char *name;
    unsigned bit;
};

static const struct word select_words[] = { { "SUBSCRIBED", LIST_SUBSCRIBED },
                                            { "REMOTE", LIST_REMOTE },
                                            { "RECURSIVEMATCH", LIST_RECURSIVE },
                                            { "SPECIAL-USE", LIST_SPECIAL },
                                            { NULL, 0 } };
static const struct word return_words[] = { { "SUBSCRIBED", LIST_RETURN_SUBSCRIBED },
                                            { "CHILDREN", LIST_RETURN_CHILDREN },
                                            { "SPECIAL-USE", LIST_RETURN_SPECIAL },
                                            { "STATUS", LIST_RETURN_STATUS },
                                            { NULL, 0 } };
static const struct word status_words[] = { { "MESSAGES", STATUS_MESSAGES },
                                            { "RECENT", STATUS_RECENT },
                                            { "UIDNEXT", STATUS_UIDNEXT },
                                            { "UIDVALIDITY", STATUS_UIDVALIDITY },
                                            { "UNSEEN", STATUS_UNSEEN },
                                            { "HIGHESTMODSEQ", STATUS_HIGHESTMODSEQ },
                                            { "SIZE", STATUS_SIZE },
                                            { "DELETED-STORAGE", STATUS_DELETED_STORAGE },
                                            { "DELETED", STATUS_DELETED },
                                            { "MAILBOXID", STATUS_MAILBOXID },
                                            { "APPENDLIMIT", STATUS_APPENDLIMIT },
                                            { NULL, 0 } };

static unsigned take_word(struct slice *in, const struct word *words)
{
    for (; words->name; words++)
        if (scan_word(in, words->name))
            return words->bit;
    return 0;
}

const char *status_item_name(unsigned bit)
{
    const struct word *word = status_words;
    while (word->name && word->bit != bit)
        word++;
    return word->name;
}

enum err status_items_parse(struct slice *in, unsigned *items)
{
    *items = 0;
    if (!slice_take(in, '('))
        return ERR_SYNTAX;
    do {
        unsigned bit = take_word(in, status_words);
        if (!bit)
            return ERR_SYNTAX;
        *items |= bit;
    } while (scan_sp(in));
    return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

/* "(" [option *(SP option)] ")" behind the "(" */
static enum err take_options(struct slice *in, const struct word *words, struct list_command *c, unsigned *bits)
{
    if (slice_take(in, ')'))
        return ERR_OK;
    do {
        unsigned bit = take_word(in, words);
        if (!bit)
            return ERR_SYNTAX;
        *bits |= bit;
        if (words == return_words && bit == LIST_RETURN_STATUS &&
            (!scan_sp(in) || status_items_parse(in, &c->status)))
            return ERR_SYNTAX;
    } while (scan_sp(in));
    return slice_take(in, ')') ? ERR_OK : ERR_SYNTAX;
}

/* mailbox-pattern = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static enum err take_patterns(struct slice *in, struct arena *arena, struct list_command *c)
{
    struct slice found[LIST_PATTERNS_MAX];
    bool listed = slice_take(in, '(');
    do {
        if (c->pattern_count == LIST_PATTERNS_MAX)
            return ERR_LIMIT;
        enum err err = scan_list_mailbox(in, arena, &found[c->pattern_count++]);
        if (err)
            return err;
    } while (listed && scan_sp(in));
    if (listed && !slice_take(in, ')'))
        return ERR_SYNTAX;
    struct slice *patterns = arena_new(arena, struct slice, c->pattern_count);
    for (size_t i = 0; i < c->pattern_count; i++)
        patterns[i] = found[i];
    c->patterns = patterns;
    c->extended = c->extended || listed;
    return ERR_OK;
}

enum err list_parse(struct slice *in, struct arena *arena, struct list_command *command)
{
    struct list_command c = { 0 };
    if (!scan_sp(in))
        return ERR_SYNTAX;
    if (slice_take(in, '(')) {
        c.extended = true;
        if (take_options(in, select_words, &c, &c.select) || !scan_sp(in))
            return ERR_SYNTAX;
    }
    enum err err = scan_astring(in, arena, &c.reference);
    if (!err)
        err = scan_sp(in) ? take_patterns(in, arena, &c) : ERR_SYNTAX;
    if (err)
        return err;
    if (scan_sp(in)) {
        c.extended = true;
        if (!scan_word(in, "RETURN") || !scan_sp(in) || !slice_take(in, '(') ||
            take_options(in, return_words, &c, &c.returns))
            return ERR_SYNTAX;
    }
    // It modifies others, and means nothing alone (RFC 5258 3.1).
    if (c.select & LIST_RECURSIVE && !(c.select & (LIST_SUBSCRIBED | LIST_SPECIAL)))
        return ERR_SYNTAX;
    *command = c;
    return ERR_OK;
}
