/* WBXML documents from a small notation: "+Page:Tag" opens an element, "-" closes it, "Page:Tag=text" is an element
 * with text; blanks part them, and "_" in a text is a blank. */
#pragma once

#include "protocol/wbxml/wbxml.h"

struct wbxml_node *notation_build(struct arena *arena, const char *notation);
