#include "protocol/imap/scan.h"

#include <string.h>

#define NUMBER64_MAX UINT64_C(9223372036854775807)

bool scan_is_atom_char(char c)
{
    // atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
    return c > 0x20 && c < 0x7f && !strchr("(){%*\"\\]", c);
}

bool scan_is_astring_char(char c)
{
    return scan_is_atom_char(c) || c == ']';
}

bool scan_is_list_char(char c)
{
    return scan_is_astring_char(c) || c == '%' || c == '*';
}

bool scan_sp(struct slice *in)
{
    return slice_take(in, ' ');
}

bool scan_word(struct slice *in, const char *word)
{
    struct slice w = slice_of(word);
    if (!slice_starts_nocase(*in, w))
        return false;
    if (in->len > w.len && scan_is_atom_char(in->at[w.len]))
        return false;
    *in = slice_tail(*in, w.len);
    return true;
}

static bool take_while(struct slice *in, bool (*is)(char), struct slice *taken)
{
    size_t n = 0;
    while (n < in->len && is(in->at[n]))
        n++;
    if (n == 0)
        return false;
    *taken = slice_head(*in, n);
    *in = slice_tail(*in, n);
    return true;
}

bool scan_atom(struct slice *in, struct slice *atom)
{
    return take_while(in, scan_is_atom_char, atom);
}

static bool is_tag_char(char c)
{
    return scan_is_astring_char(c) && c != '+';
}

bool scan_tag(struct slice *in, struct slice *tag)
{
    return take_while(in, is_tag_char, tag);
}

bool scan_number64(struct slice *in, uint64_t *number)
{
    size_t digits = slice_span(*in, "0123456789");
    if (!slice_to_u64(slice_head(*in, digits), NUMBER64_MAX, number))
        return false;
    *in = slice_tail(*in, digits);
    return true;
}

bool scan_number(struct slice *in, uint32_t *number)
{
    struct slice rest = *in;
    uint64_t n;
    if (!scan_number64(&rest, &n) || n > UINT32_MAX)
        return false;
    *number = (uint32_t)n;
    *in = rest;
    return true;
}

bool scan_nz_number(struct slice *in, uint32_t *number)
{
    struct slice rest = *in;
    // nz-number = digit-nz *DIGIT: "01" is none.
    if (rest.len == 0 || rest.at[0] == '0' || !scan_number(&rest, number))
        return false;
    *in = rest;
    return true;
}

bool scan_announced_literal(struct slice line, struct scan_announced *literal)
{
    if (line.len < 3 || line.at[line.len - 1] != '}')
        return false;
    size_t end = line.len - 1;
    bool non_sync = line.at[end - 1] == '+';
    if (non_sync)
        end--;
    size_t open = end;
    while (open > 0 && line.at[open - 1] >= '0' && line.at[open - 1] <= '9')
        open--;
    uint64_t size;
    if (open == end || open == 0 || line.at[open - 1] != '{' ||
        !slice_to_u64(slice_make(line.at + open, end - open), NUMBER64_MAX, &size))
        return false;
    size_t at = open - 1;
    bool binary = at > 0 && line.at[at - 1] == '~';
    *literal = (struct scan_announced){ size, non_sync, binary, binary ? at - 1 : at };
    return true;
}

static enum err take_quoted(struct slice *in, struct arena *arena, struct slice *text)
{
    struct slice rest = slice_tail(*in, 1);
    size_t end = 0, escapes = 0;
    for (; end < rest.len && rest.at[end] != '"'; end++) {
        if (rest.at[end] == '\\') {
            end++;
            escapes++;
            if (end >= rest.len || (rest.at[end] != '"' && rest.at[end] != '\\'))
                return ERR_SYNTAX;
        } else if (rest.at[end] == '\r' || rest.at[end] == '\n' || rest.at[end] == '\0') {
            return ERR_SYNTAX;
        }
    }
    if (end >= rest.len)
        return ERR_SYNTAX;
    if (escapes == 0) {
        *text = slice_head(rest, end);
    } else {
        char *plain = arena_alloc(arena, end - escapes + 1);
        size_t len = 0;
        for (size_t i = 0; i < end; i++) {
            if (rest.at[i] == '\\')
                i++;
            plain[len++] = rest.at[i];
        }
        *text = slice_make(plain, len);
    }
    *in = slice_tail(rest, end + 1);
    return ERR_OK;
}

static enum err take_literal(struct slice *in, struct slice *text)
{
    struct slice rest = *in;
    uint64_t size;
    slice_take(&rest, '~');
    if (!slice_take(&rest, '{') || !scan_number64(&rest, &size))
        return ERR_SYNTAX;
    slice_take(&rest, '+');
    if (!slice_take(&rest, '}') || !slice_take(&rest, '\r') || !slice_take(&rest, '\n') || size > rest.len)
        return ERR_SYNTAX;
    *text = slice_head(rest, (size_t)size);
    *in = slice_tail(rest, (size_t)size);
    return ERR_OK;
}

enum err scan_string(struct slice *in, struct arena *arena, struct slice *text)
{
    if (in->len == 0)
        return ERR_SYNTAX;
    return in->at[0] == '"' ? take_quoted(in, arena, text) : take_literal(in, text);
}

static bool opens_string(struct slice in)
{
    return in.len && (in.at[0] == '"' || in.at[0] == '{' || (in.at[0] == '~' && in.len > 1 && in.at[1] == '{'));
}

