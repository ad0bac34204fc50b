/*
 * The sender. A call is in one place at a time: due in its lane, under way
 * (flying), or waiting: from memory in the timers, from a queue there. settle()
 * is the only way out; from a queue again() is another.
 */
#include "deliver/sender.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "deliver/health.h"
#include "json/write.h"

enum {
	/* With no limit of its own a lane leaves a quarter of what it could
	 * take. */
	FAIR_SHARE = 3,
	/* From a queue a lane begins with so many in flight, one more with each
	 * success, half with each failure; those that have not shown more share
	 * half of the places, so that what hangs leaves the others theirs. */
	FIRST_WINDOW = 2,
	MAX_WINDOW = 1000,
	MAX_FILL = 64,      /* calls loaded at a time; but one at a time */
	MANY_HELD = 4096,   /* when so many are */
	MAX_NOTES = 256,    /* stored at the latest then */
	RATE_SLACK_US = 100 * 1000, /* a rate is kept over that time */
	MAX_MEMORY_RETRY_AFTER_MS = 60 * 1000,
};

static const char ABORTED[] = "aborted";

void
sender_init(struct sender *s)
{
	lanes_init(&s->lanes);
	s->dice = (uint32_t)clock_mono_us() * 2654435761u ^ (uint32_t)getpid();
	if (!s->dice)
		s->dice = 1;
}

static int
drop_lane(void *ctx, struct lane *lane)
{
	struct sender *s = ctx;

	backlog_drop(s->backlog, lane);
	return 0;
}

void
sender_clear(struct sender *s)
{
	struct call *c;

	if (s->backlog) {
		(void)lanes_each(&s->lanes, drop_lane, s);
		while ((c = s->flying)) {
			s->flying = c->next;
			backlog_forget(s->backlog, c);
		}
		backlog_close(s->backlog);
	}
	lanes_clear(&s->lanes);
	timers_clear(&s->timers);
}

/* xorshift32 (Marsaglia 2003): spreads retries, hides nothing. */
static uint32_t
roll(struct sender *s)
{
	s->dice ^= s->dice << 13;
	s->dice ^= s->dice >> 17;
	s->dice ^= s->dice << 5;
	return s->dice;
}

static struct call *
call_of_timer(struct timer *t)
{
	return t ? (struct call *)(void *)((char *)t -
	    offsetof(struct call, timer)) : NULL;
}

static void
set_now(struct sender *s, int64_t now_ms)
{
	s->now_ms = now_ms;
	s->wall_ms = clock_wall_ms() - now_ms;
}

/* The target that this attempt has, or that the last one had. */
static const struct target *
target_of(const struct call *c)
{
	return c->target ? c->target : c->lane->target;
}

static void
report(struct sender *s, struct result *r)
{
	const struct target *t = target_of(r->call);

	r->url = t ? t->shown : (struct span){ "", 0 };
	s->report(s->ctx, r);
}

static struct span
text_of(const char *s)
{
	return s ? span_of(s) : (struct span){ "", 0 };
}

/* h NULL: nothing was sent. */
static void
note(struct sender *s, struct call *c, const struct result *r,
    const struct http_result *h)
{
	struct queue_record record = {
		.outcome = r->outcome,
		.status = r->status,
		.reason = r->reason,
		.error = text_of(r->error),
		.time_ms = s->now_ms + s->wall_ms,
		.sent = h != NULL,
	};

	if (h) {
		record.duration_us = h->duration_us;
		record.dns_us = h->dns_us;
		record.connect_us = h->connect_us;
		record.tls_us = h->tls_us;
		record.first_us = h->first_us;
		record.answer = h->body;
	}
	backlog_note(s->backlog, c, &record, s->now_ms, r->wait_ms);
}

static void
settle(struct sender *s, struct result *r, struct call *c,
    const struct http_result *h)
{
	if (s->backlog) {
		note(s, c, r, h);
		return;
	}
	r->call = c;
	report(s, r);
	s->n_calls--;
	s->n_bytes -= c->text.len;
	lanes_leave(&s->lanes, c);
	call_free(c);
}

static void
bury(struct sender *s, struct call *c, const char *reason, const char *error)
{
	struct result r = { .outcome = OUTCOME_DEAD, .reason = reason,
		.error = error, .duration_us = -1 };

	settle(s, &r, c, NULL);
}

void
sender_add(struct sender *s, struct call *c)
{
	s->n_calls++;
	s->n_bytes += c->text.len;
	lanes_join(&s->lanes, c);
	if (s->stopping)
		bury(s, c, ABORTED, "stopped before it was sent");
	else
		lane_push(&s->lanes, c);
}

