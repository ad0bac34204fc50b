/*
 * What a delivery queue remembers: calls, their attempts, counts an hour. Read
 * while others deliver; only history_replay writes.
 *
 * Functions return 0, or -1 with the error. Spans live during the call that
 * gives them.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/queue.h"

struct sqlite3_stmt;

enum { HISTORY_BUCKETS = 15 };

/* Upper bounds of the buckets of durations, ms; the last has none. */
extern const int history_bucket_ms[HISTORY_BUCKETS - 1];

struct history_filter {
	struct span webhook, event, name; /* empty: any */
	bool by_outcome;    /* settled so; outcome 0: unsettled */
	enum outcome outcome;
	int status;         /* of the last attempt; 0: any */
	int64_t since_ms;   /* taken from then on; 0: any */
	int64_t until_ms;   /* before; 0: any */
	bool with_payload;  /* it can be replayed */
	int64_t seq;        /* that call; 0: any */
	int64_t above, below; /* seq; 0: any */
	bool oldest_first;
	size_t limit;       /* 0: all */
};

struct history_call {
	int64_t seq;
	struct span id, event, name, lane;
	bool webhook;       /* the lane is one; else an origin */
	int outcome;        /* enum outcome; 0: unsettled */
	unsigned attempts;
	int64_t taken_ms, settled_ms;
	int64_t due_ms;     /* unsettled: 0 at once, -1 behind another */
	struct span reason; /* of the last failure */
	/* Of the last attempt; status 0, empty, -1: there is none. */
	int status;
	struct span error;
	int64_t us;
};

struct history_attempt {
	unsigned n;
	int64_t time_ms;
	int outcome, status;
	struct span reason, error, answer;
	int64_t us, dns_us, connect_us, tls_us, first_us; /* -1: not known */
};

/* Calls, the newest first unless told otherwise. */
int history_calls(struct queue *, const struct history_filter *,
    void (*give)(void *ctx, const struct history_call *), void *ctx,
    struct error *);

/* The newest call with this id. 1 and its seq; 0: none. */
int history_find(struct queue *, struct span id, int64_t *seq, struct error *);

/* The call and its attempts, the first one first. 1, or 0: no such call. */
int history_show(struct queue *, int64_t seq,
    void (*call)(void *ctx, const struct history_call *),
    void (*attempt)(void *ctx, const struct history_attempt *), void *ctx,
    struct error *);

/*
 * Send again what the filter selects, of what has its payload, the oldest first:
 * each becomes a new call of the same id, outside of any order; the old one loses
 * its payload, so that it is not replayed twice. How many, or -1. `below` keeps
 * what dies meanwhile from being selected again.
 */
int64_t history_replay(struct queue *, const struct history_filter *,
    int64_t now_ms, struct error *);

/*
 * What becomes of calls, as it is recorded: each one that the filter selects,
 * whenever an attempt at it failed and when it is settled. `below` and `limit`
 * are not obeyed.
 */
struct history_follow {
	struct queue *queue;
	struct sqlite3_stmt *call; /* that the filter selects */
	int64_t no;         /* records so far */
	int64_t n_missed;   /* more than the file keeps came since the last look */
	int fd;             /* readable when there may be more */
};

/* From now on. Close it in either case. */
int history_follow_open(struct history_follow *, struct queue *,
    const struct history_filter *, struct error *);
void history_follow_close(struct history_follow *); /* of zeroes: nothing */

/*
 * Some of what is new, one transaction's at most: 1, or 0: nothing is, and
 * follow->fd will say when. What is given twice differs.
 */
int history_follow_next(struct history_follow *,
    void (*give)(void *ctx, const struct history_call *), void *ctx,
    struct error *);

/*
 * What is to be looked at for what was settled before; then queue_prune_old does
 * it.
 */
int history_old(struct queue *, int64_t before_ms, struct queue_old *,
    struct error *);

struct history_lane {
	struct span lane;
	bool webhook;
	struct health health;
	int64_t waiting;         /* calls unsettled */
	int64_t oldest_ms;       /* taken, of these; 0: none */
	int64_t delivered, answered, retry, dead; /* attempts */
	int64_t us;              /* of all attempts */
	int64_t buckets[HISTORY_BUCKETS];
};

/* Each lane, with its attempts since then. */
int history_lanes(struct queue *, int64_t since_ms,
    void (*give)(void *ctx, const struct history_lane *), void *ctx,
    struct error *);

/* Requests that were made: a call can end without one (removed, expired). */
int64_t history_requests(const struct history_lane *);

/* The bucket's bound that so many of a hundred stay below; -1: none, or more. */
int history_percentile(const struct history_lane *, unsigned percent);

#endif
