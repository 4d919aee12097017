/* Searching the store: packs, what is not packed, whole mailboxes in pages, and that purged content leaves the packs. The
 * reader of these tests takes a mail for its text: the first line is the subject, all of it the body, "day N" the date. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/retention.h"
#include "storage/search_internal.h"
#include "tests/support/one_account.h"

#define DAY_US (INT64_C(86400) * US_PER_S)

TestSuite(search, .init = setup, .fini = teardown);

static int reads; // messages that the reader was given

static enum err read_plain(const struct message_row *row, struct search_octets *octets, bool whole, struct arena *to,
                           struct search_texts *texts)
{
    struct slice text;
    reads++;
    enum err err = search_octets_read(octets, 0, (uint64_t)row->size, &text);
    if (err)
        return err;
    char *folded = arena_text(to, text);
    for (char *at = folded; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    struct slice rest = slice_of(folded), all = rest;
    texts->lines[4] = slice_cut(&rest, '\n');
    texts->header = slice_of(arena_printf(to, "subject: %.*s\nx-kind: %s\n", SLICE_ARG(texts->lines[4]), "test"));
    texts->own_len = texts->header.len;
    texts->body = whole ? all : SLICE_LIT("");
    size_t day = slice_find_slice(all, SLICE_LIT("day "));
    texts->has_sent_day = day != SIZE_MAX;
    texts->sent_day = texts->has_sent_day ? atoi(all.at + day + 4) : 0;
    return ERR_OK;
}

static const struct search_reader reader = { read_plain };

/* ---- helpers ---- */

static void fill(struct mailbox_id mailbox, int from, int to)
{
    for (int n = from; n < to; n++)
        rig_append(db, account, mailbox, arena_printf(arena, "Subject %d\nThe zebra%dx is here, day %d\n", n, n, n), n % 2);
}

static void pack_all(void)
{
    bool more = true;
    while (more)
        cr_assert_eq(search_pack_step(db, account, &reader, &more), ERR_OK, "%s", db_trace(db)->text);
}

static struct search_node text_of(const char *text, unsigned where)
{
    return (struct search_node){ .test = SEARCH_IS_TEXT, .where = where, .text = slice_of(text) };
}

/* Hits as "mailbox:uid mailbox:uid", "+" behind them when there are more. */
static const char *find(const struct search_scope *scope, const struct search_node *query)
{
    struct search_find *f = search_find_open(account, scope, query, &reader);
    struct buf out = { 0 };
    bool done = false, more;
    size_t count;
    while (!done)
        cr_assert_eq(search_find_step(f, db, &done), ERR_OK, "%s", db_trace(db)->text);
    const struct search_found *hits = search_find_hits(f, &count, &more);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%s%lld:%u", i ? " " : "", (long long)hits[i].mailbox.n, hits[i].uid);
    if (more)
        buf_add_text(&out, "+");
    const char *text = arena_text(arena, buf_slice(&out));
    search_find_close(&f);
    buf_free(&out);
    return text;
}

static void expect_found(const struct search_scope *scope, const struct search_node *query, const char *wanted, const char *what)
{
    const char *got = find(scope, query);
    cr_expect_str_eq(got, wanted, "%s: %s, not %s", what, got, wanted);
}

static int64_t number(const char *sql)
{
    return rig_number(db, account, sql);
}

/* ---- packs ---- */

Test(search, packed_and_not_packed_give_the_same)
{
    static const struct {
        const char *name;
        struct search_node query;
        const char *wanted;
    } rows[] = {
        { "a rare word", { .test = SEARCH_IS_TEXT, .where = SEARCH_IN_BODY, .text = { "zebra77x", 8 } }, "1:78" },
        { "a subject", { .test = SEARCH_IS_TEXT, .where = SEARCH_IN_SUBJECT, .text = { "subject 299", 11 } }, "1:300" },
        { "two letters", { .test = SEARCH_IS_TEXT, .where = SEARCH_IN_BODY, .text = { "a9", 2 } },
          "1:10 1:91 1:92 1:93 1:94 1:95 1:96 1:97 1:98 1:99 1:100" },
        { "not in the body", { .test = SEARCH_IS_TEXT, .where = SEARCH_IN_BODY, .text = { "x-kind", 6 } }, "" },
        { "a field", { .test = SEARCH_IS_FIELD, .field = { "subject", 7 }, .text = { "t 123", 5 } }, "1:124" },
        { "no such field", { .test = SEARCH_IS_FIELD, .field = { "x-none", 6 }, .text = { "", 0 } }, "" },
        { "a day", { .test = SEARCH_IS_SENT_SINCE, .number = 298 }, "1:299 1:300" },
        { "nowhere", { .test = SEARCH_IS_TEXT, .where = SEARCH_IN_HEADER | SEARCH_IN_BODY, .text = { "giraffe", 7 } }, "" },
    };
    struct search_scope scope = { .by_uid = true };
    fill(rig_inbox(), 0, 300);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            expect_found(&scope, &rows[i].query, rows[i].wanted, rows[i].name);
        pack_all();
    }
    reads = 0;
    expect_found(&scope, &rows[0].query, "1:78", "packed");
    cr_expect_leq(reads, 60, "%d of 300 mails were read for a rare word", reads);
    reads = 0;
    struct search_node line = text_of("subject 12", SEARCH_IN_SUBJECT);
    find(&scope, &line);
    cr_expect_leq(reads, 32, "a line asks the texts of the tail alone, not of %d", reads);
}

