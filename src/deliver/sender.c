/*
 * The sender. A call is in one place at a time: due in its lane, under way
 * (flying), or waiting in the timers; settle() is the only way out.
 */
#include "deliver/sender.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* With no limit of its own a lane leaves a quarter of what it could take. */
enum { FAIR_SHARE = 3 };

static const char ABORTED[] = "aborted";

void
sender_init(struct sender *s)
{
	lanes_init(&s->lanes);
	s->dice = (uint32_t)clock_mono_us() * 2654435761u ^ (uint32_t)getpid();
	if (!s->dice)
		s->dice = 1;
}

void
sender_clear(struct sender *s)
{
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

static void
settle(struct sender *s, struct result *r, struct call *c)
{
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

	settle(s, &r, c);
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

/* Turns */

static bool
may_send(const void *ctx, const struct lane *lane)
{
	const struct sender *s = ctx;
	size_t limit = s->options.per_webhook;

	if (lane->target && lane->target->concurrency)
		limit = (size_t)lane->target->concurrency;
	if (limit)
		return lane->in_flight < limit;
	return lane->in_flight <
	    FAIR_SHARE * (s->options.concurrency - s->in_flight);
}

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
look_up(struct sender *s, struct lane *lane, struct error *e)
{
	const struct webhook *w;

	e->text[0] = '\0';
	if (!lane->webhook || lane->generation == generation(s))
		return;
	target_release(lane->target);
	lane->target = NULL;
	lane->generation = generation(s);
	w = webhooks_find(&s->registry->webhooks, lane_name(lane));
	if (!w)
		lane->fault = LANE_REMOVED;
	else if (w->disabled)
		lane->fault = LANE_DISABLED;
	else if (!(lane->target = target_of_webhook(w, credentials_of(s, w), e)))
		lane->fault = LANE_INVALID;
	else
		lane->fault = LANE_OK;
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
	c->prev = NULL;
	c->next = s->flying;
	if (c->next)
		c->next->prev = c;
	s->flying = c;
	s->in_flight++;
	c->lane->in_flight++;
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
	s->in_flight--;
	c->lane->in_flight--;
}

static int
begin(struct sender *s, struct call *c, struct error *e)
{
	const struct sender_options *o = &s->options;
	struct http_request req = { .body = c->body, .user = c };

	if (c->lane->webhook)
		c->target = target_share(c->lane->target);
	req.target = c->target->http;
	req.own_fields[0] = c->traceparent;
	req.id = call_wire_id(c);
	req.total_ms = c->target->timeout_ms ? c->target->timeout_ms :
	    o->total_ms;
	req.connect_ms = o->connect_ms < req.total_ms ? o->connect_ms :
	    req.total_ms;
	if (http_send(s->http, &req, e) < 0) {
		lane_push(&s->lanes, c); /* for sender_stop to find */
		return -1;
	}
	c->attempt++;
	fly(s, c);
	return 0;
}

static int
start_one(struct sender *s, struct lane *lane, struct error *e)
{
	struct call *c;

	look_up(s, lane, e);
	/* What the registry says now may change whether it may. */
	if (lane->fault == LANE_OK && !may_send(s, lane))
		return 0;
	c = lane_pop(lane);
	if (lane->fault != LANE_OK) {
		bury_faulty(s, lane, c);
		return 0;
	}
	return begin(s, c, e);
}

int
sender_start(struct sender *s, int64_t now_ms, struct error *e)
{
	struct call *c;
	struct lane *lane;

	while ((c = timers_first(&s->timers)) && c->due_ms <= now_ms)
		lane_push(&s->lanes, timers_take(&s->timers));
	while (s->in_flight < s->options.concurrency &&
	    (lane = lanes_turn(&s->lanes, may_send, s)))
		if (start_one(s, lane, e) < 0)
			return -1;
	return 0;
}

/* Results */

static struct decision
decide(struct sender *s, const struct call *c, const struct http_result *h)
{
	enum retry_policy policy = c->target->retry != RETRY_DEFAULT ?
	    c->target->retry : s->options.policy;
	struct schedule schedule = s->options.schedule;

	if (!schedule.waits_ms)
		schedule = schedule_quick(policy);
	return schedule_decide(&schedule, policy, c->attempt, h->failure,
	    h->status, 0, roll(s));
}

static void
again(struct sender *s, struct call *c, struct result *r, int64_t now_ms)
{
	r->outcome = OUTCOME_RETRY;
	r->call = c;
	report(s, r);
	c->due_ms = now_ms + r->wait_ms;
	if (c->lane->webhook) {
		target_release(c->target);
		c->target = NULL;
	}
	timers_add(&s->timers, c);
}

static void
conclude(struct sender *s, const struct http_result *h, int64_t now_ms)
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
		if (!s->stopping) {
			again(s, c, &r, now_ms);
			return;
		}
		r.outcome = OUTCOME_DEAD;
		r.reason = ABORTED;
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "; stopped before it was sent again");
		break;
	}
	settle(s, &r, c);
}

size_t
sender_collect(struct sender *s, int64_t now_ms)
{
	struct http_result h;
	size_t n = 0;

	while (http_next(s->http, &h)) {
		conclude(s, &h, now_ms);
		n++;
	}
	return n;
}

int64_t
sender_deadline(const struct sender *s)
{
	const struct call *c = timers_first(&s->timers);

	return c ? c->due_ms : -1;
}

static bool
any(const void *ctx, const struct lane *lane)
{
	(void)ctx;
	(void)lane;
	return true;
}

void
sender_stop(struct sender *s)
{
	struct lane *lane;
	struct call *c;

	s->stopping = true;
	while ((lane = lanes_turn(&s->lanes, any, NULL)))
		bury(s, lane_pop(lane), ABORTED, "stopped before it was sent");
	while ((c = timers_take(&s->timers)))
		bury(s, c, ABORTED, "stopped before it was sent again");
}

void
sender_abandon(struct sender *s, int64_t now_ms)
{
	struct call *c;

	/* What was answered meanwhile is told as such. */
	(void)sender_collect(s, now_ms);
	while ((c = s->flying)) {
		land(s, c);
		bury(s, c, ABORTED, "stopped while it was under way");
	}
}
