#include "protocol/eas/version.h"

int eas_version_parse(struct slice text)
{
    text = slice_trim(text);
    size_t digits = slice_span(text, "0123456789");
    if (digits < 1 || digits > 2 || text.len != digits + 2 || text.at[digits] != '.')
        return 0;
    uint64_t major, minor;
    if (!slice_to_u64(slice_head(text, digits), 99, &major) || !slice_to_u64(slice_tail(text, digits + 1), 9, &minor))
        return 0;
    return (int)(major * 10 + minor);
}

bool eas_version_is_served(int version)
{
    return version == 120 || version == 121 || version == 140 || version == 141 || version == 160 || version == 161;
}
