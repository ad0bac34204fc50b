/*
 * Calls in hand: into lanes as they are found in the queue's todo, and out of it
 * when what became of them, or that they wait, can be put.
 */
#include <stdlib.h>

#include "deliver/backlog_impl.h"

enum {
	/* As much as is over, at ten thousand a second, before PUT_MS. */
	MAX_OPEN = 512,
	MAX_LEFT = 1024,   /* are only put: some milliseconds */
	MAX_BYTES = 6 << 20,
	PUT_MS = 50,       /* a row is in hand so long at most */
	/* That were in hand and are in memory still: */
	MAX_HELD = 1024,
	MAX_HELD_BYTES = 8 << 20,
	CLAIM_MS = 10,     /* between two attempts */
};

/* Taking */

/* The call is to be put first, after so many ms at most. */
static void
leave(struct backlog *b, struct hand *h, int64_t now_ms, int64_t ms)
{
	h->n_left++;
	b->hands.n_left++;
	if (now_ms + ms < h->put_at_ms)
		h->put_at_ms = now_ms + ms;
}

/* Is it likely to get its turn soon? */
static bool
is_open(const struct lane *lane)
{
	return lane->health.state == HEALTH_OK && lane->fault == LANE_OK &&
	    !lane->slow;
}

static void
send(struct backlog *b, struct hand_item *item, struct lane *lane,
    struct call *c)
{
	backlog_join(b, c, lane, item->hand->row.taken_ms);
	lane->n_waiting += b->counts;
	hands_open(&b->hands, item, c);
	lane_push(b->lanes, c);
}

static int
take_call(struct backlog *b, struct hand_item *item, int64_t now_ms,
    struct error *e)
{
	struct queue_call q;
	const char *reason;
	struct lane *lane;
	struct call *c;
	struct error why;
	size_t at = item->at;
	int64_t no = 0;
	int fresh;

	(void)queue_todo_call(b->queue, &item->hand->row, &at, &q, e);
	if (q.known != QUEUE_TAKEN || !hands_note_id(&b->hands, item, &q)) {
		leave(b, item->hand, now_ms, BACKLOG_GATHER_MS);
		return 0;
	}
	fresh = queue_is_fresh(b->queue, &q, &no, e);
	if (fresh == 1 && backlog_lane(b, no, &lane, e) < 0)
		fresh = -1;
	if (fresh <= 0) {
		leave(b, item->hand, now_ms, 0);
		return fresh;
	}
	c = is_open(lane) ? call_read(b->reader, q.text, &reason, &why) : NULL;
	if (c)
		send(b, item, lane, c);
	else
		leave(b, item->hand, now_ms, PUT_MS);
	return 0;
}

enum { PUT_FIRST = 2 }; /* the row is due at once */

/* The row after those in hand: 1 or PUT_FIRST; 0: there is none. */
static int
take_row(struct backlog *b, int64_t now_ms, struct error *e)
{
	struct queue_todo row = { 0 };
	struct hand *h = NULL;
	size_t i;
	int r = queue_next_todo(b->queue, b->hands.last_no, &row, e);

	if (r == 1)
		h = hands_add(&b->hands, b->queue, &row, e);
	buf_clear(&row.bytes);
	if (!h)
		return r == 1 ? -1 : r;
	h->since_ms = now_ms;
	h->put_at_ms = now_ms + PUT_MS;
	for (i = 0; i < h->n; i++)
		if (take_call(b, &h->items[i], now_ms, e) < 0)
			return -1;
	if (b->hands.n_left >= MAX_LEFT)
		h->put_at_ms = now_ms;
	else if (h->n_open == 0)
		backlog_flush_at(b, now_ms + BACKLOG_GATHER_MS);
	backlog_flush_at(b, h->put_at_ms);
	return h->put_at_ms > now_ms ? 1 : PUT_FIRST;
}

static int
take_rows(struct backlog *b, int64_t now_ms, struct error *e)
{
	int r = 1;

	while (r == 1 && b->hands.n_open < MAX_OPEN &&
	    b->hands.n_bytes < MAX_BYTES)
		r = take_row(b, now_ms, e);
	b->todo = r > 0;
	return r < 0 ? -1 : 0;
}

int
backlog_take(struct backlog *b, int64_t now_ms, struct error *e)
{
	struct error ignored;
	int r;

	if (!b->claimed) {
		r = queue_claim(b->queue, e);
		if (r == 0)
			backlog_flush_at(b, now_ms + CLAIM_MS);
		if (r <= 0)
			return r;
		b->claimed = b->rang = true; /* who had it put calls */
	}
	if (queue_begin_reading(b->queue, e) < 0)
		return -1;
	r = take_rows(b, now_ms, e);
	if (queue_end_reading(b->queue, r < 0 ? &ignored : e) < 0)
		return -1;
	return r;
}

