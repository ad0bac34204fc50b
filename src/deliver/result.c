/*
 * Result records.
 */
#include "deliver/result.h"

#include "base/clock.h"
#include "json/write.h"

/* A member whose value is JSON text already; nothing if that is empty. */
static void
put_json(struct buf *b, const char *name, struct span json)
{
	if (json.len) {
		json_put_name(b, name);
		buf_span(b, json);
	}
}

static void
put_time(struct buf *b, const char *name, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_BYTES];

	clock_rfc3339(wall_ms, text);
	json_put_member(b, name, span_of(text));
}

static void
put_duration(struct buf *b, int64_t us)
{
	json_put_name(b, "duration_ms");
	buf_u64(b, (uint64_t)us / 1000);
	buf_putc(b, '.');
	buf_putc(b, (char)('0' + us / 100 % 10));
	buf_putc(b, (char)('0' + us / 10 % 10));
	buf_putc(b, (char)('0' + us % 10));
}

static void
put_call(struct buf *b, const struct call *c)
{
	put_json(b, "id", c->id);
	put_json(b, "event", c->event);
	put_json(b, "name", c->name);
	put_json(b, "webhook", c->webhook);
}

void
result_put(struct buf *b, const struct result *r, int64_t now_ms)
{
	const struct call *c = r->call;

	buf_putc(b, '{');
	if (c)
		put_call(b, c);
	else
		put_json(b, "webhook", r->webhook);
	if (r->url.len)
		json_put_member(b, "url", r->url);
	if (c && c->attempt)
		json_put_member_u64(b, "attempt", c->attempt);
	json_put_member(b, "outcome", span_of(outcome_name(r->outcome)));
	if (r->conflict)
		json_put_member_bool(b, "conflict", true);
	if (r->status)
		json_put_member_u64(b, "status", (uint64_t)r->status);
	if (r->reason)
		json_put_member(b, "reason", span_of(r->reason));
	if (r->error)
		json_put_member(b, "error", span_of(r->error));
	if (r->duration_us >= 0)
		put_duration(b, r->duration_us);
	put_time(b, "time", now_ms);
	if (r->outcome == OUTCOME_RETRY || r->outcome == OUTCOME_PAUSED)
		put_time(b, "next", now_ms + r->wait_ms);
	if (r->outcome == OUTCOME_DEAD && !r->stored)
		put_json(b, "call", c->text);
	buf_putc(b, '}');
}
