#include "protocol/smtp/data.h"

static void add_line_end(struct buf *out)
{
    buf_add(out, SLICE_LIT("\r\n"));
}

/* A run without CR, LF or a dot that matters is copied at once. */
static size_t plain_run(struct slice in)
{
    size_t n = 0;
    while (n < in.len && in.at[n] != '\r' && in.at[n] != '\n')
        n++;
    return n;
}

bool smtp_data_take(struct smtp_data *data, struct slice *in, struct buf *out)
{
    while (in->len) {
        char c = in->at[0];
        switch (data->state) {
        case DATA_LINE_START:
            if (c == '.') {
                data->state = DATA_DOT;
                break;
            }
            data->state = DATA_IN_LINE;
            continue;
        case DATA_IN_LINE: {
            size_t run = plain_run(*in);
            buf_add(out, slice_head(*in, run));
            *in = slice_tail(*in, run);
            if (in->len == 0)
                return false;
            if (in->at[0] == '\r') {
                data->state = DATA_CR;
            } else { // a bare LF ends a line of the mail, but opens no line of the protocol
                add_line_end(out);
                data->state = DATA_IN_LINE;
            }
            break;
        }
        case DATA_CR:
            add_line_end(out);
            if (c == '\n') {
                data->state = DATA_LINE_START;
                break;
            }
            data->state = DATA_IN_LINE; // a bare CR
            continue;
        case DATA_DOT:
            if (c == '\r') {
                data->state = DATA_DOT_CR;
                break;
            }
            // The stuffed dot is dropped; what follows belongs to the line.
            data->state = DATA_IN_LINE;
            continue;
        case DATA_DOT_CR:
            if (c == '\n') {
                *in = slice_tail(*in, 1);
                *data = (struct smtp_data){ 0 };
                return true;
            }
            add_line_end(out); // "." and a bare CR: the dot was stuffing
            data->state = DATA_IN_LINE;
            continue;
        }
        *in = slice_tail(*in, 1);
    }
    return false;
}
