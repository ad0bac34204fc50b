/*
 * Numbers, sizes and durations from text.
 */
#include "base/num.h"

#include <stddef.h>

/* Digits at the start of s: their value in *out, how many; 0 also if over. */
static size_t
digits(struct span s, uint64_t *out)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		unsigned d = (unsigned)(s.p[i] - '0');

		if (n > (UINT64_MAX - d) / 10)
			return 0;
		n = n * 10 + d;
	}
	*out = n;
	return i;
}

int
num_u64(struct span s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t n;

	if (s.len == 0 || digits(s, &n) != s.len || n < min || n > max)
		return -1;
	*out = n;
	return 0;
}

int
num_bytes(struct span s, uint64_t max, uint64_t *out)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {
		{ "", 0 }, { "K", 10 }, { "KiB", 10 }, { "M", 20 },
		{ "MiB", 20 }, { "G", 30 }, { "GiB", 30 },
	};
	uint64_t n;
	size_t used = digits(s, &n), i;
	struct span unit = { s.p + used, s.len - used };

	if (used == 0)
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!span_eq(unit, span_of(units[i].unit)))
			continue;
		if (n > max >> units[i].shift)
			return -1;
		*out = n << units[i].shift;
		return 0;
	}
	return -1;
}

int
num_duration(struct span s, int64_t max_ms, int64_t *ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	uint64_t whole, frac = 0, scale = 1;
	size_t used = digits(s, &whole), i;
	struct span unit;

	if (used == 0)
		return -1;
	if (used < s.len && s.p[used] == '.') {
		struct span rest = { s.p + used + 1, s.len - used - 1 };
		size_t n = digits(rest, &frac);

		if (n == 0 || n > 6)
			return -1;
		for (i = 0; i < n; i++)
			scale *= 10;
		used += 1 + n;
	}
	unit = (struct span){ s.p + used, s.len - used };
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		uint64_t u = (uint64_t)units[i].ms, v;

		if (!span_eq(unit, span_of(units[i].unit)))
			continue;
		if (whole > (uint64_t)max_ms / u)
			return -1;
		v = whole * u + frac * u / scale;
		if (v > (uint64_t)max_ms)
			return -1;
		*ms = (int64_t)v;
		return 0;
	}
	return -1;
}
