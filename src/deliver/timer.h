/*
 * What waits for a time, the earliest first: a binary heap of timers that
 * their owners embed.
 */
#ifndef DELIVER_TIMER_H
#define DELIVER_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t due_ms; /* monotonic */
	size_t at;      /* its place, counted from 1; 0: it is not set */
};

struct timers {
	struct timer **heap;
	size_t n, cap;
};

/* Set it, or move it if it is set. */
void timers_set(struct timers *, struct timer *, int64_t due_ms);
void timers_cancel(struct timers *, struct timer *); /* not set: fine */
struct timer *timers_first(const struct timers *); /* NULL: none */
void timers_clear(struct timers *);

#endif
