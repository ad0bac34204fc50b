/*
 * The events that a puller was given and has not acknowledged.
 */
#include "store/window.h"

#include <assert.h>

#include "base/alloc.h"

enum { COMPACT_EVENTS = 4096 };

static void
forget(struct window_event *ev)
{
	free(ev->status);
	free(ev->said);
	ev->status = ev->said = NULL;
	ev->accused = ev->counted = false;
	ev->done = true;
}

void
window_clear(struct window *w)
{
	size_t i;

	for (i = w->first; i < w->end; i++)
		forget(&w->events[i]);
	free(w->events);
	buf_clear(&w->text);
	*w = (struct window){ .first = 0 };
}

bool
window_has_room(const struct window *w)
{
	return w->end - w->first < WINDOW_MAX_EVENTS &&
	    w->bytes < WINDOW_MAX_BYTES;
}

/* Move what is left to the front, when that is less than what went. */
static void
compact(struct window *w)
{
	size_t i, n = w->end - w->first;
	size_t at = n ? w->events[w->first].at : w->text.len;

	if (w->first < COMPACT_EVENTS || n > w->first)
		return;
	memmove(w->events, w->events + w->first, n * sizeof(*w->events));
	memmove(w->text.p, w->text.p + at, w->text.len - at);
	w->text.len -= at;
	for (i = 0; i < n; i++)
		w->events[i].at -= at;
	w->next -= w->next < w->first ? w->next : w->first;
	w->alone -= w->alone < w->first ? w->alone : w->first;
	w->first = 0;
	w->end = n;
}

size_t
window_count(const struct window *w)
{
	size_t i, n = 0;

	for (i = w->first; i < w->end; i++)
		n += !w->events[i].done;
	return n;
}

void
window_add(struct window *w, int64_t tag, unsigned deaths, struct span text)
{
	compact(w);
	w->events = alloc_grow(w->events, &w->cap, w->end + 1,
	    sizeof(*w->events));
	w->events[w->end++] = (struct window_event){ .tag = tag,
		.at = w->text.len, .len = text.len + 1, .deaths = deaths };
	buf_span(&w->text, text);
	buf_putc(&w->text, '\n');
	w->bytes += text.len + 1;
}

void
window_condemn(struct window *w, const char *status)
{
	struct window_event *ev = &w->events[w->end - 1];

	ev->status = alloc_copy(status, strlen(status));
	ev->said = alloc_copy("", 0);
	ev->deaths = WINDOW_MAX_DEATHS;
	ev->counted = true;
}

/* Feeding */

/* Whom to feed alone while some are accused: one who is not, or else the one
 * whose turn was longest ago. */
static size_t
witness(const struct window *w)
{
	size_t i, oldest = w->first;

	for (i = w->first; i < w->end; i++) {
		const struct window_event *ev = &w->events[i];

		if (ev->done)
			continue;
		if (!ev->accused)
			return i;
		if (ev->tried < w->events[oldest].tried)
			oldest = i;
	}
	return oldest;
}

static bool
any_accused(const struct window *w)
{
	size_t i;

	/* They are few, and only in ALONE there are any. */
	for (i = w->first; w->mode == WINDOW_ALONE && i < w->end; i++)
		if (w->events[i].accused)
			return true;
	return false;
}

/* With nothing on its way: how to go on. */
static void
choose(struct window *w)
{
	w->next = w->first;
	if (any_accused(w)) {
		w->alone = witness(w);
	} else if (w->events[w->first].deaths > 0) {
		w->mode = WINDOW_ALONE;
		w->alone = w->first;
	} else {
		w->mode = w->n_suspects ? WINDOW_HALVES : WINDOW_FLOW;
	}
}

/* How many may be on their way. */
static size_t
limit(const struct window *w)
{
	if (w->mode == WINDOW_ALONE)
		return 1;
	if (w->mode == WINDOW_HALVES)
		return w->n_suspects > 1 ? w->n_suspects / 2 : 1;
	return SIZE_MAX;
}

static void
count_fed(struct window *w, const struct window_event *ev)
{
	if (w->n_unmarked++ == 0)
		w->open.from = ev->tag;
	w->open.to = ev->tag;
	w->open.n = w->n_unmarked;
	w->unmarked_bytes += ev->len;
	w->n_fed++;
}

bool
window_feed(struct window *w, struct span *line)
{
	struct window_event *ev;

	if (window_is_empty(w))
		return false;
	if (w->n_fed == 0)
		choose(w);
	if (w->n_fed >= limit(w))
		return false;
	if (w->mode == WINDOW_ALONE) {
		ev = &w->events[w->alone];
		ev->tried = ++w->n_tries;
	} else {
		while (w->next < w->end && w->events[w->next].done)
			w->next++;
		/* One with deaths has to wait until it stands alone. */
		if (w->next == w->end || w->events[w->next].deaths > 0)
			return false;
		ev = &w->events[w->next++];
	}
	count_fed(w, ev);
	*line = (struct span){ w->text.p + ev->at, ev->len };
	return true;
}

