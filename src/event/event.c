/*
 * An event.
 */
#include "event/event.h"

#include "base/clock.h"
#include "base/diag.h"

enum { TRACEPARENT_BYTES = 55 };

void
fault_clear(struct fault *f)
{
	buf_clear(&f->error);
	buf_clear(&f->detail);
	buf_clear(&f->records);
}

int
fault_set(struct fault *f, const char *reason, const char *fmt, ...)
{
	va_list ap;

	f->reason = reason;
	f->error.len = f->detail.len = f->records.len = 0;
	va_start(ap, fmt);
	buf_vprintf(&f->error, fmt, ap);
	va_end(ap);
	return -1;
}

void
fault_schema(struct fault *f, const char *reason, struct schema *s,
    const struct json *j, uint32_t node, const char *prefix)
{
	const struct schema_fault *list;
	struct buf text = { 0 };
	size_t n, i;

	fault_set(f, reason, "%s", "");
	list = schema_faults(s, j, node, f->all, &n);
	for (i = 0; i < n; i++) {
		if (i) {
			buf_putc(&f->error, '\n');
			buf_putc(&f->records, ',');
		}
		text.len = 0;
		schema_fault_text(s, &list[i], j, node, prefix, f->values,
		    &text);
		/* A name may hold a line's end. */
		diag_foreign(&f->error, buf_bytes(&text), SIZE_MAX);
		schema_fault_json(s, &list[i], j, node, prefix, f->values,
		    &f->records);
	}
	buf_clear(&text);
}

void
event_init(struct event *ev)
{
	static const char none[2 + BUF_PAD] = "{}";
	struct json_error e;

	*ev = (struct event){ 0 };
	json_init(&ev->json);
	json_init(&ev->none);
	(void)json_read(&ev->none, none, 2, &e);
}

void
event_clear(struct event *ev)
{
	json_clear(&ev->json);
	json_clear(&ev->none);
	buf_clear(&ev->unwrapped);
	buf_clear(&ev->name_buf);
	buf_clear(&ev->id_buf);
	buf_clear(&ev->unescaped);
}

static int
read_json(struct event *ev, struct span text, struct fault *f)
{
	struct json_error e;

	ev->text = text;
	if (json_read(&ev->json, text.p, text.len, &e) == 0)
		return 0;
	return fault_set(f, "not-json", "%s at byte %zu", e.what, e.column);
}

/* The original's producers send events encoded once more, as a string. */
static int
unwrap(struct event *ev, struct fault *f)
{
	json_unwrap(&ev->json, 0, &ev->unwrapped);
	return read_json(ev, buf_bytes(&ev->unwrapped), f);
}

bool
event_id_is_good(struct span id)
{
	size_t i;

	for (i = 0; i < id.len; i++)
		if ((unsigned char)id.p[i] < 0x20 || id.p[i] == 0x7f)
			return false;
	return id.len > 0 && id.len <= EVENT_ID_BYTES;
}

static int
take_id(struct event *ev, struct fault *f)
{
	struct span id;

	ev->id_text = (struct span){ 0 };
	if (!ev->id)
		return 0;
	if (json_kind(&ev->json, ev->id) != JSON_STRING)
		return fault_set(f, "invalid-event", "/id is not a string");
	id = json_string(&ev->json, ev->id, &ev->id_buf);
	if (!event_id_is_good(id))
		return fault_set(f, "invalid-event", "/id has not 1 to 255 "
		    "bytes, or a control character");
	ev->id_text = id;
	return 0;
}

static int
take_time(struct event *ev, struct fault *f)
{
	const struct json *j = &ev->json;

	ev->time = json_get(j, 0, SPAN("time"));
	if (!ev->time || (json_kind(j, ev->time) == JSON_STRING &&
	    clock_is_rfc3339(json_string(j, ev->time, &ev->unescaped))))
		return 0;
	return fault_set(f, "invalid-event", "/time is not a date-time such "
	    "as 2026-01-31T12:00:00Z (RFC 3339)");
}

bool
event_is_traceparent(struct span s)
{
	size_t i;

	if (s.len != TRACEPARENT_BYTES)
		return false;
	for (i = 0; i < TRACEPARENT_BYTES; i++) {
		bool dash = i == 2 || i == 35 || i == 52;

		if (dash ? s.p[i] != '-' : !s.p[i] ||
		    !strchr("0123456789abcdef", s.p[i]))
			return false;
	}
	return true;
}

/*
 * W3C Trace Context, 3.2: version-traceid-parentid-flags in lower-case hex. One
 * that is none is not handed on, as that text asks, and costs no event.
 */
static uint32_t
find_traceparent(const struct json *j)
{
	uint32_t node = json_get(j, 0, SPAN("traceparent"));
	struct span s;

	if (!node || json_kind(j, node) != JSON_STRING)
		return 0;
	s = json_bytes(j, node); /* with its quotes; an escape is no hex */
	s = (struct span){ s.p + 1, s.len - 2 };
	return event_is_traceparent(s) ? node : 0;
}

int
event_read(struct event *ev, struct span line, struct fault *f)
{
	const struct json *j = &ev->json;
	uint32_t name;

	if (read_json(ev, line, f) < 0)
		return -1;
	if (json_kind(j, 0) == JSON_STRING && unwrap(ev, f) < 0)
		return -1;
	if (json_kind(j, 0) != JSON_OBJECT)
		return fault_set(f, "invalid-event", "the line is no object "
		    "but %s", json_kind_name(json_kind(j, 0)));
	name = json_get(j, 0, SPAN("name"));
	if (!name)
		return fault_set(f, "invalid-event", "/name is missing");
	if (json_kind(j, name) != JSON_STRING || json_at(j, name)->len == 2)
		return fault_set(f, "invalid-event",
		    "/name is not a non-empty string");
	ev->name_node = name;
	ev->name = json_string(j, name, &ev->name_buf);
	ev->payload = json_get(j, 0, SPAN("payload"));
	ev->id = json_get(j, 0, SPAN("id"));
	ev->traceparent = find_traceparent(j);
	return take_time(ev, f) < 0 ? -1 : take_id(ev, f);
}

const struct catalog_event *
event_check(const struct event *ev, const struct catalog *c, struct fault *f)
{
	const struct catalog_event *entry = catalog_find(c, ev->name);
	const struct json *j;
	uint32_t node;

	if (!entry) {
		fault_set(f, "unknown-event",
		    "/name is not an event of the catalog");
		buf_span(&f->detail, ev->name);
		return NULL;
	}
	j = event_payload(ev, &node);
	if (schema_check(entry->schema, j, node))
		return entry;
	fault_schema(f, "invalid-payload", entry->schema, j, node, "/payload");
	return NULL;
}
