/*
 * A lane's health: what attempts make of it, step by step.
 */
#include "deliver/health.h"

#include <stdio.h>
#include <string.h>

#define MOST UINT32_MAX

static int n_tests, n_bad;

static void
check(bool good, const char *what)
{
	n_bad += !good;
	printf("%s %d health: %s\n", good ? "ok" : "not ok", ++n_tests, what);
}

static enum outcome
after(struct health *h, struct sign s, int64_t now_ms)
{
	s.webhook = true;
	s.why = "answered 500";
	return health_after(h, &s, now_ms, 0);
}

static enum outcome
good(struct health *h, bool probe, int64_t now_ms)
{
	return after(h, (struct sign){ .good = true, .probe = probe }, now_ms);
}

static enum outcome
bad(struct health *h, bool probe, int64_t now_ms)
{
	return after(h, (struct sign){ .probe = probe }, now_ms);
}

/* Failures in a row until it pauses, at now_ms. */
static void
pause_it(struct health *h, int64_t now_ms)
{
	int i;

	for (i = 0; i < HEALTH_FAILURES; i++)
		(void)bad(h, false, now_ms);
}

static void
test_pause(void)
{
	struct health h = { 0 };
	int i;

	for (i = 1; i < HEALTH_FAILURES; i++)
		(void)bad(&h, false, 1000 + i);
	check(h.state == HEALTH_OK && h.failing_ms == 1001,
	    "some failures change nothing");
	check(good(&h, false, 2000) == 0 && h.failures == 0 &&
	    h.failing_ms == 0, "a success forgets them");
	pause_it(&h, 3000);
	check(h.state == HEALTH_PAUSED && h.until_ms == 3000 +
	    HEALTH_FIRST_PAUSE_MS && strcmp(h.why,
	    "10 in a row, the last: answered 500") == 0, "ten pause it");
	check(bad(&h, false, 3001) == 0 && h.until_ms == 3000 +
	    HEALTH_FIRST_PAUSE_MS && good(&h, false, 3002) == 0 &&
	    h.state == HEALTH_PAUSED, "what was begun before says nothing");
	check(bad(&h, true, 9000) == 0 && h.until_ms == 9000 +
	    2 * HEALTH_FIRST_PAUSE_MS, "a failed probe doubles the pause");
	for (i = 0; i < 20; i++)
		(void)bad(&h, true, 10000);
	check(h.until_ms == 10000 + HEALTH_LONGEST_PAUSE_MS,
	    "up to the longest");
	check(good(&h, true, 20000) == OUTCOME_RESUMED &&
	    h.state == HEALTH_OK && h.since_ms == 20000 && h.pauses == 0 &&
	    h.why[0] == '\0', "a probe that succeeds resumes it");
}

static void
test_slow(void)
{
	struct health h = { 0 };
	struct sign slow = { .slow = true };

	check(after(&h, slow, 1) == 0 && after(&h, slow, 2) == 0 &&
	    after(&h, slow, 3) == OUTCOME_PAUSED, "three that take long");
	h = (struct health){ .failures = 5, .failing_ms = 1 };
	check(bad(&h, false, 2) == 0 && after(&h, slow, 3) == OUTCOME_PAUSED,
	    "or one among failures");
}

static void
test_jitter(void)
{
	struct health h = { .failures = HEALTH_FAILURES };
	struct sign s = { .why = "x" };

	check(health_after(&h, &s, 0, MOST) == OUTCOME_PAUSED &&
	    h.until_ms == HEALTH_FIRST_PAUSE_MS + HEALTH_FIRST_PAUSE_MS / 5,
	    "jitter only adds");
}

static void
test_retry_after(void)
{
	struct health h = { 0 };
	struct sign s = { .retry_after_ms = 60000 };

	check(after(&h, s, 1000) == OUTCOME_PAUSED && h.until_ms == 61000,
	    "Retry-After pauses at once");
	s.probe = true;
	s.retry_after_ms = 5000;
	check(after(&h, s, 61000) == 0 && h.until_ms == 66000 &&
	    h.pauses == 0, "and as long as it asks, no longer");
}

static void
test_disable(void)
{
	struct health h = { 0 };
	struct sign origin = { .disable = true, .why = "x" };

	check(after(&h, (struct sign){ .disable = true }, 5) ==
	    OUTCOME_DISABLED && h.state == HEALTH_DISABLED && h.since_ms == 5,
	    "410, or the receiver's word");
	check(good(&h, true, 6) == 0 && bad(&h, true, 7) == 0 &&
	    h.state == HEALTH_DISABLED, "nothing here enables it");
	h = (struct health){ 0 };
	(void)bad(&h, false, 1000);
	check(bad(&h, false, 1000 + HEALTH_DISABLE_MS - 1) == 0,
	    "not quite five days");
	check(bad(&h, false, 1000 + HEALTH_DISABLE_MS) == OUTCOME_DISABLED &&
	    strcmp(h.why, "nothing but failures for 5 days, the last: "
	    "answered 500") == 0, "five days of failure");
	h = (struct health){ 0 };
	pause_it(&h, 1000);
	check(bad(&h, true, 1000 + HEALTH_DISABLE_MS) == OUTCOME_DISABLED,
	    "paused, too");
	h = (struct health){ 0 };
	check(health_after(&h, &origin, 1, 0) == 0 && h.state == HEALTH_OK,
	    "an origin is not disabled");
	h.failing_ms = 1;
	check(health_after(&h, &origin, HEALTH_DISABLE_MS * 2LL, 0) == 0 &&
	    h.state == HEALTH_OK, "not after days either");
}

int
main(void)
{
	test_pause();
	test_slow();
	test_jitter();
	test_retry_after();
	test_disable();
	printf("1..%d\n", n_tests);
	return n_bad > 0;
}