int
sender_expire(struct sender *s, int64_t seq, int64_t now_ms, struct error *e)
{
	struct call *c;

	set_now(s, now_ms);
	if (backlog_load(s->backlog, seq, &c, e) < 0)
		return -1;
	if (c)
		bury(s, c, "expired", "held too long for a disabled webhook");
	return 0;
}

/* Turns */

/* Grows with each change of the registry or the secrets. */
static uint64_t
generation(const struct sender *s)
{
	return s->registry->generation + 1 +
	    (s->secrets ? s->secrets->generation : 0);
}

static const struct credentials *
credentials_of(const struct sender *s, const struct webhook *w)
{
	return s->secrets ? secrets_find(&s->secrets->secrets, w->id) : NULL;
}

/* The registry's word on a webhook, as of now. */
static void
look_up(struct sender *s, struct lane *lane)
{
	const struct webhook *w;
	struct error e;

	if (!lane->webhook || !s->registry || lane->generation == generation(s))
		return;
	target_release(lane->target);
	lane->target = NULL;
	lane->generation = generation(s);
	w = webhooks_find(&s->registry->webhooks, lane_name(lane));
	if (!w)
		lane->fault = LANE_REMOVED;
	else if (w->disabled)
		lane->fault = LANE_DISABLED;
	else if (!(lane->target = target_of_webhook(w, credentials_of(s, w),
	    &e)))
		lane->fault = LANE_INVALID;
	else
		lane->fault = LANE_OK;
}

static enum readiness
sleep_until(struct sender *s, struct lane *lane, int64_t at_ms)
{
	timers_set(&s->lanes.wakes, &lane->wake, at_ms);
	return LANE_ASLEEP;
}

/* When the registry began to disable it, or that it does not any more. */
static void
note_held(struct sender *s, struct lane *lane, bool held)
{
	if (!lane->no || (lane->health.held_ms != 0) == held)
		return;
	lane->health.held_ms = held ? s->now_ms + s->wall_ms : 0;
	backlog_note_health(s->backlog, lane, false, s->now_ms);
}

/* From a queue: is the webhook disabled, by whomever? Its calls stay there. */
static bool
is_held(struct sender *s, struct lane *lane)
{
	bool lost = lane->webhook && !s->registry;

	s->no_registry |= lost;
	s->registry_holds |= lane->fault == LANE_DISABLED;
	note_held(s, lane, lane->fault == LANE_DISABLED);
	return lost || lane->fault == LANE_DISABLED ||
	    lane->health.state == HEALTH_DISABLED;
}

/* What only a lane from a queue has to wait for; LANE_READY: nothing. */
static enum readiness
ready_by_queue(struct sender *s, struct lane *lane)
{
	int64_t until_ms = lane->health.until_ms - s->wall_ms;

	if (!lane->window)
		lane->window = FIRST_WINDOW;
	if (lane->fault == LANE_REMOVED && s->registry)
		return LANE_READY;
	if (is_held(s, lane)) {
		backlog_drop(s->backlog, lane);
		return LANE_ASLEEP;
	}
	if (lane->health.state == HEALTH_PAUSED && s->now_ms < until_ms) {
		backlog_drop(s->backlog, lane);
		return sleep_until(s, lane, until_ms);
	}
	if (lane->health.state == HEALTH_PAUSED && lane->in_flight)
		return LANE_ASLEEP;
	if (lane->in_flight >= lane->window)
		return LANE_ASLEEP;
	if (lane->window <= FIRST_WINDOW &&
	    s->n_unproven >= (s->options.concurrency + 1) / 2)
		return LANE_CROWDED;
	return LANE_READY;
}

static enum readiness
ready_by_room(const struct sender *s, const struct lane *lane)
{
	size_t limit = s->options.per_webhook;

	if (lane->target && lane->target->concurrency)
		limit = (size_t)lane->target->concurrency;
	if (limit)
		return lane->in_flight < limit ? LANE_READY : LANE_ASLEEP;
	return lane->in_flight <
	    FAIR_SHARE * (s->options.concurrency - s->in_flight) ?
	    LANE_READY : LANE_CROWDED;
}

