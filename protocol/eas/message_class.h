/* What kind of message a mail is for a phone (MS-ASEMAIL 2.2.2.49 MessageClass). */
#pragma once

#include "protocol/mime/meta.h"

enum eas_report { // what a multipart/report tells (RFC 3464, RFC 8098)
    EAS_REPORT_NONE,
    EAS_REPORT_FAILED,
    EAS_REPORT_DELIVERED,
    EAS_REPORT_DELAYED,
    EAS_REPORT_READ,
    EAS_REPORT_NOT_READ,
};

/* S/MIME only: OpenPGP is mail with attachments for a phone. */
bool eas_is_smime(const struct mime_meta *meta);
/* The machine's part of a report: index, or SIZE_MAX when the message is none. */
size_t eas_report_part(const struct mime_meta *meta);
/* What that part says, decoded. */
enum eas_report eas_report_read(const struct mime_meta *meta, size_t part, struct slice text);
/* Whether the header of an application/pkcs7-mime part says that it is a signed receipt (RFC 2634). */
bool eas_is_smime_receipt(struct slice header);

/* report, receipt: what was read of the message; a meeting has a class of its own (protocol/eas/meeting.h). */
const char *eas_message_class(const struct mime_meta *meta, enum eas_report report, bool receipt);
