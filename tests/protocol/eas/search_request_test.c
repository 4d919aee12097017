#include <criterion/criterion.h>

#include "protocol/eas/ids.h"
#include "protocol/eas/search_request.h"
#include "tests/support/notation.h"

#define MAILBOX "+Search:Search +Search:Store Search:Name=Mailbox "
#define QUERY MAILBOX "+Search:Query "
#define AND QUERY "+Search:And "
#define END_AND "- - - -"
#define OPTIONS AND "Search:FreeText=x - - +Search:Options "
#define GAL "+Search:Search +Search:Store Search:Name=GAL "
#define DATE(tag, text) "+Search:" tag " Email:DateReceived= Search:Value=" text " - "
#define NOON "2026-03-07T12:00:00.000Z"

static const struct {
    const char *name, *notation;
    enum err err;
    int status;
    size_t collections, terms;
    uint32_t first, last;
} searches[] = {
    { "words", AND "Search:FreeText=two_words " END_AND, ERR_OK, 1, 0, 2, 0, 99 },
    { "class and folders",
      AND "AirSync:Class=Email AirSync:CollectionId=1 AirSync:CollectionId=2 Search:FreeText=x " END_AND, ERR_OK, 1, 2,
      1, 0, 99 },
    { "folder 0 is everything", AND "AirSync:CollectionId=0 Search:FreeText=x " END_AND, ERR_OK, 1, 0, 1, 0, 99 },
    { "a folder alone", AND "AirSync:CollectionId=5 " END_AND, ERR_OK, 1, 1, 0, 0, 99 },
    { "the Outbox", AND "AirSync:CollectionId=outbox Search:FreeText=x " END_AND, ERR_OK, 1, 1, 1, 0, 99 },
    { "no folder of ours", AND "AirSync:CollectionId=x Search:FreeText=x " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "dates", AND DATE("GreaterThan", NOON) DATE("LessThan", NOON) END_AND, ERR_OK, 1, 0, 0, 0, 99 },
    { "two of one date", AND DATE("LessThan", NOON) DATE("LessThan", NOON) END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "no date", AND DATE("LessThan", "noon") END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "a date without its field", AND "+Search:LessThan Search:Value=" NOON " - " END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "a date without value", AND "+Search:LessThan Email:DateReceived= - " END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "two texts", AND "Search:FreeText=x Search:FreeText=y " END_AND, ERR_OK, 2, 0, 1, 0, 99 },
    { "two conversations", AND "Search:ConversationId=eA Search:ConversationId=eA " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "elements of mail", AND "Email:Subject=x " END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "an empty And", QUERY "Search:And= - - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "an empty text", AND "Search:FreeText= " END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "an And in an And", AND "+Search:And Search:FreeText=x - " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "an Or in an And", AND "+Search:Or Search:FreeText=x - " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "EqualTo in an And", AND "Search:EqualTo= " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "an Or", QUERY "+Search:Or Search:FreeText=x - - - -", ERR_OK, 8, 0, 0, 0, 99 },
    { "two Ands", AND "Search:FreeText=x - +Search:And Search:FreeText=y " END_AND, ERR_OK, 8, 0, 0, 0, 99 },
    { "a text outside of And", QUERY "Search:FreeText=x - - -", ERR_OK, 8, 0, 0, 0, 99 },
    { "a class outside of And", QUERY "AirSync:Class=Email - - -", ERR_OK, 8, 0, 0, 0, 99 },
    { "an element of mail outside of And", QUERY "Email:Subject=x - - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "an empty query", MAILBOX "Search:Query= - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "no query", MAILBOX "- -", ERR_OK, 2, 0, 0, 0, 99 },
    { "a range", OPTIONS "Search:Range=10-19 - - -", ERR_OK, 1, 0, 1, 10, 19 },
    { "a range that is too long", OPTIONS "Search:Range=10-999 - - -", ERR_OK, 1, 0, 1, 10, 109 },
    { "a range backwards", OPTIONS "Search:Range=9-2 - - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "no range", OPTIONS "Search:Range=ten - - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "options twice",
      OPTIONS "Search:DeepTraversal= Search:DeepTraversal= AirSync:MIMESupport=0 AirSync:MIMESupport=0 - - -", ERR_OK,
      1, 0, 1, 0, 99 },
    { "a body preference", OPTIONS "+AirSyncBase:BodyPreference AirSyncBase:Type=1 - - - -", ERR_OK, 1, 0, 1, 0, 99 },
    { "a bad body preference", OPTIONS "+AirSyncBase:BodyPreference AirSyncBase:Type=9 - - - -", ERR_OK, 2, 0, 0, 0,
      99 },
    { "a part that is not HTML", OPTIONS "+AirSyncBase:BodyPartPreference AirSyncBase:Type=1 - - - -", ERR_OK, 164, 0,
      0, 0, 99 },
    { "people", GAL "Search:Query=ann - -", ERR_OK, 1, 0, 0, 0, 99 },
    { "people without a text", GAL "Search:Query= - -", ERR_OK, 2, 0, 0, 0, 99 },
    { "people by a tree", GAL "+Search:Query +Search:And Search:FreeText=x " END_AND, ERR_OK, 2, 0, 0, 0, 99 },
    { "documents", "+Search:Search +Search:Store Search:Name=DocumentLibrary - -", ERR_OK, 5, 0, 0, 0, 0 },
    { "another store", "+Search:Search +Search:Store Search:Name=Moon - -", ERR_OK, 2, 0, 0, 0, 0 },
    { "a second store", GAL "Search:Query=ann - +Search:Store Search:Name=Moon - -", ERR_OK, 1, 0, 0, 0, 99 },
    { "no store", "Search:Search=", ERR_SYNTAX, 2, 0, 0, 0, 0 },
};

Test(search_request, searches)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
        struct eas_search_request request;
        cr_expect_eq(eas_search_parse(notation_build(arena, searches[i].notation), arena, &request), searches[i].err,
                     "%s", searches[i].name);
        cr_expect_eq(request.status, searches[i].status, "%s: %d", searches[i].name, request.status);
        cr_expect_eq(request.range.first, searches[i].first, "%s", searches[i].name);
        cr_expect_eq(request.range.last, searches[i].last, "%s", searches[i].name);
        if (request.status != EAS_SEARCH_OK)
            continue;
        cr_expect_eq(request.mail.collection_count, searches[i].collections, "%s", searches[i].name);
        cr_expect_eq(request.mail.term_count, searches[i].terms, "%s", searches[i].name);
        cr_expect_eq(request.mail.everywhere, request.store == EAS_STORE_MAILBOX && searches[i].collections == 0, "%s",
                     searches[i].name);
    }
    arena_close(&arena);
}