/* What is asleep is woken by its timer, a landing, a change or a new call. */
static enum readiness
ready(void *ctx, struct lane *lane)
{
	struct sender *s = ctx;
	enum readiness r = LANE_READY;

	s->n_throttled -= lane->throttled;
	lane->throttled = false;
	if (lane->next_due_ms >= 0 && lane->next_due_ms <= s->now_ms) {
		lane->next_due_ms = -1;
		lane->more = true;
	}
	if (!lane_has_due(lane) && !lane->more)
		return lane->next_due_ms < 0 ? LANE_ASLEEP :
		    sleep_until(s, lane, lane->next_due_ms);
	look_up(s, lane);
	if (s->backlog)
		r = ready_by_queue(s, lane);
	if (r != LANE_READY || lane->fault != LANE_OK)
		return r;
	if (lane->next_us > s->now_ms * 1000 + RATE_SLACK_US) {
		lane->throttled = true;
		s->n_throttled++;
		return sleep_until(s, lane,
		    (lane->next_us - RATE_SLACK_US) / 1000 + 1);
	}
	return ready_by_room(s, lane);
}

static void
bury_faulty(struct sender *s, struct lane *lane, struct call *c)
{
	switch (lane->fault) {
	case LANE_REMOVED:
		bury(s, c, "removed", "the registry has no such webhook");
		break;
	case LANE_DISABLED:
		bury(s, c, ABORTED, "the webhook is disabled, and without a "
		    "queue nothing can be held");
		break;
	case LANE_INVALID:
	case LANE_OK:
		bury(s, c, "invalid-call", "the webhook's url and headers are "
		    "too large");
		break;
	}
}

static void
fly(struct sender *s, struct call *c)
{
	struct lane *lane = c->lane;

	c->prev = NULL;
	c->next = s->flying;
	if (c->next)
		c->next->prev = c;
	s->flying = c;
	c->probe = lane->health.state == HEALTH_PAUSED;
	c->unproven = lane->window <= FIRST_WINDOW;
	s->n_unproven += c->unproven;
	s->in_flight++;
	lane->in_flight++;
}

static void
land(struct sender *s, struct call *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		s->flying = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_unproven -= c->unproven;
	s->in_flight--;
	c->lane->in_flight--;
	lanes_wait(&s->lanes, c->lane);
}

static void
keep_rate(struct sender *s, struct lane *lane)
{
	int64_t now_us = s->now_ms * 1000;

	if (!lane->target || !lane->target->rate)
		return;
	if (lane->next_us < now_us)
		lane->next_us = now_us;
	lane->next_us += 1000000 / lane->target->rate;
}

static void
begin(struct sender *s, struct call *c)
{
	const struct sender_options *o = &s->options;
	struct http_request req = { .body = c->body, .user = c };

	if (c->lane->webhook)
		c->target = target_share(c->lane->target);
	req.target = c->target->http;
	call_own_fields(c, req.target, req.own_fields);
	req.id = call_wire_id(c);
	req.total_ms = c->target->timeout_ms ? c->target->timeout_ms :
	    o->total_ms;
	req.connect_ms = o->connect_ms < req.total_ms ? o->connect_ms :
	    req.total_ms;
	http_send(s->http, &req);
	c->attempt++;
	fly(s, c);
	keep_rate(s, c->lane);
}

static int
fill(struct sender *s, struct lane *lane, struct error *e)
{
	size_t n = MAX_FILL;

	if (lane->fault == LANE_OK && 2 * lane->window < n)
		n = 2 * lane->window;
	if (s->backlog->held.n >= MANY_HELD)
		n = 1;
	return backlog_fill(s->backlog, lane, n, s->now_ms + s->wall_ms,
	    s->wall_ms, e);
}

static int
start_one(struct sender *s, struct lane *lane, struct error *e)
{
	struct call *c;

	if (!lane->head && lane->more && fill(s, lane, e) < 0)
		return -1;
	c = lane_pop(lane);
	if (!c)
		return 0;
	if (lane->fault != LANE_OK)
		bury_faulty(s, lane, c);
	else
		begin(s, c);
	return 0;
}

/* What is noted goes to the queue, what is new there comes into sight. */
static int
exchange(struct sender *s, struct error *e)
{
	struct backlog *b = s->backlog;

	if ((b->urgent || b->n_notes >= MAX_NOTES ||
	    (b->flush_at_ms >= 0 && s->now_ms >= b->flush_at_ms)) &&
	    backlog_flush(b, s->now_ms, s->now_ms + s->wall_ms, false, e) < 0)
		return -1;
	if (s->stopping)
		return 0;
	if (b->rang && backlog_hear(b, e) < 0)
		return -1;
	return b->todo ? backlog_take(b, s->now_ms, e) : 0;
}

static void
wake_lanes(struct sender *s)
{
	struct timer *t;

	while ((t = timers_first(&s->lanes.wakes)) && t->due_ms <= s->now_ms) {
		timers_cancel(&s->lanes.wakes, t);
		lanes_wait(&s->lanes, lane_of_timer(t));
	}
}

