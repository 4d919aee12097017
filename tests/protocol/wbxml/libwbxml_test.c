/* The codec against an independent one: wbxml2xml and xml2wbxml of libwbxml (Debian's libwbxml2-utils), and the table of
 * tags against a list that was gathered apart from it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "protocol/wbxml/wbxml.h"

#define CODE_PAGES GODWIT_SOURCE_DIR "/tests/data/wbxml/code-pages.tsv"
#define LIBWBXML_LAST_PAGE 24 // it knows nothing of page 25 (Find): golden vectors stand for that
#define HEAD_END "http://www.microsoft.com/\">"

/* ---- the list ---- */

struct listed {
    uint16_t tag;
    char name[64], there[64]; // "Page:Name"; libwbxml's name, "-" when it has none
};

struct list {
    struct listed *rows;
    size_t count;
};

static struct list read_list(struct arena *arena)
{
    FILE *file = fopen(CODE_PAGES, "r");
    cr_assert_not_null(file);
    struct list list = { arena_new(arena, struct listed, wbxml_row_count + 1), 0 };
    char line[256];
    while (fgets(line, sizeof line, file)) {
        unsigned page, token;
        if (*line == '#')
            continue;
        cr_assert_leq(list.count, wbxml_row_count);
        struct listed *row = &list.rows[list.count++];
        int words = sscanf(line, "%u\t%x\t%63s\t%63s", &page, &token, row->name, row->there);
        cr_assert_geq(words, 3, "%s", line);
        row->tag = WBXML_CODE(page, token);
        if (words == 3)
            strcpy(row->there, strchr(row->name, ':') + 1);
    }
    fclose(file);
    return list;
}

static const char *name_there(const struct list *list, uint16_t tag)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].tag == tag)
            return list->rows[i].there;
    }
    cr_assert_fail("%04X is not in the list", tag);
    return "";
}

static bool is_lacking(const struct list *list, uint16_t tag)
{
    return strcmp(name_there(list, tag), "-") == 0;
}

/* code_pages.h against the list: each row is there under the number and the name, and no other. */
Test(libwbxml, the_table_is_the_list)
{
    struct arena *arena = arena_open();
    struct list list = read_list(arena);
    cr_expect_eq(list.count, wbxml_row_count);
    for (size_t i = 0; i < list.count; i++)
        cr_expect_str_eq(wbxml_name(list.rows[i].tag), list.rows[i].name);
    arena_close(&arena);
}

/* ---- running the two programs ---- */

