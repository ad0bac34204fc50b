/*
 * The only place that asks the time. Deadlines are absolute, monotonic, ms.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { CLOCK_RFC3339_BYTES = 32 }; /* more than enough, with the NUL */

int64_t clock_mono_ms(void);   /* monotonic */
int64_t clock_mono_us(void);   /* monotonic */
int64_t clock_coarse_ms(void); /* monotonic, some ms late, nearly free */
int64_t clock_wall_ms(void);   /* since 1970, UTC */

/* What poll(2) is to wait at most until a monotonic time; negative: for ever. */
int clock_left_ms(int64_t until_ms);

/* Of two deadlines, or moments, the first; a negative one is none. */
static inline int64_t
clock_earlier(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* "2026-11-23T18:42:00.123Z" (RFC 3339), at out. */
void clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES]);

/* Is the text a date-time, full-date, full-time of RFC 3339 section 5.6? */
bool clock_is_rfc3339(struct span);
bool clock_is_date(struct span);
bool clock_is_time(struct span);

/* The wall time of such a date-time; -1: it is none; below 0: before 1970. */
int64_t clock_of_rfc3339(struct span);

#endif
