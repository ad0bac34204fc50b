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

/* From memory: few and quick. RETRY_DEFAULT counts as RETRY_FAILURES. */
struct schedule schedule_quick(enum retry_policy);

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
 * After attempt number `attempt` (1, 2, …) ended so. dice: a random number;
 * jitter makes the wait up to a fifth longer, never shorter.
 */
struct decision schedule_decide(const struct schedule *, enum retry_policy,
    unsigned attempt, enum http_failure, int status, uint32_t dice);

#endif