static char *put_file(struct arena *arena, struct slice content)
{
    char *path = arena_printf(arena, "%s/godwit-wbxml-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content.at, content.len), (ssize_t)content.len);
    close(fd);
    return path;
}

/* What the command prints, given a file with the content as its last word. */
static struct slice filter(struct arena *arena, const char *command, struct slice content)
{
    char *path = put_file(arena, content);
    FILE *pipe = popen(arena_printf(arena, "%s %s 2>/dev/null", command, path), "r");
    cr_assert_not_null(pipe);
    struct buf out = { 0 };
    size_t n;
    do {
        n = fread(buf_reserve(&out, 65536), 1, 65536, pipe);
        buf_commit(&out, n);
    } while (n);
    cr_assert_eq(pclose(pipe), 0, "%s", command);
    unlink(path);
    struct slice copy = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return copy;
}

static struct slice to_xml(struct arena *arena, struct slice document)
{
    struct slice xml = filter(arena, "wbxml2xml -m 0 -k -l ACTIVESYNC -o -", document);
    size_t head = slice_find_slice(xml, SLICE_LIT(HEAD_END));
    cr_assert_neq(head, SIZE_MAX, "no document: %.*s", SLICE_ARG(xml));
    return slice_tail(xml, head + sizeof HEAD_END - 1);
}

static struct slice to_wbxml(struct arena *arena, struct slice xml)
{
    struct buf whole = { 0 };
    buf_add_text(&whole, "<?xml version=\"1.0\"?><!DOCTYPE ActiveSync PUBLIC \"-//MICROSOFT//DTD ActiveSync//EN\" \"" HEAD_END);
    buf_add(&whole, xml);
    struct slice document = filter(arena, "xml2wbxml -k -n -a -v 1.3 -o -", buf_slice(&whole));
    buf_free(&whole);
    return document;
}

/* ---- the same tree in both forms ---- */

struct both {
    const struct list *list;
    struct wbxml_writer writer;
    struct buf wbxml, xml;
};

static void both_init(struct both *both, const struct list *list)
{
    *both = (struct both){ .list = list };
    wbxml_writer_init(&both->writer, &both->wbxml);
}

static void both_fini(struct both *both)
{
    buf_free(&both->wbxml);
    buf_free(&both->xml);
}

/* The start tag in XML: a namespace when it differs from the element's around it. */
static void put_tag(struct both *both, uint16_t around, uint16_t tag)
{
    const char *page = WBXML_TAG_PAGE(tag) == WB_PAGE_GAL ? "Gal" : wbxml_find(tag)->page;
    buf_printf(&both->xml, "<%s", name_there(both->list, tag));
    if (around == 0 || WBXML_TAG_PAGE(around) != WBXML_TAG_PAGE(tag))
        buf_printf(&both->xml, " xmlns=\"%s:\"", page);
}

static void both_start(struct both *both, uint16_t around, uint16_t tag)
{
    put_tag(both, around, tag);
    buf_add_byte(&both->xml, '>');
    wbxml_start(&both->writer, tag);
}

static void both_end(struct both *both, uint16_t tag)
{
    buf_printf(&both->xml, "</%s>", name_there(both->list, tag));
    wbxml_end(&both->writer, tag);
}

static void both_text(struct both *both, uint16_t around, uint16_t tag, const char *text, const char *in_xml)
{
    wbxml_cstr(&both->writer, tag, text);
    put_tag(both, around, tag);
    if (*in_xml)
        buf_printf(&both->xml, ">%s</%s>", in_xml, name_there(both->list, tag));
    else
        buf_add_text(&both->xml, "/>");
}

static void both_opaque(struct both *both, uint16_t around, uint16_t tag, struct slice octets, const char *base64)
{
    wbxml_opaque(&both->writer, tag, octets);
    put_tag(both, around, tag);
    buf_printf(&both->xml, ">%s</%s>", base64, name_there(both->list, tag));
}

static void check(struct arena *arena, struct both *both, const char *what)
{
    struct slice xml = to_xml(arena, buf_slice(&both->wbxml));
    cr_expect(slice_eq(xml, buf_slice(&both->xml)), "%s\n expected: %.*s\n got:      %.*s", what,
              SLICE_ARG(buf_slice(&both->xml)), SLICE_ARG(xml));
}

static bool same_tree(const struct wbxml_node *a, const struct wbxml_node *b)
{
    while (a && b) {
        if (a->tag != b->tag || !slice_eq(a->text, b->text) || !same_tree(a->child, b->child))
            return false;
        a = a->next;
        b = b->next;
    }
    return !a && !b;
}

/* What libwbxml makes of the XML is to us the document that we wrote. */
static void check_back(struct arena *arena, struct both *both, const char *what)
{
    struct wbxml_node *ours, *theirs;
    struct slice document = to_wbxml(arena, buf_slice(&both->xml));
    cr_assert_eq(wbxml_parse(buf_slice(&both->wbxml), arena, &ours, NULL), ERR_OK, "%s", what);
    cr_assert_eq(wbxml_parse(document, arena, &theirs, NULL), ERR_OK, "%s", what);
    cr_expect(same_tree(ours, theirs), "%s", what);
}

/* ---- tests ---- */

/* Each tag of a page, empty, below a Sync; what libwbxml lacks is <unknown/> to it. */
static void put_page(struct both *both, uint8_t page, bool with_lacking)
{
    both_start(both, 0, WB_AirSync_Sync);
    for (size_t i = 0; i < wbxml_row_count; i++) {
        uint16_t tag = wbxml_rows[i].tag;
        bool lacking = WBXML_TAG_PAGE(tag) == page && is_lacking(both->list, tag);
        if (WBXML_TAG_PAGE(tag) != page || (lacking && !with_lacking))
            continue;
        wbxml_empty(&both->writer, tag);
        if (!lacking)
            put_tag(both, WB_AirSync_Sync, tag);
        buf_add_text(&both->xml, lacking ? "<unknown/>" : "/>");
    }
    both_end(both, WB_AirSync_Sync);
}

static void each_page(bool with_lacking, void (*look)(struct arena *arena, struct both *both, const char *what))
{
    struct arena *arena = arena_open();
    struct list list = read_list(arena);
    size_t pages = 0;
    for (size_t i = 0; i < wbxml_row_count; i++) {
        uint8_t page = WBXML_TAG_PAGE(wbxml_rows[i].tag);
        if ((i && WBXML_TAG_PAGE(wbxml_rows[i - 1].tag) == page) || page > LIBWBXML_LAST_PAGE)
            continue;
        struct both both;
        both_init(&both, &list);
        put_page(&both, page, with_lacking);
        look(arena, &both, wbxml_rows[i].page);
        both_fini(&both);
        pages++;
    }
    cr_expect_eq(pages, LIBWBXML_LAST_PAGE); // 0 to 24 without 3
    arena_close(&arena);
}

Test(libwbxml, reads_every_tag_that_it_has)
{
    each_page(true, check);
}

Test(libwbxml, writes_every_tag_as_we_read_it)
{
    each_page(false, check_back);
}

/* Page switches down and up again, empty tags, containers, characters that XML writes otherwise, long text, octets. */
Test(libwbxml, reads_nesting_text_and_octets)
{
    struct arena *arena = arena_open();
    struct list list = read_list(arena);
    struct both both;
    both_init(&both, &list);
    both_start(&both, 0, WB_AirSync_Sync);
    both_text(&both, WB_AirSync_Sync, WB_AirSync_MoreAvailable, "", "");
    both_start(&both, WB_AirSync_Sync, WB_AirSync_ApplicationData);
    both_text(&both, WB_AirSync_ApplicationData, WB_Email_Subject, "\xC3\xBC<&>\"' \xF0\x9F\x90\xA6",
              "\xC3\xBC&lt;&amp;&gt;&quot;&apos; \xF0\x9F\x90\xA6");
    both_start(&both, WB_AirSync_ApplicationData, WB_Email_Flag);
    both_text(&both, WB_Email_Flag, WB_Tasks_DueDate, "2026-11-27T00:00:00.000Z", "2026-11-27T00:00:00.000Z");
    both_text(&both, WB_Email_Flag, WB_Email_FlagType, "x", "x");
    both_end(&both, WB_Email_Flag);
    char *text = arena_alloc(arena, 300001);
    memset(text, 'x', 300000);
    text[300000] = '\0';
    both_start(&both, WB_AirSync_ApplicationData, WB_AirSyncBase_Body);
    both_text(&both, WB_AirSyncBase_Body, WB_AirSyncBase_Data, text, text);
    both_end(&both, WB_AirSyncBase_Body);
    both_opaque(&both, WB_AirSync_ApplicationData, WB_Email2_ConversationId, slice_make("\x00\x01\xFF", 3), "AAH/");
    both_end(&both, WB_AirSync_ApplicationData);
    both_end(&both, WB_AirSync_Sync);
    check(arena, &both, "nesting");
    both_fini(&both);
    arena_close(&arena);
}
