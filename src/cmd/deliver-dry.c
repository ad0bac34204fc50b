/*
 * ev-deliver --dry-run: what would be sent, as commands; nothing is.
 */
#include "base/clock.h"
#include "cmd/deliver.h"
#include "net/command.h"

struct dry {
	struct deliver *deliver;
	const struct credentials *credentials; /* of the webhook at hand */
};

static bool
is_secret(const void *ctx, struct span field)
{
	const struct credentials *c = ((const struct dry *)ctx)->credentials;
	size_t i;

	for (i = 0; c && i < c->n_headers; i++) {
		size_t n = strlen(c->headers[i].name);

		if (n < field.len && field.p[n] == ':' &&
		    strncasecmp(c->headers[i].name, field.p, n) == 0)
			return true;
	}
	return false;
}

/* One reference; NULL with the reason. */
static struct target *
find_target(struct dry *dry, const struct call *c, struct error *e)
{
	const struct sender *s = &dry->deliver->sender;
	const struct webhook *w;

	dry->credentials = NULL;
	if (!c->webhook_id.len)
		return target_share(c->target);
	if (!s->registry) {
		error_set(e, "the call names a webhook, but there is no "
		    "registry: give one with -w or EV_WEBHOOKS");
		return NULL;
	}
	w = webhooks_find(&s->registry->webhooks, c->webhook_id);
	if (!w || w->disabled) {
		error_set(e, w ? "the webhook is disabled" :
		    "the registry has no such webhook");
		return NULL;
	}
	if (s->secrets)
		dry->credentials = secrets_find(&s->secrets->secrets, w->id);
	return target_of_webhook(w, dry->credentials, e);
}

static void
put_command(struct dry *dry, struct call *c, const struct target *t)
{
	const struct sender_options *o = &dry->deliver->sender.options;
	struct stage *s = &dry->deliver->stage;
	struct http_request req = { .target = t->http, .body = c->body,
		.id = call_wire_id(c),
		.total_ms = t->timeout_ms ? t->timeout_ms : o->total_ms };
	struct error e;

	call_own_fields(c, t->http, req.own_fields);
	req.connect_ms = o->connect_ms < req.total_ms ? o->connect_ms :
	    req.total_ms;
	if (command_put(&s->out.buf, &req, is_secret, dry, clock_wall_ms(),
	    &e) < 0)
		stage_reject(s, "invalid-call", span_of(e.text),
		    (struct span){ 0 });
	else if (s->out.buf.len >= OUT_BYTES)
		(void)out_flush(&s->out);
}

static void
each_call(struct stage *s, void *ctx)
{
	struct dry *dry = ctx;
	const char *reason;
	struct target *t;
	struct error e;
	struct call *c = call_read(&dry->deliver->reader, s->input, &reason,
	    &e);

	if (!c) {
		stage_reject(s, reason, span_of(e.text), (struct span){ 0 });
		return;
	}
	t = find_target(dry, c, &e);
	if (t)
		put_command(dry, c, t);
	else
		stage_reject(s, "invalid-call", span_of(e.text),
		    (struct span){ 0 });
	target_release(t);
	call_free(c);
}

void
deliver_dry_run(struct deliver *d)
{
	struct dry dry = { .deliver = d };

	d->stage.no_barrier = "a dry run delivers nothing";
	source_run(&d->stage, d->operands, each_call, &dry);
}
