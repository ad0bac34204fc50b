/*
 * A binary heap of calls by due_ms.
 */
#include "deliver/timer.h"

#include "base/alloc.h"

void
timers_add(struct timers *t, struct call *c)
{
	size_t i, up;

	t->heap = alloc_grow(t->heap, &t->cap, t->n + 1,
	    sizeof(struct call *));
	for (i = t->n++; i > 0; i = up) {
		up = (i - 1) / 2;
		if (t->heap[up]->due_ms <= c->due_ms)
			break;
		t->heap[i] = t->heap[up];
	}
	t->heap[i] = c;
}

struct call *
timers_first(const struct timers *t)
{
	return t->n ? t->heap[0] : NULL;
}

struct call *
timers_take(struct timers *t)
{
	struct call *first = timers_first(t), *last;
	size_t i, down;

	if (!first)
		return NULL;
	last = t->heap[--t->n];
	for (i = 0; (down = 2 * i + 1) < t->n; i = down) {
		if (down + 1 < t->n &&
		    t->heap[down + 1]->due_ms < t->heap[down]->due_ms)
			down++;
		if (t->heap[down]->due_ms >= last->due_ms)
			break;
		t->heap[i] = t->heap[down];
	}
	if (t->n)
		t->heap[i] = last;
	return first;
}

void
timers_clear(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}
