#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static const char *const level_names[] = { "debug", "info", "warn", "error" };
static _Atomic int threshold = LOG_INFO; // the one process-wide switch: set at start, read by all

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool log_level_parse(struct slice name, enum log_level *level)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (slice_eq_nocase(name, slice_of(level_names[i]))) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}

static void add_escaped(struct buf *line, struct slice value)
{
    static const char hex[] = "0123456789abcdef";
    bool cut = value.len > LOG_VALUE_MAX;
    if (cut)
        value.len = LOG_VALUE_MAX;
    if (value.len == 0)
        buf_add_text(line, "-");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c < 0x21 || c > 0x7e || c == '"' || c == '=' || c == '\\') {
            char escape[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };
            buf_add(line, slice_make(escape, sizeof escape));
        } else {
            buf_add_byte(line, (char)c);
        }
    }
    if (cut)
        buf_add_text(line, "...");
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    struct buf line = { 0 };
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(&line, "%s.%03ldZ %s %s", stamp, now.tv_nsec / 1000000, level_names[level], event);
    for (size_t i = 0; i < count; i++) {
        const struct log_field *f = &fields[i];
        buf_printf(&line, " %s=", f->key);
        switch (f->type) {
        case LOG_FIELD_TEXT:
            add_escaped(&line, slice_of(f->v.text));
            break;
        case LOG_FIELD_SLICE:
            add_escaped(&line, f->v.slice);
            break;
        case LOG_FIELD_INT:
            buf_printf(&line, "%lld", (long long)f->v.number);
            break;
        case LOG_FIELD_MS:
            buf_printf(&line, "%.3f", f->v.ms);
            break;
        }
    }
    buf_add_byte(&line, '\n');
    // One write keeps lines of different threads whole; a full disk must not stop the mail.
    ssize_t ignored = write(STDERR_FILENO, line.bytes + line.start, buf_len(&line));
    (void)ignored;
    buf_free(&line);
}
