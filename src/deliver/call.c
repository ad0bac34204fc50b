/*
 * Calls read from lines.
 */
#include "deliver/call.h"

#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "event/event.h"
#include "net/digest.h"
#include "net/field.h"

enum { WIRE_ID_DIGITS = 32 };

static const char NOT_JSON[] = "not-json";
static const char INVALID_CALL[] = "invalid-call";

/* Nodes of a call's members; 0: absent or null. */
struct members {
	uint32_t url, headers, own_headers, body, id, event, name, webhook,
	    traceparent, key;
};

void
call_reader_init(struct call_reader *r)
{
	*r = (struct call_reader){ 0 };
	json_init(&r->json);
	hash_init(&r->targets);
}

void
call_reader_clear(struct call_reader *r)
{
	json_clear(&r->json);
	buf_clear(&r->unwrapped);
	buf_clear(&r->scratch);
	hash_clear(&r->targets);
}

static int
read_json(struct call_reader *r, struct span text, struct error *e)
{
	struct json_error why;

	if (json_read(&r->json, text.p, text.len, &why) < 0)
		return error_set(e, "%s at byte %zu", why.what, why.column);
	return 0;
}

/* Take the text out of its string. */
static int
unwrap(struct call_reader *r, struct span *text, struct error *e)
{
	struct json_error why;

	json_unwrap(&r->json, 0, &r->unwrapped);
	*text = buf_bytes(&r->unwrapped);
	if (json_read(&r->json, text->p, text->len, &why) < 0)
		return error_set(e, "in the string: %s at byte %zu",
		    why.what, why.column);
	return 0;
}

static uint32_t
member(const struct json *j, const char *name)
{
	uint32_t i = json_get(j, 0, span_of(name));

	return i && json_kind(j, i) != JSON_NULL ? i : 0;
}

static int
need_string(const struct json *j, uint32_t i, const char *name,
    struct error *e)
{
	if (i && json_kind(j, i) != JSON_STRING)
		return error_set(e, "/%s: is %s, not a string", name,
		    json_kind_name(json_kind(j, i)));
	return 0;
}

/* As an event's: what names a call is sent, logged and stored. */
static int
check_id(const struct json *j, uint32_t i, struct error *e)
{
	struct buf scratch = { 0 };
	bool good;

	if (!i)
		return 0;
	good = event_id_is_good(json_string(j, i, &scratch));
	buf_clear(&scratch);
	return good ? 0 : error_set(e, "/id: has not 1 to 255 bytes, or a "
	    "control character");
}

static int
check_headers(const struct json *j, uint32_t headers, struct error *e)
{
	uint32_t k;

	if (!headers)
		return error_set(e, "/headers: missing or null");
	if (json_kind(j, headers) != JSON_OBJECT)
		return error_set(e, "/headers: is %s, not an object",
		    json_kind_name(json_kind(j, headers)));
	for (k = headers + 1; k < json_next(j, headers); k = json_next(j, k + 1))
		if (json_kind(j, k + 1) != JSON_STRING)
			return error_set(e, "/headers: holds a value that is "
			    "%s, not a string",
			    json_kind_name(json_kind(j, k + 1)));
	return 0;
}

static int
check_own_headers(const struct json *j, uint32_t own, struct error *e)
{
	uint32_t k;

	if (!own)
		return 0;
	if (json_kind(j, own) != JSON_ARRAY ||
	    json_at(j, own)->n >= HTTP_MAX_OWN_FIELDS)
		return error_set(e, "/own_headers: not a list of at most %d "
		    "names", HTTP_MAX_OWN_FIELDS - 1);
	for (k = own + 1; k < json_next(j, own); k = json_next(j, k))
		if (json_kind(j, k) != JSON_STRING)
			return error_set(e, "/own_headers: holds %s, not a "
			    "name", json_kind_name(json_kind(j, k)));
	return 0;
}

