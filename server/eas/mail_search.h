/* The search behind Search and Find: a parsed query becomes conditions of storage/search.h and a list of items. */
#pragma once

#include "protocol/eas/search_request.h"
#include "server/eas/eas_internal.h"
#include "server/eas/found.h"

/* The items that match, newest first, EAS_SEARCH_HITS_MAX at most; those of an earlier page when they are still known.
 * may_forget: a later page of a search that is not known any more is searched for again, else it is an ERR_CONFLICT.
 * errors: ERR_NOT_FOUND (a folder is not there), ERR_LIMIT (eas.search_max_s has passed, or too many messages),
 * ERR_CONFLICT, ERR_UNAVAILABLE, ERR_CANCELLED */
MUST_USE enum err eas_mail_search(struct eas_request *req, const struct eas_search_request *request, bool may_forget,
                                  struct found_hit **hits, size_t *count);
