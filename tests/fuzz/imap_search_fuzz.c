/* The programs of SEARCH, SORT and THREAD; what THREAD makes of any references; folding. The first byte chooses. */
#include <assert.h>
#include <stdint.h>

#include "protocol/imap/objectid.h"
#include "protocol/imap/search.h"
#include "protocol/imap/thread.h"
#include "protocol/mime/searchable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 64u

/* Lines "id reference reference" of one-letter ids; capitals are replies, a digit is the subject. */
static size_t read_messages(struct slice in, struct arena *arena, struct thread_message *messages)
{
    size_t count = 0;
    while (in.len && count < MESSAGES_MAX) {
        struct slice line = slice_cut(&in, '\n');
        struct buf references = { 0 };
        struct thread_message *m = &messages[count++];
        *m = (struct thread_message){ .number = (uint32_t)count, .place = (uint32_t)count, .subject = SLICE_LIT("") };
        for (size_t i = 0; i < line.len; i++) {
            char c = line.at[i];
            if (c >= '0' && c <= '9')
                m->subject = slice_of(arena_printf(arena, "%c", c));
            else if (c == '^')
                m->is_reply = true;
            else if (c == '@')
                m->date_us = line.len - i < 20 ? (int64_t)(line.len - i) : 20;
            else if (!m->message_id.len)
                m->message_id = slice_of(arena_printf(arena, "<%c>", c == '\0' ? '0' : c));
            else
                buf_printf(&references, "<%c> ", c == '\0' ? '0' : c);
        }
        m->references = arena_copy(arena, buf_slice(&references));
        buf_free(&references);
    }
    return count;
}

/* Every message once, parentheses in pairs. */
static void check_answer(struct slice text, size_t count)
{
    bool seen[MESSAGES_MAX + 1] = { false };
    size_t depth = 0, found = 0;
    while (text.len) {
        uint64_t n = 0;
        if (slice_take(&text, '(')) {
            depth++;
        } else if (slice_take(&text, ')')) {
            assert(depth > 0);
            depth--;
        } else if (!slice_take(&text, ' ')) {
            size_t width = slice_span(text, "0123456789");
            assert(width && depth > 0);
            assert(slice_to_u64(slice_head(text, width), count, &n) && n > 0 && !seen[n]);
            seen[n] = true;
            found++;
            text = slice_tail(text, width);
        }
    }
    assert(depth == 0 && found == count);
}

static void thread(struct slice in, struct arena *arena)
{
    struct thread_message messages[MESSAGES_MAX];
    struct buf out = { 0 };
    size_t count = read_messages(in, arena, messages);
    thread_by_references(messages, count, arena, &out);
    check_answer(buf_slice(&out), count);
    buf_clear(&out);
    thread_by_subject(messages, count, &out);
    check_answer(buf_slice(&out), count);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena *arena = arena_open();
    struct slice in = slice_make(data + 1, size - 1);
    struct search_program search;
    struct sort_program sort;
    struct thread_program program;
    enum err err = ERR_OK;
    int64_t id;
    switch (data[0] % 6) {
    case 0:
        err = search_parse(&in, arena, &search);
        break;
    case 1:
        err = sort_parse(&in, arena, &sort);
        assert(err || (sort.count >= 1 && sort.count <= SORT_KEYS_MAX && sort.search.charset.len));
        break;
    case 2:
        err = thread_parse(&in, arena, &program);
        break;
    case 3:
        thread(in, arena);
        break;
    case 4: {
        struct slice once = mime_folded(in, arena), twice = mime_folded(once, arena);
        assert(slice_eq(once, twice));
        mime_sort_display(in, arena);
        mime_subject_is_reply(in);
        break;
    }
    default:
        if (objectid_read_email(in, &id)) {
            struct buf out = { 0 };
            objectid_write_email(id, &out);
            assert(slice_eq(buf_slice(&out), in));
            buf_free(&out);
        }
        if (objectid_read_thread(in, &id)) {
            struct buf out = { 0 };
            objectid_write_thread(id, &out);
            assert(slice_eq(buf_slice(&out), in));
            buf_free(&out);
        }
        break;
    }
    (void)err;
    arena_close(&arena);
    return 0;
}
