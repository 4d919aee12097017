/* How this server's searches read messages: what protocol/mime finds in them, for storage/search.h. */
#pragma once

#include "storage/search.h"

extern const struct search_reader search_reader;

/* A search text, UTF-8, as the queries of storage/search.h want it: folded. In the arena. */
struct slice search_folded(struct slice utf8, struct arena *arena);
