/*
 * A lane's health: what its attempts say about it, a pure function (DESIGN.md
 * section 5). Failures in a row pause it; a paused one is probed with one
 * attempt when its time is over; days of failure disable a webhook, and so does
 * the receiver's word.
 */
#ifndef DELIVER_HEALTH_H
#define DELIVER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "store/queue.h"

enum {
	HEALTH_FAILURES = 10, /* in a row, then it pauses; or, if they take */
	HEALTH_SLOW_MS = 5000, /* so long, and so the places of others, */
	HEALTH_SLOW_FAILURES = 3,
	HEALTH_FIRST_PAUSE_MS = 5 * 1000, /* doubles with each failed probe */
	HEALTH_LONGEST_PAUSE_MS = 15 * 60 * 1000,
	HEALTH_DISABLE_MS = 5 * 24 * 3600 * 1000,
};

/* What an attempt says. */
struct sign {
	bool good;
	bool probe;             /* it was made while the lane was paused */
	bool webhook;           /* an origin can't be disabled */
	bool slow;              /* it took HEALTH_SLOW_MS */
	bool disable;           /* 410, or the receiver asks for it */
	int64_t retry_after_ms; /* 0: not asked for */
	const char *why;        /* it is not good: text */
};

/*
 * OUTCOME_PAUSED, _RESUMED, _DISABLED: the state changed; 0: it did not. dice:
 * a random number; jitter makes a pause up to a fifth longer.
 */
enum outcome health_after(struct health *, const struct sign *, int64_t now_ms,
    uint32_t dice);

#endif
