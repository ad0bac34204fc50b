/*
 * What follows from an attempt: a pure function of the policy, how many
 * attempts there were, and how the last one ended (DESIGN.md section 5).
 */
#ifndef DELIVER_SCHEDULE_H
#define DELIVER_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "event/webhook.h"
#include "net/http.h"

/* How long to wait before the second attempt, the third, … */
struct schedule {
	const int64_t *waits_ms;
	size_t n_waits;
};

enum { SCHEDULE_MAX_RETRY_AFTER_MS = 24 * 3600 * 1000 };

/*
 * From memory: few and quick; from a queue: Standard Webhooks' own, and five
 * tries under RETRY_NETWORK. RETRY_DEFAULT counts as RETRY_FAILURES.
 */
struct schedule schedule_quick(enum retry_policy);
struct schedule schedule_standard(enum retry_policy);

enum verdict {
	VERDICT_DELIVERED, /* 2xx */
	VERDICT_ANSWERED,  /* policy network: not 2xx, and settled by it */
	VERDICT_AGAIN,     /* after wait_ms */
	VERDICT_DEAD,
};

struct decision {
	enum verdict verdict;
	const char *reason; /* code; NULL: delivered */
	int64_t wait_ms;
};

/*
 * After attempt number `attempt` (1, 2, …) ended so. retry_after_ms: what the
 * answer asks for, 0: nothing; it makes the wait longer, never shorter. dice: a
 * random number; jitter makes it up to a fifth longer, never shorter.
 */
struct decision schedule_decide(const struct schedule *, enum retry_policy,
    unsigned attempt, enum http_failure, int status, int64_t retry_after_ms,
    uint32_t dice);

/* What an answer's Retry-After comes to: 429 and 503 alone, and clamped. */
int64_t schedule_retry_after(int status, int64_t asked_ms);

#endif
