/*
 * What the parts of the backlog share. For deliver/backlog*.c alone.
 */
#ifndef DELIVER_BACKLOG_IMPL_H
#define DELIVER_BACKLOG_IMPL_H

#include "deliver/backlog.h"

enum { BACKLOG_GATHER_MS = 10 }; /* notes wait so long for others */

/* What became of a call; its texts are copied behind it. */
struct note {
	struct note *next;
	struct call *call; /* NULL: it could not be read */
	struct lane *lane;
	struct queue_record record;
	int64_t due_ms; /* of a retry, monotonic */
	bool released;
	char bytes[];
};

/* What is noted, or in hand, is to be stored then. */
void backlog_flush_at(struct backlog *, int64_t at_ms);

/* The lane with that number in the queue. 0, or -1 with the error. */
int backlog_lane(struct backlog *, int64_t no, struct lane **, struct error *);

/* A call was put into the lane. */
void backlog_wake(struct backlog *, struct lane *);

/* Calls that others put, a thousand at most: how many, or -1. */
int backlog_arrivals(struct backlog *, struct error *);

/* A call that was read joins its lane. */
void backlog_join(struct backlog *, struct call *, struct lane *,
    int64_t taken_ms);

/* And it is in the queue. */
void backlog_hold(struct backlog *, struct call *, int64_t seq);

/* It is on record: forget it, and see to whom it concerns. */
void backlog_finish(struct backlog *, struct note *);

/* What is in hand is left in the file. */
void backlog_drop_hands(struct backlog *);

/* Put what is in hand and due, or all, in a transaction; */
int backlog_put_hands(struct backlog *, int64_t now_ms, bool all,
    struct error *);
/* and once it is committed. */
int backlog_finish_hands(struct backlog *, int64_t now_ms,
    struct error *);

#endif
