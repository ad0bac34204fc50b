/*
 * The AsyncAPI document. Schemas are of draft 2020-12, which AsyncAPI's own
 * schema language is not: they stand in multi-format schema objects.
 */
#include "event/asyncapi.h"

#include "base/arena.h"
#include "json/reader.h"
#include "json/schema_bundle.h"
#include "json/write.h"
#include "net/digest.h"
#include "net/sign.h"

static const char schema_format[] =
    "application/schema+json;version=draft-2020-12";

/* Of Standard Webhooks' own examples; the world knows it. */
static const char example_secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

enum {
	EXAMPLE_TIME_S = 1674087231,
	EXAMPLE_ID_DIGITS = 32,
	VERSION_DIGITS = 12,
	INDENT = 2,
};

static const char about[] =
    "Events that webhooks can subscribe to; each channel is one. A message is "
    "an HTTP POST to the webhook's own URL, with the body "
    "`{\"name\": ..., \"payload\": {...}}`. A message can come twice, and "
    "then has the same `webhook-id`.\n\n"
    "Any answer 2xx says that it was taken. 410, or the header "
    "`webhook-delivery: disable`, disables the webhook; "
    "`webhook-delivery: abort-message` gives up this message alone. After "
    "other answers, redirects too, or none, it may be sent again; `Retry-After` "
    "with 429 and 503 says when.\n\n"
    "A member of the payload is left out of the body if the webhook has an "
    "attribute of that name: their values are equal, or it would not have been "
    "called. The schemas here are without the attributes that an event "
    "requires. A webhook with a `transform` gets a body of its own making.";

static const char about_signature[] =
    "Standard Webhooks 1.0.0, for webhooks that have a secret: "
    "`webhook-signature` holds one or several signatures, between blanks. "
    "`v1,` is followed by the HMAC-SHA256, in base64, of `webhook-id`, "
    "`webhook-timestamp` and the body as it came, with `.` between them; the "
    "key is the secret behind `whsec_`, decoded from base64. `v1a,` is followed "
    "by an Ed25519 signature of the same text, to be verified with the public "
    "key behind `whpk_`. One that verifies is enough. Refuse timestamps that "
    "are more than 5 minutes off, and ids that you have seen.\n\n"
    "The examples are signed with `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`, as "
    "if the body were the payload without white space between its tokens.";

