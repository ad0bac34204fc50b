/*
 * The delivery queue: one SQLite file. Its states, its transactions and what a
 * crash leaves are in src/README. Any number of processes store calls; one at
 * a time delivers. Whoever fails in a transaction must roll it back.
 *
 * Functions return 0, or -1 with the error; queue_open tells more. Times are
 * wall time, ms since 1970.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum {
	QUEUE_APPLICATION_ID = 0x45565051, /* "EVPQ" */
	QUEUE_VERSION = 1,
	QUEUE_WHY_BYTES = 200,
};

/* As in the file: numbers stay. 0 in call.outcome: not settled. */
enum outcome {
	OUTCOME_DELIVERED = 1, OUTCOME_ANSWERED, OUTCOME_RETRY, OUTCOME_DEAD,
	OUTCOME_DUPLICATE, OUTCOME_PAUSED, OUTCOME_RESUMED, OUTCOME_DISABLED,
};

const char *outcome_name(enum outcome); /* as in records */

/* What delivering found out about a lane. As in the file: numbers stay. */
enum health_state { HEALTH_OK, HEALTH_PAUSED, HEALTH_DISABLED };

struct health {
	enum health_state state;
	unsigned failures;  /* in a row */
	unsigned pauses;    /* in a row */
	int64_t failing_ms; /* the first of the failures in a row; 0: none */
	int64_t since_ms;   /* of the state */
	int64_t until_ms;   /* paused */
	int64_t held_ms;    /* since when the registry disables it; 0: not */
	char why[QUEUE_WHY_BYTES]; /* "" if ok */
};

struct queue;

/*
 * Open, or create with mode 0600. 0, or with the error -1: the set-up is wrong
 * (no such folder, another program's file, a newer version's), -2: the system
 * failed (full, locked, damaged, no right to write).
 */
int queue_open(struct queue **, const char *path, struct error *);
void queue_close(struct queue *); /* NULL is fine */

/* Be the one that delivers: 1, or 0: another process is. -1: error. */
int queue_lock(struct queue *, struct error *);

/*
 * Readable when something happened: another stored or changed something
 * (true from queue_heard), or closed the file, so that the lock may be free.
 */
int queue_fd(const struct queue *);
bool queue_heard(struct queue *);

/*
 * Transactions. A durable one is on disk when committed; the other only with
 * the next durable one. Others that write wait meanwhile. A durable commit of
 * one who does not deliver wakes the one who does.
 */
int queue_begin(struct queue *, bool durable, struct error *);
int queue_commit(struct queue *, struct error *);
void queue_rollback(struct queue *);

/* Around reads that belong together: one moment, and one lock for all. */
int queue_begin_reading(struct queue *, struct error *);
int queue_end_reading(struct queue *, struct error *);

/* Storing, inside a durable transaction */

enum queue_put { QUEUE_TAKEN, QUEUE_DUPLICATE, QUEUE_CONFLICT };

struct queue_call {
	struct span text;  /* the line */
	struct span id, event, name; /* decoded; empty: none */
	struct span lane;  /* a webhook's id or an origin */
	bool webhook;
	bool ordered;      /* has an order key: */
	struct span key;
	struct span body;
	bool force;        /* it is no repeat, whatever is there */
	enum queue_put known; /* a repeat that is only to be told */
};

/*
 * Store a call as it came, for one who sorts it in. repeats_ms: for queue_put.
 */
int queue_add_todo(struct queue *, const struct queue_call *, int64_t now_ms,
    int64_t repeats_ms, struct error *);

/*
 * Sorting in. One process at a time does: the one that delivers, from when it has
 * the claim; else anybody for a moment.
 */
int queue_claim(struct queue *, struct error *); /* 1; 0: another has it */
void queue_disclaim(struct queue *);

/* What was stored together, up to 64 KiB and a call. */
struct queue_todo {
	int64_t no;
	int64_t taken_ms, repeats_ms;
	struct buf bytes; /* the reader's */
};

/* The first after that one: 1, or 0: there is none. */
int queue_next_todo(struct queue *, int64_t no, struct queue_todo *,
    struct error *);

/*
 * Its call at *at, which moves on from 0: spans into bytes, with BUF_PAD behind.
 * 1, or 0: that was the last one.
 */
int queue_todo_call(const struct queue *, const struct queue_todo *, size_t *at,
    struct queue_call *, struct error *);

/* How many calls are in the rows after that one, and since when; n 0: none. */
int queue_unsorted(struct queue *, int64_t no, int64_t *n, int64_t *taken_ms,
    struct error *);

/* In the transaction that puts its calls: it is over. */
int queue_end_todo(struct queue *, int64_t no, struct error *);

struct queue_place { int64_t seq, lane; };

/*
 * Put a call where it is sent from, unless it is known as a repeat, or its id is
 * there already, and when it was taken that one was not dead, nor settled for
 * repeats_ms: then it is a duplicate, or a conflict if its body differs.
 */
int queue_put(struct queue *, const struct queue_call *, int64_t taken_ms,
    int64_t repeats_ms, enum queue_put *, struct queue_place *,
    struct error *);

