/*
 * The tags of events that a broker gave.
 */
#include "store/tags.h"

#include <stdlib.h>

#include "base/alloc.h"

void
tags_clear(struct tags *t)
{
	free(t->done);
	free(t->held);
	*t = (struct tags){ .n = 0 };
}

void
tags_restart(struct tags *t)
{
	t->base = t->settled = t->last;
	t->n = t->n_held = 0;
}

int64_t
tags_give(struct tags *t, uint64_t n)
{
	return t->last = t->base + (int64_t)n;
}

bool
tags_are_settled(const struct tags *t, int64_t tag)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->done[i].from <= tag && tag <= t->done[i].to)
			return true;
	return tag <= t->settled;
}

/* One with what it touches: so they are few, however long a gap stays. */
static struct tags_range
merge(struct tags *t, struct tags_range r)
{
	size_t i = 0;

	while (i < t->n) {
		const struct tags_range *d = &t->done[i];

		if (d->from > r.to + 1 || d->to < r.from - 1) {
			i++;
			continue;
		}
		if (d->from < r.from)
			r.from = d->from;
		if (d->to > r.to)
			r.to = d->to;
		t->done[i] = t->done[--t->n];
		i = 0;
	}
	return r;
}

void
tags_settle(struct tags *t, int64_t from, int64_t to)
{
	struct tags_range r = merge(t, (struct tags_range){ from, to });

	if (r.to <= t->settled)
		return;
	if (r.from <= t->settled + 1) {
		t->settled = r.to;
		return;
	}
	t->done = alloc_grow(t->done, &t->cap, t->n + 1, sizeof(*t->done));
	t->done[t->n++] = r;
}

void
tags_hold(struct tags *t, int64_t tag)
{
	t->held = alloc_grow(t->held, &t->cap_held, t->n_held + 1,
	    sizeof(*t->held));
	t->held[t->n_held++] = tag;
}

void
tags_release(struct tags *t, int64_t tag)
{
	size_t i;

	for (i = 0; i < t->n_held; i++)
		if (t->held[i] == tag)
			t->held[i--] = t->held[--t->n_held];
}

/* The first of them that is held; or the one behind them. */
static int64_t
first_held(const struct tags *t, int64_t from, int64_t to)
{
	int64_t first = to + 1;
	size_t i;

	for (i = 0; i < t->n_held; i++)
		if (t->held[i] >= from && t->held[i] < first)
			first = t->held[i];
	return first;
}

static int
ack_range(struct tags *t, int64_t from, int64_t to,
    int (*ack)(void *, uint64_t, bool), void *ctx)
{
	int64_t tag;
	int r = 0;

	/* What is settled is unknown to the broker: that would be an error. */
	while (to >= from && tags_are_settled(t, to))
		to--;
	while (from <= to && tags_are_settled(t, from))
		from++;
	if (from > to)
		return 0;
	if (from == t->settled + 1)
		r = ack(ctx, (uint64_t)(to - t->base), true);
	else
		for (tag = from; tag <= to && r == 0; tag++)
			if (!tags_are_settled(t, tag))
				r = ack(ctx, (uint64_t)(tag - t->base), false);
	if (r == 0)
		tags_settle(t, from, to);
	return r;
}

int
tags_ack(struct tags *t, int64_t from, int64_t to,
    int (*ack)(void *, uint64_t, bool), void *ctx)
{
	int64_t gap;
	int r = 0;

	if (from <= t->base)
		from = t->base + 1;
	for (; from <= to && r == 0; from = gap + 1) {
		gap = first_held(t, from, to);
		r = ack_range(t, from, gap - 1, ack, ctx);
	}
	return r;
}
