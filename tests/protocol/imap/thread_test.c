#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/imap/thread.h"

/* A mailbox as text: "id subject [< reference ...]; ..."; an id in capitals stands for a reply's subject mark "re". The
 * messages are numbered from 1, and as old as their number says, unless "@N" is behind the id. */
static size_t read_mailbox(const char *text, struct arena *arena, struct thread_message *messages)
{
    size_t count = 0;
    struct slice rest = slice_of(text);
    while (rest.len) {
        struct slice line = slice_trim(slice_cut(&rest, ';')), id = slice_cut(&line, ' ');
        struct thread_message *m = &messages[count++];
        struct slice name = slice_cut(&id, '@'), subject = slice_cut(&line, ' ');
        *m = (struct thread_message){ .number = (uint32_t)count, .place = (uint32_t)count };
        m->date_us = id.len ? atoi(id.at) : (int)count;
        m->message_id = name.at[0] == '-' ? SLICE_LIT("") : slice_of(arena_printf(arena, "<%.*s>", SLICE_ARG(name)));
        m->is_reply = slice_take(&subject, '^');
        m->subject = subject.at[0] == '-' ? SLICE_LIT("") : subject;
        m->references = line.len ? line : SLICE_LIT("");
    }
    return count;
}

static const struct {
    const char *name, *mailbox, *by_references, *by_subject;
} rows[] = {
    { "nothing in common", "a x; b y", "(1)(2)", "(1)(2)" },
    { "a chain", "a x; b ^x <a>; c ^x <a> <b>", "(1 2 3)", "(1 (2)(3))" },
    { "branches", "a x; b ^x <a>; c ^x <a>; d ^x <a> <c>", "(1 (2)(3 4))", "(1 (2)(3)(4))" },
    // RFC 5256 4: "((3)(5))", siblings of a message that is not there
    { "a missing parent", "z q; b x <gone>; c x <gone>", "(1)((2)(3))", "(1)(2 3)" },
    { "a missing parent of one", "b x <gone>", "(1)", "(1)" },
    { "a missing one in between", "a x; c ^x <a> <b>", "(1 2)", "(1 2)" },
    { "the parent comes later", "c ^x <a> <b>; b ^x <a>; a@9 x", "(3 2 1)", "(1 (2)(3))" },
    { "siblings by date", "a x; b@5 ^x <a>; c@4 ^x <a>", "(1 (3)(2))", "(1 (3)(2))" },
    { "equal dates by number", "a@1 x; c@1 y; b@1 z", "(1)(2)(3)", "(1)(2)(3)" },
    { "the same id twice", "a x; a y; b ^x <a>", "(1 3)(2)", "(1 3)(2)" },
    { "without an id", "- x; - y; b z <>", "(1)(2)(3)", "(1)(2)(3)" },
    { "a loop of two", "a x <b>; b x <a>", "(2 1)", "(1 2)" },
    { "itself", "a x <a>", "(1)", "(1)" },
    { "a longer loop", "a x <c>; b x <a>; c x <b>", "(3 1 2)", "(1 (2)(3))" },
    // step 5: by subject
    { "a reply joins its original", "a x; b ^x", "(1 2)", "(1 2)" },
    { "the original comes later", "b ^x; a x", "(2 1)", "(1 2)" },
    { "two of equal rank get a dummy", "a x; b x", "((1)(2))", "(1 2)" },
    { "three of them", "a x; b x; c x", "((1)(2)(3))", "(1 (2)(3))" },
    { "two dummies merge", "a x <g>; b x <g>; c x <h>; d x <h>", "((1)(2)(3)(4))", "(1 (2)(3)(4))" },
    { "a message joins a dummy", "c ^x; a x <g>; b x <g>", "((1)(2)(3))", "(1 (2)(3))" },
    { "no subject joins nothing", "a -; b -", "(1)(2)", "(1 2)" },
    // the shape of the RFC's example (3 6 (4 23)(44 7 96)), numbered as they come
    { "the example of the RFC", "a x; b ^x <a>; c ^x <b>; d ^x <c>; e ^x <b>; f ^x <e>; g ^x <f>", "(1 2 (3 4)(5 6 7))",
      "(1 (2)(3)(4)(5)(6)(7))" },
};

