/*
 * A binary heap of timers by due_ms, each of which knows its place.
 */
#include "deliver/timer.h"

#include "base/alloc.h"

static void
put(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->at = i + 1;
}

/* Move it from the free place i up or down to where it belongs. */
static void
sift(struct timers *t, size_t i, struct timer *timer)
{
	size_t next;

	for (; i > 0; i = next) {
		next = (i - 1) / 2;
		if (t->heap[next]->due_ms <= timer->due_ms)
			break;
		put(t, i, t->heap[next]);
	}
	for (; (next = 2 * i + 1) < t->n; i = next) {
		if (next + 1 < t->n &&
		    t->heap[next + 1]->due_ms < t->heap[next]->due_ms)
			next++;
		if (t->heap[next]->due_ms >= timer->due_ms)
			break;
		put(t, i, t->heap[next]);
	}
	put(t, i, timer);
}

void
timers_set(struct timers *t, struct timer *timer, int64_t due_ms)
{
	size_t i = timer->at - 1;

	timer->due_ms = due_ms;
	if (!timer->at) {
		t->heap = alloc_grow(t->heap, &t->cap, t->n + 1,
		    sizeof(struct timer *));
		i = t->n++;
	}
	sift(t, i, timer);
}

void
timers_cancel(struct timers *t, struct timer *timer)
{
	size_t i = timer->at - 1;
	struct timer *last;

	if (!timer->at)
		return;
	timer->at = 0;
	last = t->heap[--t->n];
	if (last != timer)
		sift(t, i, last);
}

struct timer *
timers_first(const struct timers *t)
{
	return t->n ? t->heap[0] : NULL;
}

void
timers_clear(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}