int
sender_start(struct sender *s, int64_t now_ms, struct error *e)
{
	struct timer *t;
	struct lane *lane;

	set_now(s, now_ms);
	if (s->backlog && exchange(s, e) < 0)
		return -1;
	if (s->stopping)
		return 0;
	while ((t = timers_first(&s->timers)) && t->due_ms <= now_ms) {
		timers_cancel(&s->timers, t);
		lane_push(&s->lanes, call_of_timer(t));
	}
	wake_lanes(s);
	while (s->in_flight < s->options.concurrency &&
	    (!s->backlog || s->backlog->n_notes < MAX_NOTES) &&
	    (lane = lanes_turn(&s->lanes, ready, s)))
		if (start_one(s, lane, e) < 0)
			return -1;
	return 0;
}

static int
wake_one(void *ctx, struct lane *lane)
{
	struct sender *s = ctx;

	lanes_wait(&s->lanes, lane);
	return 0;
}

void
sender_registry_changed(struct sender *s)
{
	s->registry_holds = false;
	(void)lanes_each(&s->lanes, wake_one, s);
}

/* Results */

/* Who has no queue has others waiting for the end. */
static int64_t
retry_after(const struct sender *s, const struct http_result *h)
{
	int64_t ms = schedule_retry_after(h->status, h->retry_after_ms);

	return s->backlog || ms < MAX_MEMORY_RETRY_AFTER_MS ? ms :
	    MAX_MEMORY_RETRY_AFTER_MS;
}

/* What follows from how it ended, and from what its receiver asks. */
static struct decision
decide(struct sender *s, const struct call *c, const struct http_result *h)
{
	enum retry_policy policy = c->target->retry != RETRY_DEFAULT ?
	    c->target->retry : s->options.policy;
	struct schedule schedule = s->options.schedule;
	struct decision d;

	if (!schedule.waits_ms)
		schedule = s->backlog ? schedule_standard(policy) :
		    schedule_quick(policy);
	d = schedule_decide(&schedule, policy, c->attempt, h->failure,
	    h->status, retry_after(s, h), roll(s));
	if (h->wish == HTTP_WISH_ABORT && d.verdict == VERDICT_AGAIN) {
		d.verdict = VERDICT_DEAD;
		d.reason = ABORTED;
	}
	return d;
}

static void
report_state(struct sender *s, struct lane *lane, enum outcome change,
    const char *reason)
{
	struct result r = { .outcome = change, .duration_us = -1,
		.reason = change == OUTCOME_RESUMED ? NULL : reason,
		.error = change == OUTCOME_RESUMED ? NULL : lane->health.why };
	struct buf name = { 0 };

	if (lane->webhook)
		json_put_string(&name, lane_name(lane));
	r.webhook = buf_bytes(&name);
	r.url = lane->target ? lane->target->shown : !lane->webhook ?
	    lane_name(lane) : (struct span){ "", 0 };
	r.wait_ms = lane->health.until_ms - s->wall_ms - s->now_ms;
	s->report(s->ctx, &r);
	buf_clear(&name);
}

/* What the attempt says about its lane. */
static void
judge(struct sender *s, const struct call *c, const struct http_result *h,
    const struct decision *d, const char *text)
{
	struct lane *lane = c->lane;
	struct health before = lane->health;
	struct sign sign = {
		.probe = c->probe,
		.webhook = lane->webhook,
		.slow = h->duration_us >= HEALTH_SLOW_MS * INT64_C(1000),
		.why = text,
		.retry_after_ms = retry_after(s, h),
	};
	enum outcome change;

	/* An answer that settles the call may still ask for a pause. */
	sign.good = d->verdict == VERDICT_DELIVERED ||
	    (d->verdict == VERDICT_ANSWERED && !sign.retry_after_ms);

	sign.disable = h->wish == HTTP_WISH_DISABLE ||
	    (d->reason && strcmp(d->reason, "gone") == 0);
	if (h->wish == HTTP_WISH_DISABLE)
		sign.why = "the receiver asked for it";
	if (sign.good && lane->window < MAX_WINDOW)
		lane->window++;
	else if (!sign.good && lane->window > 1)
		lane->window /= 2;
	change = health_after(&lane->health, &sign, s->now_ms + s->wall_ms,
	    roll(s));
	if (change || memcmp(&before, &lane->health, sizeof(before)) != 0)
		backlog_note_health(s->backlog, lane, change != 0, s->now_ms);
	if (change)
		report_state(s, lane, change, d->reason);
}