static const char headers[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"webhook-id\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]+$\","
    "\"description\":\"The same whenever this message is sent again. "
    "Only with a secret.\"},"
    "\"webhook-timestamp\":{\"type\":\"string\",\"pattern\":\"^[0-9]+$\","
    "\"description\":\"Seconds since 1970, when this attempt was made. "
    "Only with a secret.\"},"
    "\"webhook-signature\":{\"type\":\"string\",\"pattern\":"
    "\"^v1a?,[A-Za-z0-9+/]+=*( v1a?,[A-Za-z0-9+/]+=*)*$\","
    "\"description\":\"See the security scheme. Only with a secret.\"},"
    "\"traceparent\":{\"type\":\"string\","
    "\"description\":\"W3C Trace Context, if the event had one.\"}}}";

struct document {
	const struct catalog *catalog;
	struct buf out;
	struct names keys;  /* of the events, by place among the public ones */
	struct arena arena; /* the keys */
	struct schema_bundle *bundle;
	struct signer *signer;
	struct error *error;
	bool failed;
};

/*
 * Names of channels and messages take no colon: "service.subscribed" for
 * service:subscribed. Where that gives a name twice, "-2" is put behind it.
 */
static void
add_key(struct document *d, struct span name)
{
	struct buf key = { 0 };
	size_t i, n = 1;

	for (i = 0; i < name.len; i++) {
		char c = name.p[i];
		bool fit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_' || c == '-';

		buf_putc(&key, fit ? c : '.');
	}
	while (names_find(&d->keys, buf_bytes(&key)) >= 0) {
		key.len = name.len;
		buf_printf(&key, "-%zu", ++n);
	}
	names_add(&d->keys, arena_copy(&d->arena, buf_bytes(&key)));
	buf_clear(&key);
}

static void
open_member(struct document *d, const char *name)
{
	json_put_name(&d->out, name);
	buf_putc(&d->out, '{');
}

static void
open_key(struct document *d, const char *begin, struct span key)
{
	struct buf name = { 0 };

	buf_puts(&name, begin);
	buf_span(&name, key);
	open_member(d, buf_str(&name));
	buf_clear(&name);
}

static void
close_member(struct document *d)
{
	buf_putc(&d->out, '}');
}

/* {"$ref":"BEGIN KEY MIDDLE KEY"} without the blanks. */
static void
put_ref(struct document *d, const char *begin, struct span key,
    const char *middle)
{
	struct buf ref = { 0 };

	buf_puts(&ref, begin);
	buf_span(&ref, key);
	if (*middle) {
		buf_puts(&ref, middle);
		buf_span(&ref, key);
	}
	buf_putc(&d->out, '{');
	json_put_member(&d->out, "$ref", buf_bytes(&ref));
	buf_putc(&d->out, '}');
	buf_clear(&ref);
}

/* Of each public event, with its key. */
static void
each(struct document *d, void (*put)(struct document *,
    const struct catalog_event *, struct span key))
{
	size_t i, n = 0;

	for (i = 0; i < d->catalog->n; i++)
		if (d->catalog->events[i].public)
			put(d, &d->catalog->events[i], d->keys.list[n++]);
}

static void
put_channel(struct document *d, const struct catalog_event *ev,
    struct span key)
{
	open_key(d, "", key);
	json_put_name(&d->out, "address");
	buf_puts(&d->out, "null");
	json_put_member(&d->out, "title", ev->name);
	if (ev->description.len)
		json_put_member(&d->out, "description", ev->description);
	open_member(d, "messages");
	json_put_string(&d->out, key);
	buf_putc(&d->out, ':');
	put_ref(d, "#/components/messages/", key, "");
	close_member(d);
	close_member(d);
}

static void
put_operation(struct document *d, const struct catalog_event *ev,
    struct span key)
{
	(void)ev;
	open_key(d, "send.", key);
	json_put_member(&d->out, "action", SPAN("send"));
	json_put_name(&d->out, "channel");
	put_ref(d, "#/channels/", key, "");
	json_put_name(&d->out, "messages");
	buf_putc(&d->out, '[');
	put_ref(d, "#/channels/", key, "/messages/");
	buf_puts(&d->out, "],\"security\":[");
	put_ref(d, "#/components/securitySchemes/",
	    SPAN("standardWebhooks"), "");
	buf_puts(&d->out, "],\"bindings\":{\"http\":{\"method\":\"POST\","
	    "\"bindingVersion\":\"0.3.0\"}}");
	close_member(d);
}

/* The schema of the body. */
static void
put_body_schema(struct document *d, const struct catalog_event *ev)
{
	struct buf *b = &d->out;

	open_member(d, "payload");
	json_put_member(b, "schemaFormat", span_of(schema_format));
	open_member(d, "schema");
	json_put_member(b, "type", SPAN("object"));
	if (ev->deprecated)
		json_put_member_bool(b, "deprecated", true);
	open_member(d, "properties");
	open_member(d, "name");
	json_put_member(b, "const", ev->name);
	close_member(d);
	json_put_name(b, "payload");
	schema_bundle_put(d->bundle, ev->document, ev->required,
	    ev->n_required, b);
	close_member(d);
	buf_puts(b, ",\"required\":[\"name\",\"payload\"]");
	close_member(d);
	close_member(d);
}

static bool
is_required(const struct catalog_event *ev, const struct json *j, uint32_t k)
{
	size_t i;

	for (i = 0; i < ev->n_required; i++)
		if (json_string_is(j, k, ev->required[i]))
			return true;
	return false;
}

/* The body that the event gives, as ev-route makes it. */
static void
put_body(struct buf *b, const struct catalog_event *ev, const struct json *j,
    uint32_t example)
{
	uint32_t payload = json_get(j, example, SPAN("payload")), k;
	bool first = true;

	buf_putc(b, '{');
	json_put_member(b, "name", ev->name);
	json_put_name(b, "payload");
	if (payload && json_kind(j, payload) != JSON_OBJECT) {
		json_put_compact(b, json_bytes(j, payload));
		buf_putc(b, '}');
		return;
	}
	buf_putc(b, '{');
	for (k = payload + 1; payload && k < json_next(j, payload);
	    k = json_next(j, k + 1)) {
		if (is_required(ev, j, k))
			continue;
		if (!first)
			buf_putc(b, ',');
		first = false;
		json_put_compact(b, json_bytes(j, k));
		buf_putc(b, ':');
		json_put_compact(b, json_bytes(j, k + 1));
	}
	buf_puts(b, "}}");
}

/* "webhook-id: msg_1" and a NUL, three times. */
static void
put_headers(struct document *d, struct span body)
{
	char id[4 + EXAMPLE_ID_DIGITS] = "msg_";
	struct buf lines = { 0 };
	size_t at = 0;

	digest_hex(body, id + 4, EXAMPLE_ID_DIGITS);
	if (signer_put(d->signer, &lines, (struct span){ id, sizeof(id) }, body,
	    (int64_t)EXAMPLE_TIME_S * 1000, d->error) < 0)
		d->failed = true;
	open_member(d, "headers");
	while (at < lines.len) {
		struct span line = span_of(lines.p + at);
		const char *colon = strstr(line.p, ": ");
		struct buf name = { 0 };

		buf_add(&name, line.p, (size_t)(colon - line.p));
		json_put_member(&d->out, buf_str(&name), span_of(colon + 2));
		buf_clear(&name);
		at += line.len + 1;
	}
	close_member(d);
	buf_clear(&lines);
}

static void
put_example(struct document *d, const struct catalog_event *ev,
    const struct json *j, uint32_t example)
{
	struct buf body = { 0 };

	put_body(&body, ev, j, example);
	buf_putc(&d->out, '{');
	put_headers(d, buf_bytes(&body));
	json_put_name(&d->out, "payload");
	buf_span(&d->out, buf_bytes(&body));
	buf_putc(&d->out, '}');
	buf_clear(&body);
}

static void
put_examples(struct document *d, const struct catalog_event *ev)
{
	struct buf text = { 0 };
	struct json_error e;
	struct json j;
	uint32_t i;

	json_init(&j);
	buf_span(&text, ev->examples);
	(void)buf_str(&text);
	if (text.len && json_read(&j, text.p, text.len, &e) == 0 &&
	    json_at(&j, 0)->n) {
		json_put_name(&d->out, "examples");
		buf_putc(&d->out, '[');
		for (i = 1; i < json_next(&j, 0); i = json_next(&j, i)) {
			if (i > 1)
				buf_putc(&d->out, ',');
			put_example(d, ev, &j, i);
		}
		buf_putc(&d->out, ']');
	}
	json_clear(&j);
	buf_clear(&text);
}

static void
put_message(struct document *d, const struct catalog_event *ev,
    struct span key)
{
	struct buf text = { 0 };
	size_t i;

	open_key(d, "", key);
	json_put_member(&d->out, "name", ev->name);
	json_put_member(&d->out, "title", ev->name);
	if (ev->deprecated)
		buf_puts(&text, "**Deprecated.** ");
	buf_span(&text, ev->description);
	if (text.len)
		json_put_member(&d->out, "description", buf_bytes(&text));
	if (ev->n_required) {
		json_put_name(&d->out, "x-required-attributes");
		for (i = 0; i < ev->n_required; i++) {
			buf_putc(&d->out, i ? ',' : '[');
			json_put_string(&d->out, ev->required[i]);
		}
		buf_putc(&d->out, ']');
	}
	buf_puts(&d->out, ",\"traits\":[");
	put_ref(d, "#/components/messageTraits/", SPAN("request"), "");
	buf_putc(&d->out, ']');
	put_body_schema(d, ev);
	put_examples(d, ev);
	close_member(d);
	buf_clear(&text);
}

/* What the bodies' schemas refer to, and what that refers to. */
static void
put_parts(struct document *d)
{
	struct buf part = { 0 };
	struct span name;

	open_member(d, "schemas");
	for (;; part.len = 0) {
		name = schema_bundle_next(d->bundle, &part);
		if (name.len == 0)
			break;
		open_key(d, "", name);
		json_put_member(&d->out, "schemaFormat",
		    span_of(schema_format));
		json_put_name(&d->out, "schema");
		buf_span(&d->out, buf_bytes(&part));
		close_member(d);
	}
	close_member(d);
	buf_clear(&part);
}

static void
put_components(struct document *d)
{
	open_member(d, "components");
	open_member(d, "messages");
	each(d, put_message);
	close_member(d);
	open_member(d, "messageTraits");
	open_member(d, "request");
	json_put_member(&d->out, "contentType", SPAN("application/json"));
	json_put_name(&d->out, "headers");
	buf_puts(&d->out, headers);
	close_member(d);
	close_member(d);
	put_parts(d);
	open_member(d, "securitySchemes");
	open_member(d, "standardWebhooks");
	json_put_member(&d->out, "type", SPAN("httpApiKey"));
	json_put_member(&d->out, "name", SPAN("webhook-signature"));
	json_put_member(&d->out, "in", SPAN("header"));
	json_put_member(&d->out, "description", span_of(about_signature));
	close_member(d);
	close_member(d);
	close_member(d);
}

/* Its version is that of the rest: another catalog has another one. */
static void
put_info(struct span rest, struct buf *out)
{
	char version[VERSION_DIGITS];

	digest_hex(rest, version, VERSION_DIGITS);
	buf_puts(out, "{\"asyncapi\":\"3.0.0\",\"info\":{");
	json_put_member(out, "title", SPAN("Webhook events"));
	json_put_member(out, "version",
	    (struct span){ version, VERSION_DIGITS });
	json_put_member(out, "description", span_of(about));
	buf_puts(out, "},\"defaultContentType\":\"application/json\",");
	buf_span(out, rest);
	buf_putc(out, '}');
}

static void
put_rest(struct document *d)
{
	struct buf *b = &d->out;

	buf_puts(b, "\"channels\":{");
	each(d, put_channel);
	close_member(d);
	open_member(d, "operations");
	each(d, put_operation);
	close_member(d);
	put_components(d);
}

static void
new_line(struct buf *b, unsigned depth)
{
	buf_putc(b, '\n');
	for (depth *= INDENT; depth; depth--)
		buf_putc(b, ' ');
}

/* Compact JSON, indented for people and for diff(1). */
static void
put_indented(struct buf *b, struct span json)
{
	bool in_string = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < json.len; i++) {
		char c = json.p[i], next = i + 1 < json.len ? json.p[i + 1] : 0;

		if (!in_string && (c == '}' || c == ']'))
			new_line(b, --depth);
		buf_putc(b, c);
		if (in_string && c == '\\')
			buf_putc(b, json.p[++i]);
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && c == ':')
			buf_putc(b, ' ');
		else if (!in_string && c == ',')
			new_line(b, depth);
		else if (!in_string && (c == '{' || c == '[')) {
			if (next == '}' || next == ']')
				buf_putc(b, json.p[++i]);
			else
				new_line(b, ++depth);
		}
	}
	buf_putc(b, '\n');
}

int
asyncapi_put(const struct catalog *c, struct buf *b, struct error *e)
{
	struct document d = { .catalog = c, .error = e };
	struct buf whole = { 0 };
	struct sign_key *key = sign_key_new(span_of(example_secret), e);
	size_t i;

	if (!key)
		return -1;
	d.signer = signer_new();
	signer_add(d.signer, key, 0);
	d.bundle = schema_bundle_new(c->schemas, "#/components/schemas/",
	    "/schema");
	for (i = 0; i < c->n; i++)
		if (c->events[i].public)
			add_key(&d, c->events[i].name);
	put_rest(&d);
	put_info(buf_bytes(&d.out), &whole);
	put_indented(b, buf_bytes(&whole));
	schema_bundle_free(d.bundle);
	signer_free(d.signer);
	names_clear(&d.keys);
	arena_clear(&d.arena);
	buf_clear(&d.out);
	buf_clear(&whole);
	return d.failed ? -1 : 0;
}
