/*
 * Clocks.
 */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
clock_coarse_ms(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	return read_us(CLOCK_MONOTONIC_COARSE) / 1000;
#else
	return read_us(CLOCK_MONOTONIC) / 1000;
#endif
}

int64_t
clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int
clock_left_ms(int64_t until_ms)
{
	int64_t left_ms = until_ms < 0 ? -1 : until_ms - clock_mono_ms();

	if (until_ms < 0)
		return -1;
	return left_ms <= 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

void
clock_rfc3339(int64_t wall_ms, char out[CLOCK_RFC3339_BYTES])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(out, CLOCK_RFC3339_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
	    tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100,
	    tm.tm_sec % 100, (int)(wall_ms % 1000) % 1000);
}

/* Two digits at s.p + at, from min to max? */
static bool
two(struct span s, size_t at, int min, int max)
{
	int n;

	if (s.len < at + 2 || s.p[at] < '0' || s.p[at] > '9' ||
	    s.p[at + 1] < '0' || s.p[at + 1] > '9')
		return false;
	n = (s.p[at] - '0') * 10 + (s.p[at + 1] - '0');
	return n >= min && n <= max;
}

bool
clock_is_date(struct span s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	int year, month;

	if (s.len != 10 || s.p[4] != '-' || s.p[7] != '-' ||
	    !two(s, 0, 0, 99) || !two(s, 2, 0, 99) || !two(s, 5, 1, 12))
		return false;
	year = (s.p[0] - '0') * 1000 + (s.p[1] - '0') * 100 +
	    (s.p[2] - '0') * 10 + (s.p[3] - '0');
	month = (s.p[5] - '0') * 10 + (s.p[6] - '0');
	if (!two(s, 8, 1, days[month - 1]))
		return false;
	return !(month == 2 && s.p[8] == '2' && s.p[9] == '9' &&
	    (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)));
}

/* The minutes of "hh:mm" at s.p + at, which was found good. */
static int
minutes(struct span s, size_t at)
{
	return ((s.p[at] - '0') * 10 + (s.p[at + 1] - '0')) * 60 +
	    (s.p[at + 3] - '0') * 10 + (s.p[at + 4] - '0');
}

bool
clock_is_time(struct span s)
{
	enum { DAY = 24 * 60 };
	size_t at = 8;
	int offset = 0;

	if (s.len < 9 || !two(s, 0, 0, 23) || s.p[2] != ':' ||
	    !two(s, 3, 0, 59) || s.p[5] != ':' || !two(s, 6, 0, 60))
		return false;
	if (s.p[at] == '.') {
		size_t digits = ++at;

		while (at < s.len && s.p[at] >= '0' && s.p[at] <= '9')
			at++;
		if (at == digits)
			return false;
	}
	if (at + 6 == s.len && (s.p[at] == '+' || s.p[at] == '-') &&
	    two(s, at + 1, 0, 23) && s.p[at + 3] == ':' &&
	    two(s, at + 4, 0, 59))
		offset = minutes(s, at + 1) * (s.p[at] == '+' ? 1 : -1);
	else if (at + 1 != s.len || (s.p[at] | 0x20) != 'z')
		return false;
	/* A leap second is the last of a day in UTC (5.7). */
	return s.p[6] != '6' ||
	    (minutes(s, 0) - offset + DAY) % DAY == DAY - 1;
}

bool
clock_is_rfc3339(struct span s)
{
	return s.len > 11 && (s.p[10] | 0x20) == 't' &&
	    clock_is_date((struct span){ s.p, 10 }) &&
	    clock_is_time((struct span){ s.p + 11, s.len - 11 });
}

static int
number(struct span s, size_t at, size_t n)
{
	int v = 0;

	while (n--)
		v = v * 10 + (s.p[at++] - '0');
	return v;
}

int64_t
clock_of_rfc3339(struct span s)
{
	int64_t year, month, days, offset = 0, ms = 0, unit = 100;
	size_t i;

	if (!clock_is_rfc3339(s))
		return -1;
	if ((s.p[s.len - 1] | 0x20) != 'z')
		offset = minutes(s, s.len - 5) * (s.p[s.len - 6] == '+' ? 1 : -1);
	/* Years from March have their leap day at the end. */
	year = number(s, 0, 4);
	month = number(s, 5, 2);
	year -= month <= 2;
	month += month <= 2 ? 9 : -3;
	days = year * 365 + year / 4 - year / 100 + year / 400 +
	    (month * 153 + 2) / 5 + number(s, 8, 2) - 1 - 719468;
	for (i = 20; s.p[19] == '.' && unit && s.p[i] >= '0' && s.p[i] <= '9';
	    i++, unit /= 10)
		ms += (s.p[i] - '0') * unit;
	return (((days * 24 + number(s, 11, 2)) * 60 + number(s, 14, 2) -
	    offset) * 60 + number(s, 17, 2)) * 1000 + ms;
}
