/* Times: wall clock in microseconds since 1970-01-01 UTC, and a monotonic clock for durations. */
#pragma once

#include <stdint.h>

#define US_PER_S INT64_C(1000000)

int64_t clock_wall_us(void);
int64_t clock_mono_us(void);
