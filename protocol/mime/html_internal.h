/* The tokenizer behind mime_html_to_text, also for previews. */
#pragma once

#include "base/buf.h"

/* brief: words only, without link targets, rules, bullets. Stops when `max` octets were made. */
void html_text(struct slice html_utf8, bool brief, size_t max, struct buf *out);
