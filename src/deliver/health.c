/*
 * A lane's health.
 */
#include "deliver/health.h"

#include <stdio.h>

enum { JITTER_PART = 5 };

#define NO_CHANGE ((enum outcome)0)

static void
move(struct health *h, enum health_state state, int64_t now_ms)
{
	h->state = state;
	h->since_ms = now_ms;
	h->until_ms = 0;
}

static enum outcome
disable(struct health *h, const char *before, const char *why, int64_t now_ms)
{
	move(h, HEALTH_DISABLED, now_ms);
	snprintf(h->why, sizeof(h->why), "%s%s", before, why);
	return OUTCOME_DISABLED;
}

/* Longer with each in a row. */
static int64_t
next_pause(struct health *h, uint32_t dice)
{
	int64_t ms = HEALTH_FIRST_PAUSE_MS;
	unsigned i;

	for (i = 0; i < h->pauses && ms < HEALTH_LONGEST_PAUSE_MS; i++)
		ms *= 2;
	if (ms > HEALTH_LONGEST_PAUSE_MS)
		ms = HEALTH_LONGEST_PAUSE_MS;
	h->pauses++;
	return ms + (int64_t)((uint64_t)(ms / JITTER_PART) * dice /
	    UINT32_MAX);
}

static enum outcome
pause_it(struct health *h, const struct sign *s, int64_t now_ms, uint32_t dice)
{
	int64_t ms = s->retry_after_ms ? s->retry_after_ms :
	    next_pause(h, dice);
	bool was = h->state == HEALTH_PAUSED;

	if (!was)
		move(h, HEALTH_PAUSED, now_ms);
	h->until_ms = now_ms + ms;
	snprintf(h->why, sizeof(h->why), "%u in a row, the last: %s",
	    h->failures, s->why);
	return was ? NO_CHANGE : OUTCOME_PAUSED;
}

static enum outcome
fail(struct health *h, const struct sign *s, int64_t now_ms, uint32_t dice)
{
	h->failures++;
	if (!h->failing_ms)
		h->failing_ms = now_ms;
	if (s->webhook && now_ms - h->failing_ms >= HEALTH_DISABLE_MS)
		return disable(h, "nothing but failures for 5 days, the last: ",
		    s->why, now_ms);
	if (s->retry_after_ms || h->state == HEALTH_PAUSED || h->failures >=
	    (s->slow ? HEALTH_SLOW_FAILURES : HEALTH_FAILURES))
		return pause_it(h, s, now_ms, dice);
	return NO_CHANGE;
}

enum outcome
health_after(struct health *h, const struct sign *s, int64_t now_ms,
    uint32_t dice)
{
	bool was_paused = h->state == HEALTH_PAUSED;

	if (h->state == HEALTH_DISABLED)
		return NO_CHANGE;
	if (s->disable && s->webhook)
		return disable(h, "", s->why, now_ms);
	if (was_paused && !s->probe)
		return NO_CHANGE; /* begun before the pause: old news */
	if (!s->good)
		return fail(h, s, now_ms, dice);
	h->failures = h->pauses = 0;
	h->failing_ms = 0;
	if (!was_paused)
		return NO_CHANGE;
	move(h, HEALTH_OK, now_ms);
	h->why[0] = '\0';
	return OUTCOME_RESUMED;
}
