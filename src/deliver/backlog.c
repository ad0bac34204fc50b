/*
 * From the queue into lanes, and back.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "deliver/backlog_impl.h"

enum { ARRIVALS = 1024 }; /* looked at in a turn */

void
backlog_flush_at(struct backlog *b, int64_t at_ms)
{
	if (b->flush_at_ms < 0 || at_ms < b->flush_at_ms)
		b->flush_at_ms = at_ms;
}

/* Lanes */

/*
 * The lane as the queue has it, in *lane; counted are its calls up to `arrived`.
 * 0, or -1 with the error.
 */
static int
attach(struct backlog *b, const struct queue_lane *row, int64_t arrived,
    struct lane **lane, struct error *e)
{
	*lane = lanes_find(b->lanes, row->no);
	if (*lane)
		return 0;
	*lane = lanes_get(b->lanes, row->webhook, row->name);
	lanes_number(b->lanes, *lane, row->no);
	(*lane)->health = row->health;
	if (!b->counts)
		return 0;
	(*lane)->n_waiting = queue_waiting(b->queue, row->no, arrived, e);
	return (*lane)->n_waiting < 0 ? -1 : 0;
}

int
backlog_lane(struct backlog *b, int64_t no, struct lane **lane,
    struct error *e)
{
	struct queue_lane row;

	*lane = lanes_find(b->lanes, no);
	if (*lane)
		return 0;
	switch (queue_lane(b->queue, no, &row, e)) {
	case 1:
		return attach(b, &row, b->arrived, lane, e);
	case 0:
		error_set(e, "the delivery queue is damaged: a call has no "
		    "row in the table lane");
		break;
	}
	return -1;
}

void
backlog_wake(struct backlog *b, struct lane *lane)
{
	lane->more = true;
	lanes_wait(b->lanes, lane);
}

/* Every lane with unsettled calls, and those known, as the queue has them. */
static int
read_lanes(struct backlog *b, struct error *e)
{
	struct queue_lane row;
	struct lane *lane;
	int64_t no = 0, due;
	int r;

	while ((r = queue_next_lane(b->queue, no, &row, e)) == 1) {
		no = row.no;
		lane = lanes_find(b->lanes, no);
		if (lane && !lane->health_moved)
			lane->health = row.health;
		due = queue_next_due(b->queue, no, -1, e);
		if (due < -1)
			return -1;
		if (due < 0)
			continue;
		if (attach(b, &row, b->arrived, &lane, e) < 0)
			return -1;
		backlog_wake(b, lane);
	}
	return r;
}

int
backlog_open(struct backlog *b, struct error *e)
{
	hash_init(&b->held);
	hands_init(&b->hands);
	b->notes_tail = &b->notes;
	b->flush_at_ms = -1;
	b->todo = true;
	b->arrived = queue_last(b->queue, e);
	if (b->arrived < 0)
		return -1;
	b->changes = queue_changes(b->queue, e);
	return b->changes < 0 ? -1 : read_lanes(b, e);
}

int
backlog_arrivals(struct backlog *b, struct error *e)
{
	int64_t nos[ARRIVALS], arrived = b->arrived;
	struct lane *lane;
	int n = queue_arrivals(b->queue, &arrived, nos, ARRIVALS, e), i;

	/* A lane that is new counts what was there before. */
	for (i = 0; i < n; i++) {
		if (backlog_lane(b, nos[i], &lane, e) < 0)
			return -1;
		lane->n_waiting += b->counts;
		backlog_wake(b, lane);
	}
	b->arrived = arrived;
	return n;
}

int
backlog_hear(struct backlog *b, struct error *e)
{
	int64_t changes = queue_changes(b->queue, e);
	int n = changes < 0 ? -1 : backlog_arrivals(b, e);

	if (n < 0)
		return -1;
	b->rang = n == ARRIVALS;
	if (changes == b->changes)
		return 0;
	b->changes = changes;
	return read_lanes(b, e);
}

/* Loading */

static bool
is_held(const struct backlog *b, int64_t seq)
{
	return hash_find(&b->held,
	    (struct span){ (char *)&seq, sizeof(seq) }) != NULL;
}

static struct note *
new_note(struct lane *lane, const struct queue_record *r)
{
	struct note *n = alloc_zero(1, sizeof(*n) + r->error.len + 1 +
	    r->answer.len);

	n->lane = lane;
	n->record = *r;
	n->record.error.p = n->bytes;
	n->record.answer.p = n->bytes + r->error.len + 1;
	if (r->error.len)
		memcpy(n->bytes, r->error.p, r->error.len);
	if (r->answer.len)
		memcpy(n->bytes + r->error.len + 1, r->answer.p,
		    r->answer.len);
	return n;
}

static void
queue_up(struct backlog *b, struct note *n, int64_t now_ms)
{
	*b->notes_tail = n;
	b->notes_tail = &n->next;
	b->n_notes++;
	backlog_flush_at(b, now_ms + BACKLOG_GATHER_MS);
	b->urgent |= n->record.ordered && n->record.outcome != OUTCOME_RETRY;
}

