/* Arguments of APPEND and REPLACE: RFC 3501 6.3.11, RFC 3502 (several), RFC 4469 (CATENATE), RFC 6855 4 (UTF8),
 * RFC 3516 4.4 (literal8), RFC 8508. They come in pieces, between the literals that are taken as they come. */
#pragma once

#include "server/imap/session.h"

#define APPEND_MESSAGES_MAX 100u // of one command
#define APPEND_PIECES_MAX 100u   // of one message by CATENATE
#define APPEND_URL_MAX 2048u     // octets

struct append_piece {
    int64_t at, len;  // in the upload
    struct slice url; // at NULL: octets of the upload
};

struct append_message {
    struct scan_flags flags;
    int64_t internal_us; // 0: now
    struct append_piece *pieces; // APPEND_PIECES_MAX of them once there is one
    size_t piece_count;
    bool binary; // literal8
};

struct append_args {
    struct slice path;
    bool replace;
    struct uidset target; // REPLACE: one message
    struct append_message *messages; // APPEND_MESSAGES_MAX
    size_t count;
    enum { BETWEEN_MESSAGES, BEHIND_UTF8, IN_CATENATE, IN_CATENATE_FIRST, BEHIND_CATENATE_UTF8 } place;
    bool literal_is_url;
};

/* From the space behind the command's name to the mailbox's name. errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err append_parse_head(struct imap_session *s, struct slice *in, bool replace, struct append_args **args);
/* Goes on behind the head or behind a literal, to the end of the text: there the next literal opens, or the command ends
 * (literal NULL). errors: ERR_SYNTAX, ERR_LIMIT */
MUST_USE enum err append_parse_more(struct append_args *a, struct slice in, struct arena *arena,
                                    const struct scan_announced *literal);
struct append_piece *append_add_piece(struct append_args *a, struct arena *arena);