static void
again(struct sender *s, struct call *c, struct result *r,
    const struct http_result *h)
{
	r->outcome = OUTCOME_RETRY;
	if (s->backlog) {
		note(s, c, r, h);
		return;
	}
	r->call = c;
	report(s, r);
	if (c->lane->webhook) {
		target_release(c->target);
		c->target = NULL;
	}
	timers_set(&s->timers, &c->timer, s->now_ms + r->wait_ms);
}

static void
conclude(struct sender *s, const struct http_result *h)
{
	struct call *c = h->user;
	struct decision d = decide(s, c, h);
	struct result r = { .status = h->status, .reason = d.reason,
		.duration_us = h->duration_us, .wait_ms = d.wait_ms };
	char text[sizeof(h->error) + 64];

	snprintf(text, sizeof(text), "answered %d", h->status);
	if (h->failure != HTTP_ANSWERED)
		snprintf(text, sizeof(text), "%s", h->error);
	if (d.reason)
		r.error = text;
	land(s, c);
	if (s->backlog)
		judge(s, c, h, &d, text);
	switch (d.verdict) {
	case VERDICT_DELIVERED:
		r.outcome = OUTCOME_DELIVERED;
		break;
	case VERDICT_ANSWERED:
		r.outcome = OUTCOME_ANSWERED;
		break;
	case VERDICT_DEAD:
		r.outcome = OUTCOME_DEAD;
		break;
	case VERDICT_AGAIN:
		if (!s->stopping || s->backlog) {
			again(s, c, &r, h);
			return;
		}
		r.outcome = OUTCOME_DEAD;
		r.reason = ABORTED;
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "; stopped before it was sent again");
		break;
	}
	settle(s, &r, c, h);
}

size_t
sender_collect(struct sender *s, int64_t now_ms)
{
	struct http_result h;
	size_t n = 0;

	set_now(s, now_ms);
	while (http_next(s->http, &h)) {
		conclude(s, &h);
		n++;
	}
	return n;
}

static int64_t
earlier(int64_t at_ms, const struct timer *t)
{
	return t && (at_ms < 0 || t->due_ms < at_ms) ? t->due_ms : at_ms;
}

int64_t
sender_deadline(const struct sender *s)
{
	const struct backlog *b = s->backlog;
	int64_t at_ms = -1;

	if (b && (b->urgent || b->n_notes >= MAX_NOTES ||
	    (b->rang && !s->stopping)))
		return s->now_ms;
	if (b)
		at_ms = b->flush_at_ms;
	if (s->stopping)
		return at_ms;
	at_ms = earlier(at_ms, timers_first(&s->timers));
	return earlier(at_ms, timers_first(&s->lanes.wakes));
}

/* The end */

bool
sender_is_idle(const struct sender *s)
{
	const struct backlog *b = s->backlog;

	return s->in_flight == 0 && !b->notes && !b->n_moved && !b->rang &&
	    !b->todo && !b->hands.first && !s->lanes.turn && !s->n_throttled;
}

static int
is_empty(void *ctx, struct lane *lane)
{
	struct sender *s = ctx;
	bool left = lane->n_calls || lane->more || lane->next_due_ms >= 0;

	return left && !is_held(s, lane) ? -1 : 0;
}

bool
sender_is_drained(struct sender *s)
{
	return sender_is_idle(s) && lanes_each(&s->lanes, is_empty, s) == 0;
}

static int
empty_lane(void *ctx, struct lane *lane)
{
	struct sender *s = ctx;
	struct call *c;

	if (s->backlog) {
		backlog_drop(s->backlog, lane);
		return 0;
	}
	lane->n_calls++; /* so that it outlives its last call */
	while ((c = lane_pop(lane)))
		bury(s, c, ABORTED, "stopped before it was sent");
	lane->n_calls--;
	lanes_tidy(&s->lanes, lane);
	return 0;
}

void
sender_stop(struct sender *s)
{
	struct timer *t;

	s->stopping = true;
	(void)lanes_each(&s->lanes, empty_lane, s);
	while ((t = timers_first(&s->timers))) {
		timers_cancel(&s->timers, t);
		bury(s, call_of_timer(t), ABORTED,
		    "stopped before it was sent again");
	}
}

void
sender_abandon(struct sender *s, int64_t now_ms)
{
	struct call *c;

	/* What was answered meanwhile is told as such. */
	(void)sender_collect(s, now_ms);
	while ((c = s->flying)) {
		land(s, c);
		if (s->backlog)
			backlog_forget(s->backlog, c);
		else
			bury(s, c, ABORTED, "stopped while it was under way");
	}
}
