/*
 * Lanes: the calls of one webhook, or of one origin for calls without a
 * webhook, that are due, first come first served; and the order in which the
 * lanes take their turns.
 */
#ifndef DELIVER_LANE_H
#define DELIVER_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "deliver/call.h"
#include "deliver/hash.h"
#include "deliver/timer.h"
#include "store/queue.h"

/* Why a webhook's calls can't be sent. */
enum lane_fault { LANE_OK, LANE_REMOVED, LANE_DISABLED, LANE_INVALID };

struct lane {
	struct entry entry;     /* by kind and webhook id or origin */
	struct lane *next_turn;
	struct lane **turn_link; /* what points to it; NULL: waits for none */
	bool webhook;
	size_t n_calls;         /* that belong to it, wherever they are */
	size_t in_flight;
	struct call *head, **tail; /* due; and behind them */
	struct call *fresh, **fresh_tail; /* those in hand */
	size_t window;          /* how many may be in flight, as it has shown */
	int64_t next_us;        /* its rate: not before then, monotonic */
	bool throttled;         /* asleep for that */
	/* A webhook's, as of that generation of the registry. */
	uint64_t generation;    /* 0: never looked up */
	enum lane_fault fault;
	struct target *target;  /* NULL with a fault, and for origins */
	/* From a queue. */
	struct entry by_no;
	int64_t no;             /* 0: from memory */
	bool more;              /* calls that are due may be there; */
	bool slow;              /* and it has not done with those, for long */
	int64_t next_due_ms;    /* the first that waits there; -1: none */
	int64_t n_waiting;      /* unsettled ones there, if they are counted */
	struct timer wake;
	struct health health;
	bool health_moved;      /* since it was stored; */
	bool health_changed;    /* and so did the state */
};

struct lanes {
	struct hash table, numbers;
	struct lane *turn, **turn_tail;
	struct timers wakes;
	struct buf key; /* scratch */
};

/* Its webhook's id, or its origin; as long as the lane. */
static inline struct span
lane_name(const struct lane *lane)
{
	return (struct span){ lane->entry.key.p + 1, lane->entry.key.len - 1 };
}

static inline struct lane *
lane_of_timer(struct timer *t)
{
	return (struct lane *)(void *)((char *)t - offsetof(struct lane, wake));
}

void lanes_init(struct lanes *);
void lanes_clear(struct lanes *); /* no call may be left */

/* The lane with that name, made if there is none. */
struct lane *lanes_get(struct lanes *, bool webhook, struct span name);

/* The lane with that number in the queue; NULL: not known yet. */
struct lane *lanes_find(const struct lanes *, int64_t no);
void lanes_number(struct lanes *, struct lane *, int64_t no);

/* Put a new call in the lane that it belongs to. */
void lanes_join(struct lanes *, struct call *);

/* The call is done with. */
void lanes_leave(struct lanes *, struct call *);

/* Free the lane if there are many and nothing speaks for this one. */
void lanes_tidy(struct lanes *, struct lane *);

static inline bool
lane_has_due(const struct lane *lane)
{
	return lane->head || lane->fresh;
}

/* A joined call is due: it queues up. */
void lane_push(struct lanes *, struct call *);

/* The first due call, or NULL. */
struct call *lane_pop(struct lane *);
struct call *lane_pop_fresh(struct lane *); /* of those in hand */

/* The lane is to get its turn. */
void lanes_wait(struct lanes *, struct lane *);

enum readiness {
	LANE_READY,
	LANE_CROWDED, /* others take the room: asked again at the next round */
	LANE_ASLEEP,  /* until lanes_wait */
};

/*
 * The next lane that is ready, put behind the others for its next turn; NULL:
 * none.
 */
struct lane *lanes_turn(struct lanes *, enum readiness (*)(void *ctx,
    struct lane *), void *ctx);

/* Each lane, in no order, until the function fails: -1 then. */
int lanes_each(struct lanes *, int (*)(void *ctx, struct lane *), void *ctx);

#endif
