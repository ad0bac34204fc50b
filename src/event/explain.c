/*
 * Explanations.
 */
#include "event/explain.h"

#include "base/diag.h"
#include "json/write.h"

enum { FILE_SHOWN_BYTES = 4096 };

void
explanation_clear(struct explanation *x)
{
	buf_clear(&x->wants);
	buf_clear(&x->has);
	buf_clear(&x->error);
}

static const struct pair *
find_attribute(const struct webhook *w, struct span name)
{
	uint32_t i;

	for (i = 0; i < w->n_attributes; i++)
		if (span_eq(w->attributes[i].name, name))
			return &w->attributes[i];
	return NULL;
}

static void
put_subscriptions(struct buf *b, const struct webhook *w)
{
	uint32_t i;

	buf_putc(b, '[');
	for (i = 0; i < w->n_subscriptions; i++) {
		if (i)
			buf_putc(b, ',');
		json_put_string(b, w->subscriptions[i]);
	}
	buf_putc(b, ']');
}

/* Does it have what the catalog requires for the event? */
static bool
has_required(struct explanation *x, const struct webhook *w,
    const struct catalog_event *entry)
{
	size_t i;

	for (i = 0; i < entry->n_required; i++) {
		const struct pair *p = find_attribute(w, entry->required[i]);

		if (p && p->value.len)
			continue;
		x->verdict = "required-attribute";
		x->attribute = entry->required[i];
		if (p)
			buf_puts(&x->wants, "\"\"");
		return false;
	}
	return true;
}

/* Are the payload's members equal to its attributes of the same name? */
static bool
is_equal(struct explanation *x, const struct webhook *w,
    const struct event *ev)
{
	uint32_t payload, i, value;
	const struct json *j = event_payload(ev, &payload);

	for (i = 0; i < w->n_attributes; i++) {
		const struct pair *p = &w->attributes[i];

		value = json_get(j, payload, p->name);
		if (!value || json_string_is(j, value, p->value))
			continue;
		x->verdict = "attribute";
		x->attribute = p->name;
		json_put_string(&x->wants, p->value);
		buf_span(&x->has, json_bytes(j, value));
		return false;
	}
	return true;
}

static void
take_ruling(struct explanation *x, const struct webhook *w,
    const struct ruling *v)
{
	switch (v->kind) {
	case RULING_NO_FILTER:
		x->verdict = "filter";
		json_put_string(&x->wants, w->filter);
		buf_span(&x->has, v->output);
		break;
	case RULING_NO_OUTPUT:
		x->verdict = "transform";
		json_put_string(&x->wants, w->transform);
		break;
	case RULING_FAILED:
		x->verdict = v->reason;
		buf_span(&x->error, v->error);
		if (v->detail.len)
			buf_puts(&x->error, ": ");
		buf_span(&x->error, v->detail);
		break;
	case RULING_CALL:
	case RULING_BODY:
		break;
	}
}

void
explain(struct explanation *x, const struct webhook *w, const struct event *ev,
    const struct catalog_event *entry, const struct ruling *v)
{
	x->verdict = EXPLAIN_MATCH;
	x->attribute = (struct span){ 0 };
	x->wants.len = x->has.len = x->error.len = 0;
	if (w->disabled) {
		x->verdict = "disabled";
	} else if (!webhook_subscribes(w, ev->name)) {
		x->verdict = "subscription";
		put_subscriptions(&x->wants, w);
		json_put_string(&x->has, ev->name);
	} else if (has_required(x, w, entry) && is_equal(x, w, ev) && v) {
		take_ruling(x, w, v);
	}
}

void
explanation_fail(struct explanation *x, const char *verdict, struct span error)
{
	x->verdict = verdict;
	x->error.len = 0;
	buf_span(&x->error, error);
}

void
explanation_put(const struct explanation *x, const struct webhook *w,
    const struct event *ev, const char *file, uint64_t line, struct buf *b)
{
	struct buf shown = { 0 };

	buf_putc(b, '{');
	if (file) {
		diag_foreign(&shown, span_of(file), FILE_SHOWN_BYTES);
		json_put_member(b, "file", buf_bytes(&shown));
		buf_clear(&shown);
	}
	json_put_member_u64(b, "line", line);
	if (ev->id_text.len) {
		json_put_name(b, "event");
		buf_span(b, json_bytes(&ev->json, ev->id));
	}
	json_put_name(b, "name");
	buf_span(b, json_bytes(&ev->json, ev->name_node));
	json_put_member(b, "webhook", w->id);
	json_put_member(b, "verdict", span_of(x->verdict));
	if (x->attribute.p)
		json_put_member(b, "attribute", x->attribute);
	if (x->wants.len) {
		json_put_name(b, "wants");
		buf_span(b, buf_bytes(&x->wants));
	}
	if (x->has.len) {
		json_put_name(b, "has");
		buf_span(b, buf_bytes(&x->has));
	}
	if (x->error.len)
		json_put_member(b, "error", buf_bytes(&x->error));
	buf_putc(b, '}');
}
