/* The one change made to mail at every entry point: bare CR or LF becomes CRLF. Streaming. */
#pragma once

#include "base/buf.h"

struct mime_normal {
    bool after_cr; // the last byte seen was CR
};

/* Appends in, normalised, to out. Call mime_normal_end after the last piece (a final bare CR). */
void mime_normal_add(struct mime_normal *state, struct slice in, struct buf *out);
void mime_normal_end(struct mime_normal *state, struct buf *out);
