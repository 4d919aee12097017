/* The log: one line an event, "time level event key=value ...", to standard error.
 * Values are escaped outside 0x21-0x7E and at '"', '=', '\' as \xHH and cut at 200 bytes, so that a client's text can
 * neither end a line nor fake a key. No message content, no secrets. Any thread. */
#pragma once

#include <stdint.h>

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_VALUE_MAX 200u // bytes of a value before escaping

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_MS } type;
    union {
        const char *text; // NULL prints as "-"
        struct slice slice;
        int64_t number;
        double ms;
    } v;
};

#define LOG_T(k, value) { .key = (k), .type = LOG_FIELD_TEXT, .v.text = (value) }
#define LOG_S(k, value) { .key = (k), .type = LOG_FIELD_SLICE, .v.slice = (value) }
#define LOG_I(k, value) { .key = (k), .type = LOG_FIELD_INT, .v.number = (int64_t)(value) }
#define LOG_MS(k, value) { .key = (k), .type = LOG_FIELD_MS, .v.ms = (value) } // printed with three decimals

/* log_event(LOG_INFO, "login", LOG_S("login", name), LOG_T("result", "ok")); */
#define log_event(level, event, ...) \
    log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ }, \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(struct slice name, enum log_level *level);
