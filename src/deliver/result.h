/*
 * Result records (DESIGN.md section 2): what became of an attempt or a call.
 */
#ifndef DELIVER_RESULT_H
#define DELIVER_RESULT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "deliver/call.h"

enum outcome { OUTCOME_DELIVERED, OUTCOME_ANSWERED, OUTCOME_RETRY,
	OUTCOME_DEAD };

struct result {
	const struct call *call;
	enum outcome outcome;
	struct span url;     /* without its query; empty: not known */
	int status;          /* 0: no answer */
	const char *reason;  /* code; NULL: delivered */
	const char *error;   /* text; NULL: none */
	int64_t duration_us; /* -1: nothing was sent */
	int64_t wait_ms;     /* retry: until the next attempt */
};

/* Add the record, without a newline, as of the wall time now_ms. */
void result_put(struct buf *, const struct result *, int64_t now_ms);

const char *outcome_name(enum outcome);

#endif
