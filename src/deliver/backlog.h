/*
 * What the queue holds for the sender: calls that are to be sorted in, and those
 * that are due, come into their lanes as there is room, and what becomes of them
 * is noted and goes back, many in one transaction. Calls in memory are a cache of
 * the queue's: those that are not under way may be dropped at any time.
 */
#ifndef DELIVER_BACKLOG_H
#define DELIVER_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "deliver/call.h"
#include "deliver/hand.h"
#include "deliver/lane.h"
#include "deliver/result.h"
#include "store/queue.h"

struct note;

struct backlog {
	struct queue *queue;        /* borrowed */
	struct call_reader *reader; /* borrowed */
	struct lanes *lanes;        /* borrowed */
	bool keep;         /* payloads of what is settled */
	bool counts;       /* each lane's n_waiting */
	void (*report)(void *ctx, const struct result *); /* once on record */
	void *ctx;
	bool rang;         /* there may be new calls; */
	bool todo;         /* and some that are to be sorted in, */
	bool claimed;      /* which nobody but we may do */
	bool urgent;       /* somebody waits for a note: behind its order key */
	int64_t flush_at_ms; /* monotonic; -1: nothing is noted or in hand */
	struct hands hands;
	struct hash held; /* calls in memory, by seq, until what became of
	                    * them is stored */
	size_t n_bytes;   /* of these, and of those in hand */
	struct note *notes, **notes_tail;
	size_t n_notes;
	struct lane **moved; /* whose health is to be stored */
	size_t n_moved, cap_moved;
	int64_t arrived;   /* calls up to there are known, and counted */
	int64_t arriving;  /* and up to there once the transaction is over */
	int64_t changes;   /* queue_changes as last seen */
	int64_t *seqs;     /* scratch */
	size_t cap_seqs;
};

/*
 * All that is borrowed is set. Lanes that have unsettled calls get their turn.
 * All that return int: 0 and more, or -1 with the error: then the queue must
 * not be used any more.
 */
int backlog_open(struct backlog *, struct error *);
void backlog_close(struct backlog *);

/* Somebody rang: lanes of new calls get their turn. */
int backlog_hear(struct backlog *, struct error *);

/* Take what is to be sorted in, as much as is soon over. */
int backlog_take(struct backlog *, int64_t now_ms, struct error *);

/*
 * Put at most n due calls into the lane. now: wall time, wall_ms more than the
 * monotonic one.
 */
int backlog_fill(struct backlog *, struct lane *, size_t n, int64_t now_ms,
    int64_t wall_ms, struct error *);

/* One call, joined to its lane but not due; *call NULL: it is held already. */
int backlog_load(struct backlog *, int64_t seq, struct call **call,
    struct error *);

/* Forget the lane's calls that are not under way. */
void backlog_drop(struct backlog *, struct lane *);
void backlog_forget(struct backlog *, struct call *); /* and free it */

/*
 * Note what became of a call, which is taken over. seq, lane, attempts, ordered
 * and keep are filled in; wait_ms: of a retry.
 */
void backlog_note(struct backlog *, struct call *, const struct queue_record *,
    int64_t now_ms, int64_t wait_ms);

/* The lane's health moved; changed: its state did. */
void backlog_note_health(struct backlog *, struct lane *, bool changed,
    int64_t now_ms);

/*
 * Store what is noted; and of what is in hand what is over or has been for long,
 * or all of it.
 */
int backlog_flush(struct backlog *, int64_t now_ms, int64_t wall_ms, bool all,
    struct error *);

#endif
