/* Traces of single phones, switched on by `godwit device trace on`: each request and its answer as readable text, in a
 * file below the data directory that only the service's user may read. Passwords never stand in it; subjects, addresses
 * and bodies only as their sizes, unless the administrator asked for the content. */
#pragma once

#include "server/eas/eas_internal.h"

#define EAS_TRACE_TEXT_MAX 2048u  // octets of one element's text
#define EAS_TRACE_ENTRY_MAX 262144u // octets of one request with its answer
#define EAS_TRACE_PATH_MAX 4096u

struct eas_trace;

struct eas_trace *eas_trace_open(const char *data_dir, int64_t size_max);
void eas_trace_close(struct eas_trace **trace);
/* The file of a phone; the older one has ".1" behind its name. */
void eas_trace_path(const char *data_dir, struct account_id account, struct device_id device,
                    char path[EAS_TRACE_PATH_MAX]);
/* Whether the phone of the row is traced now. */
bool eas_trace_is_on(const struct device *device);
/* Writes a request and its answer, when it is on. Worker thread. http_status 0: it waits, the answer follows. */
void eas_trace_write(struct eas_request *req, int http_status, struct slice answer);
/* The answer of a request that waited. Any thread: a worker writes it. */
void eas_trace_waited(struct eas_app *app, struct account_id account, const struct device *device, const char *command,
                      struct slice answer, struct loop *home);
/* Decodes a document as lines; what cannot be read is said. For tests. */
void eas_trace_decode(struct slice document, bool content, struct buf *out);