enum err scan_astring(struct slice *in, struct arena *arena, struct slice *text)
{
    if (opens_string(*in))
        return scan_string(in, arena, text);
    return take_while(in, scan_is_astring_char, text) ? ERR_OK : ERR_SYNTAX;
}

enum err scan_nstring(struct slice *in, struct arena *arena, struct slice *text, bool *nil)
{
    *nil = scan_word(in, "NIL");
    if (*nil) {
        *text = SLICE_LIT("");
        return ERR_OK;
    }
    return scan_string(in, arena, text);
}

enum err scan_list_mailbox(struct slice *in, struct arena *arena, struct slice *pattern)
{
    if (opens_string(*in))
        return scan_string(in, arena, pattern);
    return take_while(in, scan_is_list_char, pattern) ? ERR_OK : ERR_SYNTAX;
}

static const struct {
    const char *name;
    uint64_t bit;
} system_flags[] = {
    { "Seen", SCAN_SEEN },       { "Answered", SCAN_ANSWERED }, { "Flagged", SCAN_FLAGGED },
    { "Deleted", SCAN_DELETED }, { "Draft", SCAN_DRAFT },       { "Recent", SCAN_RECENT },
};

static uint64_t system_flag(struct slice name)
{
    for (size_t i = 0; i < sizeof system_flags / sizeof *system_flags; i++)
        if (slice_eq_nocase(name, slice_of(system_flags[i].name)))
            return system_flags[i].bit;
    return 0;
}

enum err scan_flag_list(struct slice *in, struct arena *arena, bool bare, struct scan_flags *flags)
{
    struct slice rest = *in;
    bool listed = slice_take(&rest, '(');
    if (!listed && !bare)
        return ERR_SYNTAX;
    struct slice found[SCAN_FLAGS_MAX];
    struct scan_flags result = { 0 };
    if (!listed || !slice_take(&rest, ')')) {
        do {
            struct slice name;
            bool system = slice_take(&rest, '\\');
            if (!scan_atom(&rest, &name))
                return ERR_SYNTAX;
            if (system) {
                uint64_t bit = system_flag(name);
                if (!bit)
                    return ERR_SYNTAX;
                result.system |= bit;
            } else {
                if (result.keyword_count == SCAN_FLAGS_MAX)
                    return ERR_LIMIT;
                found[result.keyword_count++] = name;
            }
        } while (slice_take(&rest, ' '));
        if (listed && !slice_take(&rest, ')'))
            return ERR_SYNTAX;
    }
    struct slice *keywords = arena_new(arena, struct slice, result.keyword_count + 1);
    for (size_t i = 0; i < result.keyword_count; i++)
        keywords[i] = found[i];
    result.keywords = keywords;
    *flags = result;
    *in = rest;
    return ERR_OK;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool take_digits(struct slice *in, size_t least, size_t most, int *number)
{
    size_t n = slice_span(*in, "0123456789");
    uint64_t value;
    if (n > most)
        n = most;
    if (n < least || !slice_to_u64(slice_head(*in, n), 9999, &value))
        return false;
    *number = (int)value;
    *in = slice_tail(*in, n);
    return true;
}

static bool take_month(struct slice *in, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12 && in->len >= 3; i++)
        if (slice_eq_nocase(slice_head(*in, 3), slice_make(names + 3 * i, 3))) {
            *month = i + 1;
            *in = slice_tail(*in, 3);
            return true;
        }
    return false;
}

static bool date_is_real(int year, int month, int day)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= lengths[month - 1] + (month == 2 && leap);
}

/* d-Mon-yyyy, with one or two digits of day. */
static bool take_date_text(struct slice *in, int64_t *days)
{
    struct slice rest = *in;
    int day, month, year;
    if (!take_digits(&rest, 1, 2, &day) || !slice_take(&rest, '-') || !take_month(&rest, &month) ||
        !slice_take(&rest, '-') || !take_digits(&rest, 4, 4, &year) || !date_is_real(year, month, day))
        return false;
    *days = days_of(year, month, day);
    *in = rest;
    return true;
}

bool scan_date(struct slice *in, int64_t *days)
{
    struct slice rest = *in;
    bool quoted = slice_take(&rest, '"');
    if (!take_date_text(&rest, days) || (quoted && !slice_take(&rest, '"')))
        return false;
    *in = rest;
    return true;
}

bool scan_date_time(struct slice *in, int64_t *us)
{
    struct slice rest = *in;
    int64_t days;
    int hour, minute, second, zone;
    if (!slice_take(&rest, '"'))
        return false;
    slice_take(&rest, ' '); // date-day-fixed = (SP DIGIT) / 2DIGIT
    if (!take_date_text(&rest, &days) || !slice_take(&rest, ' ') || !take_digits(&rest, 2, 2, &hour) ||
        !slice_take(&rest, ':') || !take_digits(&rest, 2, 2, &minute) || !slice_take(&rest, ':') ||
        !take_digits(&rest, 2, 2, &second) || !slice_take(&rest, ' '))
        return false;
    bool west = slice_take(&rest, '-');
    if (!west && !slice_take(&rest, '+'))
        return false;
    if (!take_digits(&rest, 4, 4, &zone) || !slice_take(&rest, '"'))
        return false;
    if (hour > 23 || minute > 59 || second > 60 || zone % 100 > 59)
        return false;
    int64_t offset = (zone / 100) * 3600 + (zone % 100) * 60;
    *us = (days * 86400 + hour * 3600 + minute * 60 + second - (west ? -offset : offset)) * INT64_C(1000000);
    *in = rest;
    return true;
}