#define FIND "+Find:Find Find:SearchId=7 +Find:ExecuteSearch +Find:MailBoxSearchCriterion "
#define FIND_QUERY FIND "+Find:Query Find:FreeText=x "
#define END_FIND "- - -"

static const struct {
    const char *name, *notation;
    enum err err;
    int status;
    size_t collections;
    uint32_t first, last;
} finds[] = {
    { "words", FIND_QUERY "- " END_FIND, ERR_OK, 1, 0, 0, 99 },
    { "in a folder", FIND_QUERY "AirSync:Class=Email AirSync:CollectionId=3 - " END_FIND, ERR_OK, 1, 1, 0, 99 },
    { "without words", FIND "+Find:Query AirSync:Class=Email - " END_FIND, ERR_OK, 2, 0, 0, 99 },
    { "without query", FIND END_FIND, ERR_OK, 2, 0, 0, 99 },
    { "no folder of ours", FIND_QUERY "AirSync:CollectionId=x - " END_FIND, ERR_OK, 2, 0, 0, 99 },
    { "an element of mail", FIND_QUERY "Email:Subject=x - " END_FIND, ERR_OK, 2, 0, 0, 99 },
    { "a range", FIND_QUERY "- +Find:Options Find:Range=900-999 - " END_FIND, ERR_OK, 1, 0, 900, 999 },
    { "beyond what is kept", FIND_QUERY "- +Find:Options Find:Range=990-1000 - " END_FIND, ERR_OK, 12, 0, 990, 1000 },
    { "a range backwards", FIND_QUERY "- +Find:Options Find:Range=2-1 - " END_FIND, ERR_OK, 2, 0, 0, 99 },
    { "no id", "+Find:Find +Find:ExecuteSearch +Find:GalSearchCriterion Find:Query=x - - -", ERR_SYNTAX, 2, 0, 0, 0 },
    { "no criterion", "+Find:Find Find:SearchId=7 Find:ExecuteSearch= -", ERR_SYNTAX, 2, 0, 0, 0 },
    { "both criteria", FIND "- Find:GalSearchCriterion= - -", ERR_SYNTAX, 2, 0, 0, 0 },
    { "people", "+Find:Find Find:SearchId=7 +Find:ExecuteSearch +Find:GalSearchCriterion Find:Query=x - - -", ERR_OK, 1,
      0, 0, 99 },
    { "people without a text", "+Find:Find Find:SearchId=7 +Find:ExecuteSearch Find:GalSearchCriterion= - -", ERR_OK, 2,
      0, 0, 99 },
};

