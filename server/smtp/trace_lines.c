#include "server/smtp/trace_lines.h"

#include <time.h>

#include "base/clock.h"

void trace_lines(struct slice sender, struct slice recipient, const char *by, const char *with, struct buf *out)
{
    char date[64];
    time_t now = (time_t)(clock_wall_us() / US_PER_S);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    buf_printf(out, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\nReceived: by %s with %s; %s\r\n", SLICE_ARG(sender),
               SLICE_ARG(recipient), by && *by ? by : "localhost", with, date);
}
