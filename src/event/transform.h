/*
 * Filters and transforms: the jq programs of webhooks (DESIGN.md sections 4 and
 * 5, ev-route). Both get the whole event. A filter's first output says whether
 * the webhook is called: false, null and none mean no. A transform's output is
 * the body, or {"headers", "body"}; none: no call.
 *
 * Webhooks that have the same pair of programs share a task: what it makes of
 * an event, in a worker, is found out once.
 */
#ifndef EVENT_TRANSFORM_H
#define EVENT_TRANSFORM_H

#include "event/event.h"
#include "event/webhook.h"
#include "event/workers.h"

enum { TRANSFORM_MAX_HEADERS = 32 };

struct transforms;

/*
 * NULL if no webhook has any. limit_ms: processor time for an event's task. The
 * list must outlive it.
 */
struct transforms *transforms_new(const struct webhooks *, int64_t limit_ms);
void transforms_free(struct transforms *);

/* A webhook's task: from 1; 0: it has neither. They are counted. */
uint32_t transforms_task(const struct transforms *, uint32_t webhook);
uint32_t transforms_count(const struct transforms *);

/* Send a public event's line to be tried with a task. */
void transforms_send(struct transforms *, uint32_t task, struct span line);

/*
 * Wait for the ruling of the oldest send. *line is valid until the next send.
 * 0, or -1: the system failed, with the error.
 */
int transforms_receive(struct transforms *, struct span *line, struct error *);

/* How many tasks cost a worker its life, by time or memory; of NULL none. */
uint64_t transforms_deaths(const struct transforms *);

enum ruling_kind {
	RULING_NO_FILTER, /* the filter says no, by this output or none */
	RULING_NO_OUTPUT, /* the transform gives none: no call */
	RULING_CALL,      /* as if there were no program */
	RULING_BODY,      /* with this body, and these headers besides its own */
	RULING_FAILED,
};

struct ruling {
	enum ruling_kind kind;
	/* JSON texts; empty: none. names: of the headers, an array. */
	struct span output, headers, names, body;
	const char *reason; /* failed: as a struct fault's */
	struct span error, detail;
};

/* The one last received for a task, until the next one for it. */
const struct ruling *transforms_ruling(const struct transforms *,
    uint32_t task);

/*
 * Does a ruling set a header that the webhook has itself? It can't: these are
 * taken anew from the registry at each attempt.
 */
bool transforms_clash(struct transforms *, const struct ruling *,
    const struct webhook *);

/*
 * Does every program compile? Takes some 15 ms for each distinct one. 0, or -1
 * with a line for each that does not: "webhook 'a': filter: WHY".
 */
int transforms_check(const struct webhooks *, struct buf *reasons);

#endif
