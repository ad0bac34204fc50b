/*
 * Calls that wait for their next attempt, the earliest first: a binary heap.
 */
#ifndef DELIVER_TIMER_H
#define DELIVER_TIMER_H

#include <stddef.h>

#include "deliver/call.h"

struct timers {
	struct call **heap;
	size_t n, cap;
};

void timers_add(struct timers *, struct call *); /* by its due_ms */
struct call *timers_first(const struct timers *); /* NULL: none */
struct call *timers_take(struct timers *); /* take out the first, if any */
void timers_clear(struct timers *);

#endif