Test(search, few_new_messages_wait)
{
    bool more;
    fill(rig_inbox(), 0, 30);
    cr_assert_eq(search_pack_step(db, account, &reader, &more), ERR_OK);
    cr_expect(!more);
    cr_expect_eq(number("select count(*) from search_pack where account_id = $1"), 0);
    fill(rig_inbox(), 30, 45);
    pack_all();
    cr_expect_eq(number("select count(*) from search_pack where account_id = $1"), 1);
    fill(rig_inbox(), 45, 300);
    pack_all();
    cr_expect_eq(number("select count(*) from search_pack where account_id = $1"), 2);
    cr_expect_eq(number("select min(upto) from search_pack where account_id = $1"), PACK_MESSAGES);
    struct search_node query = text_of("zebra42x", SEARCH_IN_BODY);
    expect_found(&(struct search_scope){ 0 }, &query, find(&(struct search_scope){ 0 }, &query), "extended");
    cr_expect_str_neq(find(&(struct search_scope){ 0 }, &query), "");
    struct account_id *behind;
    size_t count;
    cr_assert_eq(search_behind(db, arena, (struct account_id){ account.n - 1 }, 1, &behind, &count), ERR_OK);
    cr_expect(count == 0 || behind[0].n != account.n, "nothing is left to pack");
}

Test(search, big_messages_and_long_lines)
{
    size_t size = 3000000;
    char *big = malloc(size + 1);
    memset(big, 'b', size);
    big[size] = '\0';
    memcpy(big, "Big one\n", 8);
    memcpy(big + size - 20, " the walrus at end\n", 19);
    rig_append(db, account, rig_inbox(), big, 0);
    memset(big, 'l', 5000);
    memcpy(big + 4980, " tail of the line\n", 18);
    big[5100] = '\0';
    rig_append(db, account, rig_inbox(), big, 0);
    free(big);
    fill(rig_inbox(), 2, 40);
    struct search_node walrus = text_of("walrus at", SEARCH_IN_BODY), tail = text_of("tail of", SEARCH_IN_SUBJECT);
    for (int round = 0; round < 2; round++) {
        expect_found(&(struct search_scope){ 0 }, &walrus, "1:1", "far behind");
        expect_found(&(struct search_scope){ 0 }, &tail, "1:2", "a line that is cut in the pack");
        pack_all();
    }
}

Test(search, purged_content_leaves_the_packs)
{
    struct purge_report report = { 0 };
    uint32_t *uids;
    size_t count;
    int64_t zero = 0;
    struct pack *packs;
    fill(rig_inbox(), 0, 60);
    pack_all();
    cr_assert_eq(message_expunge(db, arena, account, rig_inbox(), &(struct uid_range){ 10, 12 }, 1, false, &by_imap, &uids,
                                 &count, &changes),
                 ERR_OK);
    rig_run(db, "update placement set removed_at = removed_at - interval '20 days' where account_id = $1", account.n);
    cr_assert_eq(retention_purge(db, clock_wall_us() - 14 * DAY_US, 0, &report), ERR_OK);
    cr_expect_geq(report.messages, 3);
    cr_assert_eq(packs_read(db, arena, account, &zero, 1, true, &packs, &count), ERR_OK);
    cr_assert_eq(count, 1);
    cr_expect_eq(packs[0].count, 57);
    for (size_t i = 0; i < packs[0].count; i++)
        cr_expect(slice_find_slice(packs[0].entries[i].lines[4], SLICE_LIT("subject 10")) == SIZE_MAX);
    cr_expect_eq(number("select count(*) from search_stale where account_id = $1"), 0);
    struct search_node query = text_of("zebra20x", SEARCH_IN_BODY);
    expect_found(&(struct search_scope){ 0 }, &query, "1:21", "the others are found");
}

