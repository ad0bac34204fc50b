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
#include "deliver/table.h"

/* Why a webhook's calls can't be sent. */
enum lane_fault { LANE_OK, LANE_REMOVED, LANE_DISABLED, LANE_INVALID };

struct lane {
	struct entry entry;     /* by kind and webhook id or origin */
	struct lane *next_turn;
	struct lane **turn_link; /* what points to it; NULL: waits for none */
	bool webhook;
	size_t n_calls;         /* that belong to it, wherever they are */
	size_t in_flight;
	struct call *head, **tail; /* due */
	/* A webhook's, as of that generation of the registry. */
	uint64_t generation;    /* 0: never looked up */
	enum lane_fault fault;
	struct target *target;  /* NULL with a fault, and for origins */
};

struct lanes {
	struct table table;
	struct lane *turn, **turn_tail;
	struct buf key; /* scratch */
};

/* Its webhook's id, or its origin; as long as the lane. */
static inline struct span
lane_name(const struct lane *lane)
{
	return (struct span){ lane->entry.key.p + 1, lane->entry.key.len - 1 };
}

void lanes_init(struct lanes *);
void lanes_clear(struct lanes *); /* no call may be left */

/* Put a new call in the lane that it belongs to. */
void lanes_join(struct lanes *, struct call *);

/* The call is done with: frees the lane if it was the last. */
void lanes_leave(struct lanes *, struct call *);

/* A joined call is due: it queues up. */
void lane_push(struct lanes *, struct call *);

/* The due call at the head, or NULL. */
struct call *lane_pop(struct lane *);

/*
 * The next lane with due calls that may(ctx, lane) send, put behind the others
 * for its next turn; NULL: none.
 */
struct lane *lanes_turn(struct lanes *, bool (*may)(const void *ctx,
    const struct lane *), const void *ctx);

#endif
