/*
 * Why a webhook is called for an event, or why not: the tests of ev-route one by
 * one, in plain words (DESIGN.md section 5), where event/route.h asks an index.
 */
#ifndef EVENT_EXPLAIN_H
#define EVENT_EXPLAIN_H

#include "base/buf.h"
#include "event/event.h"
#include "event/transform.h"
#include "event/webhook.h"

#define EXPLAIN_MATCH "match"

/* Zeroed is empty; reused. */
struct explanation {
	const char *verdict;   /* EXPLAIN_MATCH, or the first test that failed */
	struct span attribute; /* that it failed on; p NULL: none */
	struct buf wants, has; /* JSON texts: the webhook's value and the
	                        * event's; empty: none */
	struct buf error;      /* what a program died of */
};

void explanation_clear(struct explanation *);

static inline bool
explanation_is_match(const struct explanation *x)
{
	return strcmp(x->verdict, EXPLAIN_MATCH) == 0;
}

/*
 * Judge a public event. ruling: of the webhook's filter and transform, which
 * count only if it passed the other tests; NULL if it has none.
 */
void explain(struct explanation *, const struct webhook *,
    const struct event *, const struct catalog_event *,
    const struct ruling *);

/* A program's fault that is found later. */
void explanation_fail(struct explanation *, const char *verdict,
    struct span error);

/* Add the record (evpipe-records(5)), without a newline. */
void explanation_put(const struct explanation *, const struct webhook *,
    const struct event *, const char *file, uint64_t line, struct buf *);

#endif