/* Whoever stored it had read it: only a damaged file comes here. */
static void
note_unreadable(struct backlog *b, struct lane *lane,
    const struct queue_row *row, const struct error *why)
{
	struct queue_record r = { .seq = row->seq, .lane = row->lane,
		.outcome = OUTCOME_DEAD, .attempts = row->attempts,
		.ordered = row->ordered, .keep = true,
		.reason = "invalid-call", .error = span_of(why->text),
		.time_ms = row->taken_ms };

	queue_up(b, new_note(lane, &r), 0);
}

void
backlog_join(struct backlog *b, struct call *c, struct lane *lane,
    int64_t taken_ms)
{
	c->taken_ms = taken_ms;
	c->lane = lane;
	lane->n_calls++;
	b->n_bytes += sizeof(*c) + c->text.len;
}

void
backlog_hold(struct backlog *b, struct call *c, int64_t seq)
{
	c->seq = seq;
	c->held.key = (struct span){ (char *)&c->seq, sizeof(seq) };
	hash_add(&b->held, &c->held);
}

static int
load(struct backlog *b, struct lane *lane, int64_t seq, struct call **call,
    struct error *e)
{
	struct queue_row row;
	struct error why;
	const char *reason;
	int r = queue_load(b->queue, seq, &row, e);

	*call = NULL;
	if (r <= 0)
		return r;
	*call = call_read(b->reader, row.text, &reason, &why);
	if (!*call) {
		note_unreadable(b, lane, &row, &why);
		return 0;
	}
	(*call)->attempt = row.attempts;
	(*call)->ordered = row.ordered;
	backlog_join(b, *call, lane, row.taken_ms);
	backlog_hold(b, *call, seq);
	return 1;
}

int
backlog_load(struct backlog *b, int64_t seq, struct call **call,
    struct error *e)
{
	struct queue_row row;
	struct lane *lane = NULL;
	int r;

	*call = NULL;
	if (is_held(b, seq))
		return 0;
	r = queue_load(b->queue, seq, &row, e);
	if (r == 1 && backlog_lane(b, row.lane, &lane, e) < 0)
		r = -1;
	return r <= 0 ? r : load(b, lane, seq, call, e);
}

/*
 * Load at most n of the lane's calls that are due from..to. How many, -1 with
 * the error; *more: there may be others.
 */
static int
load_due(struct backlog *b, struct lane *lane, size_t n, int64_t from,
    int64_t to, bool *more, struct error *e)
{
	size_t want = n + lane->n_calls, loaded = 0;
	struct call *c;
	int found, i;

	b->seqs = alloc_grow(b->seqs, &b->cap_seqs, want, sizeof(*b->seqs));
	found = queue_due(b->queue, lane->no, from, to, b->seqs, want, e);
	for (i = 0; i < found && loaded < n; i++) {
		if (is_held(b, b->seqs[i]))
			continue;
		if (load(b, lane, b->seqs[i], &c, e) < 0)
			return -1;
		if (c) {
			lane_push(b->lanes, c);
			loaded++;
		}
	}
	*more = i < found || (size_t)found == want;
	return found < 0 ? -1 : (int)loaded;
}

static int
fill(struct backlog *b, struct lane *lane, size_t n, int64_t now_ms,
    int64_t wall_ms, struct error *e)
{
	bool more_old, more_new = true;
	int64_t due;
	int old, new = 0;

	/* Old ones first, but not all the room. */
	old = load_due(b, lane, (n + 1) / 2, 1, now_ms, &more_old, e);
	if (old >= 0 && n > (size_t)old)
		new = load_due(b, lane, n - (size_t)old, 0, 0, &more_new, e);
	if (old < 0 || new < 0)
		return -1;
	lane->more = more_old || more_new;
	if (lane->more)
		return old + new;
	lane->slow = false;
	due = queue_next_due(b->queue, lane->no, now_ms, e);
	if (due < -1)
		return -1;
	lane->next_due_ms = due < 0 ? -1 : due - wall_ms;
	return old + new;
}

int
backlog_fill(struct backlog *b, struct lane *lane, size_t n, int64_t now_ms,
    int64_t wall_ms, struct error *e)
{
	struct error ignored;
	int loaded;

	if (queue_begin_reading(b->queue, e) < 0)
		return -1;
	loaded = fill(b, lane, n, now_ms, wall_ms, e);
	if (queue_end_reading(b->queue, loaded < 0 ? &ignored : e) < 0)
		return -1;
	return loaded;
}

void
backlog_forget(struct backlog *b, struct call *c)
{
	if (c->item) {
		/* It is only put now, and soon: its lane waits for it. */
		c->item->hand->put_at_ms = 0;
		backlog_flush_at(b, 0);
		c->lane->n_waiting -= b->counts; /* until it is put */
		hands_shut(&b->hands, c->item);
	} else if (c->seq) {
		hash_remove(&b->held, &c->held);
	}
	b->n_bytes -= sizeof(*c) + c->text.len;
	lanes_leave(b->lanes, c);
	call_free(c);
}

