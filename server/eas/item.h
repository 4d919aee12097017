/* Stored messages as Email items: the body a client asked for, and the elements around it. */
#pragma once

#include "protocol/eas/email.h"
#include "server/eas/eas_internal.h"

struct eas_item_view {
    struct eas_request *req;
    const struct eas_options *options;
    int64_t mailbox;
    enum mailbox_role role;
    const char *const *keywords;
    size_t keyword_count;
    bool no_body; // Search without a BodyPreference
    bool degraded; // write it as if it could not be read: a phone loops on it
    /* Multipart answers: called with a whole body, returns its part number. NULL: bodies stand in the document. */
    uint32_t (*add_part)(void *ctx, struct slice data);
    void *add_part_ctx;
};

/* The children of ApplicationData or Properties. A message that cannot be read is written in a degraded form and logged:
 * one bad message never stops a folder. errors: ERR_UNAVAILABLE: the database is gone, nothing useful was written */
MUST_USE enum err eas_item_write(const struct eas_item_view *view, struct wbxml_writer *writer,
                                 const struct sync_item *item);
/* Read, Flag and Categories alone. */
void eas_item_write_flags(const struct eas_item_view *view, struct wbxml_writer *writer, const struct sync_item *item);
/* The message's description. errors: ERR_SYNTAX */
MUST_USE enum err eas_item_meta(struct arena *arena, const struct message_row *row, struct mime_meta *meta);
/* The decoded octets of a part up to max encoded octets; appended to out. */
MUST_USE enum err eas_part_read(struct db *db, const struct message_row *row, const struct mime_part *part, int64_t max,
                                struct buf *out);
/* The shown body in one form; whole says whether it was read to its end. */
MUST_USE enum err eas_body_read(struct db *db, const struct message_row *row, const struct mime_meta *meta, bool html,
                                struct buf *out, bool *whole);
