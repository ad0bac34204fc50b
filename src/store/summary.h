/*
 * What a report tells of a delivery queue beside store/history: sums an hour over
 * all lanes, each lane's last failure, the dead by reason. Read only.
 *
 * Functions return 0, or -1 with the error. Spans live during the call that gives
 * them.
 */
#ifndef STORE_SUMMARY_H
#define STORE_SUMMARY_H

#include "store/history.h"

/* Attempts of the hours (since 1970, UTC) from..to that had any; in their order. */
int summary_hours(struct queue *, int64_t from, int64_t to,
    void (*give)(void *ctx, int64_t hour, const struct history_lane *sums),
    void *ctx, struct error *);

struct summary_failure {
	struct span lane;
	bool webhook;
	int64_t time_ms;
	int status;         /* 0: no answer */
	struct span reason, error;
};

/* The last failed attempt of each lane that has one, of what is kept. */
int summary_failures(struct queue *,
    void (*give)(void *ctx, const struct summary_failure *), void *ctx,
    struct error *);

/* How many calls ended dead, by the code of the reason; the most first. */
int summary_dead(struct queue *,
    void (*give)(void *ctx, struct span reason, int64_t n), void *ctx,
    struct error *);

#endif