static int
find_members(const struct json *j, struct members *m, struct error *e)
{
	const struct {
		const char *name;
		uint32_t *at;
	} strings[] = {
		{ "url", &m->url }, { "id", &m->id }, { "event", &m->event },
		{ "name", &m->name }, { "webhook", &m->webhook },
		{ "traceparent", &m->traceparent }, { "key", &m->key },
	};
	size_t i;

	if (json_kind(j, 0) != JSON_OBJECT)
		return error_set(e, "is %s, not an object",
		    json_kind_name(json_kind(j, 0)));
	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		*strings[i].at = member(j, strings[i].name);
		if (need_string(j, *strings[i].at, strings[i].name, e) < 0)
			return -1;
	}
	if (!m->url)
		return error_set(e, "/url: missing or null");
	if (check_id(j, m->id, e) < 0)
		return -1;
	m->headers = member(j, "headers");
	m->body = member(j, "body");
	m->own_headers = member(j, "own_headers");
	if (check_own_headers(j, m->own_headers, e) < 0)
		return -1;
	return check_headers(j, m->headers, e);
}

static struct call *
call_new(struct span text)
{
	struct call *c = alloc_zero(1, sizeof(*c) + text.len);

	memcpy(c->bytes, text.p, text.len);
	c->text = (struct span){ c->bytes, text.len };
	return c;
}

/* The member's bytes in the call's own copy of the text. */
static struct span
own_span(const struct call *c, const struct json *j, uint32_t i)
{
	if (!i)
		return (struct span){ "", 0 };
	return (struct span){ c->bytes + json_at(j, i)->pos,
		json_at(j, i)->len };
}

static int
take_traceparent(struct call_reader *r, struct call *c, uint32_t i,
    struct error *e)
{
	struct span value;
	struct buf line = { 0 };

	if (!i)
		return 0;
	value = json_string(&r->json, i, &r->scratch);
	if (field_check(SPAN("traceparent"), value, e) < 0)
		return -1;
	field_put(&line, SPAN("traceparent"), value);
	c->traceparent = alloc_copy(line.p, line.len);
	buf_clear(&line);
	return 0;
}

/* One of own_headers, of which headers has the value. */
static int
put_field(struct call_reader *r, uint32_t headers, uint32_t name,
    struct buf *lines, struct error *e)
{
	static const struct span ours = { "webhook-", 8 };
	struct buf value = { 0 };
	struct span n = json_string(&r->json, name, &r->scratch);
	uint32_t i = json_get(&r->json, headers, n);
	int rc = -1;

	if (!i)
		error_set(e, "/own_headers: a name that /headers lacks");
	else if (n.len >= ours.len && strncasecmp(n.p, ours.p, ours.len) == 0)
		error_set(e, "/own_headers: webhook-... is the signature's");
	else
		rc = field_check(n, json_string(&r->json, i, &value), e);
	if (rc == 0) {
		field_put(lines, n, json_string(&r->json, i, &value));
		buf_putc(lines, '\0');
	}
	buf_clear(&value);
	return rc;
}

static int
take_fields(struct call_reader *r, struct call *c, const struct members *m,
    struct error *e)
{
	struct buf lines = { 0 };
	uint32_t own = m->own_headers, k;
	int rc = 0;

	if (!own)
		return 0;
	for (k = own + 1; rc == 0 && k < json_next(&r->json, own);
	    k = json_next(&r->json, k))
		rc = put_field(r, m->headers, k, &lines, e);
	if (rc == 0 && lines.len)
		c->fields = alloc_copy(lines.p, lines.len);
	buf_clear(&lines);
	return rc;
}

/* A webhook's id; only an escaped one needs bytes of its own. */
static int
take_webhook(struct call_reader *r, struct call *c, uint32_t i,
    struct error *e)
{
	struct span id = { c->webhook.p + 1, c->webhook.len - 2 };

