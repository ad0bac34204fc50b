/*
 * What follows from an attempt.
 */
#include "deliver/schedule.h"

enum { GONE = 410, JITTER_PART = 5 };

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

struct schedule
schedule_quick(enum retry_policy policy)
{
	static const int64_t failures[] = { 1000, 5000, 15000 };
	/* Five tries, as the original had. */
	static const int64_t network[] = { 500, 1000, 2000, 4000 };

	if (policy == RETRY_NETWORK)
		return (struct schedule){ network,
			sizeof(network) / sizeof(network[0]) };
	return (struct schedule){ failures,
		sizeof(failures) / sizeof(failures[0]) };
}

struct schedule
schedule_standard(enum retry_policy policy)
{
	static const int64_t failures[] = { 5 * SECOND, 5 * MINUTE,
		30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR,
		20 * HOUR, 24 * HOUR };
	static const int64_t network[] = { 1 * SECOND, 10 * SECOND,
		1 * MINUTE, 10 * MINUTE };

	if (policy == RETRY_NETWORK)
		return (struct schedule){ network,
			sizeof(network) / sizeof(network[0]) };
	return (struct schedule){ failures,
		sizeof(failures) / sizeof(failures[0]) };
}

int64_t
schedule_retry_after(int status, int64_t asked_ms)
{
	if ((status != 429 && status != 503) || asked_ms < 0)
		return 0;
	return asked_ms < SCHEDULE_MAX_RETRY_AFTER_MS ? asked_ms :
	    SCHEDULE_MAX_RETRY_AFTER_MS;
}

static const char *
reason_of(enum http_failure failure, int status)
{
	switch (failure) {
	case HTTP_DNS:
		return "dns";
	case HTTP_CONNECT:
		return "connect";
	case HTTP_TLS:
		return "tls";
	case HTTP_TIMEOUT:
		return "timeout";
	case HTTP_TOO_LARGE:
		return "too-large";
	case HTTP_PROTOCOL:
		return "protocol";
	case HTTP_ABORTED:
		return "aborted";
	case HTTP_BLOCKED:
		return "blocked-address";
	case HTTP_ANSWERED:
		break;
	}
	return status == GONE ? "gone" : status < 400 ? "http-3xx" :
	    status < 500 ? "http-4xx" : "http-5xx";
}

struct decision
schedule_decide(const struct schedule *s, enum retry_policy policy,
    unsigned attempt, enum http_failure failure, int status, int64_t retry_after_ms,
    uint32_t dice)
{
	struct decision d = { VERDICT_DEAD, NULL, 0 };
	int64_t wait;

	if (failure == HTTP_ANSWERED && status >= 200 && status < 300) {
		d.verdict = VERDICT_DELIVERED;
		return d;
	}
	d.reason = reason_of(failure, status);
	if (failure == HTTP_ANSWERED && policy == RETRY_NETWORK) {
		d.verdict = VERDICT_ANSWERED;
		/* Policy failures alone reads a meaning into 410. */
		if (status == GONE)
			d.reason = "http-4xx";
		return d;
	}
	if (failure == HTTP_ANSWERED && status == GONE)
		return d;
	if (attempt == 0 || attempt > s->n_waits)
		return d;
	wait = s->waits_ms[attempt - 1];
	if (wait < retry_after_ms)
		wait = retry_after_ms;
	d.verdict = VERDICT_AGAIN;
	d.wait_ms = wait + (int64_t)((uint64_t)(wait / JITTER_PART) * dice /
	    UINT32_MAX);
	return d;
}