Test(search, what_is_purged_while_it_is_packed_does_not_come_back)
{
    fill(rig_inbox(), 0, 40);
    int64_t written = number("select search_pack_put_1($1, 0, 0, 10, array[1, 999999], 'x', 'y')::int");
    cr_expect_eq(written, 0, "one of them is gone");
    cr_expect_eq(number("select search_pack_put_1($1, 0, 7, 10, array[1], 'x', 'y')::int"), 0, "somebody else was first");
    cr_expect_eq(number("select count(*) from search_pack where account_id = $1"), 0);
    pack_all();
    rig_run(db, "delete from message where account_id = $1 and message_id = 5", account.n);
    cr_expect_eq(number("select count(*) from search_stale where account_id = $1"), 1);
    fill(rig_inbox(), 40, 80); // extends a pack that is stale
    pack_all();
    cr_expect_eq(number("select count(*) from search_stale where account_id = $1"), 0);
}

Test(search, a_damaged_pack_is_an_error_not_a_crash)
{
    struct pack *packs;
    int64_t zero = 0;
    size_t count;
    fill(rig_inbox(), 0, 40);
    pack_all();
    rig_run(db, "update search_pack set signatures = substr(signatures, 1, 50) where account_id = $1", account.n);
    cr_expect_eq(packs_read(db, arena, account, &zero, 1, true, &packs, &count), ERR_STATE);
    rig_run(db, "update search_pack set lines = 'x' where account_id = $1", account.n);
    cr_expect_eq(packs_read(db, arena, account, &zero, 1, false, &packs, &count), ERR_STATE);
}

/* ---- signatures ---- */

static bool may_contain(const char *text, const char *needle)
{
    struct sequences has = { 0 }, asked = { 0 };
    size_t count, asked_count;
    sequences_add(&has, slice_of(text));
    sequences_add(&asked, slice_of(needle));
    uint32_t *hashes = sequences_list(&has, arena, &count), *wanted = sequences_list(&asked, arena, &asked_count);
    struct pack_entry entry = { .signature = pack_sign(arena, hashes, count, 512) };
    bool may = entry_may_have(&entry, wanted, asked_count);
    sequences_free(&has);
    sequences_free(&asked);
    return may;
}

