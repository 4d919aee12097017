#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[ERR_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_SYNTAX] = "syntax",
    [ERR_STATE] = "state",
    [ERR_DENIED] = "denied",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_CONFLICT] = "conflict",
    [ERR_LIMIT] = "limit",
    [ERR_QUOTA] = "quota",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_CANCELLED] = "cancelled",
};

const char *err_name(enum err err)
{
    return (unsigned)err < ERR_COUNT ? names[err] : "unknown";
}

enum err fail(struct trace *trace, enum err err, const char *format, ...)
{
    if (trace) {
        va_list args;
        va_start(args, format);
        vsnprintf(trace->text, sizeof trace->text, format, args);
        va_end(args);
    }
    return err;
}