/*
 * May it be sent before it is put? 1: it has an id, which is not there, and no order
 * key; and its lane is there, which is given.
 */
int queue_is_fresh(struct queue *, const struct queue_call *, int64_t *lane,
    struct error *);

/*
 * For who shows what is there and does not deliver: sort in at most so many. What
 * is a repeat is kept, for the one who delivers to tell. 1: there are more.
 */
int queue_sort(struct queue *, size_t max, struct error *);

/* Delivering */

struct queue_lane {
	int64_t no;
	bool webhook;
	struct span name; /* until the next call */
	struct health health;
};

/* 1 and the lane with that number, or the next one above it; 0: none. */
int queue_lane(struct queue *, int64_t no, struct queue_lane *,
    struct error *);
int queue_next_lane(struct queue *, int64_t no, struct queue_lane *,
    struct error *);

/* Lanes of calls stored after *seq, which moves on: how many, at most max. */
int queue_arrivals(struct queue *, int64_t *seq, int64_t *lanes, size_t max,
    struct error *);

/* The last seq given; 0: none. -1: error. */
int64_t queue_last(struct queue *, struct error *);

/*
 * Changes when others than putters changed calls or lanes: read all anew. -1:
 * error.
 */
int64_t queue_changes(struct queue *, struct error *);

/*
 * Calls of a lane due from..to, by due and seq: how many, at most max. -1:
 * error.
 */
int queue_due(struct queue *, int64_t lane, int64_t from_ms, int64_t to_ms,
    int64_t *seqs, size_t max, struct error *);

/* When the lane's first call after after_ms is due; -1: none, -2: error. */
int64_t queue_next_due(struct queue *, int64_t lane, int64_t after_ms,
    struct error *);

/* How many of the lane's calls up to that seq are not settled; -1: error. */
int64_t queue_waiting(struct queue *, int64_t lane, int64_t seq,
    struct error *);

/*
 * Since when, or from when on, the first of the lane's calls is due: one that is
 * due at once, since it was taken. -1: none is, -2: error.
 */
int64_t queue_first_due(struct queue *, int64_t lane, struct error *);

struct queue_row {
	int64_t seq, lane, taken_ms;
	unsigned attempts;
	bool ordered;
	struct span text; /* until the next call */
};

/* 1 and an unsettled call; 0: none such. */
int queue_load(struct queue *, int64_t seq, struct queue_row *,
    struct error *);

/* What an attempt came to, or the end without one. */
struct queue_record {
	int64_t seq, lane;
	enum outcome outcome;
	unsigned attempts;   /* so far */
	bool sent;           /* one was made */
	bool ordered;
	bool keep;           /* the payload stays */
	int64_t due_ms;      /* of a retry */
	int status;          /* 0: none */
	const char *reason;  /* code; NULL: none */
	struct span error;
	int64_t time_ms, duration_us;
	int64_t dns_us, connect_us, tls_us, first_us; /* -1: not known */
	struct span answer;  /* the first of its body */
};

/* Put a fresh call that was sent meanwhile. Sets the record's seq. */
int queue_put_done(struct queue *, const struct queue_call *, int64_t taken_ms,
    struct queue_record *, struct error *);

/*
 * Record it. *released: a call behind it in its order key now waits. What is
 * settled already stays as it is.
 */
int queue_record(struct queue *, const struct queue_record *, bool *released,
    struct error *);

/* Store a lane's health; changed: a row of history, too. */
int queue_set_health(struct queue *, int64_t lane, const struct health *,
    bool changed, int64_t now_ms, struct error *);

/* Write something durable: what can't be recorded must not be sent. */
int queue_prove(struct queue *, struct error *);

/* Clear a webhook's state (hook-admin enable). */
int queue_enable(struct queue *, struct span webhook, int64_t now_ms,
    struct error *);

/* Pruning */

struct queue_prune {
	int64_t settled_ms; /* what was settled before goes */
	int64_t payload_ms; /* the payload of it */
	int64_t held_ms;    /* calls taken before, of a lane disabled as long,
	                     * are to expire */
};

/* At once, and whatever the retention is: for hook-admin. */
struct queue_old {
	int64_t before_ms;    /* what was settled before goes */
	enum outcome outcome; /* so; 0: but for what can be sent again */
	bool dry;             /* it is only counted */
	int64_t seq, end;     /* what is looked at: after the one, and below */
	int64_t n;            /* so far */
};

/* Some hundred calls. 1, or 0: that was the end. */
int queue_prune_old(struct queue *, struct queue_old *, struct error *);

/* Give some free room back to the system. 1: there is more of it. */
int queue_give_back(struct queue *, struct error *);

/*
 * Look at the calls after *seq, some hundred: delete what is out of retention.
 * Seqs of calls to expire: how many, at most max. *seq moves on; -1: the end.
 */
int queue_prune(struct queue *, const struct queue_prune *, int64_t *seq,
    int64_t *expired, size_t max, size_t *n_expired, struct error *);

#endif