Test(search, signatures)
{
    static const struct {
        const char *name, *text, *needle;
        bool may;
    } rows[] = {
        { "a piece", "the quick brown fox", "ick bro", true },
        { "all of it", "abc", "abc", true },
        { "not there", "the quick brown fox", "lazy dog", false },
        { "two letters say nothing", "the quick brown fox", "zz", true },
        { "two wide ones do", "東京都の会議", "京都", true },
        { "others do not", "東京都の会議", "大阪", false },
        { "wide and narrow", "a東京", "a東京", true },
        { "nothing", "", "abc", false },
        { "no text asked", "abc", "", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(may_contain(rows[i].text, rows[i].needle), rows[i].may, "%s", rows[i].name);
    struct pack_entry unsigned_entry = { 0 };
    cr_expect(entry_may_have(&unsigned_entry, (const uint32_t[]){ 5 }, 1), "without a signature everything may be");
}

Test(search, too_many_sequences_are_said_so)
{
    struct sequences set = { 0 };
    struct buf text = { 0 };
    for (unsigned n = 0; n < 60000; n++)
        buf_printf(&text, "%c%c%c ", 'a' + n % 26, 'a' + n / 26 % 26, 'a' + n / 676);
    sequences_add(&set, buf_slice(&text));
    cr_expect(set.full);
    cr_expect_eq(set.count, SEARCH_SEQUENCES_MAX);
    sequences_free(&set);
    buf_free(&text);
}

/* ---- whole mailboxes ---- */

static void date(uint32_t uid, int day)
{
    struct db_args args = { 0 };
    args_i64(&args, account.n);
    args_i64(&args, uid);
    args_time(&args, day * DAY_US);
    cr_assert_eq(db_run_only(db, "update placement set internal_date = $3 where account_id = $1 and uid = $2", &args, NULL), ERR_OK);
}

Test(search, mailboxes_in_pages)
{
    struct mailbox_id other = rig_mailbox(db, account, "Other"), gone = rig_mailbox(db, account, "Gone");
    struct search_node all = { .test = SEARCH_IS_ALL }, seen = { .test = SEARCH_IS_FLAGGED, .number = FLAG_SEEN };
    fill(rig_inbox(), 0, 3);
    fill(other, 0, 1);
    fill(gone, 0, 1);
    date(1, 30);
    date(2, 50);
    date(3, 40);
    cr_assert_eq(mailbox_delete(db, account, gone, false, &by_imap, &changes), ERR_OK);
    char *both = arena_printf(arena, "1:2 1:3 1:1 %lld:1", (long long)other.n);
    expect_found(&(struct search_scope){ 0 }, &all, both, "newest first, the deleted mailbox left out");
    expect_found(&(struct search_scope){ .mailboxes = &other, .mailbox_count = 1 }, &all, both + 12, "one mailbox");
    expect_found(&(struct search_scope){ .mailboxes = &gone, .mailbox_count = 1 }, &all, "", "a deleted one");
    expect_found(&(struct search_scope){ .by_uid = true, .limit = 2 }, &all, "1:1 1:2+", "the first two");
    expect_found(&(struct search_scope){ .by_uid = true, .limit = 2, .after = { .mailbox = rig_inbox(), .uid = 2 } }, &all,
                 arena_printf(arena, "1:3 %lld:1", (long long)other.n), "the next two");
    struct search_found after = { .mailbox = rig_inbox(), .uid = 2, .internal_us = 50 * DAY_US };
    expect_found(&(struct search_scope){ .limit = 1, .after = after }, &all, "1:3+", "the second newest");
    expect_found(&(struct search_scope){ .mailboxes = (struct mailbox_id[]){ { 1 } }, .mailbox_count = 1 }, &seen, "1:2", "flags");
}

Test(search, scope_limit)
{
    struct search_node all = { .test = SEARCH_IS_ALL }, seen = { .test = SEARCH_IS_FLAGGED, .number = FLAG_SEEN };
    fill(rig_inbox(), 0, 4);
    for (uint32_t most = 3; most <= 4; most++) {
        struct search_scope scope = { .rows_max = most };
        struct search_find *f = search_find_open(account, &scope, &all, &reader);
        bool done = false;
        enum err err = ERR_OK;
        while (!err && !done)
            err = search_find_step(f, db, &done);
        cr_expect_eq(err, most == 3 ? ERR_LIMIT : ERR_OK, "%u", most);
        search_find_close(&f);
    }
    expect_found(&(struct search_scope){ .rows_max = 2 }, &seen, "1:4 1:2", "what flags rule out does not count");
}

/* The search is asked step by step; another statement fits between two steps. */
Test(search, nothing_is_held_between_steps)
{
    struct search_node query = text_of("x", SEARCH_IN_BODY);
    struct search_scope scope = { 0 };
    struct search_find *f = search_find_open(account, &scope, &query, &reader);
    bool done = false;
    fill(rig_inbox(), 0, 40);
    while (!done) {
        cr_assert_eq(search_find_step(f, db, &done), ERR_OK);
        cr_expect(PQtransactionStatus(db->conn) == PQTRANS_IDLE);
    }
    search_find_close(&f);
}

Test(search, facts_of_the_store)
{
    struct search_node saved = { .test = SEARCH_IS_SAVED_SINCE, .number = clock_wall_us() - DAY_US };
    struct search_node before = { .test = SEARCH_IS_SAVED_BEFORE, .number = clock_wall_us() - DAY_US };
    struct search_node thread = { .test = SEARCH_IS_THREAD, .number = 7 }, other = { .test = SEARCH_IS_THREAD, .number = 8 };
    struct search_node message = { .test = SEARCH_IS_MESSAGE, .number = 0 };
    fill(rig_inbox(), 0, 2);
    message.number = number("select max(message_id) from message where account_id = $1");
    expect_found(&(struct search_scope){ .by_uid = true }, &saved, "1:1 1:2", "saved now");
    expect_found(&(struct search_scope){ .by_uid = true }, &before, "", "not before");
    expect_found(&(struct search_scope){ .by_uid = true }, &thread, "1:1 1:2", "the conversation of the rig");
    expect_found(&(struct search_scope){ .by_uid = true }, &other, "", "another conversation");
    expect_found(&(struct search_scope){ .by_uid = true }, &message, "1:2", "one message");
}
