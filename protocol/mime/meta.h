/* What is described about a message once, at its delivery: enough for ENVELOPE, BODYSTRUCTURE, previews, sorting,
 * threads, EAS items and partial fetches, without reading the message again. Packed to bytes for the store. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define MIME_DEPTH_MAX 32u      // nested multiparts and messages; deeper ones are leaves
#define MIME_PARTS_MAX 1000u    // parts of a message; further ones belong to the last
#define MIME_HEADER_MAX 1048576u  // octets of a header block that are looked at
#define MIME_HEADERS_MAX 4194304u // of all header blocks of a message together
#define MIME_PREVIEW_MAX 256u   // characters of the preview

struct mime_part { // a node of the part tree, in preorder; offsets are octets from the start of the message
    uint32_t parent;    // index; the root is its own parent
    uint32_t depth;
    uint64_t header_at, header_len; // the part's own MIME header, with its blank line; the root: the message header
    uint64_t body_at, body_len;     // what BODY[n] gives
    uint32_t body_lines;            // number of CRLF-ended lines (text and message/rfc822)
    uint32_t header_lines;
    uint8_t encoding;     // enum mime_encoding
    bool is_multipart, is_message; // is_message: message/rfc822 (or global) whose child is the inner message
    bool is_attachment; // to be listed as one: Content-Disposition attachment, or no text and not shown by Content-ID;
                        // never a signature, nor a part of an attached message
    bool inline_disposition;
    struct slice type, subtype; // lower case; "text", "plain" when absent or malformed
    struct slice charset;       // lower case; empty when none
    struct slice filename;      // decoded to UTF-8 (RFC 2231, RFC 2047); empty when none
    struct slice content_id;    // without <>
    struct slice content_location;
    /* "1.2.1". A multipart that is the root of the message has "", and of an inner message too: its header and text are
     * those of the message (parts[i+1] of message parts[i]), its children continue the message's number. */
    struct slice imap_section;
};

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_BASE64, MIME_QUOTED_PRINTABLE, MIME_UNKNOWN_ENCODING };

struct mime_meta {
    uint64_t size;       // octets of the message
    uint64_t header_len; // octets of the header block, with its blank line
    struct mime_part *parts;
    size_t part_count;   // at least 1
    struct slice envelope;      // RFC 3501 7.4.2 ENVELOPE, ready for the wire, literals never used: "(...)"
    struct slice bodystructure; // BODYSTRUCTURE; extension data included
    struct slice body;          // BODY: without extension data
    struct slice preview;       // UTF-8, white space folded
    struct slice subject;       // decoded UTF-8, unfolded
    struct slice from, to, cc, bcc, reply_to, sender; // decoded UTF-8: "Name <a@b>, ..."
    struct slice message_id;    // with <>; empty when none
    struct slice in_reply_to;
    struct slice references;    // ids separated by blanks, at most the last 50
    int64_t date_us;            // Date header; 0 when none or unreadable
    int16_t date_zone_min;
    int64_t thread;             // hash of the conversation's root Message-ID
    uint8_t importance;         // EAS 0 low, 1 normal, 2 high
    bool has_attachments, is_signed, is_encrypted, is_meeting; // S/MIME (multipart/signed, pkcs7-mime), text/calendar
    uint32_t meeting_part;      // index
    struct slice sort_subject;  // RFC 5256 2.1 base subject, upper-cased
    struct slice sort_from, sort_to, sort_cc; // first address's local part (RFC 5256 3), upper-cased
};

/* Describes a whole raw message. Never fails: malformed input is described as well as possible.
 * Strings live in the arena (some point into raw). */
void mime_describe(struct slice raw, struct arena *arena, struct mime_meta *meta);

void mime_meta_pack(const struct mime_meta *meta, struct buf *out);
/* prefix_len: octets of per-recipient prefix lines in front of the described octets: all offsets and the size are
 * moved by it. Strings point into packed. errors: ERR_SYNTAX (not made by this program) */
MUST_USE enum err mime_meta_unpack(struct slice packed, uint64_t prefix_len, struct arena *arena,
                                   struct mime_meta *meta);
