/* The lines that a delivery puts in front of a message for one recipient (RFC 5321 4.4 Trace Information). */
#pragma once

#include "base/buf.h"

/* sender: the return path, empty for none. by: this host; with: the protocol, such as "ActiveSync". */
void trace_lines(struct slice sender, struct slice recipient, const char *by, const char *with, struct buf *out);