Test(search_request, finds)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof finds / sizeof *finds; i++) {
        struct eas_search_request request;
        cr_expect_eq(eas_find_parse(notation_build(arena, finds[i].notation), arena, &request), finds[i].err, "%s",
                     finds[i].name);
        cr_expect_eq(request.status, finds[i].status, "%s: %d", finds[i].name, request.status);
        cr_expect_eq(request.range.first, finds[i].first, "%s", finds[i].name);
        cr_expect_eq(request.range.last, finds[i].last, "%s", finds[i].name);
        if (request.status == EAS_SEARCH_OK)
            cr_expect_eq(request.mail.collection_count, finds[i].collections, "%s", finds[i].name);
    }
    arena_close(&arena);
}

/* Terms are written as kind letter and text: "f:bob" - any (a), from, to, cc (c), bcc (b), participants (p), subject
 * (s), body (y), attachment (h), read (r), flagged (g); "!" negated, "|" in front of an alternative. */
static const struct {
    const char *text, *terms;
} texts[] = {
    { "", "" },
    { "  ", "" },
    { "one two", "a:one a:two" },
    { "from:bob", "f:bob" },
    { "FROM:bob to:\"Ann Lee\" cc:x bcc:y participants:z", "f:bob t:Ann Lee c:x b:y p:z" },
    { "subject:\"x y\" body:z", "s:x y y:z" },
    { "\"two words\" more", "a:two words a:more" },
    { "hasattachments:true", "h:1" },
    { "hasattachment:no x", "h:0 a:x" },
    { "hasattachments:perhaps", "a:hasattachments:perhaps" },
    { "isread:false isflagged:yes", "r:0 g:1" },
    { "from:", "a:from:" },
    { "kind:email", "a:kind:email" },
    { "http://x.test", "a:http://x.test" },
    { "red OR green blue", "a:red |a:green a:blue" },
    { "red AND green", "a:red a:green" },
    { "(red OR green) NOT blue", "a:red |a:green !a:blue" },
    { "-draft x-y", "!a:draft a:x-y" },
    { "NOT NOT x", "a:x" },
    { "OR x OR", "a:x" },
    { "x OR hasattachments:true OR y", "a:x h:1 a:y" },
    { "ORANGE ANDES", "a:ORANGE a:ANDES" },
    { "\"\" x", "a:x" },
    { "\"open", "a:open" },
    { "- x", "a:- a:x" },
};

static void show(const struct eas_term *terms, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct eas_term *term = &terms[i];
        buf_printf(out, "%s%s%s%c:", i ? " " : "", i && terms[i - 1].or_next ? "|" : "", term->negated ? "!" : "",
                   "aftcbpsyhrg"[term->kind]);
        if (term->kind >= EAS_TERM_ATTACHMENT)
            buf_add_byte(out, term->on ? '1' : '0');
        else
            buf_add(out, term->text);
    }
}

