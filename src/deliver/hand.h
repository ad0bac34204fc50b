/*
 * Calls in hand: rows of the queue's todo whose calls are sent before they are
 * put. Most are over within milliseconds, and are then put once, with what became
 * of them. A row stays in the file, whole, until all of it is put.
 */
#ifndef DELIVER_HAND_H
#define DELIVER_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "deliver/call.h"
#include "deliver/hash.h"
#include "store/queue.h"

struct note;

struct hand_item {
	struct entry by_id; /* key.len 0: it can't be repeated */
	struct hand *hand;
	size_t at;          /* of the call in the row */
	/* Neither: it is only put. */
	struct call *call;  /* in its lane or under way */
	struct note *note;  /* what became of it */
	enum queue_put what;      /* once it is put */
	struct queue_place place;
};

struct hand {
	struct hand *next;
	struct queue_todo row;
	int64_t since_ms;  /* monotonic; and when it is put at the latest */
	int64_t put_at_ms;
	size_t n_open;     /* calls in lanes or under way */
	size_t n_left;     /* that were never */
	size_t n;
	struct hand_item items[];
};

struct hands {
	struct hand *first, **tail; /* in the order of the rows */
	struct hand *put;  /* the last of those that are being put */
	struct hash ids;
	int64_t last_no;   /* of the last row; 0: none is in hand */
	size_t n_open, n_left, n_bytes;
};

void hands_init(struct hands *);
void hands_clear(struct hands *); /* no call or note may be left */

/* Take over a row, its calls to be put only. NULL: damaged, with the error. */
struct hand *hands_add(struct hands *, const struct queue *,
    struct queue_todo *, struct error *);

/* The first goes. */
void hands_drop(struct hands *);

/*
 * Its id is noted, so that repeats are seen. false: one that is in hand has it.
 */
bool hands_note_id(struct hands *, struct hand_item *,
    const struct queue_call *);

/* The item has a call, or has none any more. */
void hands_open(struct hands *, struct hand_item *, struct call *);
void hands_shut(struct hands *, struct hand_item *);

#endif
