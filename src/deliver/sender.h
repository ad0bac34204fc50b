/*
 * The sender: calls in, attempts out, by turns of the lanes, tried again as
 * the schedule says, until each is settled. Calls come from memory (sender_add)
 * or from a queue (backlog). It reads no input and writes no output: the caller
 * runs the loop
 *
 *	sender_add … sender_start, http_wait until sender_deadline,
 *	sender_collect
 *
 * and hears of every result through `report`.
 */
#ifndef DELIVER_SENDER_H
#define DELIVER_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "deliver/backlog.h"
#include "deliver/call.h"
#include "deliver/lane.h"
#include "deliver/result.h"
#include "deliver/schedule.h"
#include "deliver/timer.h"
#include "net/http.h"
#include "store/registry.h"
#include "store/secrets.h"

struct sender_options {
	size_t concurrency;  /* requests in flight, in all */
	size_t per_webhook;  /* 0: three times what is left free */
	int64_t connect_ms, total_ms;
	enum retry_policy policy;   /* where the webhook has none */
	struct schedule schedule;   /* waits_ms NULL: schedule_quick, or
	                             * schedule_standard from a queue */
};

struct sender {
	struct sender_options options;
	struct http *http;               /* borrowed */
	const struct registry *registry; /* borrowed; NULL: no webhooks */
	const struct secrets_file *secrets; /* borrowed; theirs, or NULL */
	struct backlog *backlog;         /* borrowed; NULL: from memory */
	void (*report)(void *ctx, const struct result *);
	void *ctx;
	struct lanes lanes;
	struct timers timers; /* calls' */
	struct call *flying; /* attempts under way */
	size_t in_flight;
	size_t n_unproven;   /* of these */
	size_t n_throttled;  /* lanes that wait for their rate alone */
	bool no_registry;    /* the queue has calls of webhooks */
	bool registry_holds; /* webhooks disabled there have calls */
	int64_t now_ms, wall_ms; /* monotonic; what wall time is more */
	size_t n_calls, n_bytes; /* unsettled */
	bool stopping;           /* no new attempts */
	uint32_t dice;
};

/*
 * All fields that are borrowed, options, report and ctx are set already; but the
 * backlog is set and opened afterwards.
 */
void sender_init(struct sender *);
void sender_clear(struct sender *); /* from memory: nothing is unsettled; the
                                     * backlog is closed */

/* Take over a call. One with a webhook needs a registry. */
void sender_add(struct sender *, struct call *);

/* The registry is another one now. */
void sender_registry_changed(struct sender *);

/* From a queue: this call has waited too long; it ends dead, expired. */
int sender_expire(struct sender *, int64_t seq, int64_t now_ms,
    struct error *);

/* Begin the attempts that are due and may fly. 0, or -1 with the error. */
int sender_start(struct sender *, int64_t now_ms, struct error *);

/* Take what http has finished. How many there were. */
size_t sender_collect(struct sender *, int64_t now_ms);

/* When sender_start has something to do (monotonic ms); -1: unknown. */
int64_t sender_deadline(const struct sender *);

/* From a queue: nothing is under way, noted, or due now. */
bool sender_is_idle(const struct sender *);

/* And nothing is left but calls of disabled webhooks. */
bool sender_is_drained(struct sender *);

/*
 * No new attempts. From memory, what is not under way ends dead, aborted; and so
 * does what is and would be tried again. From a queue, it stays there.
 */
void sender_stop(struct sender *);

/* What is under way ends dead, aborted, too, or stays. http_close must follow. */
void sender_abandon(struct sender *, int64_t now_ms);

#endif