Test(search_request, texts)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct eas_term *terms;
        size_t count;
        struct buf out = { 0 };
        cr_expect_eq(eas_free_text_parse(slice_of(texts[i].text), arena, &terms, &count), ERR_OK, "%s", texts[i].text);
        show(terms, count, &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(texts[i].terms)), "%s: %.*s", texts[i].text,
                  SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
    arena_close(&arena);
}

Test(search_request, text_limits)
{
    struct arena *arena = arena_open();
    struct eas_term *terms;
    size_t count;
    struct buf text = { 0 };
    for (unsigned i = 0; i < EAS_TERMS_MAX; i++)
        buf_add_text(&text, "x ");
    cr_expect_eq(eas_free_text_parse(buf_slice(&text), arena, &terms, &count), ERR_OK);
    buf_add_text(&text, "x");
    cr_expect_eq(eas_free_text_parse(buf_slice(&text), arena, &terms, &count), ERR_LIMIT);
    buf_clear(&text);
    for (unsigned i = 0; i < EAS_FREE_TEXT_MAX; i++)
        buf_add_byte(&text, 'x');
    cr_expect_eq(eas_free_text_parse(buf_slice(&text), arena, &terms, &count), ERR_OK);
    buf_add_byte(&text, 'x');
    cr_expect_eq(eas_free_text_parse(buf_slice(&text), arena, &terms, &count), ERR_LIMIT);
    buf_free(&text);
    arena_close(&arena);
}

Test(search_request, conversations)
{
    uint8_t id[EAS_CONVERSATION_ID_LEN];
    int64_t threads[] = { 1, -1, INT64_MIN, INT64_MAX, 0x123456789abcdef }, thread;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        eas_conversation_id(threads[i], id);
        cr_expect(eas_conversation_parse(slice_make(id, sizeof id), &thread));
        cr_expect_eq(thread, threads[i]);
        cr_expect_not(eas_conversation_parse(slice_make(id, sizeof id - 1), &thread));
        id[15] ^= 1;
        cr_expect_not(eas_conversation_parse(slice_make(id, sizeof id), &thread), "not one of ours");
    }
}

Test(search_request, keys_part_searches)
{
    struct arena *arena = arena_open();
    const char *queries[] = { AND "Search:FreeText=x " END_AND,
                              AND "Search:FreeText=y " END_AND,
                              AND "Search:FreeText=-x " END_AND,
                              AND "Search:FreeText=from:x " END_AND,
                              AND "Search:FreeText=x AirSync:CollectionId=1 " END_AND,
                              AND "Search:FreeText=x AirSync:CollectionId=2 " END_AND,
                              AND "Search:FreeText=x " DATE("LessThan", NOON) END_AND,
                              AND "Search:FreeText=x " DATE("GreaterThan", NOON) END_AND,
                              OPTIONS "Search:DeepTraversal= - - -" };
    struct buf keys[sizeof queries / sizeof *queries] = { 0 }, page = { 0 };
    struct eas_search_request request;
    size_t count = sizeof queries / sizeof *queries;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(eas_search_parse(notation_build(arena, queries[i]), arena, &request), ERR_OK);
        eas_search_key(&request, &keys[i]);
        for (size_t j = 0; j < i; j++)
            cr_expect_not(slice_eq(buf_slice(&keys[i]), buf_slice(&keys[j])), "%zu and %zu", i, j);
    }
    cr_assert_eq(eas_search_parse(notation_build(arena, OPTIONS "Search:Range=100-199 - - -"), arena, &request),
                 ERR_OK);
    eas_search_key(&request, &page);
    cr_expect(slice_eq(buf_slice(&keys[0]), buf_slice(&page)), "a page of the same search");
    for (size_t i = 0; i < count; i++)
        buf_free(&keys[i]);
    buf_free(&page);
    arena_close(&arena);
}