/* Putting */

/*
 * The last row that is put now: all before it are, too, since a call may repeat one
 * of theirs. NULL: none.
 */
static struct hand *
last_due(const struct hands *hands, int64_t now_ms, bool all)
{
	struct hand *h, *last = NULL;
	bool over = true;

	for (h = hands->first; h; h = h->next) {
		over &= h->n_open == 0;
		if (over || all || h->put_at_ms <= now_ms)
			last = h;
	}
	return last;
}

static int
put_row(struct backlog *b, struct hand *h, struct error *e)
{
	const struct queue_todo *row = &h->row;
	struct hand_item *item;
	struct queue_call q;
	size_t at = 0, i;
	int r;

	for (i = 0; i < h->n; i++) {
		item = &h->items[i];
		(void)queue_todo_call(b->queue, row, &at, &q, e);
		r = item->note ? queue_put_done(b->queue, &q, row->taken_ms,
		    &item->note->record, e) :
		    queue_put(b->queue, &q, row->taken_ms, row->repeats_ms,
		    &item->what, &item->place, e);
		if (r < 0)
			return -1;
		if (item->call && item->what != QUEUE_TAKEN)
			return error_set(e, "the delivery queue: a call that is "
			    "under way was put by another program");
	}
	return queue_end_todo(b->queue, row->no, e);
}

int
backlog_put_hands(struct backlog *b, int64_t now_ms, bool all, struct error *e)
{
	struct hand *last = last_due(&b->hands, now_ms, all), *h;
	int n = 1;

	b->hands.put = last;
	if (!last)
		return 0;
	/* What others have put comes before ours. */
	while (n > 0 && (n = backlog_arrivals(b, e)) > 0)
		;
	for (h = b->hands.first; n >= 0; h = h->next) {
		n = put_row(b, h, e);
		if (h == last)
			break;
	}
	b->arriving = n < 0 ? -1 : queue_last(b->queue, e);
	return b->arriving < 0 ? -1 : 0;
}

static void
report_repeat(struct backlog *b, const struct hand_item *item)
{
	struct result r = { .outcome = OUTCOME_DUPLICATE, .duration_us = -1,
		.conflict = item->what == QUEUE_CONFLICT };
	struct queue_call q;
	const char *reason;
	size_t at = item->at;
	struct call *c;
	struct error e;

	(void)queue_todo_call(b->queue, &item->hand->row, &at, &q, &e);
	c = call_read(b->reader, q.text, &reason, &e);
	if (!c)
		return;
	r.call = c;
	if (c->target)
		r.url = c->target->shown;
	b->report(b->ctx, &r);
	call_free(c);
}

/* What is put and waits in memory, for long or beside much: back to the queue. */
static void
shed(struct backlog *b, struct lane *lane)
{
	while (lane->fresh && !lane->fresh->item) {
		lane->slow = lane->more = true;
		backlog_forget(b, lane_pop_fresh(lane));
	}
}

static int
finish_item(struct backlog *b, struct hand_item *item, int64_t now_ms,
    struct error *e)
{
	struct call *c = item->call;
	struct lane *lane;

	if (item->note) {
		backlog_finish(b, item->note);
	} else if (item->what != QUEUE_TAKEN) {
		report_repeat(b, item);
	} else if (c) {
		hands_shut(&b->hands, item);
		backlog_hold(b, c, item->place.seq);
		if (now_ms - item->hand->since_ms >= PUT_MS ||
		    b->held.n > MAX_HELD || b->n_bytes > MAX_HELD_BYTES)
			shed(b, c->lane);
	} else {
		if (backlog_lane(b, item->place.lane, &lane, e) < 0)
			return -1;
		lane->n_waiting += b->counts;
		backlog_wake(b, lane);
	}
	item->note = NULL;
	return 0;
}

int
backlog_finish_hands(struct backlog *b, int64_t now_ms, struct error *e)
{
	struct hand *h, *last = b->hands.put;
	size_t i;

	while (last) {
		h = b->hands.first;
		for (i = 0; i < h->n; i++)
			if (finish_item(b, &h->items[i], now_ms, e) < 0)
				return -1;
		last = h == last ? NULL : last;
		hands_drop(&b->hands);
	}
	if (b->hands.put)
		b->arrived = b->arriving;
	b->hands.put = NULL;
	for (h = b->hands.first; h; h = h->next)
		backlog_flush_at(b, h->put_at_ms);
	return 0;
}

void
backlog_drop_hands(struct backlog *b)
{
	struct hand *h;
	size_t i;

	for (h = b->hands.first; h; h = h->next)
		for (i = 0; i < h->n; i++) {
			struct note *n = h->items[i].note;

			if (n && n->call)
				backlog_forget(b, n->call);
			free(n);
		}
	hands_clear(&b->hands);
}