	if (json_at(&r->json, i)->escaped) {
		id = json_string(&r->json, i, &r->scratch);
		c->own_id = alloc_copy(id.p, id.len);
		id.p = c->own_id;
	}
	if (id.len == 0 || id.len > WEBHOOK_ID_BYTES)
		return error_set(e, "/webhook: must have 1 to %d bytes",
		    WEBHOOK_ID_BYTES);
	c->webhook_id = id;
	return 0;
}

static int
fill(struct call_reader *r, struct call *c, const struct members *m,
    struct error *e)
{
	const struct json *j = &r->json;

	c->body = m->body ? own_span(c, j, m->body) : SPAN("{}");
	c->id = own_span(c, j, m->id);
	c->event = own_span(c, j, m->event);
	c->name = own_span(c, j, m->name);
	c->webhook = own_span(c, j, m->webhook);
	c->key = own_span(c, j, m->key);
	c->ordered = m->key != 0;
	if (take_traceparent(r, c, m->traceparent, e) < 0)
		return -1;
	if (m->webhook)
		return take_fields(r, c, m, e) < 0 ? -1 :
		    take_webhook(r, c, m->webhook, e);
	c->target = target_of_call(&r->targets, j, m->url, m->headers, e);
	return c->target ? 0 : -1;
}

struct call *
call_read(struct call_reader *r, struct span line, const char **reason,
    struct error *e)
{
	struct members m = { 0 };
	struct span text = line;
	struct call *c;

	*reason = NOT_JSON;
	if (read_json(r, text, e) < 0)
		return NULL;
	if (json_kind(&r->json, 0) == JSON_STRING && unwrap(r, &text, e) < 0)
		return NULL;
	*reason = INVALID_CALL;
	if (find_members(&r->json, &m, e) < 0)
		return NULL;
	c = call_new(text);
	if (fill(r, c, &m, e) < 0) {
		call_free(c);
		return NULL;
	}
	return c;
}

static bool
has_name(const struct http_target *t, const char *line)
{
	size_t len = strcspn(line, ":") + 1, at = 0;
	struct span field;

	while (http_target_field(t, &at, &field))
		if (field.len >= len && strncasecmp(field.p, line, len) == 0)
			return true;
	return false;
}

void
call_own_fields(const struct call *c, const struct http_target *t,
    const char *fields[HTTP_MAX_OWN_FIELDS])
{
	const char *line = c->fields ? c->fields : "";
	size_t n = 0;

	if (c->traceparent)
		fields[n++] = c->traceparent;
	for (; *line; line += strlen(line) + 1)
		if (!has_name(t, line))
			fields[n++] = line;
}

void
call_free(struct call *c)
{
	if (!c)
		return;
	target_release(c->target);
	free(c->own_id);
	free(c->traceparent);
	free(c->fields);
	free(c->made_id);
	free(c);
}

/* Of a queue's call the same in each process, though nothing is stored. */
static char *
make_id(const struct call *c)
{
	struct buf b = { 0 };
	char *id = alloc_zero(4 + WIRE_ID_DIGITS + 1, 1);
	unsigned char dice[16] = { 0 };

	buf_printf(&b, "%lld %lld ", (long long)c->seq, (long long)c->taken_ms);
	if (c->seq)
		buf_span(&b, c->text);
	else if (getrandom(dice, sizeof(dice), 0) == (ssize_t)sizeof(dice))
		buf_add(&b, dice, sizeof(dice));
	else
		buf_printf(&b, "%p %lld", (const void *)c,
		    (long long)clock_mono_us());
	memcpy(id, "msg_", 4);
	digest_hex(buf_bytes(&b), id + 4, WIRE_ID_DIGITS);
	buf_clear(&b);
	return id;
}

struct span
call_wire_id(struct call *c)
{
	if (c->id.len > 2)
		return (struct span){ c->id.p + 1, c->id.len - 2 };
	if (!c->made_id)
		c->made_id = make_id(c);
	return span_of(c->made_id);
}
