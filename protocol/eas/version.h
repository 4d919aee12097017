/* Protocol versions (MS-ASHTTP 2.2.1.1.2.4, MS-ASProtocolVersion) as numbers times ten: 120, 121, 140, 141, 160, 161. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

/* "14.1" gives 141; 0 for anything that is not such a number. */
int eas_version_parse(struct slice text);
/* Whether requests at the version are answered: 12.0 and later, up to 16.1. */
bool eas_version_is_served(int version);
/* What OPTIONS offers: all that is served. */
#define EAS_VERSIONS_OFFERED "12.0,12.1,14.0,14.1,16.0,16.1"
#define EAS_VERSION_HIGHEST "16.1"
