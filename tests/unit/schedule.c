/*
 * The schedule: what follows from an attempt, case by case.
 */
#include "deliver/schedule.h"

#define MOST UINT32_MAX

static const int64_t own[] = { 100, 200, 0 };

static const struct {
	const char *what;
	enum { QUICK, OWN, STANDARD } schedule; /* OWN: the waits above */
	enum retry_policy policy;
	unsigned attempt;
	enum http_failure failure;
	int status;
	uint32_t dice;
	enum verdict verdict;
	const char *reason;
	int64_t wait_ms;
	int64_t retry_after_ms;
} cases[] = {
	{ "2xx", QUICK, RETRY_FAILURES, 1, HTTP_ANSWERED, 204, 0,
	    VERDICT_DELIVERED, NULL, 0, 0 },
	{ "299", QUICK, RETRY_NETWORK, 1, HTTP_ANSWERED, 299, 0,
	    VERDICT_DELIVERED, NULL, 0, 0 },
	{ "2xx at last", QUICK, RETRY_FAILURES, 99, HTTP_ANSWERED, 200, MOST,
	    VERDICT_DELIVERED, NULL, 0, 0 },
	{ "3xx is not followed", QUICK, RETRY_FAILURES, 1, HTTP_ANSWERED, 302,
	    0, VERDICT_AGAIN, "http-3xx", 1000, 0 },
	{ "4xx", QUICK, RETRY_FAILURES, 2, HTTP_ANSWERED, 404, 0,
	    VERDICT_AGAIN, "http-4xx", 5000, 0 },
	{ "5xx", QUICK, RETRY_FAILURES, 3, HTTP_ANSWERED, 503, 0,
	    VERDICT_AGAIN, "http-5xx", 15000, 0 },
	{ "used up", QUICK, RETRY_FAILURES, 4, HTTP_ANSWERED, 500, 0,
	    VERDICT_DEAD, "http-5xx", 0, 0 },
	{ "beyond 5xx", QUICK, RETRY_FAILURES, 4, HTTP_ANSWERED, 999, 0,
	    VERDICT_DEAD, "http-5xx", 0, 0 },
	{ "the default is failures", QUICK, RETRY_DEFAULT, 1, HTTP_ANSWERED,
	    500, 0, VERDICT_AGAIN, "http-5xx", 1000, 0 },
	{ "jitter only adds", QUICK, RETRY_FAILURES, 1, HTTP_ANSWERED, 500,
	    MOST, VERDICT_AGAIN, "http-5xx", 1200, 0 },
	{ "half of the jitter", QUICK, RETRY_FAILURES, 2, HTTP_TIMEOUT, 0,
	    MOST / 2, VERDICT_AGAIN, "timeout", 5499, 0 },
	{ "410", QUICK, RETRY_FAILURES, 1, HTTP_ANSWERED, 410, 0, VERDICT_DEAD,
	    "gone", 0, 0 },
	{ "network: 410", QUICK, RETRY_NETWORK, 1, HTTP_ANSWERED, 410, 0,
	    VERDICT_ANSWERED, "http-4xx", 0, 0 },
	{ "network: 500", QUICK, RETRY_NETWORK, 1, HTTP_ANSWERED, 500, 0,
	    VERDICT_ANSWERED, "http-5xx", 0, 0 },
	{ "network: 301", QUICK, RETRY_NETWORK, 1, HTTP_ANSWERED, 301, 0,
	    VERDICT_ANSWERED, "http-3xx", 0, 0 },
	{ "network: refused", QUICK, RETRY_NETWORK, 1, HTTP_CONNECT, 0, 0,
	    VERDICT_AGAIN, "connect", 500, 0 },
	{ "network: fourth", QUICK, RETRY_NETWORK, 4, HTTP_DNS, 0, 0,
	    VERDICT_AGAIN, "dns", 4000, 0 },
	{ "network: fifth", QUICK, RETRY_NETWORK, 5, HTTP_TLS, 0, 0,
	    VERDICT_DEAD, "tls", 0, 0 },
	{ "own waits: first", OWN, RETRY_FAILURES, 1, HTTP_PROTOCOL, 0, 0,
	    VERDICT_AGAIN, "protocol", 100, 0 },
	{ "own waits: none", OWN, RETRY_NETWORK, 3, HTTP_TOO_LARGE, 0, MOST,
	    VERDICT_AGAIN, "too-large", 0, 0 },
	{ "standard: 5 s", STANDARD, RETRY_FAILURES, 1, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 5000, 0 },
	{ "standard: 5 min", STANDARD, RETRY_FAILURES, 2, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 300000, 0 },
	{ "standard: 30 min", STANDARD, RETRY_FAILURES, 3, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 1800000, 0 },
	{ "standard: 2 h", STANDARD, RETRY_FAILURES, 4, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 7200000, 0 },
	{ "standard: 5 h", STANDARD, RETRY_FAILURES, 5, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 18000000, 0 },
	{ "standard: 10 h", STANDARD, RETRY_FAILURES, 6, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 36000000, 0 },
	{ "standard: 14 h", STANDARD, RETRY_FAILURES, 7, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 50400000, 0 },
	{ "standard: 20 h", STANDARD, RETRY_FAILURES, 8, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 72000000, 0 },
	{ "standard: 24 h", STANDARD, RETRY_FAILURES, 9, HTTP_ANSWERED, 500, 0,
	    VERDICT_AGAIN, "http-5xx", 86400000, 0 },
	{ "standard: the tenth was the last", STANDARD, RETRY_FAILURES, 10,
	    HTTP_ANSWERED, 500, 0, VERDICT_DEAD, "http-5xx", 0, 0 },
	{ "standard: network, fourth", STANDARD, RETRY_NETWORK, 4, HTTP_TIMEOUT,
	    0, 0, VERDICT_AGAIN, "timeout", 600000, 0 },
	{ "standard: network, fifth", STANDARD, RETRY_NETWORK, 5, HTTP_TIMEOUT,
	    0, 0, VERDICT_DEAD, "timeout", 0, 0 },
	{ "Retry-After longer than the step", STANDARD, RETRY_FAILURES, 1,
	    HTTP_ANSWERED, 429, 0, VERDICT_AGAIN, "http-4xx", 60000, 60000 },
	{ "Retry-After shorter than the step", STANDARD, RETRY_FAILURES, 2,
	    HTTP_ANSWERED, 503, 0, VERDICT_AGAIN, "http-5xx", 300000, 60000 },
	{ "Retry-After with jitter", STANDARD, RETRY_FAILURES, 1,
	    HTTP_ANSWERED, 429, MOST, VERDICT_AGAIN, "http-4xx", 72000,
	    60000 },
	{ "Retry-After of the last", STANDARD, RETRY_FAILURES, 10,
	    HTTP_ANSWERED, 429, 0, VERDICT_DEAD, "http-4xx", 0, 60000 },
	{ "own waits: used up", OWN, RETRY_FAILURES, 4, HTTP_CONNECT, 0, 0,
	    VERDICT_DEAD, "connect", 0, 0 },
};

static bool
is_right(size_t i)
{
	struct schedule s = schedule_quick(cases[i].policy);
	struct decision d;

	if (cases[i].schedule == STANDARD)
		s = schedule_standard(cases[i].policy);
	if (cases[i].schedule == OWN)
		s = (struct schedule){ own, sizeof(own) / sizeof(own[0]) };
	d = schedule_decide(&s, cases[i].policy, cases[i].attempt,
	    cases[i].failure, cases[i].status, cases[i].retry_after_ms,
	    cases[i].dice);
	if (d.verdict != cases[i].verdict || d.wait_ms != cases[i].wait_ms)
		return false;
	if (!d.reason || !cases[i].reason)
		return d.reason == cases[i].reason;
	return strcmp(d.reason, cases[i].reason) == 0;
}

int
main(void)
{
	size_t i, n = sizeof(cases) / sizeof(cases[0]), n_bad = 0;

	printf("1..%zu\n", n);
	for (i = 0; i < n; i++) {
		bool right = is_right(i);

		n_bad += !right;
		printf("%s %zu schedule: %s\n", right ? "ok" : "not ok", i + 1,
		    cases[i].what);
	}
	return n_bad > 0;
}
