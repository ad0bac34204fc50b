/*
 * Timers: whatever is set, moved and cancelled, the first is the earliest.
 */
#include "deliver/timer.h"

#include <stdbool.h>
#include <stdio.h>

enum { N = 200, STEPS = 20000 };

static struct timer all[N];
static uint32_t dice = 1;

static uint32_t
roll(uint32_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return dice % n;
}

static bool
is_right(const struct timers *t)
{
	const struct timer *first = timers_first(t);
	size_t i, n = 0;

	for (i = 0; i < N; i++) {
		if (!all[i].at)
			continue;
		n++;
		if (!first || all[i].due_ms < first->due_ms)
			return false;
	}
	return n == t->n && (n > 0) == (first != NULL);
}

int
main(void)
{
	struct timers t = { 0 };
	bool right = true;
	int i;

	for (i = 0; i < STEPS && right; i++) {
		struct timer *one = &all[roll(N)];

		if (roll(3))
			timers_set(&t, one, roll(1000));
		else
			timers_cancel(&t, one);
		right = is_right(&t);
	}
	while (right && timers_first(&t)) {
		timers_cancel(&t, timers_first(&t));
		right = is_right(&t);
	}
	timers_clear(&t);
	printf("1..1\n%s 1 timer: the first is the earliest\n",
	    right ? "ok" : "not ok");
	return !right;
}
