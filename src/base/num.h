/*
 * Numbers, sizes and durations from text: the whole text or nothing.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

#include "base/span.h"

/* Decimal digits, min..max. 0, or -1 and *out untouched. */
int num_u64(struct span, uint64_t min, uint64_t max, uint64_t *out);

/* Bytes: "1048576", "64K", "64KiB", "4M", "4MiB", "1G". 0 or -1. */
int num_bytes(struct span, uint64_t max, uint64_t *out);

/*
 * A duration in ms: "30" and "1.5" are seconds; units ms, s, m, min, h, d.
 * At most max_ms. 0 or -1.
 */
int num_duration(struct span, int64_t max_ms, int64_t *ms);

#endif
