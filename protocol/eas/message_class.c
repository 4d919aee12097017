#include "protocol/eas/message_class.h"

static bool is_kind(const struct mime_part *part, const char *type, const char *subtype)
{
    return slice_eq(part->type, slice_of(type)) && slice_eq(part->subtype, slice_of(subtype));
}

static bool is_opaque(const struct mime_meta *meta)
{
    return is_kind(&meta->parts[0], "application", "pkcs7-mime") ||
           is_kind(&meta->parts[0], "application", "x-pkcs7-mime");
}

static bool is_clear_signed(const struct mime_meta *meta)
{
    if (!is_kind(&meta->parts[0], "multipart", "signed"))
        return false;
    for (size_t i = 1; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        if (part->parent == 0 &&
            (is_kind(part, "application", "pkcs7-signature") || is_kind(part, "application", "x-pkcs7-signature")))
            return true;
    }
    return false;
}

bool eas_is_smime(const struct mime_meta *meta)
{
    return is_opaque(meta) || is_clear_signed(meta);
}

size_t eas_report_part(const struct mime_meta *meta)
{
    if (!is_kind(&meta->parts[0], "multipart", "report"))
        return SIZE_MAX;
    for (size_t i = 1; i < meta->part_count; i++) {
        const struct mime_part *part = &meta->parts[i];
        if (part->parent == 0 &&
            (is_kind(part, "message", "delivery-status") || is_kind(part, "message", "global-delivery-status") ||
             is_kind(part, "message", "disposition-notification")))
            return i;
    }
    return SIZE_MAX;
}

/* The value of a field in one of the blocks of a report. */
static bool next_field(struct slice *text, const char *name, struct slice *value)
{
    struct slice wanted = slice_of(name);
    while (text->len) {
        size_t end = slice_find(*text, '\n');
        struct slice line = slice_head(*text, end == SIZE_MAX ? text->len : end);
        *text = slice_tail(*text, end == SIZE_MAX ? text->len : end + 1);
        struct slice field = slice_cut(&line, ':');
        if (slice_eq_nocase(slice_trim(field), wanted)) {
            *value = slice_trim(line);
            return true;
        }
    }
    return false;
}

/* Of several recipients the worst news count. */
static enum eas_report read_delivery(struct slice text)
{
    enum eas_report report = EAS_REPORT_NONE;
    struct slice action;
    while (next_field(&text, "Action", &action)) {
        if (slice_starts_nocase(action, SLICE_LIT("failed")))
            return EAS_REPORT_FAILED;
        if (slice_starts_nocase(action, SLICE_LIT("delayed")))
            report = EAS_REPORT_DELAYED;
        else if (report == EAS_REPORT_NONE)
            report = EAS_REPORT_DELIVERED; // delivered, relayed, expanded
    }
    return report;
}

static enum eas_report read_disposition(struct slice text)
{
    struct slice value;
    if (!next_field(&text, "Disposition", &value))
        return EAS_REPORT_NONE;
    slice_cut(&value, ';'); // how it was sent
    bool read = slice_starts_nocase(slice_trim(value), SLICE_LIT("displayed"));
    return read ? EAS_REPORT_READ : EAS_REPORT_NOT_READ;
}

enum eas_report eas_report_read(const struct mime_meta *meta, size_t part, struct slice text)
{
    if (slice_eq(meta->parts[part].subtype, SLICE_LIT("disposition-notification")))
        return read_disposition(text);
    return read_delivery(text);
}

bool eas_is_smime_receipt(struct slice header)
{
    struct slice wanted = SLICE_LIT("signed-receipt");
    for (size_t i = 0; i + wanted.len <= header.len; i++) {
        if (slice_eq_nocase(slice_head(slice_tail(header, i), wanted.len), wanted))
            return true;
    }
    return false;
}

const char *eas_message_class(const struct mime_meta *meta, enum eas_report report, bool receipt)
{
    static const char *const reports[] = {
        [EAS_REPORT_FAILED] = "REPORT.IPM.NOTE.NDR",      [EAS_REPORT_DELIVERED] = "REPORT.IPM.NOTE.DR",
        [EAS_REPORT_DELAYED] = "REPORT.IPM.NOTE.DELAYED", [EAS_REPORT_READ] = "REPORT.IPM.NOTE.IPNRN",
        [EAS_REPORT_NOT_READ] = "REPORT.IPM.NOTE.IPNNRN",
    };
    if (is_opaque(meta))
        return receipt ? "IPM.Note.Receipt.SMIME" : "IPM.Note.SMIME";
    if (is_clear_signed(meta))
        return "IPM.Note.SMIME.MultipartSigned";
    return report == EAS_REPORT_NONE ? "IPM.Note" : reports[report];
}