Test(thread, rows)
{
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct thread_message messages[16];
        struct buf references = { 0 }, subjects = { 0 };
        size_t count = read_mailbox(rows[i].mailbox, arena, messages);
        thread_by_references(messages, count, arena, &references);
        thread_by_subject(messages, count, &subjects);
        cr_expect(slice_eq(buf_slice(&references), slice_of(rows[i].by_references)), "%s: %.*s", rows[i].name,
                  SLICE_ARG(buf_slice(&references)));
        cr_expect(slice_eq(buf_slice(&subjects), slice_of(rows[i].by_subject)), "%s: %.*s", rows[i].name,
                  SLICE_ARG(buf_slice(&subjects)));
        buf_free(&references);
        buf_free(&subjects);
    }
    arena_close(&arena);
}

Test(thread, nothing)
{
    struct arena *arena = arena_open();
    struct buf out = { 0 };
    thread_by_references(NULL, 0, arena, &out);
    thread_by_subject(NULL, 0, &out);
    cr_expect_eq(buf_len(&out), 0);
    arena_close(&arena);
}

/* 100,000 replies, each to the one before: in any order it comes. */
Test(thread, a_long_chain_does_not_recurse, .timeout = 60)
{
    enum { COUNT = 100000 };
    struct arena *arena = arena_open();
    struct thread_message *messages = arena_new(arena, struct thread_message, COUNT);
    for (int backwards = 0; backwards < 2; backwards++) {
        struct buf out = { 0 };
        for (int i = 0; i < COUNT; i++) {
            int n = backwards ? COUNT - 1 - i : i;
            messages[i] = (struct thread_message){ .number = (uint32_t)n + 1, .place = (uint32_t)n + 1, .date_us = n,
                                                   .subject = SLICE_LIT("x"), .is_reply = n > 0 };
            messages[i].message_id = slice_of(arena_printf(arena, "<%d>", n));
            messages[i].references = n ? slice_of(arena_printf(arena, "<%d>", n - 1)) : SLICE_LIT("");
        }
        thread_by_references(messages, COUNT, arena, &out);
        struct slice text = buf_slice(&out);
        cr_expect_eq(slice_count(text, ' '), COUNT - 1);
        cr_expect_eq(slice_count(text, '('), 1);
        cr_expect(slice_starts(text, SLICE_LIT("(1 2 3 ")));
        buf_free(&out);
    }
    arena_close(&arena);
}

/* A message with a reply of its own comes behind a chain: up to 10,000 steps are walked to see that no loop comes about. */
Test(thread, walk_limit)
{
    for (int over = 0; over < 2; over++) {
        struct arena *arena = arena_open();
        int length = over ? 10001 : 9999;
        struct thread_message *m = arena_new(arena, struct thread_message, (size_t)length + 2);
        struct buf out = { 0 };
        for (int i = 0; i < length + 2; i++)
            m[i] = (struct thread_message){ .number = (uint32_t)i + 1, .place = (uint32_t)i + 1, .date_us = i,
                                            .subject = SLICE_LIT(""), .message_id = slice_of(arena_printf(arena, "<%d>", i)),
                                            .references = slice_of(i ? arena_printf(arena, "<%d>", i - 1) : "") };
        m[length].references = SLICE_LIT("<late>");
        m[length + 1].message_id = SLICE_LIT("<late>");
        m[length + 1].references = slice_of(arena_printf(arena, "<%d>", length - 1));
        thread_by_references(m, (size_t)length + 2, arena, &out);
        cr_expect_eq(slice_count(buf_slice(&out), '('), over ? 2 : 1);
        buf_free(&out);
        arena_close(&arena);
    }
}
