/* Real-looking and nasty messages, tests/data/mime/NAME.eml, against what is described of them, NAME.txt beside it.
 * tests/e2e/test_mime_python.py holds the same texts against python's email package. GODWIT_MIME_WRITE=1 writes the texts
 * anew: read the difference before it is believed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/mime/meta.h"
#include "protocol/mime/render.h"

#define FOLDER GODWIT_SOURCE_DIR "/tests/data/mime"
#define SHOWN_MAX 8000u // octets of one line that are shown; the rest is in its check sum
#define PARTS_SHOWN 40u

static struct buf read_file(const char *path)
{
    struct buf out = { 0 };
    FILE *file = fopen(path, "rb");
    if (!file)
        return out;
    size_t len;
    do {
        len = fread(buf_reserve(&out, 65536), 1, 65536, file);
        buf_commit(&out, len);
    } while (len);
    fclose(file);
    return out;
}

static uint32_t crc32_of(struct slice s) // as python's zlib.crc32
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= (uint8_t)s.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void add_line(struct buf *out, const char *label, struct slice s)
{
    buf_printf(out, "%s: ", label);
    for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '\\' || c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_add_byte(out, (char)c);
    }
    if (s.len > SHOWN_MAX)
        buf_printf(out, " ... %zu octets, crc %08x", s.len, crc32_of(s));
    buf_add_byte(out, '\n');
}

static void add_part(struct buf *out, struct slice raw, const struct mime_part *part)
{
    static const char *const encodings[] = { "7bit", "8bit", "binary", "base64", "quoted-printable", "unknown" };
    struct buf body = { 0 };
    mime_decode_part(part, slice_make(raw.at + part->body_at, part->body_len), &body);
    buf_printf(out, "part [%.*s] %.*s/%.*s header %zu+%zu body %zu+%zu lines %u %s%s%s decoded %zu crc %08x\n",
               SLICE_ARG(part->imap_section), SLICE_ARG(part->type), SLICE_ARG(part->subtype), (size_t)part->header_at, (size_t)part->header_len,
               (size_t)part->body_at, (size_t)part->body_len, part->body_lines, encodings[part->encoding],
               part->is_attachment ? " attachment" : "", part->inline_disposition ? " inline" : "", buf_len(&body),
               crc32_of(buf_slice(&body)));
    if (part->charset.len)
        add_line(out, "  charset", part->charset);
    if (part->filename.len)
        add_line(out, "  filename", part->filename);
    if (part->content_id.len)
        add_line(out, "  content-id", part->content_id);
    buf_free(&body);
}

static void describe(struct slice raw, struct buf *out)
{
    struct arena *arena = arena_open();
    struct mime_meta m;
    struct buf text = { 0 };
    mime_describe(raw, arena, &m);
    const struct {
        const char *label;
        struct slice text;
    } lines[] = {
        { "envelope", m.envelope },       { "bodystructure", m.bodystructure },
        { "subject", m.subject },         { "sort subject", m.sort_subject },
        { "from", m.from },               { "sender", m.sender },
        { "reply-to", m.reply_to },       { "to", m.to },
        { "cc", m.cc },                   { "bcc", m.bcc },
        { "message-id", m.message_id },   { "in-reply-to", m.in_reply_to },
        { "references", m.references },   { "sort from", m.sort_from },
        { "preview", m.preview },
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].text.len)
            add_line(out, lines[i].label, lines[i].text);
    if (m.date_us)
        buf_printf(out, "date: %lld zone %d\n", (long long)(m.date_us / 1000000), m.date_zone_min);
    buf_printf(out, "parts: %zu%s%s%s%s\n", m.part_count, m.has_attachments ? " attachments" : "", m.is_signed ? " signed" : "",
               m.is_encrypted ? " encrypted" : "", m.is_meeting ? " meeting" : "");
    for (size_t i = 0; i < m.part_count && i < PARTS_SHOWN; i++)
        add_part(out, raw, &m.parts[i]);
    mime_render_body(raw, &m, MIME_BODY_TEXT, &text);
    add_line(out, "text", buf_slice(&text));
    buf_free(&text);
    arena_close(&arena);
}

static void check_message(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.eml", FOLDER, name);
    struct buf raw = read_file(path), made = { 0 };
    describe(buf_slice(&raw), &made);
    snprintf(path, sizeof path, "%s/%s.txt", FOLDER, name);
    struct buf want = read_file(path);
    if (getenv("GODWIT_MIME_WRITE")) {
        FILE *file = fopen(path, "wb");
        cr_assert_not_null(file, "%s", path);
        fwrite(buf_slice(&made).at, 1, buf_len(&made), file);
        fclose(file);
    } else {
        cr_expect(slice_eq(buf_slice(&made), buf_slice(&want)), "%s:\n%.*s\nbut is to be:\n%.*s", name,
                  SLICE_ARG(buf_slice(&made)), SLICE_ARG(buf_slice(&want)));
    }
    buf_free(&raw);
    buf_free(&made);
    buf_free(&want);
}

Test(messages, as_written_beside_them)
{
    DIR *dir = opendir(FOLDER);
    size_t count = 0;
    cr_assert_not_null(dir, "%s", FOLDER);
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct slice name = slice_of(entry->d_name);
        if (!slice_ends_nocase(name, SLICE_LIT(".eml")))
            continue;
        entry->d_name[name.len - 4] = '\0';
        check_message(entry->d_name);
        count++;
    }
    closedir(dir);
    cr_expect(count >= 60, "%zu messages", count);
}
