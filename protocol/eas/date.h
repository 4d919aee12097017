/* Dates: MS-ASDTYPE 2.3 (dateTime) and 2.7.2 (Compact DateTime). Always UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define EAS_DATE_SIZE 25u // "2026-03-07T12:34:56.789Z" and a NUL

void eas_date_format(int64_t us, char text[EAS_DATE_SIZE]);
/* Both forms, with or without a fraction; the year is 1601..9999. false for anything else. */
bool eas_date_parse(struct slice text, int64_t *us);
