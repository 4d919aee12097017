#include "protocol/wbxml/utf8.h"

static bool continues(struct slice s, size_t i)
{
    return i < s.len && ((uint8_t)s.at[i] & 0xC0) == 0x80;
}

size_t utf8_take(struct slice s, uint32_t *character)
{
    if (s.len == 0)
        return 0;
    uint8_t first = (uint8_t)s.at[0];
    if (first < 0x80) {
        *character = first;
        return 1;
    }
    size_t len = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC2 && first < 0xE0 ? 2 : 0;
    if (len == 0)
        return 0;
    uint32_t value = first & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if (!continues(s, i))
            return 0;
        value = value << 6 | ((uint8_t)s.at[i] & 0x3F);
    }
    if ((len == 3 && value < 0x800) || (len == 4 && value < 0x10000) || value > 0x10FFFF ||
        (value >= 0xD800 && value < 0xE000))
        return 0;
    *character = value;
    return len;
}

bool utf8_valid(struct slice s)
{
    uint32_t character;
    while (s.len) {
        size_t len = utf8_take(s, &character);
        if (len == 0)
            return false;
        s = slice_tail(s, len);
    }
    return true;
}

bool utf8_in_xml(uint32_t character)
{
    if (character < 0x20)
        return character == '\t' || character == '\r' || character == '\n';
    return character != 0xFFFE && character != 0xFFFF;
}
