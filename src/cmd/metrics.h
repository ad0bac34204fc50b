/*
 * --metrics FILE: what a program has counted, as a Prometheus text file for
 * node_exporter's textfile collector. It is replaced as a whole: at the start,
 * at the end, and between these when something has happened and ten seconds have
 * passed. While nothing happens nothing is written and nobody woken; so what
 * changes by time alone is given as a time, never as an age.
 *
 * All families of all programs are in one table (metrics.c), which evpipe(7)
 * shows: whoever has the same name has the same meaning.
 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/exposition.h"

struct stage;

enum metric {
	/* of all programs */
	METRIC_UP, METRIC_BUILD, METRIC_START, METRIC_WRITTEN, METRIC_LINES_IN,
	METRIC_BYTES_IN, METRIC_LINES_OUT, METRIC_BYTES_OUT, METRIC_REJECTED,
	METRIC_REJECTS,
	/* of those with a registry */
	METRIC_REGISTRY_WEBHOOKS, METRIC_REGISTRY_LOADS, METRIC_REGISTRY_LOADED,
	METRIC_REGISTRY_BROKEN,
	/* of those where jq programs run */
	METRIC_WORKER_REQUESTS, METRIC_WORKER_DEATHS, METRIC_UNMATCHED,
	/* ev-push */
	METRIC_EVENTS_PUSHED, METRIC_EVENTS_REPEATED,
	/* ev-listen, with those of ev-push */
	METRIC_HTTP_REQUESTS, METRIC_HTTP_SECONDS, METRIC_HTTP_CONNECTIONS,
	/* ev-pull */
	METRIC_EVENTS_FED, METRIC_EVENTS_ACKED, METRIC_EVENTS_IN_FLIGHT,
	METRIC_EVENTS_WAITING, METRIC_EVENTS_BURIED, METRIC_DEAD_LETTERS,
	METRIC_COMMAND_STARTS, METRIC_COMMAND_DEATHS, METRIC_BARRIER_SECONDS,
	/* ev-deliver */
	METRIC_CALLS_TAKEN, METRIC_CALLS_REPEATED, METRIC_CALLS_SETTLED,
	METRIC_CALLS_DEAD, METRIC_ATTEMPTS, METRIC_ATTEMPT_SECONDS,
	METRIC_ATTEMPTS_IN_FLIGHT, METRIC_DELIVERING, METRIC_CALLS_WAITING,
	METRIC_CALLS_HELD, METRIC_CALL_DUE, METRIC_WEBHOOKS,
	METRIC_WEBHOOK_CHANGES, METRIC_QUEUE_BYTES,
	/* with --metrics-per-webhook */
	METRIC_WEBHOOK_ATTEMPTS, METRIC_WEBHOOK_SECONDS,
	METRIC_WEBHOOK_WAITING, METRIC_WEBHOOK_STATE,
	METRIC_N
};

struct metrics {
	const char *path; /* NULL: none are written */
	/* Adds the program's own families; NULL: it has none. */
	void (*put)(void *ctx, struct exposition *);
	void *ctx;
	int64_t start_ms; /* of the program, wall time */
	int64_t due_ms;   /* not written before; monotonic */
	bool touched;     /* something happened since it was written */
	bool failed;      /* the last time; that was said */
};

/*
 * Before a wait: write if it is time to. When to be woken for the next time
 * (monotonic ms); -1: nothing has happened since the last one.
 */
int64_t metrics_tend(struct stage *);

/* Something happened. Called after each wait: whatever ended it. */
void metrics_touch(struct stage *);

/* The last time, before what `put` looks at goes. */
void metrics_end(struct stage *);

/* Begin a family: its samples follow. */
void metrics_family(struct exposition *, enum metric);

/* A family of one sample without labels of its own. */
void metrics_put(struct exposition *, enum metric, uint64_t value);

/* Likewise a time, wall ms; no sample if it is negative. */
void metrics_put_time(struct exposition *, enum metric, int64_t wall_ms);

#endif
