/*
 * Numbers, sizes and durations: the whole text or nothing.
 */
#include "base/num.h"

#include <assert.h>

static const struct {
	const char *text;
	uint64_t min, max;
	int64_t want; /* -1: refused */
} numbers[] = {
	{ "0", 0, 10, 0 }, { "10", 0, 10, 10 }, { "11", 0, 10, -1 },
	{ "007", 0, 10, 7 }, { "1", 2, 10, -1 }, { "", 0, 10, -1 },
	{ "-1", 0, 10, -1 }, { "+1", 0, 10, -1 }, { " 1", 0, 10, -1 },
	{ "1 ", 0, 10, -1 }, { "1.0", 0, 10, -1 }, { "0x1", 0, 10, -1 },
	{ "9223372036854775807", 0, UINT64_MAX, INT64_MAX },
	{ "18446744073709551616", 0, UINT64_MAX, -1 },
	{ "99999999999999999999999", 0, UINT64_MAX, -1 },
};

static const struct {
	const char *text;
	uint64_t max;
	int64_t want;
} sizes[] = {
	{ "1048576", 1 << 30, 1048576 }, { "64K", 1 << 30, 65536 },
	{ "64KiB", 1 << 30, 65536 }, { "4M", 1 << 30, 4 << 20 },
	{ "4MiB", 1 << 30, 4 << 20 }, { "1G", 1 << 30, 1 << 30 },
	{ "1GiB", 1 << 30, 1 << 30 }, { "2G", 1 << 30, -1 },
	{ "1073741825", 1 << 30, -1 }, { "4m", 1 << 30, -1 },
	{ "4MB", 1 << 30, -1 }, { "K", 1 << 30, -1 }, { "", 1 << 30, -1 },
	{ "1.5M", 1 << 30, -1 }, { "17179869184G", UINT64_MAX, -1 },
	{ "0", 1 << 30, 0 },
};

enum { DAY = 86400000 };
static const struct {
	const char *text;
	int64_t max, want;
} durations[] = {
	{ "30", DAY, 30000 }, { "1.5", DAY, 1500 }, { "0", DAY, 0 },
	{ "250ms", DAY, 250 }, { "0.01s", DAY, 10 }, { "5s", DAY, 5000 },
	{ "2m", DAY, 120000 }, { "2min", DAY, 120000 }, { "24h", DAY, DAY },
	{ "1d", DAY, DAY }, { "1.000001d", DAY, -1 }, { "25h", DAY, -1 },
	{ "0.0000001s", DAY, -1 }, { "1.", DAY, -1 }, { ".5", DAY, -1 },
	{ "s", DAY, -1 }, { "", DAY, -1 }, { "-1", DAY, -1 }, { "1 s", DAY, -1 },
	{ "1y", DAY, -1 }, { "1e3", DAY, -1 },
	{ "18446744073709551615d", INT64_MAX, -1 },
	{ "9223372036854775807ms", INT64_MAX, INT64_MAX },
	{ "9223372036854775807s", INT64_MAX, -1 },
};

int
main(void)
{
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t n = 42;
		int r = num_u64(span_of(numbers[i].text), numbers[i].min,
		    numbers[i].max, &n);

		assert(numbers[i].want < 0 ? r == -1 && n == 42 :
		    r == 0 && n == (uint64_t)numbers[i].want);
	}
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t n = 42;
		int r = num_bytes(span_of(sizes[i].text), sizes[i].max, &n);

		assert(sizes[i].want < 0 ? r == -1 && n == 42 :
		    r == 0 && n == (uint64_t)sizes[i].want);
	}
	for (i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		int64_t ms = 42;
		int r = num_duration(span_of(durations[i].text),
		    durations[i].max, &ms);

		assert(durations[i].want < 0 ? r == -1 && ms == 42 :
		    r == 0 && ms == durations[i].want);
	}
	return 0;
}
