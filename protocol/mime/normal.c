#include "protocol/mime/normal.h"

void mime_normal_add(struct mime_normal *state, struct slice in, struct buf *out)
{
    const char *at = in.at, *end = in.at + in.len;
    while (at < end) {
        if (state->after_cr) {
            // The CR is out already; whatever follows, its LF comes next.
            buf_add_byte(out, '\n');
            state->after_cr = false;
            if (*at == '\n') {
                at++;
                continue;
            }
        }
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf ? lf : end;
        const char *cr = memchr(at, '\r', (size_t)(stop - at));
        if (cr) {
            buf_add(out, slice_make(at, (size_t)(cr + 1 - at)));
            state->after_cr = true;
            at = cr + 1;
        } else if (lf) {
            buf_add(out, slice_make(at, (size_t)(lf - at)));
            buf_add_text(out, "\r\n");
            at = lf + 1;
        } else {
            buf_add(out, slice_make(at, (size_t)(end - at)));
            at = end;
        }
    }
}

void mime_normal_end(struct mime_normal *state, struct buf *out)
{
    if (state->after_cr)
        buf_add_byte(out, '\n');
    state->after_cr = false;
}
