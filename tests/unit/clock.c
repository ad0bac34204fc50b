/*
 * RFC 3339 date-times: what is one and what is none.
 */
#include <stdio.h>

#include "base/clock.h"

static const char *const good[] = {
	"2026-11-23T18:42:00Z", "2026-11-23t18:42:00.123456789z",
	"1996-12-19T16:39:57-08:00", "1990-12-31T23:59:60Z",
	"2024-02-29T00:00:00+23:59", "2000-02-29T00:00:00Z",
	"1990-12-31T15:59:60.5-08:00", "1991-01-01T00:29:60+00:30",
};
static const struct {
	const char *text;
	int64_t ms;
} moments[] = {
	{ "1970-01-01T00:00:00Z", 0 }, { "1970-01-01T00:00:00.001Z", 1 },
	{ "2000-02-29T23:59:59.5Z", 951868799500 },
	{ "2026-11-23T18:42:00.123456Z", 1795459320123 },
	{ "2100-03-01T00:00:00Z", 4107542400000 },
	{ "2026-11-23T19:42:00+01:00", 1795459320000 },
	{ "2026-11-23T13:12:00.1234-05:30", 1795459320123 },
	{ "1970-01-01T00:00:00+01:00", -3600000 }, { "yesterday", -1 },
};
static const char *const bad[] = {
	"", "yesterday", "2026-11-23", "2026-11-23T18:42:00",
	"2026-11-23 18:42:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	"2026-04-31T00:00:00Z", "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
	"2026-11-23T24:00:00Z", "2026-11-23T18:60:00Z", "2026-11-23T18:42:61Z",
	"2026-11-23T18:42:00.Z", "2026-11-23T18:42:00+24:00",
	"2026-11-23T18:42:00+01:0", "2026-11-23T18:42:00Zx",
	"2026-11-23T18:42:00+0100", "2026/11/23T18:42:00Z",
	"1990-12-31T23:58:60Z", "1990-12-31T22:59:60Z",
	"1990-12-31T23:59:60-08:00",
};

int
main(void)
{
	char now[CLOCK_RFC3339_BYTES];
	int failures = 0;
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!clock_is_rfc3339(span_of(good[i])) && ++failures)
			printf("refused: %s\n", good[i]);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (clock_is_rfc3339(span_of(bad[i])) && ++failures)
			printf("taken: %s\n", bad[i]);
	for (i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
		if (clock_of_rfc3339(span_of(moments[i].text)) !=
		    moments[i].ms && ++failures)
			printf("another time: %s\n", moments[i].text);
	for (i = 0; i < 100000; i++) { /* both ways, some 800 years */
		int64_t ms = (int64_t)i * 252288001;

		clock_rfc3339(ms, now);
		if (clock_of_rfc3339(span_of(now)) != ms && ++failures)
			printf("another time: %s\n", now);
	}
	clock_rfc3339(clock_wall_ms(), now);
	if (!clock_is_rfc3339(span_of(now)) && ++failures)
		printf("our own is refused: %s\n", now);
	return failures != 0;
}
