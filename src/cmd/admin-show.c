/*
 * The commands that read the registry: records when piped, and for people a
 * table that fits their terminal.
 */
#include <unistd.h>

#include "base/table.h"
#include "cmd/admin.h"
#include "json/write.h"
#include "net/cert.h"

static void
put_foreign(struct buf *b, struct span s)
{
	diag_foreign(b, s, TABLE_CELL_BYTES);
}

static void
put_names(struct buf *b, const struct span *names, size_t n)
{
	size_t end = b->len + TABLE_CELL_BYTES, i;

	for (i = 0; i < n && b->len < end; i++) {
		if (i)
			buf_putc(b, ',');
		put_foreign(b, names[i]);
	}
}

static void
put_pairs(struct buf *b, const struct pair *pairs, size_t n)
{
	size_t end = b->len + TABLE_CELL_BYTES, i;

	for (i = 0; i < n && b->len < end; i++) {
		if (i)
			buf_putc(b, ' ');
		put_foreign(b, pairs[i].name);
		buf_putc(b, '=');
		put_foreign(b, pairs[i].value);
	}
}

static void
put_table(struct admin *a, const struct webhooks *all)
{
	static const char *const heads[] = { "ID", "STATE", "URL",
		"SUBSCRIPTIONS", "ATTRIBUTES", NULL };
	struct table t;
	struct term term;
	size_t i;

	table_open(&t, heads);
	for (i = 0; i < all->n; i++) {
		const struct webhook *w = &all->list[i];

		buf_span(table_cell(&t, TONE_PLAIN), w->id);
		buf_puts(table_cell(&t, w->disabled ? TONE_BAD : TONE_GOOD),
		    w->disabled ? "off" : "on");
		put_foreign(table_cell(&t, TONE_PLAIN), w->url);
		put_names(table_cell(&t, TONE_PLAIN), w->subscriptions,
		    w->n_subscriptions);
		put_pairs(table_cell(&t, TONE_PLAIN), w->attributes,
		    w->n_attributes);
	}
	term_open(&term, STDOUT_FILENO);
	table_print(&t, &term, &a->stage.out);
	term_close(&term);
	table_close(&t);
}

static void
put_record(struct admin *a, const struct webhook *w)
{
	webhook_put_json(w, &a->stage.out.buf);
	(void)out_end_line(&a->stage.out);
}

void
admin_list(struct admin *a)
{
	struct registry r;
	size_t i;

	admin_load(a, &r);
	if (admin_wants_table(a))
		put_table(a, &r.webhooks);
	else
		for (i = 0; i < r.webhooks.n; i++)
			put_record(a, &r.webhooks.list[i]);
	registry_close(&r);
}

void
admin_export(struct admin *a)
{
	struct buf *b = &a->stage.out.buf;
	struct registry r;
	size_t i;

	admin_load(a, &r);
	buf_puts(b, r.webhooks.n ? "[\n" : "[");
	for (i = 0; i < r.webhooks.n; i++) {
		webhook_put_json(&r.webhooks.list[i], b);
		if (i + 1 < r.webhooks.n)
			buf_putc(b, ',');
		(void)out_end_line(&a->stage.out);
	}
	(void)out_line(&a->stage.out, SPAN("]"));
	registry_close(&r);
}

static void
put_line(struct out *out, const char *label, struct span name,
    struct span value)
{
	struct buf *b = &out->buf;

	buf_printf(b, "%-15s", label);
	if (name.len) {
		put_foreign(b, name);
		buf_puts(b, *label == 'h' ? ": " : "=");
	}
	put_foreign(b, value);
	(void)out_end_line(out);
}

