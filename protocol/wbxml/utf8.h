/* UTF-8, strictly (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* Octets of the well-formed character at the front of s (1..4) with its number; 0 when there is none. */
size_t utf8_take(struct slice s, uint32_t *character);
bool utf8_valid(struct slice s);
/* Whether XML 1.0 allows the character (XML 1.0, production 2), U+FFFE and U+FFFF excluded. */
bool utf8_in_xml(uint32_t character);
