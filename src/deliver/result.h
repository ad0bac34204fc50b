/*
 * Result records (DESIGN.md section 2): what became of an attempt or a call.
 */
#ifndef DELIVER_RESULT_H
#define DELIVER_RESULT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "deliver/call.h"
#include "store/queue.h"

struct result {
	const struct call *call; /* NULL: of a webhook's state */
	struct span webhook;     /* JSON; of a state, if it is a webhook's */
	enum outcome outcome;
	struct span url;     /* without its query; empty: not known */
	int status;          /* 0: no answer */
	const char *reason;  /* code; NULL: delivered */
	const char *error;   /* text; NULL: none */
	int64_t duration_us; /* -1: nothing was sent */
	int64_t wait_ms;     /* retry, paused: until the next attempt */
	bool conflict;       /* duplicate: of another body */
	bool stored;         /* dead, and the queue has the call */
};

/* Add the record, without a newline, as of the wall time now_ms. */
void result_put(struct buf *, const struct result *, int64_t now_ms);

#endif