static void
put_settings(struct out *out, const struct webhook *w)
{
	struct buf b = { 0 };

	if (w->timeout_ms) {
		buf_printf(&b, "%g s", w->timeout_ms / 1000.0);
		put_line(out, "timeout", SPAN(""), buf_bytes(&b));
	}
	if (w->concurrency) {
		b.len = 0;
		buf_u64(&b, w->concurrency);
		put_line(out, "concurrency", SPAN(""), buf_bytes(&b));
	}
	if (w->rate) {
		b.len = 0;
		buf_printf(&b, "%u a second", (unsigned)w->rate);
		put_line(out, "rate", SPAN(""), buf_bytes(&b));
	}
	if (w->order.len)
		put_line(out, "order", SPAN(""), w->order);
	if (w->retry)
		put_line(out, "retry", SPAN(""), w->retry == RETRY_NETWORK ?
		    SPAN("network") : SPAN("failures"));
	if (w->filter.len)
		put_line(out, "filter", SPAN(""), w->filter);
	if (w->transform.len)
		put_line(out, "transform", SPAN(""), w->transform);
	if (w->ca.len) {
		b.len = 0;
		buf_puts(&b, "its own, until ");
		if (cert_put_end(w->ca, &b) != 0)
			buf_puts(&b, "?");
		put_line(out, "ca", SPAN(""), buf_bytes(&b));
	}
	buf_clear(&b);
}

/* A line for each thing that there is to know. */
static void
put_webhook(struct admin *a, const struct webhook *w)
{
	struct out *out = &a->stage.out;
	uint32_t i;

	put_line(out, "id", SPAN(""), w->id);
	put_line(out, "url", SPAN(""), w->url);
	if (w->description.len)
		put_line(out, "description", SPAN(""), w->description);
	for (i = 0; i < w->n_subscriptions; i++)
		put_line(out, "subscription", SPAN(""), w->subscriptions[i]);
	for (i = 0; i < w->n_attributes; i++)
		put_line(out, "attribute", w->attributes[i].name,
		    w->attributes[i].value);
	for (i = 0; i < w->n_headers; i++)
		put_line(out, "header", w->headers[i].name,
		    w->headers[i].value);
	put_line(out, "state", SPAN(""), w->disabled ? SPAN("disabled") :
	    SPAN("enabled"));
	put_settings(out, w);
}

void
admin_show(struct admin *a)
{
	bool table = admin_wants_table(a);
	struct registry r;
	char **id;

	admin_load(a, &r);
	for (id = a->operands; *id; id++) {
		const struct webhook *w = admin_find(a, &r.webhooks, *id);

		if (w && table && id != a->operands)
			(void)out_line(&a->stage.out, SPAN(""));
		if (w && table)
			put_webhook(a, w);
		else if (w)
			put_record(a, w);
	}
	registry_close(&r);
}

static struct span
attribute(const struct webhook *w, struct span name)
{
	uint32_t i;

	for (i = 0; i < w->n_attributes; i++)
		if (span_eq(w->attributes[i].name, name))
			return w->attributes[i].value;
	return SPAN("");
}

/* Why a ping would not reach it; NULL: it would. */
static const char *
deaf(const struct webhook *w)
{
	if (w->disabled)
		return "disabled";
	if (!webhook_subscribes(w, SPAN("ping")))
		return "not subscribed to 'ping'";
	if (attribute(w, SPAN("name")).len == 0)
		return "without an attribute 'name', by which a ping finds it";
	return NULL;
}

static void
ping_one(struct admin *a, const struct webhook *w)
{
	struct buf *b = &a->stage.out.buf;
	const char *why = deaf(w);

	if (why) {
		diag_print(&a->stage.diag, DIAG_ERROR, "webhook '%.*s' is %s",
		    (int)w->id.len, w->id.p, why);
		if (a->stage.code < EX_REJECTED)
			a->stage.code = EX_REJECTED;
		return;
	}
	buf_puts(b, "{\"name\":\"ping\",\"payload\":{\"name\":");
	json_put_string(b, attribute(w, SPAN("name")));
	buf_puts(b, "}}");
	(void)out_end_line(&a->stage.out);
}

void
admin_ping(struct admin *a)
{
	struct registry r;
	char **id;

	if (a->given & ADMIN_BIT(ADMIN_ALL)) {
		if (a->n_operands)
			admin_misuse(a, "ping: --all or ids, not both");
		(void)out_line(&a->stage.out, SPAN("{\"name\":\"ping:all\"}"));
		return;
	}
	if (a->n_operands == 0)
		admin_misuse(a, "ping: --all or an id is missing");
	admin_load(a, &r);
	for (id = a->operands; *id; id++) {
		const struct webhook *w = admin_find(a, &r.webhooks, *id);

		if (w)
			ping_one(a, w);
	}
	registry_close(&r);
}