bool
window_wants_mark(const struct window *w)
{
	return w->n_unmarked > 0 && w->n_fed >= limit(w);
}

/* Barriers */

void
window_mark(struct window *w)
{
	assert(w->n_marks < WINDOW_MAX_MARKS);
	w->marks[(w->first_mark + w->n_marks++) % WINDOW_MAX_MARKS] = w->open;
	w->open = (struct window_mark){ .n = 0 };
	w->n_unmarked = w->unmarked_bytes = 0;
}

static void
skip_done(struct window *w)
{
	while (w->first < w->end && w->events[w->first].done)
		w->bytes -= w->events[w->first++].len;
	if (w->next < w->first)
		w->next = w->first;
}

/* Is it fed, and not acknowledged? */
static bool
is_on_its_way(const struct window *w, size_t i)
{
	if (w->n_fed == 0)
		return false;
	return w->mode == WINDOW_ALONE ? i == w->alone : i < w->next;
}

static void
forget_stale(struct window *w)
{
	size_t i;

	for (i = w->first; i < w->end && w->events[i].tag <= w->stale; i++)
		if (!w->events[i].done && !is_on_its_way(w, i))
			forget(&w->events[i]);
	skip_done(w);
}

void
window_stale(struct window *w, int64_t tag)
{
	if (tag <= w->stale)
		return;
	w->stale = tag;
	forget_stale(w);
	/* The suspects were from before, but for what is on its way. */
	if (w->n_suspects > w->n_fed)
		w->n_suspects = w->n_fed;
}

/* Another event, fed alone, was acknowledged: what was held back counts. */
static void
count_deaths(struct window *w)
{
	size_t i;

	for (i = w->first; i < w->end; i++) {
		struct window_event *ev = &w->events[i];

		if (!ev->accused)
			continue;
		ev->accused = false;
		ev->counted = true;
		ev->deaths++;
	}
}

bool
window_pass(struct window *w, int64_t *from, int64_t *to)
{
	struct window_mark m = w->marks[w->first_mark];
	size_t i;

	assert(w->n_marks > 0);
	w->first_mark = (w->first_mark + 1) % WINDOW_MAX_MARKS;
	w->n_marks--;
	if (m.n == 0)
		return false;
	if (w->mode == WINDOW_ALONE) {
		forget(&w->events[w->alone]);
		count_deaths(w);
	} else {
		for (i = w->first; i < w->end && w->events[i].tag <= m.to; i++)
			forget(&w->events[i]);
		w->n_suspects -= m.n < w->n_suspects ? m.n : w->n_suspects;
	}
	skip_done(w);
	w->n_fed -= m.n;
	*from = m.from;
	*to = m.to;
	return true;
}

struct window_event *
window_counted(struct window *w)
{
	size_t i;

	for (i = w->first; i < w->end; i++) {
		if (w->events[i].counted) {
			w->events[i].counted = false;
			return &w->events[i];
		}
	}
	return NULL;
}

void
window_drop(struct window *w, struct window_event *ev)
{
	forget(ev);
	skip_done(w);
}

/* The end of a command */

void
window_restart(struct window *w)
{
	w->n_fed = w->n_unmarked = w->unmarked_bytes = 0;
	w->first_mark = w->n_marks = 0;
	w->open = (struct window_mark){ .n = 0 };
	forget_stale(w);
	w->next = w->first;
}

/* Those on their way that will be fed again. */
static size_t
count_fresh(const struct window *w)
{
	size_t i, n = 0;

	for (i = w->first; i < w->end; i++)
		n += !w->events[i].done && is_on_its_way(w, i) &&
		    w->events[i].tag > w->stale;
	return n;
}

static void
accuse(struct window *w, const char *status, struct span said)
{
	/* In FLOW and HALVES it is the first: what came before is done. */
	struct window_event *ev = &w->events[w->mode == WINDOW_ALONE ?
	    w->alone : w->first];

	free(ev->status);
	free(ev->said);
	ev->status = alloc_copy(status, strlen(status));
	ev->said = alloc_copy(said.p, said.len);
	ev->accused = true;
	w->mode = WINDOW_ALONE;
	w->n_suspects = 0;
}

enum window_death
window_died(struct window *w, const char *status, struct span said)
{
	size_t n = w->n_fed, n_fresh = count_fresh(w);

	/* One that comes again is judged when it does. */
	if (n == 1 && n_fresh == 1)
		accuse(w, status, said);
	else if (n > 0)
		w->n_suspects = n_fresh;
	window_restart(w);
	return n == 0 ? WINDOW_DEATH_IDLE : n == 1 ? WINDOW_DEATH_ALONE :
	    WINDOW_DEATH_SUSPECTS;
}