void
backlog_drop(struct backlog *b, struct lane *lane)
{
	struct call *c;

	if (lane_has_due(lane))
		lane->more = true;
	while ((c = lane_pop(lane)))
		backlog_forget(b, c);
}

/* Notes */

void
backlog_note(struct backlog *b, struct call *c, const struct queue_record *r,
    int64_t now_ms, int64_t wait_ms)
{
	struct queue_record full = *r;
	struct hand_item *item;
	struct note *n;

	full.seq = c->seq;
	full.lane = c->lane->no;
	full.attempts = c->attempt;
	full.ordered = c->ordered;
	full.keep = b->keep || r->outcome == OUTCOME_DEAD;
	full.due_ms = r->time_ms + wait_ms;
	n = new_note(c->lane, &full);
	n->call = c;
	n->due_ms = now_ms + wait_ms;
	if (!c->item) {
		queue_up(b, n, now_ms);
		return;
	}
	item = c->item;
	hands_shut(&b->hands, item);
	item->note = n;
	if (item->hand->n_open == 0)
		backlog_flush_at(b, now_ms + BACKLOG_GATHER_MS);
}

void
backlog_note_health(struct backlog *b, struct lane *lane, bool changed,
    int64_t now_ms)
{
	lane->health_changed |= changed;
	if (lane->health_moved)
		return;
	lane->health_moved = true;
	b->moved = alloc_grow(b->moved, &b->cap_moved, b->n_moved + 1,
	    sizeof(struct lane *));
	b->moved[b->n_moved++] = lane;
	backlog_flush_at(b, now_ms + BACKLOG_GATHER_MS);
}

static int
store(struct backlog *b, int64_t now_ms, int64_t wall_ms, bool all,
    struct error *e)
{
	struct note *n;
	size_t i;

	if (backlog_put_hands(b, now_ms, all, e) < 0)
		return -1;
	for (n = b->notes; n; n = n->next)
		if (queue_record(b->queue, &n->record, &n->released, e) < 0)
			return -1;
	for (i = 0; i < b->n_moved; i++)
		if (queue_set_health(b->queue, b->moved[i]->no,
		    &b->moved[i]->health, b->moved[i]->health_changed, wall_ms,
		    e) < 0)
			return -1;
	return queue_commit(b->queue, e);
}

static void
report(struct backlog *b, const struct note *n)
{
	const struct queue_record *r = &n->record;
	const struct call *c = n->call;
	const struct target *t = c->target ? c->target : c->lane->target;
	struct result result = { .call = c, .outcome = r->outcome,
		.status = r->status, .reason = r->reason,
		.error = r->error.len ? n->bytes : NULL,
		.duration_us = r->sent ? r->duration_us : -1,
		.wait_ms = r->due_ms - clock_wall_ms(), .stored = true };

	if (t)
		result.url = t->shown;
	b->report(b->ctx, &result);
}

void
backlog_finish(struct backlog *b, struct note *n)
{
	struct lane *lane = n->lane;

	if (n->call)
		report(b, n);

	lane->n_waiting -= b->counts && n->record.outcome != OUTCOME_RETRY;
	if (n->released)
		lane->more = true;
	if (n->record.outcome == OUTCOME_RETRY && (lane->next_due_ms < 0 ||
	    n->due_ms < lane->next_due_ms))
		lane->next_due_ms = n->due_ms;
	lanes_wait(b->lanes, lane);
	if (n->call)
		backlog_forget(b, n->call);
	free(n);
}

/* It is stored. */
static void
finish_notes(struct backlog *b)
{
	struct note *n, *next;
	size_t i;

	for (i = 0; i < b->n_moved; i++)
		b->moved[i]->health_moved = b->moved[i]->health_changed = false;
	for (n = b->notes; n; n = next) {
		next = n->next;
		backlog_finish(b, n);
	}
	b->notes = NULL;
	b->notes_tail = &b->notes;
	b->n_notes = b->n_moved = 0;
	b->urgent = false;
}

int
backlog_flush(struct backlog *b, int64_t now_ms, int64_t wall_ms, bool all,
    struct error *e)
{
	b->flush_at_ms = -1;
	if (!b->notes && !b->n_moved && !b->hands.first)
		return 0;
	if (queue_begin(b->queue, false, e) < 0)
		return -1;
	if (store(b, now_ms, wall_ms, all, e) < 0) {
		queue_rollback(b->queue);
		return -1;
	}
	/* In the order in which they were recorded. */
	if (backlog_finish_hands(b, now_ms, e) < 0)
		return -1;
	finish_notes(b);
	return 0;
}

void
backlog_close(struct backlog *b)
{
	struct note *n, *next;

	for (n = b->notes; n; n = next) {
		next = n->next;
		if (n->call)
			backlog_forget(b, n->call);
		free(n);
	}
	backlog_drop_hands(b);
	hash_clear(&b->held);
	free(b->moved);
	free(b->seqs);
	*b = (struct backlog){ 0 };
}
