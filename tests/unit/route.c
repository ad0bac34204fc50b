/*
 * Routing by index against the plain rule (seed/behaviour.md 2.2), on random
 * registries and events.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "event/explain.h"
#include "event/route.h"

enum { ROUNDS = 400, EVENTS = 40 };

static uint64_t state = 88172645463325252u;

static unsigned
pick(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static const char *const keys[] = { "name", "serviceId", "zone", "toString",
	"", "fiscalCode" };
static const char *const values[] = { "a", "b", "", "c", "A", "\\u0061" };
static const char *const subscriptions[] = { "ping", "service:subscribed",
	"*", "p*", "serv*", "nope", "ping:all", "pin", "" };

static void
put_attributes(struct buf *b)
{
	unsigned n = pick(4), i;

	buf_putc(b, '{');
	for (i = 0; i < n; i++)
		buf_printf(b, "%s\"%s\":\"%s\"", i ? "," : "",
		    keys[pick(6)], values[pick(6)]);
	buf_putc(b, '}');
}

static void
put_registry(struct buf *b)
{
	unsigned n = pick(30), i, s;

	b->len = 0;
	buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		buf_printf(b, "%s{\"url\":\"http://h%u.example/\","
		    "\"disabled\":%s,\"subscriptions\":[", i ? "," : "", i,
		    pick(8) ? "false" : "true");
		for (s = pick(4) + 1; s > 0; s--)
			buf_printf(b, "\"%s\"%s", subscriptions[pick(9)],
			    s > 1 ? "," : "");
		buf_puts(b, "],\"attributes\":");
		put_attributes(b);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void
put_event(struct buf *b)
{
	static const char *const odd[] = { "1", "null", "[\"a\"]", "true" };
	unsigned n = pick(5), i;

	b->len = 0;
	buf_printf(b, "{\"name\":\"%s\",\"payload\":",
	    pick(2) ? "ping" : "service:subscribed");
	if (pick(20) == 0) {
		buf_puts(b, "\"a\"}");
		return;
	}
	buf_putc(b, '{');
	for (i = 0; i < n; i++) {
		buf_printf(b, "%s\"%s\":", i ? "," : "", keys[pick(6)]);
		if (pick(6))
			buf_printf(b, "\"%s\"", values[pick(6)]);
		else
			buf_puts(b, odd[pick(4)]);
	}
	buf_puts(b, "}}");
}

static bool
wants(const struct webhook *w, const struct event *ev,
    const struct catalog_event *entry)
{
	bool subscribed = false;
	size_t i, a;

	for (i = 0; i < w->n_subscriptions; i++) {
		struct span s = w->subscriptions[i];

		if (span_eq(s, ev->name) || (s.len &&
		    s.p[s.len - 1] == '*' && s.len - 1 <= ev->name.len &&
		    memcmp(s.p, ev->name.p, s.len - 1) == 0))
			subscribed = true;
	}
	if (!subscribed || w->disabled)
		return false;
	for (i = 0; i < entry->n_required; i++) {
		bool has = false;

		for (a = 0; a < w->n_attributes; a++)
			has |= w->attributes[a].value.len &&
			    span_eq(w->attributes[a].name, entry->required[i]);
		if (!has)
			return false;
	}
	for (a = 0; a < w->n_attributes; a++) {
		uint32_t v = json_get(&ev->json, ev->payload,
		    w->attributes[a].name);

		if (v && !json_string_is(&ev->json, v,
		    w->attributes[a].value))
			return false;
	}
	return true;
}

static struct explanation explanation;

static int
compare(struct route *r, const struct webhooks *w, const struct event *ev,
    const struct catalog_event *entry)
{
	const uint32_t *matches;
	size_t n = route_match(r, ev, entry, &matches), i, at = 0;

	for (i = 0; i < w->n; i++) {
		bool want = wants(&w->list[i], ev, entry);
		bool got = at < n && route_webhook(r, matches[at]) == i;

		at += got;
		explain(&explanation, &w->list[i], ev, entry, NULL);
		if (want != got ||
		    want != explanation_is_match(&explanation))
			return -1;
	}
	return at == n ? 0 : -1;
}

int
main(void)
{
	struct buf registry = { 0 }, line = { 0 }, reasons = { 0 };
	struct fault fault = { 0 };
	struct catalog catalog;
	struct event ev;
	unsigned round, k, matched = 0;
	int bad = 0;

	if (catalog_open(&catalog, "examples/catalog", 0, &reasons) < 0) {
		printf("%s\n", buf_str(&reasons));
		return 1;
	}
	event_init(&ev);
	for (round = 0; round < ROUNDS && !bad; round++) {
		struct webhooks w = { 0 };
		struct route *r;

		put_registry(&registry);
		(void)buf_room(&registry, 0);
		if (webhooks_read(&w, buf_bytes(&registry), &reasons) < 0) {
			printf("%s\n%s\n", buf_str(&registry),
			    buf_str(&reasons));
			return 1;
		}
		r = route_new(&catalog, &w);
		for (k = 0; k < EVENTS && !bad; k++) {
			const struct catalog_event *entry;
			const uint32_t *m;

			put_event(&line);
			(void)buf_room(&line, 0);
			if (event_read(&ev, buf_bytes(&line), &fault) < 0)
				return 1;
			entry = catalog_find(&catalog, ev.name);
			bad = compare(r, &w, &ev, entry);
			matched += route_match(r, &ev, entry, &m) > 0;
			if (bad)
				printf("the index and the rule differ:\n%s\n%s\n",
				    buf_str(&registry), buf_str(&line));
		}
		route_free(r);
		webhooks_clear(&w);
	}
	if (!bad && matched < EVENTS) {
		printf("only %u events matched: the test tests nothing\n",
		    matched);
		bad = -1;
	}
	event_clear(&ev);
	fault_clear(&fault);
	catalog_close(&catalog);
	buf_clear(&registry);
	buf_clear(&line);
	buf_clear(&reasons);
	return bad != 0;
}
